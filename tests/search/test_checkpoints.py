"""What of a study's checkpoints is kept, whenever it is killed; and what the budget lets through."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.search.conftest import again, begin, metrics, rising, train
from tuner.results import TrialRecord, TrialState, best_of
from tuner.search import checkpoints, storage
from tuner.search.checkpoints import KeptCheckpoints

STUDY = "simulated"


def kept(study) -> KeptCheckpoints:
    return KeptCheckpoints(STUDY, storage.records(study), maximise=True)


def files() -> set[str]:
    folder = checkpoints.folder(STUDY)
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def write(path: Path, content: bytes = b"state") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def drive(search, curve, kill_after: int = 10**6) -> None:
    """Run trials one after another, with the files that a worker writes; a killed driver hears no last report."""
    reports = 0
    while (assignment := search.ask()) is not None:
        for epoch in range(1, 10):
            if epoch > 1:
                write(assignment.checkpoint)
            write(assignment.checkpoint.with_suffix(".0123456789abcdef.partial"))
            if epoch == 9:
                write(checkpoints.trained(assignment.checkpoint))
            reports += 1
            if reports == kill_after:
                return
            if search.report(assignment.number, metrics(epoch, curve(assignment, epoch))):
                break


def wanted(study) -> set[str]:
    """Return what a resume and people need of what was written."""
    records = storage.records(study)
    best = best_of(records, maximise=True)
    going_on = {record.number for record in records if record.state is TrialState.RUNNING}
    written = {f"{number}.{kind}" for number in going_on for kind in ("pt", "trained.pt")}
    return (written & files()) | ({f"{best.number}.trained.pt"} if best else set())


def test_the_best_network_alone_is_left_of_a_study(load):
    search = begin(load())
    search.observers = (kept(search.study),)
    drive(search, lambda a, e: 0.5 + 0.01 * (7 * a.number % 12))
    assert len([r for r in storage.records(search.study) if r.state is TrialState.COMPLETE]) > 2
    assert files() == wanted(search.study)
    assert len(files()) == 1


def test_of_equally_good_networks_the_first_is_kept_as_it_counts_as_best(load):
    search = begin(load("search.trials=3"))
    search.observers = (kept(search.study),)
    drive(search, lambda a, e: 0.5)
    assert files() == {"0.trained.pt"}


@pytest.mark.parametrize("kill_after", [1, 5, 9, 10, 18, 19, 23, 30, 40])
def test_a_study_killed_at_any_moment_keeps_what_is_needed_and_no_more(load, kill_after):
    loaded = load("search.trials=8")
    search = begin(loaded)
    search.observers = (kept(search.study),)
    drive(search, rising, kill_after)
    resumed = again(loaded)
    resumed.observers = (kept(resumed.study),)
    assert files() == wanted(resumed.study)
    drive(resumed, rising)
    assert files() == wanted(resumed.study)
    assert len(files()) == 1


def test_a_driver_killed_between_the_last_epoch_and_the_trials_end_keeps_its_network(load):
    loaded = load("search.trials=2")
    search = begin(loaded)
    assignment = search.ask()
    train(search, assignment, rising, upto=8)
    number = assignment.number
    write(checkpoints.trained(search.checkpoint_path(number)))
    search._live[number].report(metrics(9, 0.9))  # stored, and then the driver was gone
    resumed = again(loaded)
    resumed.observers = (kept(resumed.study),)
    drive(resumed, lambda a, e: 0.1)
    assert storage.records(resumed.study)[number].state is TrialState.COMPLETE
    assert files() == {f"{number}.trained.pt"}


def test_what_belongs_to_a_study_has_checkpoints_of_its_own(load):
    search = begin(load("search.trials=2"))
    search.observers = (kept(search.study),)
    drive(search, rising)
    confirming = storage.confirmation(search.study)
    mine, theirs = files(), checkpoints.last(confirming.study_name, 0)
    write(theirs)
    assert theirs.name == "confirm.0.pt"
    kept(search.study)
    assert files() == mine | {theirs.name}
    KeptCheckpoints(confirming.study_name, storage.records(confirming), maximise=True)
    assert files() == mine


def test_a_driver_killed_between_a_trials_end_and_the_removal_leaves_nothing_behind(load):
    search = begin(load("search.trials=4"))  # nothing observes it: every file stays
    drive(search, rising)
    assert len(files()) > 4
    kept(search.study)
    assert files() == wanted(search.study)


def test_checkpoints_of_a_study_deleted_elsewhere_are_not_gone_on_from(load):
    for name in ("0.pt", "0.trained.pt", "17.pt"):
        write(checkpoints.folder(STUDY) / name)
    search = begin(load())
    search.observers = (kept(search.study),)
    assert files() == set()
    assert not search.ask().checkpoint.exists()


def test_an_interrupted_trial_keeps_its_checkpoint(load):
    search = begin(load())
    search.observers = (kept(search.study),)
    write(search.ask().checkpoint)
    search.interrupt("interrupted")
    assert files() == {"0.pt"}
    kept(search.study)
    assert files() == {"0.pt"}


def test_a_network_that_is_gone_is_a_warning_with_its_place(load):
    search = begin(load("search.trials=2"))
    assert list(kept(search.study).complaints()) == []  # no trial is complete
    search.observers = (kept(search.study),)
    drive(search, rising)
    assert list(kept(search.study).complaints()) == []
    for name in files():
        (checkpoints.folder(STUDY) / name).unlink()
    (warning,) = kept(search.study).complaints()
    assert "the trained network of the best trial" in warning
    assert ".trained.pt could not be written or was removed" in warning


def test_what_others_put_there_stays(load):
    names = {"notes.txt", "best.pt", "1.trained.pt.bak", "2.pth"}
    for name in names:
        write(checkpoints.folder(STUDY) / name)
    kept(begin(load()).study)
    assert files() == names


def test_what_cannot_be_removed_breaks_nothing(load):
    (checkpoints.folder(STUDY) / "3.pt").mkdir(parents=True)
    kept(begin(load()).study)
    assert files() == {"3.pt"}


def test_a_write_that_would_pass_the_budget_is_refused_with_the_numbers(tmp_path):
    write(tmp_path / "0.pt", bytes(600))
    checkpoints.require_room(tmp_path / "1.pt", 400, 1000)
    checkpoints.require_room(tmp_path / "1.pt", 10**15, None)
    with pytest.raises(OSError, match=r"6e-07 GB of checkpoints and 4.01e-07 GB more are over limits.check"):
        checkpoints.require_room(tmp_path / "1.pt", 401, 1000)


def test_a_file_that_is_replaced_counts_until_the_new_one_is_whole(tmp_path):
    write(tmp_path / "0.pt", bytes(600))
    with pytest.raises(OSError, match="over limits"):
        checkpoints.require_room(tmp_path / "0.pt", 600, 1000)


def test_files_that_come_and_go_meanwhile_break_no_count(tmp_path, load):
    """As where other nodes write to the shared folder while a worker counts and the driver sweeps."""
    observed = kept(begin(load()).study)
    folder = checkpoints.folder(STUDY)
    over = threading.Event()

    def come_and_go(number: int) -> None:
        while not over.is_set():
            write(folder / f"{number}.0123.partial").replace(folder / f"{number}.pt")
            (folder / f"{number}.pt").unlink(missing_ok=True)

    writers = [threading.Thread(target=_tolerant, args=(come_and_go, number)) for number in range(4)]
    for writer in writers:
        writer.start()
    for _ in range(300):
        checkpoints.require_room(folder / "9.pt", 1, 10**9)
        observed._sweep()
    over.set()
    for writer in writers:
        writer.join()


def _tolerant(come_and_go, number: int) -> None:
    """A writer whose partial file was swept away gets an OSError, as a worker's save does."""
    while True:
        try:
            come_and_go(number)
        except OSError:
            continue
        return


def test_a_confirmation_keeps_the_networks_of_the_chosen_trainings_that_ran_to_the_end(load):
    search = begin(load())
    confirming = storage.confirmation(search.study)
    chosen, other, failed = (
        TrialRecord(number, state, "", {}, (0.5,), {}, seed)
        for number, state, seed in (
            (0, TrialState.COMPLETE, 1000),
            (1, TrialState.COMPLETE, 1001),
            (2, TrialState.FAILED, 1000),
        )
    )
    networks = [
        checkpoints.trained(checkpoints.last(confirming.study_name, one.number)) for one in (chosen, other, failed)
    ]
    networks[0].parent.mkdir(parents=True, exist_ok=True)
    kept = KeptCheckpoints(confirming.study_name, [], maximise=True, keeps=lambda one: one.seed == 1000)
    for one in (chosen, other, failed):
        kept.trial_started(one)
    for path in networks:
        path.touch()
    for one in (chosen, other, failed):
        kept.trial_ended(one)
    assert [path.exists() for path in networks] == [True, False, False]
    KeptCheckpoints(confirming.study_name, [chosen, other, failed], maximise=True, keeps=lambda one: one.seed == 1000)
    assert networks[0].exists()


def test_while_seeds_are_missing_every_network_that_may_come_to_be_best_is_kept(load):
    grid = "{name: mixup, ratio: {name: beta, alpha: {any: [0.1, 1.0, 8.0]}}}"
    settings = "search={sampler: grid, trials: 12, seeds: 3}", "scheduler={name: fifo}", f"trial.mixing={grid}"
    search = begin(load(*settings))
    search.observers = (KeptCheckpoints(STUDY, [], maximise=True, seeds=3),)

    seen = []

    def late(assignment, epoch):
        if (assignment.number, epoch) == (8, 1):
            seen.extend(name for name in files() if name.endswith(".trained.pt"))
        return 0.5 + (0.1 * assignment.seed if assignment.number % 4 == 2 else 0.0) - 0.01 * (assignment.number % 4)

    drive(search, late)
    assert set(seen) == {"0.trained.pt", "1.trained.pt", "2.trained.pt", "3.trained.pt"}
    assert best_of(storage.records(search.study), maximise=True).number == 2
    assert files() == {"2.trained.pt"}


def test_the_network_of_the_best_is_there_though_another_led_for_a_while_on_fewer_seeds(load):
    grid = "{name: mixup, ratio: {name: beta, alpha: {any: [0.2, 1.0]}}}"
    settings = "search={sampler: grid, trials: 6, seeds: 2}", "scheduler={name: fifo}", f"trial.mixing={grid}"
    search = begin(load(*settings))
    kept = KeptCheckpoints(STUDY, [], maximise=True, seeds=2)
    search.observers = (kept,)
    # Trials 1 and 4 are one configuration: it leads by its first seed when 0 and 3 have both theirs, and falls behind.
    values = {0: 0.7, 1: 0.9, 2: 0.5, 3: 0.7, 4: 0.3, 5: 0.5}

    drive(search, lambda assignment, _: values[assignment.number])
    assert best_of(storage.records(search.study), maximise=True).number == 0
    assert files() == {"0.trained.pt"}
    assert list(kept.complaints()) == []
