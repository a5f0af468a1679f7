"""A table of recorded curves: what is written is read, and a policy between two recorded ones has the nearer one's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.search import recorded
from tests.search.conftest import metrics
from tests.search.recorded import Recorded
from tuner import trial
from tuner.search.search import Assignment

RECORDER = Path(__file__).parents[1] / "benchmarks" / "record_curves.py"


def mixing(name, **more):
    given = {"name": name, **more}
    return trial.resolve({"dataset": "digits", "model": {"name": "small_cnn", "padding": "same"}, "mixing": given})[
        "mixing"
    ]


def beta(alpha):
    return {"name": "beta", "alpha": alpha}


def rows():
    policies = [mixing("none"), *(mixing("mixup", ratio=beta(alpha)) for alpha in (0.25, 1.0, 4.0))]
    return [
        recorded.row(policy, seed, [metrics(1, 0.5), metrics(2, 0.6 + 0.01 * place + 0.001 * seed)])
        for place, policy in enumerate(policies)
        for seed in (0, 1)
    ]


def test_a_table_reads_as_it_was_written_and_is_the_same_bytes_whatever_the_order(tmp_path):
    one, other = tmp_path / "one.json.gz", tmp_path / "other.json.gz"
    recorded.write(one, {"study": "x"}, rows())
    recorded.write(other, {"study": "x"}, rows()[::-1])
    assert one.read_bytes() == other.read_bytes()
    header, found = recorded.read(one)
    assert header == {"study": "x"}
    assert sorted(found, key=lambda row: row.key) == sorted(rows(), key=lambda row: row.key)
    assert not list(tmp_path.glob("*.new"))


@pytest.mark.parametrize(("alpha", "nearest"), [(0.05, 0.61), (0.49, 0.61), (0.51, 0.62), (1.9, 0.62), (8.0, 0.63)])
def test_the_nearest_alpha_is_so_by_its_logarithm(alpha, nearest):
    found = Recorded(rows()).curve(Assignment(0, {"mixing": mixing("mixup", ratio=beta(alpha))}, 0, Path()))
    assert found == pytest.approx([0.5, nearest])


def test_a_configuration_tried_again_has_the_other_seeds_curve():
    table, config = Recorded(rows()), {"mixing": mixing("none")}
    ends = [table.curve(Assignment(0, config, seed, Path()))[-1] for seed in (0, 1, 2)]
    assert ends == pytest.approx([0.6, 0.601, 0.6])
    assert table.final(config["mixing"]) == pytest.approx(0.6005)


def test_what_nothing_like_was_recorded_is_refused():
    for policy in (mixing("cutmix"), mixing("mixup", depths=[0, 1]), mixing("mixup", ratio={"name": "dirichlet"})):
        with pytest.raises(ValueError, match="no recorded training"):
            Recorded(rows()).alike(policy)


@pytest.mark.heavy
def test_a_recording_that_was_stopped_goes_on_and_ends_with_the_same_table(tmp_path):
    study = tmp_path / "study.yaml"
    study.write_text(
        "name: short\ntrial:\n  dataset: {name: digits}\n  model: {name: small_cnn, padding: same}\n"
        "  training: {epochs: 2}\n  mixing: {choice: {none: {}, cutmix: {}}}\n"
        "search: {sampler: grid}\nscheduler: {name: fifo}\n"
    )

    def record(out, *more):
        command = [sys.executable, RECORDER, "--study", study, "--out", out, "--seeds", "1", *more]
        subprocess.run(list(map(str, command)), check=True, capture_output=True, timeout=200)
        return {row.key: row.series for row in recorded.read(out)[1]}

    whole = record(tmp_path / "whole.json.gz")
    assert len(whole) == 2
    assert len(record(tmp_path / "parts.json.gz", "--limit", "1")) == 1
    assert record(tmp_path / "parts.json.gz") == whole
