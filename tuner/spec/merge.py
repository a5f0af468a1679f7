"""Put one study file onto another (`extends`) and arguments onto both (`--set`)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path as FilePath

from tuner.errors import Path, StudyFileError, UsageError
from tuner.spec.document import compose
from tuner.spec.secrets import REDACTED, names_secret, redact
from tuner.spec.shipped import shipped_studies
from tuner.spec.tree import UNREAD, Mistake, Node, Place, failure

_LARGEST_BYTES = 1_000_000
_NAMING = ("import", "name")


def read_study(file: FilePath, mistakes: list[Mistake]) -> Node:
    """Return the values of a study file on top of those that it extends.

    Raises:
        StudyFileError: a file that is missing, too large, not text or not YAML, or that extends itself.
    """
    return _read_chain(file, Place(str(file)), (), mistakes)


def apply_overrides(study: Node, overrides: Sequence[str], mistakes: list[Mistake]) -> Node:
    """Return `study` with each `path.to.leaf=VALUE` set, values read as YAML.

    Outer ones are set first, and a part's `name` before its other keys, for another name drops the old one's keys.

    Raises:
        UsageError: an override that is not of this form.
    """
    parsed = [_parse_override(override, mistakes) for override in overrides]
    for path, node in sorted(parsed, key=lambda override: _depth(override[0])):
        study = _set(study, path, node, top=True)
    return study


def merge(base: Node, over: Node, *, top: bool = False) -> Node:
    """Return `over` on top of `base`: keys merge, but a domain or another name takes the whole place."""
    if not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return over
    if not top and (_is_domain(base) or _is_domain(over) or _is_renamed(base, over)):
        return over
    merged = dict(base.value)
    for key, child in over.value.items():
        merged[key] = merge(merged[key], child) if key in merged else child
    return Node(merged, over.place)


def _read_chain(file: FilePath, asked: Place, below: tuple[FilePath, ...], mistakes: list[Mistake]) -> Node:
    real = FilePath(os.path.realpath(file))
    if real in below:
        chain = " extends ".join(path.name for path in (*below[below.index(real) :], real))
        raise failure([*mistakes, Mistake(asked, ("extends",), f"a file cannot extend itself: {chain}")])
    try:
        text = _read_text(file)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        path: Path = ("extends",) if below else ()
        raise failure([*mistakes, Mistake(asked, path, f"cannot read {file}: {reason}")]) from None
    study, found = compose(text, str(file))
    mistakes += found
    study = redact(study, mistakes)
    if not isinstance(study.value, dict):
        what = "the file is empty" if study.value is None else f"the file holds {study.plain!r} alone"
        raise failure([*mistakes, Mistake(study.place, (), f"{what}; write at least name: and trial:")])
    values = dict(study.value)
    extends = values.pop("extends", None)
    if extends is None:
        return study
    base = _read_chain(_base_file(file, extends, mistakes), extends.place, (*below, real), mistakes)
    return merge(base, Node(values, study.place), top=True)


def _base_file(file: FilePath, extends: Node, mistakes: list[Mistake]) -> FilePath:
    if isinstance(extends.value, str) and extends.value and "\0" not in extends.value:
        beside, shipped = file.parent / extends.value, shipped_studies()
        return shipped[extends.value] if extends.value in shipped and not beside.is_file() else beside
    message = f"wanted another study file's path, read {extends.plain!r}"
    raise failure([*mistakes, Mistake(extends.place, ("extends",), message)])


def _read_text(file: FilePath) -> str:
    if file.exists() and not file.is_file():
        raise ValueError("it is no file")
    with file.open("rb") as stream:
        data = stream.read(_LARGEST_BYTES + 1)
    if len(data) > _LARGEST_BYTES:
        raise ValueError(f"it is larger than {_LARGEST_BYTES} bytes; a study file has some thousand")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ValueError(f"line {line} is not UTF-8 text (byte {data[error.start]:#04x}); save it as UTF-8") from None


def _is_domain(node: Node) -> bool:
    keys = node.value
    return _part(keys) is None and any(word in keys for word in ("choice", "any", "low", "high"))


def _is_renamed(base: Node, over: Node) -> bool:
    before, after = _part(base.value), _part(over.value)
    return None not in (before, after) and before != after


def _part(values: Mapping[str, Node]) -> tuple[str, object] | None:
    """Return what makes a mapping a certain part: what it imports, else its name."""
    return next(((key, values[key].plain) for key in _NAMING if key in values), None)


def _depth(path: tuple[str, ...]) -> tuple[int, bool]:
    is_name = path[-1] in _NAMING
    return len(path) - is_name, is_name


def _parse_override(override: str, mistakes: list[Mistake]) -> tuple[tuple[str, ...], Node]:
    name, equals, text = override.partition("=")
    path = tuple(name.strip().split("."))
    if not equals or not all(path):
        raise UsageError(f"--set wants path.to.leaf=VALUE, read {name!r}; for example --set trial.training.epochs=3")
    try:
        node, found = compose(text, "value")
    except StudyFileError as error:
        raise _unreadable(name, str(error).splitlines()) from None
    if found:
        raise _unreadable(name, map(str, found))
    secrets: list[Mistake] = []
    node = redact(Node({"": node}, node.place), secrets).value[""]
    if any(names_secret(step) for step in path):
        secrets.append(Mistake(node.place, (), "a secret is kept in the environment, not among a study's values"))
    place = Place(f"--set {name}={REDACTED if secrets else text}")
    mistakes += [Mistake(place, (*path, *mistake.path[1:]), mistake.message) for mistake in secrets]
    return path, _moved(Node(UNREAD, place) if secrets else node, place)


def _unreadable(name: str, reasons: Iterable[str]) -> UsageError:
    return UsageError("\n".join(f"--set {name}: {reason}" for reason in reasons))


def _moved(node: Node, place: Place) -> Node:
    if isinstance(node.value, dict):
        return Node({key: _moved(child, place) for key, child in node.value.items()}, place)
    if isinstance(node.value, list):
        return Node([_moved(child, place) for child in node.value], place)
    return Node(node.value, place)


def _set(base: Node, path: tuple[str, ...], leaf: Node, *, top: bool = False) -> Node:
    if not path:
        return leaf
    values = _entries(base)
    key, rest = path[0], path[1:]
    named = Node({key: leaf}, leaf.place)
    if not rest and key in _NAMING and not top and _is_renamed(Node(values, base.place), named):
        return named
    child = values.get(key, Node(None, leaf.place))
    place = base.place if isinstance(base.value, dict) else leaf.place
    return Node({**values, key: _set(child, rest, leaf)}, place)


def _entries(node: Node) -> dict[str, Node]:
    """Return the keys to set among; a bare name stands for `{name: ...}`, anything else gives way."""
    if isinstance(node.value, dict):
        return node.value
    return {"name": node} if isinstance(node.value, str) else {}
