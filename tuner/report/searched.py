"""The part of a report that tells of the search: its curves, what it stopped, what mattered, what it cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import partial

from tuner.report import words
from tuner.report.document import Block, Bullets, Figure, Paragraph, Section, Table
from tuner.report.figures.calibration import Trade, calibration
from tuner.report.figures.chosen import chosen, of_all
from tuner.report.figures.importance import Bar, importances
from tuner.report.figures.learning import learning
from tuner.report.figures.parallel import parallel
from tuner.report.figures.style import quantity
from tuner.report.findings import Findings
from tuner.results import OverSeeds, TrialRecord, TrialState, over_seeds
from tuner.selection.effects import Effect
from tuner.selection.words import counted, gain, interval

_SHOWN_TRIALS = 12


def search(found: Findings) -> Section:
    """Return the learning curves, the best trials, and whether stopping was safe."""
    trials = [one for one in found.result.trials if one.curve]
    counts = found.result.counts()
    told = ", ".join(f"{count} {state}" for state, count in counts.items())
    blocks: list[Block] = [Paragraph(f"{counted(len(found.result.trials), 'trial')}: {told}.")]
    if not trials:
        return Section("search", "The search", blocks)
    rungs = [rung.epoch for rung in found.stopping.rungs] if found.stopping else []
    shown = quantity(found.metric)
    few = chosen(trials, maximise=found.maximise)
    caption = "A line is a trial."
    if rungs:
        caption += " Dotted lines are the rungs, where trials are compared and the worse ones of their stratum stopped."
    caption += of_all(few, trials)
    blocks.append(Figure("learning", lambda size: learning(few, rungs, shown, size), caption))
    blocks.extend(_stopping(found))
    blocks.append(_best(found))
    return Section("search", "The search", blocks)


def what_matters(found: Findings) -> Section | None:
    """Return the effects of the choices, the importances, and every trial's settings; None with too few trials."""
    complete = [one for one in found.result.trials if one.state is TrialState.COMPLETE]
    blocks: list[Block] = []
    if found.effects:
        blocks.append(Bullets(tuple(f"{one.words}." for one in found.effects)))
    if any(one.levels for one in found.effects):
        blocks.append(_effects(found.effects, found.metric))
    known = found.importances
    if known.parameters:
        bars = [Bar(one.parameter, one.share, one.by_chance) for one in known.parameters]
        caption = (
            f"Importance for being among the best {known.best} of {known.finished} trials that ran to the end "
            "(PED-ANOVA), no mixing included; a hatched bar is no longer than chance would make it. Shares are of what "
            "all parameters come to, so a single one has 100 %. Where the best trials have other values than most "
            "have, the values need not differ on average: that is what the table asks."
        )
        blocks.append(Figure("importance", lambda size: importances(bars, size), caption))
    if known.warnings:
        blocks.append(Bullets(tuple(f"{one}." for one in known.warnings), are_warnings=True))
    if len(complete) > 1:
        shown = quantity(found.metric)
        few = chosen(found.result.trials, maximise=found.maximise)
        draw = partial(parallel, few, shown, maximise=found.maximise)
        caption = "Each line is a trial through its settings; those that were stopped are grey."
        caption += of_all(few, found.result.trials)
        blocks.append(Figure("parallel", lambda size: draw(size=size), caption))
        trades = [trade for one in complete if (trade := _trade(one)) is not None]
        if len(trades) > 1:
            caption = (
                "Accuracy and calibration of the search's trials, one training each on the validation images; the "
                "dashed line joins those that none beats in both, partly by luck."
            )
            blocks.append(Figure("calibration", lambda size: calibration(trades, "val", size), caption))
    return Section("matters", "What matters", blocks) if blocks else None


def cost(found: Findings) -> Section | None:
    """Return what the search took, and each method's epochs; None where nothing was trained."""
    groups: dict[str, list[TrialRecord]] = defaultdict(list)
    for one in found.result.trials:
        if one.curve:
            groups[str(one.params.get("mixing.name"))].append(one)
    if not groups:
        return None
    epochs = found.result.epochs_trained
    full = found.epochs * sum(len(group) for group in groups.values())
    rows = [
        (method, str(len(group)), str(sum(one.epochs for one in group)))
        for method, group in sorted(groups.items(), key=lambda item: (item[0] != "none", item[0]))
    ]
    said = (
        f"The search took {words.duration(found.result.seconds)} and {epochs} epochs; without early stopping its "
        f"trials would have taken {full}."
    )
    if (spent := found.confirmed) is not None:
        said += (
            f" Putting it to the test took {counted(spent.trainings, 'training')} and {counted(spent.epochs, 'epoch')} "
            f"more, {words.duration(spent.seconds)} if they had run one after the other."
        )
    note = "How long an epoch takes is told by the fresh seeds alone: there every policy trained beside no mixing."
    table = Table(("method, in the search", "trials", "epochs"), tuple(rows), frozenset({1, 2}), note)
    return Section("cost", "What it cost", [Paragraph(said), table])


def _stopping(found: Findings) -> list[Block]:
    told = found.stopping
    if told is None:
        return [Paragraph(_untold(found))]
    said: list[Block] = (
        [Bullets((f"{told.words}.",), are_warnings=True)]
        if told.is_safe is False
        else [Paragraph(f"{told.words[:1].upper()}{told.words[1:]}.")]
    )
    if not told.rungs:
        return said
    rows = []
    for rung in told.rungs:
        lost = "" if rung.regret is None else words.difference(found.metric, rung.regret).lstrip("+")
        tau = "" if rung.tau is None else f"{rung.tau:.2f} ({counted(rung.pairs, 'pair')})"
        rows.append((str(rung.epoch), f"{rung.stopped} of {rung.finished}", str(rung.wrong), lost, tau))
    header = ("after epoch", "would have stopped", "wrongly", "would have lost", "Kendall's tau")
    note = (
        "What each rung would have made of the trials that ran to the end; tau is the agreement of its order with "
        "that of the end, within strata."
    )
    return [*said, Table(header, tuple(rows), frozenset({0, 1, 2, 3, 4}), note)]


def _best(found: Findings) -> Table:
    sign = 1 if found.maximise else -1
    complete = over_seeds(found.result.trials)
    ordered = sorted(complete, key=lambda one: sign * one.mean, reverse=True)[:_SHOWN_TRIALS]
    rows = tuple(
        (", ".join(str(trial.number) for trial in one.trials), words.policy(one.first.params), _value(found, one))
        for one in ordered
    )
    more = len(complete) - len(rows)
    what = counted(more, "more trial" if all(len(one.trials) == 1 for one in complete) else "more configuration")
    beyond = f" {what} ran to the end: tuner trials {found.result.study}." if more else ""
    note = f"{_trained(complete)}, compared by the same validation examples, so the first is partly luck.{beyond}"
    return Table(("trial", "policy", quantity(found.metric).name), rows, frozenset({0, 2}), note)


def _value(found: Findings, one: OverSeeds) -> str:
    return words.over_seeds(found.metric, one)


def _trained(complete: Sequence[OverSeeds]) -> str:
    if all(len(one.trials) == 1 for one in complete):
        return "One training each"
    return "Mean ± standard deviation where a configuration was trained on several seeds"


def _untold(found: Findings) -> str:
    """Say why nothing is told of how safe stopping was."""
    stopped = sum(one.state is TrialState.PRUNED for one in found.result.trials)
    if not stopped:
        return "Nothing was stopped early."
    return (
        f"{counted(stopped, 'trial was', 'trials were')} stopped early, but the study does not say by which rule, so "
        "whether that was safe is not known."
    )


def _effects(effects: Sequence[Effect], metric: str) -> Table:
    rows = tuple(
        (
            one.factor,
            level.value,
            str(level.trials),
            gain(metric, level.difference),
            interval(metric, level.low, level.high),
        )
        for one in effects
        for level in one.levels
    )
    note = "Against the factor's levels on average, all else as far as known being equal; plus is better. Hints: a "
    note += "sampler tries more of what looks good. Fresh seeds decide."
    return Table(("choice", "value", "trials", "difference", "95 % interval"), rows, frozenset({2, 3, 4}), note)


def _trade(one: TrialRecord) -> Trade | None:
    accuracy, error = one.metrics.get("val_accuracy"), one.metrics.get("val_ece")
    if accuracy is None or error is None:
        return None
    method = str(one.params.get("mixing.name"))
    return Trade("no mixing" if method == "none" else f"{method} (trial {one.number})", method, accuracy, error)
