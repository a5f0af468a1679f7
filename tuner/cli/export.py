"""`tuner export`: a study's policy as a file for `tuner.load_policy`, or as another library's code."""

from __future__ import annotations

import sys
from pathlib import Path

from tuner import policies, trial
from tuner.cli import output
from tuner.datasets import Split
from tuner.errors import ConfigError, TunerError, UsageError
from tuner.results import StudyResult, TrialRecord, TrialState
from tuner.search import recommendation, stored
from tuner.selection.recommend import Verdict

_UNCONFIRMED = "not confirmed on fresh seeds"


def export(name: str, to: str, out: Path | None, *, number: int | None, classes: int | None, as_json: bool) -> None:
    """Write the policy that a study recommends, or that of the trial asked for, and say which it is."""
    if out is not None and not out.parent.is_dir():
        raise UsageError(f"--out: there is no folder {str(out.parent)!r}; make it first")
    result = stored.stored(name)
    chosen, basis = _recommended(result) if number is None else _asked_for(result, number)
    origin = f"Trial {chosen.number} of study {name}: {basis}"
    split = None if classes else _data(chosen)
    if split is not None and split.features and to != "yaml":
        raise UsageError(f"{to} mixes images, and {split.name} is a table; --to yaml writes the policy for any loop")
    file = policies.of_trial(chosen.config, classes, origin, split)
    try:
        text = policies.EXPORTS[to](file)
    except ConfigError as error:
        reasons = "\n".join(f"  {line}" for line in str(error).splitlines())
        advice = "--to yaml writes any policy, and tuner.load_policy mixes by exactly its law"
        raise UsageError(f"trial {chosen.number} cannot be written for {to}:\n{reasons}\n{advice}") from error
    if out is not None:
        _write(out, text)
    found = {"study": name, "trial": chosen.number, "basis": basis, "to": to, "out": str(out) if out else None}
    if output.wants_json(as_json):
        output.print_json({**found, "classes": file.classes, "policy": file.mixing, "text": text})
    elif out is None:
        sys.stdout.write(text)
    else:
        output.print_tables(f"{out}: {origin}")


def _recommended(result: StudyResult) -> tuple[TrialRecord, str]:
    """Return the trial of the recommended policy; before fresh seeds have spoken, the best of the search."""
    if not any(one.state is TrialState.COMPLETE for one in result.trials):
        return _best(result)
    found = recommendation.read(result.study)
    is_worse = found.effect.high is not None and found.effect.high < 0
    if found.verdict is Verdict.NOT_CONFIRMED and not is_worse:
        return _best(result)
    number = found.used.trial
    if found.verdict is Verdict.USE:
        basis = f"recommended on {found.seeds} fresh seeds"
    else:
        basis = f"{'fresh seeds found mixing worse' if is_worse else 'no evidence that mixing helps'}: no mixing"
    return next(one for one in result.trials if one.number == number), basis


def _best(result: StudyResult) -> tuple[TrialRecord, str]:
    if result.best is None:
        advice = f"`tuner trials {result.study}` lists them, and --trial N takes one all the same"
        raise UsageError(f"no trial of {result.study} has run to its end; {advice}")
    return result.best, f"best of the search; {_UNCONFIRMED}"


def _asked_for(result: StudyResult, number: int) -> tuple[TrialRecord, str]:
    for record in result.trials:
        if record.number == number:
            short = "" if record.state is TrialState.COMPLETE else f", {record.state} after {record.epochs} epochs"
            return record, f"chosen by its number{short}; {_UNCONFIRMED}"
    last = max((record.number for record in result.trials), default=None)
    has = "it has none" if last is None else f"it has 0 to {last}"
    raise UsageError(f"{result.study} has no trial {number}; {has}")


def _data(record: TrialRecord) -> Split:
    try:
        return trial.load_data(record.config, record.seed)
    except (ValueError, OSError, TunerError) as error:
        raise UsageError(f"the data could not be loaded to count its classes ({error}); give --classes") from error


def _write(out: Path, text: str) -> None:
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--out: {out} cannot be written: {error.strerror}") from error
