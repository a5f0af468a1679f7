"""Which checkpoints a study keeps: the last one of each trial that can go on, and the trained networks people use.

Of a search that is the best trial's network; of a confirmation each policy's on the first fresh seed, which is chosen
before anybody sees a score.

Workers write them, each its own trial's, into one folder that all nodes share; the driver removes what no longer
serves, as trials end and before it begins. So whatever a killed worker or driver left behind goes at the next chance,
and what lies there is bounded by the trials that run or are paused at a time, not by how many there are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from tuner.home import study_directory
from tuner.results import EpochMetrics, TrialRecord, TrialState, best_of, over_seeds

GIGABYTE = 10**9

_TRAINED = ".trained.pt"
_OURS = re.compile(r"(?P<number>\d+)\.((?P<last>pt)|(?P<trained>trained\.pt)|(trained\.)?\w+\.partial)")
"""What workers write, after the prefix of what belongs to a study; `partial` is what a killed one has left."""


def folder(study: str) -> Path:
    """Return where a study's checkpoints lie, and those of what belongs to it (`NAME.confirm`)."""
    return study_directory(study.partition(".")[0]) / "checkpoints"


def last(study: str, number: int) -> Path:
    """Return where a trial's last checkpoint lies: what it goes on from."""
    return folder(study) / f"{_prefix(study)}{number}.pt"


def trained(checkpoint: Path) -> Path:
    """Return where the trained network of a trial lies, beside its last checkpoint: what people use."""
    return checkpoint.with_suffix(_TRAINED)


def trained_network(study: str, best: TrialRecord | None) -> Path | None:
    """Return the file of a study's best trained network; None while there is none."""
    if best is None:
        return None
    path = trained(last(study, best.number))
    return path if path.is_file() else None


def require_room(path: Path, more_bytes: int, budget_bytes: int | None) -> None:
    """Check that what the folder of `path` holds leaves room for so many more bytes.

    A file that is about to be replaced counts too, for it stays until the new one is whole. Workers that ask at the
    same moment may all be let through, and the next ones are not: the budget may be passed once by what they write.

    Raises:
        OSError: there is no room; nothing was written.
    """
    if budget_bytes is None:
        return
    held = sum(_sizes(path.parent))
    if held + more_bytes > budget_bytes:
        wanted = f"{_gigabytes(held)} of checkpoints and {_gigabytes(more_bytes)} more"
        limit = f"limits.checkpoint_gigabytes: {budget_bytes / GIGABYTE:g}"
        raise OSError(f"{wanted} are over {limit}")


class KeptCheckpoints:
    """An observer that removes what no longer serves; made by the driver before a trial runs, from all stored ones.

    It keeps the network of the best trial, or of each that `keeps` names among those that ran to the end. While
    configurations lack some of their `seeds`, each may still be best by their mean, so its first network is kept, and
    so is that of the best one that has them all: what leads it now may fall behind it.
    """

    def __init__(
        self,
        study: str,
        trials: Sequence[TrialRecord],
        maximise: bool,
        keeps: Callable[[TrialRecord], bool] | None = None,
        seeds: int = 1,
    ) -> None:
        self._study = study
        self._seeds = seeds
        self._ended = {one.number: one for one in trials if one.state is not TrialState.RUNNING}
        self._maximise = maximise
        self._keeps = keeps
        self._chosen = {one.number for one in trials if self._is_chosen(one)}
        self._best = best_of(trials, maximise)
        self._may_lead = self._those_that_may_lead()
        self._unfinished = {trial.number for trial in trials if trial.state is TrialState.RUNNING}
        self._begun: set[int] = set()
        self._sweep()

    def trial_started(self, trial: TrialRecord) -> None:
        """Keep all that its worker writes from now on."""
        self._begun.add(trial.number)
        self._unfinished.add(trial.number)

    def epoch_reported(self, trial: TrialRecord, metrics: EpochMetrics) -> None:
        """Do nothing: it may go on, and needs its checkpoint."""

    def trial_ended(self, trial: TrialRecord) -> None:
        """Keep its network if it is the best so far and its checkpoint if it was interrupted; remove the rest."""
        if trial.state is TrialState.RUNNING:
            return  # interrupted, and perhaps just saving
        self._begun.discard(trial.number)
        self._unfinished.discard(trial.number)
        self._ended[trial.number] = trial
        self._best = best_of(list(self._ended.values()), self._maximise)
        self._may_lead = self._those_that_may_lead()
        if self._is_chosen(trial):
            self._chosen.add(trial.number)
        self._sweep()

    def noted(self, words: str) -> None:
        """Do nothing: a study that waits needs all it has."""

    def complaints(self) -> Iterator[str]:
        """Yield what people should know: that the best trial's network is not there."""
        if self._best is not None and trained_network(self._study, self._best) is None:
            path = trained(last(self._study, self._best.number))
            yield (
                f"the trained network of the best trial, {self._best.number}, is not kept: {path} could not be written "
                "or was removed"
            )

    def _sweep(self) -> None:
        for path in list(self._obsolete()):
            with suppress(OSError):  # it is tried again when the next trial ends, and when the study is resumed
                path.unlink(missing_ok=True)

    def _obsolete(self) -> Iterator[Path]:
        prefix = _prefix(self._study)
        for path in _files(folder(self._study)):
            named = _OURS.fullmatch(path.name.removeprefix(prefix)) if path.name.startswith(prefix) else None
            if named and not self._serves(int(named["number"]), bool(named["last"]), bool(named["trained"])):
                yield path

    def _serves(self, number: int, is_last: bool, is_trained: bool) -> bool:
        """Tell whether a file is of use: a trial whose last epoch is stored ends without training again."""
        if is_trained and self._is_kept(number):
            return True
        return number in (self._unfinished if is_last or is_trained else self._begun)

    def _is_kept(self, number: int) -> bool:
        if self._keeps is not None:
            return number in self._chosen
        return number in self._may_lead or (self._best is not None and number == self._best.number)

    def _those_that_may_lead(self) -> set[int]:
        """Return the first trial of each configuration that lacks some seeds, and of the best that has them all."""
        if self._seeds == 1:
            return set()
        groups = over_seeds(list(self._ended.values()))
        settled = [trial for one in groups if len(one.trials) >= self._seeds for trial in one.trials]
        best = best_of(settled, self._maximise)
        lacking = {one.first.number for one in groups if len(one.trials) < self._seeds}
        return lacking if best is None else lacking | {best.number}

    def _is_chosen(self, trial: TrialRecord) -> bool:
        return trial.state is TrialState.COMPLETE and self._keeps is not None and self._keeps(trial)


def _prefix(study: str) -> str:
    part = study.partition(".")[2]
    return f"{part}." if part else ""


def _files(place: Path) -> Iterable[Path]:
    try:
        return list(place.iterdir())
    except OSError:  # nothing was written yet
        return []


def _sizes(place: Path) -> Iterator[int]:
    for path in _files(place):
        with suppress(FileNotFoundError):  # replaced or removed by another worker just now
            yield path.stat().st_size


def _gigabytes(size_bytes: int) -> str:
    return f"{size_bytes / GIGABYTE:.3g} GB"
