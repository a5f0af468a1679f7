"""The part of a report on a grid: every point with its seeds, against no mixing, beside what was published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from tuner.report import words
from tuner.report.document import Block, Figure, Paragraph, Section, Table
from tuner.report.figures.pairs import MOST, all_against_all
from tuner.report.figures.points import Mark, along, rows
from tuner.report.figures.style import quantity
from tuner.report.findings import Findings
from tuner.selection.points import Grid, GridPoint, in_short, published_of
from tuner.selection.statistics import Difference
from tuner.selection.words import amount, gain, interval

_OF_MIXING = "mixing."
_AXES = {"mixing.ratio.count": "N, the number of sources", "mixing.ratio.scale": "sum of the weights"}


def points(found: Findings) -> Section | None:
    """Return every point of a grid; None where the study is none, or fewer than two points ran to their end."""
    grid = found.grid
    if grid is None or len(grid.points) < 2:
        return None
    told, shown = found.settings.published, quantity(found.metric)
    marks = [_mark(one, grid, told.rows) for one in grid.points]
    blocks: list[Block] = []
    if told.claim:
        blocks.append(Paragraph(f"The claim: {told.claim} Source: {told.source}."))
    if grid.axis is not None:
        name = _AXES.get(grid.axis, grid.axis.rpartition(".")[2].replace("_", " "))
        draw = partial(along, marks, name, shown, logarithmic=grid.is_logarithmic)
    else:
        draw = partial(rows, marks, shown, told.metric or "elsewhere")
    caption = (
        f"{shown.name} after the last epoch: means over the seeds, with their standard deviation; small dots are the "
        "seeds. The dashed line is no mixing, the grey band its standard deviation."
    )
    if told.rows:
        caption += f" What was published measures something else: {told.metric}.{_sentence(told.note)}"
    if said := in_short(grid):
        blocks.append(Paragraph(f"{words.capital(said)}, by the seeds of the search."))
    blocks += [Figure("points", lambda size: draw(size=size), caption), _table(found, grid, marks)]
    return Section("points", "Point by point", [*blocks, *_pairs(found, grid, marks)])


def _pairs(found: Findings, grid: Grid, marks: Sequence[Mark]) -> list[Block]:
    """Return all points against all; nothing where one seed tells nothing of the noise, or two points are all."""
    told = [one for row in grid.pairs for one in row if one is not None and one.low is not None]
    if len(marks) < 3 or not told:
        return []
    names = [one.name for one in marks]
    said = f"Of all {len(told) // 2} pairs of points {grid.told_apart()} can be told apart."
    best = grid.best_mixed(maximise=found.maximise)
    if best is not None:
        like = "; ".join(names[at] for at in grid.like(best))
        said += f" The best with mixing, {names[best]}, is " + (f"not told from {like}." if like else "told from all.")
    blocks: list[Block] = [Paragraph(said)]
    if len(marks) <= MOST:
        draw = partial(all_against_all, names, grid.pairs, quantity(found.metric))
        caption = (
            "How much better the row is than the column, per cents in percentage points; coloured where the "
            "95 % interval leaves 0 out, the intervals of all pairs holding at once (Tukey and Kramer's). "
            f"{_reach(found, told)}"
        )
        blocks.append(Figure("pairs", lambda size: draw(size=size), caption))
    return blocks


def _reach(found: Findings, told: Sequence[Difference]) -> str:
    """Say how far the intervals of pairs reach, which is equally far where no training is missing."""
    halves = [(one.high - one.low) / 2 for one in told if one.low is not None and one.high is not None]
    least, most = (amount(found.metric, half) for half in (min(halves), max(halves)))
    return f"Each reaches {least if least == most else f'{least} to {most}'} to both sides."


def _table(found: Findings, grid: Grid, marks: Sequence[Mark]) -> Table:
    has_published = any(one.published for one in marks)
    header = ("point", "mean ± deviation", "against no mixing", "interval", *(["published"] if has_published else []))
    body = []
    for mark, point in zip(marks, grid.points, strict=True):
        known = point.against
        estimate = None if known is None else known.estimate
        between = "" if known is None or known.low is None or known.high is None else _interval(found, known)
        published = ", ".join(f"{words.metric(found.metric, value)} ({who})" for who, value in mark.published.items())
        body.append(
            (
                mark.name,
                words.over_seeds(found.metric, point.known),
                "" if estimate is None else gain(found.metric, estimate),
                between,
                *([published] if has_published else []),
            )
        )
    unmixed = next((f" with {mark.name}" for mark in marks if mark.is_unmixed and mark.name != "no mixing"), "")
    note = (
        f"Compared{unmixed} on the same seeds; plus is better. The 95 % intervals hold for all points at once; their "
        "width comes from the noise of all points, taken to be alike. By the search's validation examples; all points "
        "are shown, so no choice among them flatters one."
    )
    return Table(header, tuple(body), frozenset({1, 2, 3}), note)


def _interval(found: Findings, known: Any) -> str:
    return interval(found.metric, known.low, known.high)


def _mark(point: GridPoint, grid: Grid, published: Sequence[Mapping[str, Any]]) -> Mark:
    known, params = point.known, point.known.first.params
    row = published_of(params, published) or {}
    unmixed = grid.unmixed is not None and grid.unmixed.first.number == known.first.number
    return Mark(
        str(row.get("called") or _name(point, grid)),
        known.values,
        known.mean,
        known.spread,
        point.place,
        {str(who): float(value) for who, value in row.get("values", {}).items()},
        unmixed,
    )


def _name(point: GridPoint, grid: Grid) -> str:
    """Return a point's policy in words, with what else the points differ in, as far as it is not none or 0."""
    mixing = point.known.first.config.get("mixing", {})
    blocks = {words.block(one.known.first.config.get("mixing", {})) for one in grid.points} - {"none"}
    policy = str(mixing.get("name")) if len(blocks) == 1 else words.block(mixing)
    own = point.known.first.params
    others = [name for name in grid.settings if not name.startswith(_OF_MIXING) and own.get(name)]
    told = [f"{_short(name)}{own[name]}" for name in sorted(others, key=_short) if _tells_apart(name, grid)]
    return ", ".join([*told, "no mixing" if mixing.get("name") == "none" else policy])


def _short(name: str) -> str:
    last = name.rpartition(".")[2].replace("_", " ")
    return "" if last == "name" else f"{last} "


def _tells_apart(name: str, grid: Grid) -> bool:
    """Tell whether the points that have a setting differ in it: what one part alone has follows from its name."""
    values = [one.known.first.params.get(name) for one in grid.points]
    return len({str(value) for value in values if value is not None}) > 1


def _sentence(text: str) -> str:
    return f" {text}" if text else ""
