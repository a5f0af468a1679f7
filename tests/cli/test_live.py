"""What the live display and the lines of a log say while a study waits."""

from __future__ import annotations

from tuner.cli.live import Lines, Progress


def test_the_display_says_what_a_study_waits_for_as_long_as_it_does():
    progress = Progress("val_accuracy", True, trials=4, epochs=9)
    progress.begin(4, [])
    before = progress.summary()
    progress.noted("waiting: no node is left")
    assert progress.summary()[: len(before) - 1] == before[:-1]
    assert progress.summary()[-1] == "waiting: no node is left"
    progress.noted("")
    assert len(progress.summary()) == len(before)


def test_a_log_says_once_what_a_study_waits_for_and_that_it_goes_on(capsys):
    lines = Lines()
    lines.noted("waiting: no node is left")
    lines.noted("")
    assert capsys.readouterr().err == "waiting: no node is left\ngoing on\n"
