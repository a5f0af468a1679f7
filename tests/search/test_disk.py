"""A disk that is full, and a checkpoint that somebody damaged, in a real study."""

from __future__ import annotations

import json
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.processes import start, tuner
from tests.search.killing import DIGITS, end, epochs, finished, victim, wait_for
from tests.search.whole import check_whole, undisturbed

pytestmark = [pytest.mark.ray, pytest.mark.heavy, pytest.mark.timeout(600)]


@pytest.fixture
def small_disk(tmp_path):
    """Mount a disk of 16 MB: a study of the digits takes 2."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small disk here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(ballast: Path) -> None:
    """Write to a file until there is no room."""
    with ballast.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(1024))


def test_a_full_disk_stops_a_study_in_words_and_it_goes_on_when_there_is_room(small_disk):
    home, ballast = small_disk / "home", small_disk / "ballast"
    driver = start(home, "run", "digits", *DIGITS)
    try:
        wait_for(lambda: epochs(home) >= 12, driver)
        while driver.poll() is None:  # a trial that ends gives back the room of its checkpoint
            fill(ballast)
            time.sleep(0.02)
        _, err = driver.communicate()
    finally:
        driver.kill()
    assert driver.returncode == 3, err
    [said] = [line for line in err.splitlines() if line.startswith("error: ")]
    assert "journal.log cannot be written: No space left on device; what stands in it is kept" in said
    assert said.endswith("when that is mended: tuner resume digits")
    code, _, err = tuner(home, "resume", "digits", "--json")
    assert code == 3, err
    assert "No space left on device" in err
    ballast.unlink()
    code, out, err = tuner(home, "resume", "digits", "--json")
    assert code == 0, err
    check_whole(home, json.loads(out), undisturbed())


def test_a_damaged_checkpoint_costs_its_own_trial_the_epochs_before_it_and_nothing_else(tmp_path):
    more = ("trial.training.epochs=27", "search.trials=2", "scheduler.promote=true")  # which saves at every rung
    two = (*DIGITS, *(word for one in more for word in ("--set", one)))
    with victim(tmp_path, two, seed=0) as study:
        checkpoints = tmp_path / "studies" / "digits" / "checkpoints"
        wait_for(lambda: len(list(checkpoints.glob("*.pt"))) == 2, study.driver)
        end(study.driver)
        (checkpoints / "0.pt").write_bytes(b"damaged")
        ended = finished(start(tmp_path, "resume", "digits", "--json"))
        [warning] = [one for one in ended["warnings"] if "began again at epoch 1" in one]
        assert warning.startswith("trial 0: ")
        check_whole(tmp_path, ended, undisturbed(two), budget=27)
