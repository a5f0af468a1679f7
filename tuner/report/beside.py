"""The part of a report that tells what fresh seeds say beside the objective: scores, time, classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tuner.report import words
from tuner.report.document import Block, Bullets, Figure, Section, Table
from tuner.report.figures import classes
from tuner.report.figures.calibration import Trade, calibration
from tuner.report.figures.classes import ClassChange
from tuner.report.findings import Findings
from tuner.selection.second_axes import SecondAxes

_AXES = {
    "accuracy": "accuracy",
    "nll": "likelihood loss, nats",
    "ece": "calibration error",
    "rmse": "root mean squared error",
    "mae": "mean absolute error",
    "r2": "R²",
}


def second_axes(found: Findings) -> Section | None:
    """Return what fresh seeds say beside the objective, and which classes gain; None before any was trained."""
    known = [one for one in found.second_axes if one.axes]
    if not known:
        return None
    candidate = found.candidate()
    told = next((one for one in known if candidate and one.key == candidate.candidate.key), known[0])
    blocks: list[Block] = [Bullets(tuple(f"{words.capital(one)}." for one in told.words())), _axes_table(known)]
    changes = list(_changes(told, found.data.classes if found.data else ()))
    trades = _trades(found, known)
    if len(trades) > 1:
        caption = "Means over the fresh seeds, on the test split; the dashed line joins those that none beats in both."
        blocks.append(Figure("front", lambda size: calibration(trades, "test", size), caption))
    if changes:
        caption = (
            f"{words.capital(told.name)} against no mixing, mean over the seeds; lines are intervals that hold for all "
            "classes and candidates at once."
        )
        blocks.append(Figure("classes", lambda size: classes.classes(changes, size), caption))
    return Section("beside", "Beside the objective", blocks)


def _axes_table(known: Sequence[SecondAxes]) -> Table:
    rows = []
    measured = [metric for metric in _AXES if any(one.axis(metric) is not None for one in known)]
    for one in known:
        cells = []
        for metric in measured:
            axis = one.axis(metric)
            cells.append(
                "" if axis is None else f"{words.metric(metric, axis.mean)} ({words.metric(metric, axis.unmixed)})"
            )
        known_times = one.seconds is not None and one.unmixed_seconds is not None
        seconds = f"{one.seconds:.2f} ({one.unmixed_seconds:.2f})" if known_times else ""
        passes = f"{one.cost.extra_forward + one.cost.extra_backward:g}"
        rows.append((one.name, *cells, seconds, passes))
    header = ("policy", *(_AXES[metric] for metric in measured), "seconds an epoch", "extra passes")
    note = (
        "Means on the test split over the fresh seeds that a policy and no mixing both have; in brackets no mixing's. "
        "Seconds are medians without the first epoch, while other trainings shared the machine. Extra passes are a "
        "step's, at most."
    )
    return Table(header, tuple(rows), frozenset(range(1, len(header))), note)


def _changes(told: SecondAxes, names: Sequence[str]) -> Iterator[ClassChange]:
    for index, one in enumerate(told.classes):
        if one is not None and one.estimate is not None:
            name = names[index] if index < len(names) else f"class {index}"
            yield ClassChange(name, one.estimate, one.low, one.high)


def _trades(found: Findings, known: Sequence[SecondAxes]) -> list[Trade]:
    """Return accuracy and calibration error of every policy on fresh seeds, and no mixing's on the most of them."""
    told = found.recommendation
    methods = {one.candidate.key: one.candidate.method for one in told.candidates} if told is not None else {}
    pairs = [(one, one.axis("accuracy"), one.axis("ece")) for one in known]
    measured = [(one, accuracy, error) for one, accuracy, error in pairs if accuracy is not None and error is not None]
    if not measured:
        return []
    _, accuracy, error = max(measured, key=lambda one: one[1].difference.pairs)
    trades = [
        Trade(one.name, methods.get(one.key, one.name), first.mean, second.mean) for one, first, second in measured
    ]
    return [*trades, Trade("no mixing", "none", accuracy.unmixed, error.unmixed)]
