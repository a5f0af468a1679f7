"""Keeps a report in MLflow: its files, the answer as the run's description, the network in the registry.

The trials' runs get a sheet of the images as their policy mixes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuner.report import words
from tuner.report.findings import Findings
from tuner.report.kept import ANSWER, FOLDER, answer
from tuner.report.using import drawn
from tuner.report.write import HTML, Report
from tuner.search import storage
from tuner.selection.recommend import Verdict
from tuner.tracking import RegisteredModel, Tracking, TrackingReport, destination

SHEET = "images.png"
_SECONDS = 60.0


def record(made: Report, found: Findings) -> TrackingReport:
    """Write a report to MLflow, as far as it answers within a minute, and say how that went."""
    identity = str(storage.load(made.study).user_attrs.get("id", ""))
    tracking = Tracking(destination(), identity)
    tracking.continues(made.study)
    for name, content in made.files.items():
        tracking.artifact(f"{FOLDER}/{name}", content)
    tracking.artifact(f"{FOLDER}/{ANSWER}", answer(found, made))
    for trial in found.result.trials:
        if trial.number in found.sheets.rows:
            tracking.artifact(SHEET, drawn(found, trial), number=trial.number)
    tracking.description(_description(made, found))
    if (model := _model(made, found)) is not None:
        tracking.model(model)
    return tracking.close(_SECONDS)


def _description(made: Report, found: Findings) -> str:
    """Return what the run's page says at a glance, in Markdown."""
    told = found.recommendation
    parts = [f"**{made.headline}**"]
    if told is not None:
        parts.append("\n".join(f"- {one}" for one in (*told.reasons, *told.warnings)))
    return "\n\n".join([*parts, f"The whole report is the artifact `{FOLDER}/{HTML}`; each child run is a trial."])


def _model(made: Report, found: Findings) -> RegisteredModel | None:
    """Return the network that the recommended training gave; None where it is not settled or was not kept."""
    told = found.recommendation
    if told is None or found.network is None or told.verdict is Verdict.NOT_CONFIRMED:
        return None
    used = told.used
    scored: Mapping[str, Any] = {"verdict": told.verdict.value, "tuner.study": made.study, "seeds": told.seeds}
    return RegisteredModel(
        made.study,
        found.network,
        used.mixing,
        params={},
        tags=scored,
        description=f"{made.headline} Trained by {words.block(used.mixing)} on the study's first fresh seed.",
    )
