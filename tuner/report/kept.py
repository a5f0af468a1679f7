"""What a report leaves in MLflow for those who have nothing else of the study: the answer for scripts and in words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuner.errors import ServiceError
from tuner.report.findings import Findings
from tuner.report.write import Report
from tuner.selection.answer import Response
from tuner.selection.second_axes import SecondAxes
from tuner.tracking import Destination, elsewhere

FOLDER = "report"
"""Where the report's files lie in MLflow, among those of the study's run."""

ANSWER = "answer.json"


@dataclass(frozen=True)
class Answer:
    """What a study recommends, as `tuner recommend` says it.

    `found` is its JSON document, `said` are the sentences that people read under it. `headline` and `files` are those
    of the report; `found` is None where there was nothing to recommend yet.
    """

    headline: str
    files: tuple[str, ...]
    found: Mapping[str, Any] | None
    said: tuple[str, ...]


def answer(found: Findings, made: Report) -> bytes:
    """Return the file that `read` reads."""
    told = found.recommendation
    whole = None if told is None else document(told.as_json(), found.responses, found.second_axes)
    said = () if told is None else sentences(told.as_json(), found.responses, found.second_axes)
    kept = {"headline": made.headline, "files": sorted(made.files), "found": whole, "said": said}
    return json.dumps(kept, indent=1).encode()


def read(study: str, at: Destination) -> Answer | None:
    """Return what a study's last report left on a tracking server; None where that has no such study or no report.

    Raises:
        ServiceError: the server is out of reach or does not let us in, or what is there cannot be read.
    """
    content = elsewhere.file(study, f"{FOLDER}/{ANSWER}", at)
    if content is None:
        return None
    try:
        kept = json.loads(content)
        return Answer(kept["headline"], tuple(kept["files"]), kept["found"], tuple(kept["said"]))
    except (ValueError, KeyError, TypeError) as error:
        raise ServiceError(
            f"{FOLDER}/{ANSWER} of study {study} at {at.shown} is of another version: {error}"
        ) from error


def files(study: str, kept: Answer, at: Destination) -> dict[str, bytes]:
    """Return the report's files by name.

    Raises:
        ServiceError: the server is out of reach, or lacks one.
    """
    found = {}
    for name in kept.files:
        content = elsewhere.file(study, f"{FOLDER}/{name}", at)
        if content is None:
            raise ServiceError(
                f"MLflow at {at.shown} lacks {FOLDER}/{name} of study {study}; `tuner sync` sends it there"
            )
        found[name] = content
    return found


def document(found: Mapping[str, Any], responses: Sequence[Response], second: Sequence[SecondAxes]) -> dict[str, Any]:
    """Return a recommendation (as JSON) with what stands beside it, for scripts."""
    beside = {"responses": [one.as_json() for one in responses], "second_axes": [one.as_json() for one in second]}
    return {**found, **beside}


def sentences(found: Mapping[str, Any], responses: Sequence[Response], second: Sequence[SecondAxes]) -> tuple[str, ...]:
    """Return what people read under a recommendation: what the policy brings and costs, and each method's alpha."""
    shown = next((one for one in second if one.key == found["candidate"]), None)
    said = [f"  beside it: {one}" for one in (shown.words() if shown else ())]
    for one in responses:
        said += [one.words, *(f"  note: {warning}" for warning in one.warnings)]
    return tuple(said)
