"""Records as lines of text and back, for the spool: one JSON document a record, which names what it is.

{"what": "EpochEnded", "study": "digits", "number": 3, "at_ms": 1700000000000, "metrics": {...}, "kind": "trial"}
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

from tuner.results import EpochMetrics, StudyState, TrialState
from tuner.tracking.operations import DatasetInput, Operation, RegisteredModel

_KINDS: Mapping[str, type[Any]] = {kind.__name__: kind for kind in get_args(Operation)}
_PARTS: Mapping[str, type[Any]] = {part.__name__: part for part in (EpochMetrics, DatasetInput, RegisteredModel)}
_STATES: Mapping[str, type[TrialState | StudyState]] = {state.__name__: state for state in (TrialState, StudyState)}


def line(operation: Operation) -> bytes:
    """Return a record as one line, with its end."""
    document = {"what": type(operation).__name__, **_members(operation)}
    return json.dumps(document, default=str, separators=(",", ":")).encode() + b"\n"


def operation(written: bytes) -> Operation:
    """Return the record that a line holds.

    Raises:
        ValueError: the line is damaged, or another version's.
    """
    try:
        document = json.loads(written)
        kind = _KINDS[document.pop("what")]
        made: Operation = kind(**{name: _read(value) for name, value in document.items()})
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise ValueError(f"no record of this version: {written[:80]!r}") from error
    return made


def _members(value: Any) -> dict[str, Any]:
    return {field.name: _written(getattr(value, field.name)) for field in fields(value)}


def _written(value: Any) -> Any:
    """Return a member as JSON can hold it, marked where it is more than plain."""
    match value:
        case bytes():
            return {"$": "bytes", "value": base64.b64encode(value).decode()}
        case Path():
            return {"$": "path", "value": str(value)}
        case TrialState() | StudyState():
            return {"$": type(value).__name__, "value": value.value}
        case EpochMetrics() | DatasetInput() | RegisteredModel():
            return {"$": type(value).__name__, "value": _members(value)}
        case Mapping():
            return {"$": "mapping", "value": dict(value)}
        case tuple():
            return {"$": "tuple", "value": list(value)}
    return value


def _read(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    name, held = value["$"], value["value"]
    match name:
        case "bytes":
            return base64.b64decode(held)
        case "path":
            return Path(held)
        case "mapping":
            return held
        case "tuple":
            return tuple(held)
    if name in _STATES:
        return _STATES[name](held)
    return _PARTS[name](**{member: _read(inner) for member, inner in held.items()})
