"""`tuner preview` writes a picture that holds what it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Command


def test_sheet_of_a_study_has_a_row_for_each_method(command: Command, tmp_path: Path):
    found = command("preview", "digits", "--out", str(tmp_path / "sheet.png"), "--images", "4", "--json")
    assert found.code == 0, found.err
    names = [row["name"] for row in found.json["rows"]]
    assert names[0] == "unmixed"
    assert {"mixup", "cutmix"} <= set(names)
    with Image.open(tmp_path / "sheet.png") as sheet:
        pixels = np.asarray(sheet.convert("L"))
    assert pixels.shape[0] > 100 * len(names)
    assert pixels.std() > 20


def test_another_seed_shows_another_sheet(command: Command, tmp_path: Path):
    sheets = []
    for seed in ("0", "0", "1"):
        out = tmp_path / "sheet.png"
        command("preview", "cutmix", "--out", str(out), "--seed", seed, "--images", "3")
        with Image.open(out) as sheet:
            sheets.append(np.asarray(sheet.convert("L")))
    assert np.array_equal(sheets[0], sheets[1])
    assert not np.array_equal(sheets[0], sheets[2])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("mixup", "--out", "sheet.jpg"), "--out wants a file that ends in .png, read 'sheet.jpg'"),
        (("mixup", "--out", "nowhere/sheet.png"), "--out: there is no folder 'nowhere'; make it first"),
        (("mixup", "--out", "sheet.png", "--dataset", "digit"), "unknown dataset 'digit'"),
        (("mixupp", "--out", "sheet.png"), "methods: none, mixup, cutmix"),
        (("mixup", "--out", "sheet.png", "--set", "seed=1"), "--set changes a study file, and mixup is a method"),
    ],
    ids=str,
)
def test_bad_arguments_are_answered(command: Command, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    found = command("preview", *arguments)
    assert found.code == 2
    assert words in found.err
    assert not (tmp_path / "sheet.png").exists()
