"""What nobody should read in a record is masked before it is written anywhere: in MLflow, or in the spool on disk."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tuner.tracking.destination import without_credentials

MASK = "***"

_WORDS = r"pass(?:word|wd|phrase)|secret|token|credentials?|(?:api|access|private|secret)[_-]?key|authorization"
_KEY = re.compile(rf"(?:^|[._\-\[\]/ ])(?:{_WORDS})$", re.IGNORECASE)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_ENTRY = re.compile(
    rf"""^(?P<before>.*?(?<![^\W_])(?:{_WORDS})["']?[ \t]*[:=][ \t]*)"""
    r"""(?P<value>[|>][^\n]*(?:\n[ \t]+[^\n]*)+|[^\n]+)$""",
    re.IGNORECASE | re.MULTILINE,
)
_PLAIN = re.compile(r"[\d.+-]+|null|~|true|false|[{\[].*", re.DOTALL)


def masked(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with those masked whose key says that they are secret, and credentials in addresses."""
    return {key: _masked_value(key, value) for key, value in values.items()}


def masked_text(text: str) -> str:
    """Return a text, such as a study file, with what stands after `password:` and the like masked to the line's end.

    Rather a harmless rest of the line is lost than part of a password kept.
    """
    return without_credentials(_ENTRY.sub(_masked_entry, text))


def _masked_value(key: str, value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if _KEY.search(_CAMEL.sub("_", key)):
        return MASK
    if isinstance(value, str):
        return without_credentials(value)
    if isinstance(value, Mapping):
        return masked(value)
    if isinstance(value, list | tuple):
        return [_masked_value("", item) for item in value]
    return value


def _masked_entry(found: re.Match[str]) -> str:
    value = found["value"].strip()
    return found[0] if _PLAIN.fullmatch(value) else found["before"] + MASK
