"""Read the parts of a study beside its trial, and say every mistake in the words of a study file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, get_args

from annotated_types import BaseMetadata
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from tuner.catalog import nearest
from tuner.errors import Path, Problem
from tuner.spec.study import Study
from tuner.values import describe, shown


def read_parts(raw: Mapping[str, Any]) -> tuple[Study, list[Problem]]:
    """Return the study's parts and every mistake in them; a default stands in for what is mistaken.

    Where there are mistakes, the parts serve to look for more.
    """
    try:
        return Study.model_validate(raw), []
    except ValidationError as error:
        problems = [
            _problem(item["type"], item["loc"], raw, item.get("ctx", {}))
            for item in error.errors(include_url=False)
            if item["type"] != "default_factory_not_called"
        ]
    sound = {"name": "unnamed", "trial": {}, **raw}
    for path, _ in problems:
        sound = _without(sound, path) if path else sound
    return Study.model_validate({"name": "unnamed", "trial": {}, **sound}), list(dict.fromkeys(problems))


def _without(values: dict[str, Any], path: Path) -> dict[str, Any]:
    key, rest = str(path[0]), path[1:]
    if rest and isinstance(values.get(key), dict):
        return {**values, key: _without(values[key], rest)}
    return {name: value for name, value in values.items() if name != key}


def _problem(kind: str, location: Path, raw: Mapping[str, Any], context: Mapping[str, Any]) -> Problem:
    path, model, field = _located(location)
    if kind == "extra_forbidden" and field is None:
        known = list(model.model_fields) + (["extends"] if model is Study else [])
        key = str(path[-1])
        return Problem(path, f"unknown key {key!r}; allowed: {', '.join(known)}{nearest(key, known)}")
    if kind == "missing":
        wanted = "a name, for example fashion-mnist" if path == ("name",) else _wanted(field)
        return Problem(path[:-1], f"the study needs {path[-1]}: {wanted}")
    if kind == "value_error":
        return Problem(path, str(context["error"]))
    value: Any = raw
    for step in path:
        value = value[step]
    return Problem(path, f"wanted {_wanted(field)}, read {shown(value)}{_hint(field, value)}")


def _located(location: Path) -> tuple[Path, type[BaseModel], FieldInfo | None]:
    """Return the path of the innermost key of a part, the part, and the key's field, if it has one.

    pydantic goes on into unions and lists, with steps that no study file has.
    """
    path: Path = ()
    model: type[BaseModel] = Study
    for step in location:
        path = (*path, step)
        field = model.model_fields.get(str(step))
        if field is None or not _is_part(field) or len(path) == len(location):
            return path, model, field
        model = field.annotation  # type: ignore[assignment]
    return path, model, None


def _is_part(field: FieldInfo) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)


def _wanted(field: FieldInfo | None) -> str:
    if field is None or _is_part(field):
        return "keys and values"
    if field.description:
        return field.description
    limits = [limit for limit in field.metadata if isinstance(limit, BaseMetadata)]
    return describe(Annotated[(field.annotation, *limits)] if limits else field.annotation)


def _hint(field: FieldInfo | None, value: Any) -> str:
    if field is None or not isinstance(value, str):
        return ""
    return nearest(value, [word for word in get_args(field.annotation) if isinstance(word, str)])
