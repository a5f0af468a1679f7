"""One's own function by name: what it may be set to, and what is said where it cannot be had."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tuner.catalog import Table, called, entry, resolve
from tuner.errors import ConfigError
from tuner.imported import entry_of, load


def known(*, size: int = 1) -> int:
    """A known part."""
    return size


PARTS = Table("part", {"known": entry(known)}, lambda reference: entry_of(reference, ("first",), ("stages",)))

MODULE = '''
from typing import TYPE_CHECKING, Annotated, Literal
from annotated_types import Gt
if TYPE_CHECKING:
    from nowhere import Secret

MINUTES = 5

def part(first, second=2, *, rate: Annotated[float, Gt(0)], kind: Literal["a", "b"] = "a", sizes: list[int] = [1],
         anything=None, act=print, sloppy: int = None, **more):
    """A part.

    More of it.
    """
    return dict(first=first, second=second, rate=rate, kind=kind, sizes=sizes, anything=anything, act=act)

class Part:
    def __init__(self, first, *, rate: float = 1.0):
        self.rate = rate

def hidden(first: "Secret", *, rate: "Secret" = 1): return rate
def broken(first, *, at=0): return 1 / at
def none(): return 1
def positional(first, second, /): return 1
def takes_stages(first, *, stages=()): return 1
'''


@pytest.fixture
def write(tmp_path, monkeypatch) -> Iterator[Callable[[str, str], Path]]:
    """Write modules into the current folder, which is forgotten afterwards, as are they."""
    before = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def write_module(text: str, name: str = "parts_of_mine.py") -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    yield write_module
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def parts(write) -> Path:
    return write(MODULE)


def problem(config: dict[str, Any], table: Table = PARTS) -> tuple[str, str]:
    with pytest.raises(ConfigError) as caught:
        resolve(table, config, ("model",))
    ((path, message),) = caught.value.problems
    return ".".join(map(str, path)), message


def test_function_of_the_current_folder_is_read_resolved_and_called(parts):
    config = resolve(PARTS, {"import": "parts_of_mine:part", "rate": 1, "sizes": (3, 4), "anything": {"a": [1, None]}})
    assert config == {
        "import": "parts_of_mine:part",
        "second": 2,
        "rate": 1.0,
        "kind": "a",
        "sizes": [3, 4],
        "anything": {"a": [1, None]},
        "sloppy": None,
    }
    assert resolve(PARTS, config) == config
    assert PARTS.build(config, "x") == {
        "first": "x",
        "second": 2,
        "rate": 1.0,
        "kind": "a",
        "sizes": [3, 4],
        "anything": {"a": [1, None]},
        "act": print,
    }
    assert called(config) == "parts_of_mine:part"
    assert PARTS.entry_of(config).summary == "A part."


def test_class_is_read_as_its_constructor(parts):
    assert PARTS.build(resolve(PARTS, {"import": "parts_of_mine:Part", "rate": 2}), "x").rate == 2.0
    assert problem({"import": "parts_of_mine:Part", "rate": "high"})[1] == "wanted a number, read the text 'high'"


def test_annotations_that_cannot_be_read_allow_anything(parts):
    assert PARTS.build(resolve(PARTS, {"import": "parts_of_mine:hidden", "rate": "x"}), 1) == "x"


def test_module_in_a_package_is_found(write):
    write("def part(first): return first\n", "mine_too/deep.py")
    assert load("mine_too.deep:part")(3) == 3


def test_name_beside_an_import_is_a_label(parts):
    config = resolve(PARTS, {"name": "mine", "import": "parts_of_mine:Part"})
    assert (config["name"], called(config), config["import"]) == ("mine", "mine", "parts_of_mine:Part")
    assert problem({"name": "known", "import": "parts_of_mine:Part"}) == (
        "model",
        "name known is the tuner's own part; give name or import",
    )


@pytest.mark.parametrize(
    ("given", "path", "words"),
    [
        ({"rate": 0}, "model.rate", "wanted a number > 0, read 0"),
        ({}, "model", "parts_of_mine:part needs rate: a number > 0"),
        ({"rate": 1, "kin": "a"}, "model.kin", "unknown key 'kin' of parts_of_mine:part; allowed: second, rate, kind,"),
        ({"rate": 1, "act": 1}, "model.act", "unknown key 'act' of parts_of_mine:part"),
        ({"rate": 1, "sizes": [1.5]}, "model.sizes", "wanted a list, each a whole number, read [1.5]"),
    ],
)
def test_parameters_are_checked_against_the_functions_own(parts, given, path, words):
    found = problem({"import": "parts_of_mine:part", **given})
    assert found[0] == path
    assert found[1].startswith(words)


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("parts_of_mine", "wanted package.module:function, read 'parts_of_mine'; for example my_models:network"),
        ("parts_of_mine.part", "wanted package.module:function"),
        ("parts_of_mine:", "wanted package.module:function"),
        ("./parts_of_mine.py:part", "wanted package.module:function"),
        (3, "wanted text, read 3"),
        ("part_of_mine:part", "no module named 'part_of_mine'; did you mean parts_of_mine?; looked in the current"),
        ("parts_of_mine.sub:part", "no module named 'parts_of_mine.sub'"),
        ("parts_of_mine:prt", "has no 'prt'; it has "),
        ("parts_of_mine:MINUTES", "parts_of_mine:MINUTES is a int; wanted a function or a class"),
        ("parts_of_mine:none", "wanted a function of (first, ...), and parts_of_mine:none takes ()"),
        ("parts_of_mine:positional", "parts_of_mine:positional takes second by position alone"),
        ("parts_of_mine:takes_stages", "has a parameter stages, which means something else here; rename it"),
    ],
)
def test_what_cannot_be_imported_is_refused_at_its_key(parts, reference, words):
    path, message = problem({"import": reference})
    assert path == "model.import"
    assert words in message


def test_missing_function_is_told_with_its_nearest(parts):
    assert problem({"import": "parts_of_mine:prt"})[1].endswith("; did you mean part?")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import nowhere_at_all\n", "raised ModuleNotFoundError: No module named 'nowhere_at_all' ({path}, line 1)"),
        ("x = 1\nx = 1 / 0\n", "raised ZeroDivisionError: division by zero ({path}, line 2)"),
        ("def part(first:\n    pass\n", "raised SyntaxError: "),
        ("raise SystemExit(2)\n", "raised SystemExit: 2 ({path}, line 1)"),
        ("import json\n\njson.loads('{{')\n", "{path}, line 3)"),
    ],
)
def test_module_that_raises_is_told_with_its_line(write, text, words):
    path = write(text.replace("{{", "{"), "breaks_at_once.py")
    place, message = problem({"import": "breaks_at_once:part"})
    assert place == "model.import"
    assert message.startswith("importing breaks_at_once raised ")
    assert words.format(path=path) in message


def test_module_can_be_mended_and_imported_again(write):
    write("1 / 0\n", "mended.py")
    problem({"import": "mended:part"})
    write("def part(first): return 7\n", "mended.py")
    assert load("mended:part")(0) == 7


def test_function_that_raises_is_told_with_its_line(parts):
    line = MODULE.splitlines().index("def broken(first, *, at=0): return 1 / at") + 1
    with pytest.raises(ValueError, match="parts_of_mine:broken raised ZeroDivisionError") as caught:
        PARTS.build(resolve(PARTS, {"import": "parts_of_mine:broken"}), 1)
    assert str(caught.value).endswith(f"({parts}, line {line})")


def test_kind_that_cannot_be_imported_says_so(parts):
    assert problem({"import": "parts_of_mine:part"}, Table("part", {"known": entry(known)})) == (
        "model.import",
        "a part cannot be imported; known: known",
    )
