"""What waits on disk: read as it was written, in order, whatever is cut off or too much."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.tracking.examples import metrics
from tuner.results import StudyState, TrialState
from tuner.tracking import spool as spool_module
from tuner.tracking import wire
from tuner.tracking.batches import AT_ONCE, batches, halves
from tuner.tracking.operations import (
    DatasetInput,
    DatasetUsed,
    Described,
    EpochEnded,
    FileMade,
    ModelTrained,
    Operation,
    OrphansEnded,
    Progressed,
    RegisteredModel,
    StudyEnded,
    StudyStarted,
    TrialEnded,
    TrialsListed,
    TrialStarted,
)
from tuner.tracking.spool import Spool

SYSTEM_METRICS = 4
"""What `tuner.search.usage` measures on a GPU."""

WORDS = st.text(max_size=20)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS | st.lists(st.integers())
MAPPINGS = st.dictionaries(st.sampled_from(["$", "what", "value", "mixing.name", "ä"]), PLAIN, max_size=3)
NUMBERS = st.integers(0, 5)
STAMPS = st.integers(0, 2**45)
KINDS = st.sampled_from(["trial", "confirmation"])
EPOCHS = st.builds(EpochEnded, WORDS, NUMBERS, STAMPS, st.integers(1, 99).map(metrics), KINDS)
DATA = st.builds(DatasetInput, WORDS, WORDS, WORDS, WORDS, MAPPINGS, MAPPINGS)
FILES = st.binary(max_size=50) | st.just(Path("/some where/file.png"))
MODELS = st.builds(RegisteredModel, WORDS, st.just(Path("/a/0.trained.pt")), MAPPINGS, MAPPINGS, MAPPINGS)
OPERATIONS = st.one_of(
    EPOCHS,
    st.builds(StudyStarted, WORDS, STAMPS, WORDS, MAPPINGS, MAPPINGS),
    st.builds(TrialStarted, WORDS, NUMBERS, STAMPS, MAPPINGS, MAPPINGS, KINDS, WORDS, st.none() | NUMBERS),
    st.builds(TrialEnded, WORDS, NUMBERS, STAMPS, st.sampled_from(TrialState), WORDS, KINDS),
    st.builds(StudyEnded, WORDS, STAMPS, st.sampled_from(StudyState), MAPPINGS),
    st.builds(FileMade, WORDS, STAMPS, WORDS, FILES, st.none() | NUMBERS, KINDS),
    st.builds(Described, WORDS, STAMPS, WORDS),
    st.builds(DatasetUsed, WORDS, STAMPS, DATA, st.none() | NUMBERS, KINDS),
    st.builds(ModelTrained, WORDS, STAMPS, MODELS),
    st.builds(Progressed, WORDS, STAMPS, NUMBERS, MAPPINGS),
    st.builds(OrphansEnded, WORDS, STAMPS, KINDS),
    st.builds(TrialsListed, WORDS, STAMPS, st.lists(MAPPINGS, max_size=2).map(tuple)),
)
MANY = st.lists(OPERATIONS, min_size=1, max_size=8)


@given(OPERATIONS)
def test_record_comes_back_from_its_line(operation: Operation):
    written = wire.line(operation)
    assert written.count(b"\n") == 1
    assert wire.operation(written) == operation


@pytest.mark.parametrize("line", [b"", b"{}", b"[]", b"3", b'{"what":"Evil"}', b'{"what":"Described","x":1}', b"\xff"])
def test_line_that_is_no_record_is_refused(line: bytes):
    with pytest.raises(ValueError, match=r"no record|Expecting"):
        wire.operation(line)


def test_what_a_trial_uses_of_its_machine_comes_back():
    used = {"cpu_utilization_percentage": 99.5, "process_memory_megabytes": 700.0}
    back = wire.operation(wire.line(EpochEnded("one", 0, 1, replace(metrics(1), system=used))))
    assert back.metrics.system == used


def test_infinities_of_a_diverged_trial_survive():
    (back,) = [wire.operation(wire.line(EpochEnded("one", 0, 1, metrics(1, val_nll=math.inf))))]
    assert back.metrics.val_nll == math.inf


def taken(waiting: Spool, count: int) -> list[Any]:
    found: list[Any] = []
    while waiting.pending:
        found += waiting.next(count)
        waiting.sent()
    return found


def fresh(folder: Path) -> Path:
    return folder / str(len(list(folder.iterdir())))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(portions=st.lists(MANY, min_size=1, max_size=4), count=st.integers(1, 5), data=st.data())
def test_records_come_back_in_order_by_any_number_of_processes(portions, count, data, tmp_path: Path):
    folder, found, wanted = fresh(tmp_path), [], []
    folder.mkdir()
    waiting = Spool(folder / "unsent")
    for portion in portions:
        waiting.append(portion)
        wanted += portion
        if data.draw(st.booleans(), "some are sent"):
            found += waiting.next(count)
            waiting.sent()
        if data.draw(st.booleans(), "another process goes on"):
            waiting = Spool(folder / "unsent")
        assert waiting.pending == len(wanted) - len(found)
    assert found + taken(waiting, count) == wanted
    assert Spool(folder / "unsent").pending == 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(operations=MANY, data=st.data())
def test_file_that_was_cut_anywhere_gives_its_whole_lines(operations, data, tmp_path: Path):
    folder = fresh(tmp_path) / "unsent"
    Spool(folder).append(operations)
    content = (folder / "records.jsonl").read_bytes()
    end = data.draw(st.integers(0, len(content)))
    (folder / "records.jsonl").write_bytes(content[:end])

    waiting = Spool(folder)
    assert waiting.pending == max(0, content[:end].count(b"\n") - 1)
    waiting.append(operations[:1])
    assert taken(waiting, 3)[-1] == operations[0]


def test_records_of_an_earlier_study_of_the_same_name_are_not_sent(tmp_path: Path):
    Spool(tmp_path, "old").append([Described("one", 1, "old")])
    assert Spool(tmp_path, "new").pending == 0


def test_damaged_record_is_counted_and_the_others_sent(tmp_path: Path):
    waiting = Spool(tmp_path)
    waiting.append([Described("one", 1, "first"), Described("one", 1, "second"), Described("one", 1, "third")])
    path = tmp_path / "records.jsonl"
    path.write_bytes(path.read_bytes().replace(b"second", b'sec"nd'))
    waiting = Spool(tmp_path)
    assert [one.text for one in taken(waiting, 9)] == ["first", "third"]
    assert waiting.damaged == 1


def test_large_file_lies_beside_the_records(tmp_path: Path):
    large = b"x" * spool_module.LARGE_BYTES
    waiting = Spool(tmp_path)
    waiting.append([FileMade("one", 1, "plot.png", large), FileMade("one", 1, "again.png", large)])
    first, second = Spool(tmp_path).next(9)
    assert first.content.read_bytes() == large
    assert first.content == second.content
    assert (tmp_path / "records.jsonl").stat().st_size < 1000
    taken(waiting, 9)
    assert list(tmp_path.iterdir()) == []


def test_disk_that_was_full_at_the_first_record_takes_later_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    one, two = (EpochEnded("one", 0, epoch, metrics(epoch)) for epoch in (1, 2))
    waiting = Spool(tmp_path / "unsent", "id")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(spool_module.os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            waiting.append([one])
    waiting.append([two])
    assert Spool(tmp_path / "unsent", "id").next(9) == [two]
    assert taken(waiting, 9) == [two]


def test_too_much_is_refused_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(spool_module, "LIMIT_BYTES", 1000)
    waiting = Spool(tmp_path)
    waiting.append([Described("one", 1, "x" * 500)])
    with pytest.raises(OSError, match="MB wait"):
        waiting.append([Described("one", 1, "x" * 500)])
    assert waiting.pending == 1
    assert len(Spool(tmp_path).next(9)) == 1


@given(st.lists(EPOCHS | st.builds(TrialEnded, WORDS, NUMBERS, STAMPS, st.just(TrialState.COMPLETE), WORDS, KINDS)))
def test_batches_hold_all_records_and_keep_the_order_of_each_run(operations: list[Operation]):
    def of_runs(some: list[Any]) -> dict[Any, list[Any]]:
        found: dict[Any, list[Any]] = {}
        for one in some:
            found.setdefault((one.study, one.kind, one.number), []).append(one)
        return found

    made = batches(operations)
    assert of_runs([one for batch in made for one in batch]) == of_runs(operations)
    assert all(len({(one.study, one.kind, one.number) for one in batch}) == 1 for batch in made)
    assert all(isinstance(one, EpochEnded) for batch in made for one in batch[:-1])


def test_epochs_of_trials_that_run_side_by_side_go_together():
    waiting = [EpochEnded("one", number, epoch, metrics(epoch)) for epoch in range(1, 251) for number in (0, 1)]
    made = batches(waiting)
    assert [len(batch) for batch in made] == [80, 80, 80, 80, 80, 80, 10, 10]
    assert AT_ONCE * (len(metrics(1).as_dict()) + SYSTEM_METRICS) <= 1000
    assert [len(half) for half in halves(made[-1])] == [5, 5]
