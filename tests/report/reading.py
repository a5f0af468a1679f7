"""What stands in a report, and what it is made of."""

from __future__ import annotations

from typing import Any

from tuner import spec
from tuner.report.document import Bullets, Document, Figure, Paragraph, Table
from tuner.report.findings import Findings, Sheets
from tuner.results import StudyResult, StudyState
from tuner.search.importance import Importances

STUDY = """
name: simulated
trial:
  dataset: {name: digits}
  model: {name: small_cnn, padding: same}
  training: {epochs: 9}
  mixing:
    choice:
      none: {}
      mixup: {ratio: {name: beta, alpha: {low: 0.1, high: 1.0, log: true}}}
      cutmix: {}
search: {trials: 14}
scheduler: {grace_epochs: 1}
confirm: {finalists: 2, seeds: 4}
"""


def findings(settings: str = STUDY, **known: Any) -> Findings:
    """Return what is known of a study: nothing but its file, and what is given."""
    own = spec.settings(settings)
    nothing: dict[str, Any] = {
        "result": StudyResult(own.name, StudyState.COMPLETED, (), None, None, 0.0),
        "settings": own,
        "source": settings,
        "epochs": 9,
        "maximise": own.objective.mode == "max",
        "recommendation": None,
        "responses": (),
        "second_axes": (),
        "effects": (),
        "importances": Importances((), 0, 0, ()),
        "stopping": None,
        "notes": (),
        "shown": None,
        "data": None,
        "sheets": Sheets({}, "digits"),
        "network": None,
        "confirmed": None,
        "environment": {},
    }
    return Findings(**{**nothing, **known})


def text_of(section) -> str:
    parts = []
    for block in section.blocks:
        if isinstance(block, Paragraph):
            parts.append(block.text)
        elif isinstance(block, Bullets):
            parts += block.items
        elif isinstance(block, Table):
            parts += [" | ".join(row) for row in block.rows]
    return "\n".join(parts)


def sections(document: Document):
    return {section.identifier: section for section in document.sections}


def table(section, place: int = 0) -> Table:
    return [block for block in section.blocks if isinstance(block, Table)][place]


def figures(section) -> dict[str, Figure]:
    return {block.identifier: block for block in section.blocks if isinstance(block, Figure)}
