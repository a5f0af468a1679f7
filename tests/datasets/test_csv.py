"""Tables from CSV files: what is read as what, and what is refused in which words."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from tuner.catalog import resolve
from tuner.datasets import DATASETS, Split
from tuner.datasets.csv_table import csv
from tuner.datasets.features import Feature, column_numbers, encoded

COLOURS = ("red", "green", "blue")


def table(rows: int = 60) -> str:
    """Rows of a number, a category, a number with a blank around it, a class and an amount."""
    lines = ["size,colour,weight,kind,price"]
    for row in range(rows):
        kind = ("cat", "dog")[row % 2]
        lines.append(f"{row / 7:.3f},{COLOURS[row % 3]}, {row} ,{kind},{10 * row + 0.5}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def write(tmp_path):
    def written(text: str | bytes, name: str = "table.csv") -> str:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return str(path)

    return written


def build(path: str, target: str = "kind", **more: Any) -> Split:
    return DATASETS.build(resolve(DATASETS, {"name": "csv", "path": path, "target": target, **more}), 0)


def by_name(dataset: Any, examples: Any) -> dict[str, np.ndarray]:
    names = [feature.name for feature in dataset.features]
    return dict(zip(names, examples.images[:, :, 0, 0].T, strict=True))


def test_numbers_and_categories_become_features_and_the_target_classes(write):
    dataset = csv(path=write(table()), target="kind", ignore=("price",))
    assert [feature.name for feature in dataset.features] == [
        *("size", "colour=blue", "colour=green", "colour=red", "weight"),
    ]
    assert column_numbers(dataset.features) == [0, 1, 1, 1, 2]
    assert dataset.classes == ("cat", "dog")
    assert (len(dataset.training), len(dataset.load_test())) == (51, 9)
    values = by_name(dataset, dataset.training)
    row = values["weight"]
    np.testing.assert_allclose(values["size"], row / 7, atol=6e-4)
    assert np.array_equal(dataset.training.labels, row % 2)
    for place, colour in enumerate(COLOURS):
        assert np.array_equal(values[f"colour={colour}"], row % 3 == place)
    assert dataset.warnings == ()


def test_amounts_are_a_regression_and_every_tenth_is_in_every_part(write):
    split = build(write(table(400)), target="price", ignore=["kind"])
    assert split.classes == ()
    assert split.training.labels.dtype == np.float32
    for part in (split.validation, split.load_test()):
        tenths = np.floor(part.labels / 400).astype(int)
        counts = np.bincount(tenths, minlength=10)
        assert counts.min() > 0
        assert counts.max() - counts.min() <= 2


@pytest.mark.parametrize(
    ("target", "task", "classes"),
    [
        ("kind", "auto", ("cat", "dog")),
        ("stars", "auto", ("1", "2", "10")),
        ("stars", "classification", ("1", "2", "10")),
        ("stars", "regression", ()),
        ("weight", "auto", ()),
    ],
)
def test_task_is_told_by_the_target_unless_it_is_said(write, target, task, classes):
    stars = ("1", "10", "2", "2.0")
    lines = [f"{row / 3},{row},{('cat', 'dog')[row % 2]},{stars[row % 4]}" for row in range(40)]
    dataset = csv(path=write("\n".join(["size,weight,kind,stars", *lines])), target=target, task=task)
    assert dataset.classes == classes
    doubts = [warning for warning in dataset.warnings if "taken for classes" in warning]
    assert len(doubts) == (target == "stars" and task == "auto")


def test_numbers_can_be_made_categories(write):
    dataset = csv(path=write(table()), target="kind", ignore=("price", "weight", "size"), categorical=("colour",))
    assert len(dataset.features) == 3
    lines = [f"{row % 4},{row},{row % 2}" for row in range(40)]
    coded = csv(path=write("\n".join(["code,x,y", *lines])), target="y", categorical=("code",))
    assert [feature.name for feature in coded.features] == ["code=0", "code=1", "code=2", "code=3", "x"]


def test_a_missing_number_is_the_training_rows_mean_and_a_missing_category_a_level(write):
    lines = [f"{'NA' if row % 5 == 0 else row},{'' if row % 7 == 0 else 'abc'[row % 3]},{row % 2}" for row in range(70)]
    path = write("\n".join(["x,letter,y", *lines]))
    with pytest.raises(ValueError, match=r"x in 14, letter in 10 of 70 rows, the first at line 2; set missing: mean"):
        csv(path=path, target="y")
    dataset = csv(path=path, target="y", missing="mean")
    values = by_name(dataset, dataset.training)
    present = values["x"][values["x"] == values["x"].round()]
    fill = next(feature.fill for feature in dataset.features if feature.column == "x")
    known = values["x"][values["x"] != np.float32(fill)]
    assert fill == pytest.approx(known.mean(), rel=1e-5)
    assert len(known) < len(dataset.training) <= len(present) + 14
    assert "letter=missing" in values
    np.testing.assert_array_equal(sum(values[name] for name in values if name.startswith("letter")), 1)


def test_a_level_that_only_test_rows_have_is_no_level_and_is_told(write):
    lines = [f"{row},{'same'},{row % 2}" for row in range(60)]
    plain = csv(path=write("\n".join(["x,letter,y", *lines])), target="y")
    held_out = by_name(plain, plain.load_test())["x"].astype(int)
    lines[held_out[0]] = f"{held_out[0]},odd,{held_out[0] % 2}"
    dataset = csv(path=write("\n".join(["x,letter,y", *lines])), target="y")
    assert any("column letter: test rows have odd, which no training row has" in one for one in dataset.warnings)
    values = by_name(dataset, dataset.load_test())
    assert values["letter=same"][values["x"] == held_out[0]] == 0
    assert values["letter=same"].sum() == len(held_out) - 1


def test_a_test_file_is_read_with_the_training_files_levels_and_only_when_it_is_opened(write, tmp_path):
    path, later = write(table()), tmp_path / "test.csv"
    dataset = csv(path=path, target="kind", ignore=("price",), test_path=str(later))
    assert len(dataset.training) == 60
    later.write_text("kind,weight,colour,size,price\ndog,3,purple,1.5,9\ncat,4,red,2.5,9\n")
    test = pickle.loads(pickle.dumps(dataset.load_test))()
    values = by_name(dataset, test)
    assert values["size"].tolist() == [1.5, 2.5]
    assert values["colour=red"].tolist() == [0, 1]
    assert test.labels.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kind,size\ncat,1\n", r"test.csv lacks colour, weight"),
        (
            "kind,size,colour,weight\nemu,1,red,2\n",
            r"kind has emu, which no training row has; its classes are cat",
        ),
        ("kind,size,colour,weight\ncat,many,red,2\n", r"column size wants numbers: .*many"),
        ("kind,size,colour,weight\ncat,,red,2\n", r"column size has 1 cells without a value"),
    ],
)
def test_a_test_file_that_does_not_fit_says_so(write, tmp_path, text, words):
    dataset = csv(path=write(table()), target="kind", ignore=("price",), test_path=write(text, "test.csv"))
    with pytest.raises(ValueError, match=words):
        dataset.load_test()


NUMBERS = "\n".join(["x,y", *(f"{row},{row % 2}" for row in range(30))])
BAD: dict[str, tuple[str | bytes | None, dict[str, Any], str]] = {
    "no such file": (None, {}, r"path .*nowhere.csv is missing; wanted a CSV file"),
    "empty": ("", {}, r"is empty; wanted a line with the names of the columns"),
    "header alone": ("x,y\n", {}, r"has a header and no rows"),
    "few rows": ("x,y\n1,0\n2,1\n", {}, r"has 2 rows; training, validation and test together need 10"),
    "no such target": (NUMBERS, {"target": "yy"}, r"target: .* has no column 'yy'; it has x, y"),
    "no such category": (NUMBERS, {"categorical": ("xx",)}, r"categorical: .* has no column 'xx'"),
    "target ignored": (NUMBERS, {"ignore": ("y",)}, r"ignore has the target y, which is predicted"),
    "nothing left": (NUMBERS, {"ignore": ("x",)}, r"no column beside the target y and those in ignore"),
    "one class": (NUMBERS.replace(",1", ",0"), {}, r"column y .* is 0 in every row: nothing to learn"),
    "twice the same name": ("x,x,y\n1,2,0\n", {}, r"the header of .* has x more than once"),
    "a column without a name": (",x,y\n1,2,0\n", {}, r"column 1 of .* has no name in the header; .*index=False"),
    "ragged": (
        NUMBERS + "\n1,2,3\n4",
        {},
        r"has 2 rows that are not as long as the header's 2 columns, the first at line 32 with 3; mend them",
    ),
    "not UTF-8": (NUMBERS.replace("x", "größe").encode("latin-1"), {}, r"is no UTF-8 text \(at byte 2\); write it as"),
    "a broken quote": (NUMBERS + '\n"1,0', {}, r"is no CSV file at line 32"),
    "semicolons": (NUMBERS.replace(",", ";"), {}, r"has the one column 'x;y'; a semicolon seems .* set delimiter: ';'"),
    "no value in a column": (
        "\n".join(["a,x,y", *(f",{row},{row % 2}" for row in range(30))]),
        {},
        r"column a of .* has no value in any row; list it in ignore",
    ),
    "one word among numbers": (
        NUMBERS.replace("\n7,", "\nseven,"),
        {},
        r"column x of .* has 29 numbers and 1 cells that are none, the first 'seven' at line 9; mend them, or list x",
    ),
    "one word among target numbers": (
        NUMBERS.replace("\n7,1", "\n7,one"),
        {},
        r"column y of .* has 29 numbers and 1 cells that are none, the first 'one' at line 9; .*task: classification",
    ),
    "a word for each row": (
        "\n".join(["id,x,y", *(f"n{row},{row},{row % 2}" for row in range(30))]),
        {},
        r"column id of .* has 30 different words in 30 rows, .*list id in ignore, or in categorical",
    ),
    "decimal commas": (
        "\n".join(["x;y", *(f"{row % 5},5;{row % 2}" for row in range(30))]),
        {"delimiter": ";"},
        r"column x of .* seems to be numbers, written as '0,5'; write them with a point",
    ),
    "per cent": (
        "\n".join(["x,y", *(f"{row} %,{row % 2}" for row in range(30))]),
        {},
        r"column x of .* seems to be numbers, written as '0 %'",
    ),
    "many words": (
        "\n".join(["id,x,y", *(f"n{row // 2},{row},{row % 2}" for row in range(202))]),
        {},
        r"column id of .* has 101 different words in 202 rows",
    ),
    "words to regress": (
        table(),
        {"target": "kind", "task": "regression"},
        r"column kind of .* has words such as 'cat'; set task: classification",
    ),
    "amounts as classes": (table(), {"target": "price", "task": "classification"}, r"set task: regression"),
    "target missing": (
        NUMBERS.replace("\n7,1", "\n7,"),
        {"missing": "mean"},
        r"1 of 30 rows have no y, the first at line 9",
    ),
    "all the same amount": (
        "\n".join(["x,y", *(f"{row},2.5" for row in range(30))]),
        {"task": "regression"},
        r"column y of .* is 2.5 in every row",
    ),
    "a class of one row": (NUMBERS.replace("\n7,1", "\n7,2"), {}, r"every class needs at least 2 examples.*2 has 1"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_read_is_refused_in_words(write, tmp_path, name):
    text, more, words = BAD[name]
    path = str(tmp_path / "nowhere.csv") if text is None else write(text)
    with pytest.raises(ValueError, match=words):
        csv(**{"path": path, "target": "y", **more})


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ValueError, match="is a folder; wanted a CSV file"):
        csv(path=str(tmp_path), target="y")


def test_a_byte_order_mark_blank_lines_and_quotes_are_no_matter(write):
    text = "\ufeff" + NUMBERS.replace("\n7,1", '\n\n"7","1"')
    dataset = csv(path=write(text), target="y", task="classification")
    assert [feature.name for feature in dataset.features] == ["x"]
    whole = np.concatenate([dataset.training.images, dataset.load_test().images]).ravel()
    assert sorted(whole.tolist()) == list(range(30))


def test_a_cell_is_encoded_by_its_feature():
    features = (Feature("x", fill=2.5), Feature("c", "a"), Feature("c", ""))
    assert encoded({"x": ["1", ""], "c": ["a", ""]}, features)[:, :, 0, 0].tolist() == [[1, 1, 0], [2.5, 0, 1]]
    with pytest.raises(ValueError, match="column x has 1 cells without a value; it may have none"):
        encoded({"x": [""]}, (Feature("x"),))
