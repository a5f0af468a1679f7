"""How values are written in MLflow, within its limits."""

from __future__ import annotations

import hashlib
import json
import math
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from tuner.tracking.masking import MASK

KEY_LENGTH = 250
PARAM_LENGTH = 6000
TAG_LENGTH = 8000
"""The longest key, parameter and tag. Source: mlflow/utils/validation.py, 3.17."""

ENTRIES_AT_ONCE = 100
CHARACTERS_AT_ONCE = 200_000
"""Parameters or tags in a request; MLflow takes 1,000,000 bytes, of which a character may need four."""


def param_texts(values: Mapping[str, Any]) -> dict[str, str]:
    """Return parameters as MLflow's text."""
    return {name(key): _cut(text(value), PARAM_LENGTH) for key, value in values.items()}


def tag_texts(values: Mapping[str, Any]) -> dict[str, str]:
    """Return tags as MLflow's text."""
    return {name(key): _cut(text(value), TAG_LENGTH) for key, value in values.items()}


def name(key: str) -> str:
    """Return a key as MLflow takes it: of its characters, of its length, and still unlike any other."""
    allowed = re.sub(r"[^\w.\-/ :]", "_", key)
    if posixpath.normpath(allowed) != allowed or allowed.startswith(("/", "..")) or allowed == ".":
        allowed = re.sub(r"[/.]", "_", allowed) or "_"
    if len(allowed) <= KEY_LENGTH:
        return allowed
    digest = hashlib.sha256(key.encode()).hexdigest()[:8]
    return f"{allowed[: KEY_LENGTH - len(digest) - 1]}.{digest}"


def changes(values: Mapping[str, Any], length: int) -> list[str]:
    """Say what is not recorded as it was given: keys by another name, values cut or masked."""
    found = []
    for key, value in values.items():
        if name(key) != key:
            found.append(f"{_cut(key, 60)} is named {_cut(name(key), 60)}")
        if value == MASK:
            found.append(f"{_cut(key, 60)} is masked")
        elif (whole := len(text(value))) > length:
            found.append(f"{_cut(key, 60)} is cut from {whole} to {length} characters")
    return found


def portions(texts: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Yield parameters or tags in portions that one request takes."""
    portion: dict[str, str] = {}
    characters = 0
    for key, value in texts.items():
        if portion and (len(portion) == ENTRIES_AT_ONCE or characters + len(value) > CHARACTERS_AT_ONCE):
            yield portion
            portion, characters = {}, 0
        portion[key] = value
        characters += len(key) + len(value)
    if portion:
        yield portion


def text(value: Any) -> str:
    """Return a value as a study file would have it; numbers without exponent.

    MLflow compares parameters as text, and `0.00005` sorts before `0.001` where `5e-05` does not.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, float) and math.isfinite(value) and (value == 0 or 1e-12 < abs(value) < 1e12):
        return format(Decimal(repr(value)), "f")
    return json.dumps(value, default=str)


def curve_text(curve: Sequence[float]) -> str:
    """Return a curve as a tag can hold it: exactly, or if it is long with fewer digits, or else its last part."""
    exact = json.dumps(list(curve))
    if len(exact) <= TAG_LENGTH:
        return exact
    short = [float(f"{value:.4g}") for value in curve]
    return json.dumps(short[-TAG_LENGTH // 12 :])


def config(params: Mapping[str, str]) -> dict[str, Any]:
    """Return the nested configuration that parameters were flattened from, each value as `text` wrote it."""
    nested: dict[str, Any] = {}
    for key, written in params.items():
        *sections, name = key.split(".")
        section = nested
        for step in sections:
            section = section.setdefault(step, {})
        section[name] = _value(written)
    return {name: _with_lists(value) for name, value in nested.items()}


def finite_or_nan(value: float | int) -> float:
    """Return NaN for an infinity, which MLflow would store as 1.8e308: a number that nobody measured."""
    return float(value) if math.isfinite(value) else math.nan


def not_finite(metrics: Mapping[str, float | int]) -> str:
    """Name the metrics that are no finite number, each with what it was; empty where all are."""
    return ", ".join(f"{name} {value}" for name, value in metrics.items() if not math.isfinite(value))


def run_name(number: int, params: Mapping[str, Any]) -> str:
    """Return a trial's name in lists, for example `trial 7 mixup beta 0.31`."""
    words = [f"trial {number}", params.get("mixing.name"), params.get("mixing.ratio.name")]
    alpha = params.get("mixing.ratio.alpha")
    if isinstance(alpha, int | float):
        words.append(f"{alpha:.2g}")
    return " ".join(str(word) for word in words if word)


def _cut(value: str, length: int) -> str:
    return value if len(value) <= length else value[: length - 1] + "…"


def _value(written: str) -> Any:
    try:
        return json.loads(written)
    except ValueError:
        return written


def _with_lists(value: Any) -> Any:
    """Return sections whose keys are 0, 1 ... as the lists that they were."""
    if not isinstance(value, dict):
        return value
    items = {key: _with_lists(item) for key, item in value.items()}
    is_list = bool(items) and set(items) == {str(index) for index in range(len(items))}
    return [items[str(index)] for index in range(len(items))] if is_list else items
