"""Find credentials in a study file and take them out: a study file is copied, logged and sent to clusters."""

from __future__ import annotations

import re

from tuner.errors import Path
from tuner.spec.tree import UNREAD, Mistake, Node

REDACTED = "[redacted]"
_SECRET_WORDS = {"password", "passwd", "passphrase", "pwd", "secret", "secrets", "credential", "credentials"}
_SECRET_ENDINGS = ("token", "apikey", "api_key", "accesskey", "access_key", "privatekey", "private_key", "secretkey")
# Begins with what is rare: where a pattern begins with a scheme's letters, a long text takes its length squared.
_CREDENTIALS = re.compile(r"(?<=[A-Za-z0-9+.-])://[^\s/@]+@")
_ADVICE = "keep it in the environment, or in a file that the environment names"


def names_secret(key: str) -> bool:
    """Tell whether a key is one that a credential stands under: `password`, `hf_token`, `api-key` ..."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower().replace("-", "_")
    parts = words.split("_")
    return not _SECRET_WORDS.isdisjoint(parts) or any(
        words == ending or words.endswith(f"_{ending}") for ending in _SECRET_ENDINGS
    )


def redact(node: Node, mistakes: list[Mistake], path: Path = ()) -> Node:
    """Return the tree with every credential replaced, and report each one."""
    if path and isinstance(path[-1], str) and names_secret(path[-1]):
        mistakes.append(Mistake(node.place, path, f"a study file must not hold a secret; {_ADVICE}"))
        return Node(UNREAD, node.place)
    if isinstance(node.value, dict):
        return Node({key: redact(child, mistakes, (*path, key)) for key, child in node.value.items()}, node.place)
    if isinstance(node.value, list):
        return Node([redact(child, mistakes, (*path, i)) for i, child in enumerate(node.value)], node.place)
    if isinstance(node.value, str) and _CREDENTIALS.search(node.value):
        shown = _CREDENTIALS.sub(f"://{REDACTED}@", node.value)
        message = f"{shown!r}: an address must not hold a user and password; {_ADVICE}"
        mistakes.append(Mistake(node.place, path, message))
        return Node(UNREAD, node.place)
    return node
