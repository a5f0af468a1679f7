"""The part of a report that answers: the verdict, the curve over alpha, the fresh seeds."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from tuner.report import candidates, words
from tuner.report.document import Block, Bullets, Figure, Paragraph, Section
from tuner.report.figures import response, seeds
from tuner.report.figures.response import Reference
from tuner.report.figures.seeds import Finalist
from tuner.report.figures.style import Quantity, quantity
from tuner.report.findings import Findings
from tuner.selection.confirmed import Confirmed
from tuner.selection.points import in_short
from tuner.selection.recommend import Verdict
from tuner.selection.words import amount, counted, interval

_LUCK = 1.96  # deviations of one training to either side that hold 95 % of them


def headline(found: Findings) -> str:
    """Return the answer in one sentence."""
    told = found.recommendation
    if told is None:
        return "No answer yet: the search has not trained anything without mixing."
    if told.shown is None:
        return "Nothing to compare: no trial with mixing ran to its end."
    if not told.planned_seeds:
        said = _point_by_point(found)
        return said or "Nothing is confirmed: the study trains nothing on fresh seeds."
    if told.verdict is Verdict.USE:
        better = amount(found.metric, told.effect.estimate or 0.0)
        name = _on_test(found.metric).name
        return f"Use {words.block(told.policy)}: better than no mixing by {better} in {name[:1].lower()}{name[1:]}."
    if told.effect.high is not None and told.effect.high < 0:
        return f"{words.capital(words.WORSE)}."
    return f"{words.capital(words.VERDICTS[told.verdict])}."


def tone(found: Findings) -> str:
    """Return how the answer is coloured: as its verdict, or as unknown where there was nothing to judge."""
    told = found.recommendation
    is_judged = told is not None and told.shown is not None and told.planned_seeds
    return told.verdict.value if told is not None and is_judged else "unknown"


def summary(found: Findings) -> str:
    """Return the deciding reason, and what was searched."""
    told = found.recommendation
    searched = f"{counted(len(found.result.trials), 'trial')} of up to {counted(found.epochs, 'epoch')}"
    if told is None:
        return f"The search has {searched} so far; nothing was put to the test on fresh seeds."
    return f"{told.reasons[0]} The search had {searched}."


def verdict(found: Findings) -> Section:
    """Return the reasons of the verdict, what weakens it, and the candidates in numbers."""
    told = found.recommendation
    if told is None:
        return Section("verdict", "Verdict", [Paragraph("The search goes on, or ended before its first trial did.")])
    blocks: list[Block] = [Bullets(told.reasons[1:])] if told.reasons[1:] else []  # the first stands above
    if told.warnings:
        blocks.append(Bullets(told.warnings, are_warnings=True))
    is_tested = any(one.scores for one in told.candidates)
    table = candidates.on_fresh_seeds(told, found.metric) if is_tested else candidates.in_the_search(told, found.metric)
    return Section("verdict", "Why", [*blocks, table])


def alpha(found: Findings) -> Section | None:
    """Return how the objective answers to alpha, with no mixing beside it; None where no alpha was searched."""
    if not found.responses:
        return None
    shown, unmixed = quantity(found.metric), _unmixed(found)
    draw = partial(response.responses, found.responses, shown, unmixed)
    caption = " ".join(_legend(found, shown, unmixed))
    blocks: list[Block] = [
        Figure("alpha", lambda size: draw(size=size), caption),
        Bullets(tuple(f"{one.words}." for one in found.responses)),
    ]
    warnings = tuple(warning for one in found.responses for warning in one.warnings)
    if warnings:
        blocks.append(Bullets(warnings, are_warnings=True))
    return Section("alpha", "Which alpha", blocks)


def fresh_seeds(found: Findings) -> Section | None:
    """Return the finalists' seeds as dots beside no mixing's; None before any finalist was trained."""
    told = found.recommendation
    if told is None or not any(one.scores for one in told.candidates[1:]):
        return None
    shown = _on_test(found.metric)
    unmixed, *others = told.candidates
    finalists = [Finalist(one.candidate.name, one.scores, _in_short(one, found.metric)) for one in others]
    protocol = (
        f"Each policy was trained anew on {counted(told.planned_seeds, 'fresh seed')} that the search had never used; "
        "the same seed gives every policy the same initial weights, order of data and split, so pairs are compared. "
        f"{_trained_on(found)} Each training was scored once on the test split, which nothing had looked at before. "
        "A policy that was clearly beaten got no more seeds."
    )
    draw = partial(seeds.seeds, finalists, unmixed.scores, shown, maximise=found.maximise)
    return Section("seeds", "On fresh seeds", [Paragraph(protocol), Figure("seeds", lambda size: draw(size=size))])


def _point_by_point(found: Findings) -> str:
    """Return the answer of a grid that is not confirmed as its question is the grid; empty where its seeds are few."""
    if found.grid is None or found.settings.search.seeds == 1:
        return ""
    said = in_short(found.grid)
    return f"{words.capital(said)}." if said else ""


def _legend(found: Findings, shown: Quantity, unmixed: Reference | None) -> Iterator[str]:
    """Say what each part of the figure over alpha is, of those that it has."""
    yield f"{shown.name} after the last epoch by the search's trials."
    if any(one.curve is not None for one in found.responses):
        yield "The blue band is where the expected value lies with 95 % certainty."
    if settings := sorted({name for one in found.responses for name in one.adjusted_for}):
        yield f"What else the trials differ in ({', '.join(settings)}) is taken out of it, and not out of the dots."
    if any(one.interval is not None for one in found.responses):
        yield "The green line is over every alpha that cannot be told from the best."
    if unmixed is not None and unmixed.low is not None:
        baseline = found.result.over_seeds(found.result.baseline)
        several = len(baseline.trials) if baseline is not None else 1
        yield "The grey band is how far one training goes by luck, drawn around " + (
            f"the mean of {several} trainings without mixing."
            if several > 1
            else "the one training without mixing: by as much as that was lucky or unlucky itself, the band is off."
        )


def _unmixed(found: Findings) -> Reference | None:
    """Return what no mixing reached in the search, and how far one training's luck goes from there."""
    baseline = found.result.over_seeds(found.result.baseline)
    if baseline is None:
        return None
    value = baseline.mean
    noise = max((one.noise for one in found.responses if one.noise is not None), default=None)
    return Reference(value) if noise is None else Reference(value, value - _LUCK * noise, value + _LUCK * noise)


def _on_test(metric: str) -> Quantity:
    """Return how fresh seeds are scored: on the test split, where the metric has a counterpart there."""
    return quantity(metric.replace("val_", "test_"))


def _trained_on(found: Findings) -> str:
    both = found.settings.confirm.train_on != "train"
    return "They trained on training and validation examples together." if both else "They trained as in the search."


def _in_short(one: Confirmed, metric: str) -> str:
    if one.dropped is not None:
        return f"beaten after {counted(one.dropped.seeds, 'seed')}"
    known = one.difference
    if known.low is None or known.high is None:
        return ""
    return interval(metric, known.low, known.high)
