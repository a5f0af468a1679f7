"""The part of a report for who goes on with it: mixed images, how to use the policy, how it was decided."""

from __future__ import annotations

import io

import matplotlib as mpl

from tuner import policies, preview
from tuner.errors import ConfigError
from tuner.report import words
from tuner.report.document import Block, Bullets, Code, Paragraph, Picture, Section
from tuner.report.findings import Findings
from tuner.results import TrialRecord
from tuner.selection.recommend import Verdict
from tuner.selection.words import counted
from tuner.spec.study import Confirm, Search
from tuner.tracking.masking import masked_text

_LOOP = """\
import tuner

policy = tuner.load_policy("policy.yaml")

for images, labels in loader:  # float images, whole numbers as labels
    images, targets = policy(images, labels)
    loss = policy.loss(model(images), targets)
"""

_ROWS_LOOP = """\
import tuner

policy = tuner.load_policy("policy.yaml")

# rows: floats [batch, features], normalised; labels: {labels}
for rows, labels in loader:
    rows, targets = policy(rows, labels)
    loss = policy.loss(model(rows), targets)
"""

_ATTACHED = """\
import tuner

policy = tuner.load_policy("policy.yaml")
attached = policy.attach(model)              # it mixes inside the model, or asks it what matters in an image

for images, labels in loader:
    logits, targets = attached(images, labels)
    loss = policy.loss(logits, targets)
"""


def sheet(found: Findings) -> Section | None:
    """Return mixed images of the policy that the report is about; None where the examples are no images."""
    if found.is_table:
        return None
    shown = found.shown
    if shown is None or shown.number not in found.sheets.rows:
        reason = found.sheets.missing or "the policy does not mix"
        return Section("images", "Mixed images", [Paragraph(f"No picture: {reason}.")])
    caption = (
        "The same images unmixed and mixed, with their targets in per cent; on the right how large a part is the "
        "image's own."
    )
    alternative = f"Images of {found.sheets.of}, unmixed and mixed by {words.policy(shown.params)}"
    return Section("images", "Mixed images", [Picture("images", drawn(found, shown), alternative, caption)])


def drawn(found: Findings, trial: TrialRecord) -> bytes:
    """Return the sheet of a trial's policy as PNG."""
    file = io.BytesIO()
    with mpl.rc_context({"text.parse_math": False}):  # a class may be called $5
        preview.draw(found.sheets.rows[trial.number], file, f"{words.policy(trial.params)}, on {found.sheets.of}")
    return file.getvalue()


def use(found: Findings) -> Section:
    """Return how to train with what the report recommends."""
    told, shown, study = found.recommendation, found.shown, found.result.study
    is_used = told is not None and told.verdict is Verdict.USE
    blocks: list[Block] = []
    if not is_used:
        is_judged = told is not None and told.shown is not None and told.planned_seeds
        said = "Train without mixing." if is_judged else "Nothing is recommended."
        near = (
            f" What follows is for {words.policy(shown.params)}, if you want to try it all the same." if shown else ""
        )
        blocks.append(Paragraph(said + near))
    if shown is not None:
        blocks += _code(shown, found, study, is_used)
    if found.network is not None:
        said = f'network = tuner.trial.load_network(Path("{found.network}"))'
        title = "The network that the recommended training gave on the first fresh seed; images as bytes go in"
        if found.is_table:
            said += "\npredictions = network(network.rows(columns))  # columns: each name with its cells"
            title = "The network that the recommended training gave on the first fresh seed; rows of the table go in"
        blocks.append(Code(f"from pathlib import Path\n\nimport tuner.trial\n\n{said}\n", "python", title))
    return Section("use", "How to use it", blocks)


def decided(found: Findings) -> Section:
    """Return the protocol in words, the study file, and with what this was made."""
    settings, told = found.settings, found.recommendation
    search, scheduler, confirm = settings.search, settings.scheduler, settings.confirm
    scheduled = (
        f"ASHA, first after {counted(scheduler.grace_epochs, 'epoch')}, then at every {scheduler.reduction}-fold; "
        f"strata by {scheduler.strata}"
        if scheduler.name != "fifo"
        else "nothing is stopped early"
    )
    items = [
        f"Objective: {settings.objective.metric}, {settings.objective.mode}imised, on unmixed validation examples.",
        f"Search: {search.sampler}, {counted(search.trials, 'trial')}, seed {settings.seed}{_seeds(search)}.",
        f"Early stopping: {scheduled}.",
        *_confirmed(confirm),
        *found.notes,
    ]
    if told is not None and told.seeds < told.planned_seeds:
        items.append(f"The verdict rests on {told.seeds} of {counted(told.planned_seeds, 'planned seed')}.")
    made = ", ".join(f"{name} {version}" for name, version in found.environment.items())
    return Section(
        "decided",
        "How it was decided",
        [
            Bullets(tuple(items)),
            Code(masked_text(found.source), "yaml", "The study file", long=True),
            Paragraph(f"Written with {made}."),
        ],
    )


def _seeds(search: Search) -> str:
    return f"; each configuration on {search.seeds} seeds, compared by the mean over them" if search.seeds > 1 else ""


def _confirmed(confirm: Confirm) -> tuple[str, ...]:
    """Say how finalists are put to the test, and by which statistics they are judged."""
    if not confirm.seeds:
        return ("Confirmation: none, as confirm.seeds is 0.",)
    return (
        f"Confirmation: {counted(confirm.finalists, 'finalist')}, no mixing, and the published setting where it is in "
        f"the space, on {counted(confirm.seeds, 'fresh seed')}, by the test split.",
        "Statistics: two-sided paired t test, Bonferroni's intervals over the candidates; of candidates that one "
        "standard error cannot tell from the best, the simplest is preferred; the estimate is corrected for its having "
        "been chosen.",
    )


def _code(shown: TrialRecord, found: Findings, study: str, is_used: bool) -> list[Block]:
    try:
        file = policies.of_trial(shown.config, None, f"Trial {shown.number} of study {study}", found.data)
        text = file.as_yaml()
    except ConfigError as error:
        return [Paragraph(f"The policy cannot be written as a file: {error}")]
    inside = bool(policies.load_policy(file).model_wanted_for)
    others = "; --to torchvision or timm writes their code"
    number = "" if is_used else f" --trial {shown.number}"
    command = f"tuner export {study} --out policy.yaml{number}"
    return [
        Code(text, "yaml", "policy.yaml"),
        Code(_ATTACHED if inside else _loop(file, found), "python", "In your training loop"),
        Code(command, "sh", "The same file from the command line" + (others if not found.is_table else "")),
    ]


def _loop(file: policies.PolicyFile, found: Findings) -> str:
    if not found.is_table:
        return _LOOP
    labels = "floats [batch] in the target's unit" if file.is_regression else "whole numbers [batch]"
    return _ROWS_LOOP.format(labels=labels)
