"""Check one value of a study file against an annotation, and say in words what is allowed.

Understands bool, int, float, str, None, Any, Literal, `tuple[T, ...]`, `list[T]`, unions, and annotated_types' Ge, Gt,
Le, Lt, Len.
"""

from __future__ import annotations

import math
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Len, Lt

_SCALARS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    NoneType: "null",
    Any: "any value",
}


def checked(annotation: Any, value: Any) -> Any:
    """Return `value` in the annotation's type: a whole number becomes a float where a number is wanted.

    Raises:
        ValueError: what is allowed, and what was read.
    """
    try:
        return _convert(annotation, value)
    except _Mismatch:
        raise ValueError(f"wanted {describe(annotation)}, read {shown(value)}") from None


def understands(annotation: Any) -> bool:
    """Tell whether an annotation is one of those that values can be checked against."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return True
    if origin is Annotated:
        return understands(arguments[0])
    if origin is tuple:
        return len(arguments) == 2 and arguments[1] is ... and understands(arguments[0])
    if origin in (list, Union, UnionType):
        return all(map(understands, arguments))
    return annotation is Any or annotation in _SCALARS


def describe(annotation: Any) -> str:
    """Say in words what an annotation allows, for example `a number > 0`."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        limits = " and ".join(filter(None, map(_limit, arguments[1:])))
        return f"{describe(arguments[0])} {limits}".rstrip()
    if origin is Literal:
        return "one of " + ", ".join(map(str, arguments))
    if origin in (Union, UnionType):
        return " or ".join(map(describe, arguments))
    if origin in (tuple, list):
        return f"a list, each {describe(arguments[0])}"
    return _SCALARS.get(annotation, getattr(annotation, "__name__", str(annotation)))


def bounds(annotation: Any) -> dict[str, Any]:
    """Return `low`, `high` and `choices` as far as the annotation has them."""
    found: dict[str, Any] = {}
    if get_origin(annotation) is Literal:
        return {"choices": list(get_args(annotation))}
    if get_origin(annotation) is not Annotated:
        return found
    for limit in get_args(annotation)[1:]:
        if isinstance(limit, Ge | Gt):
            found["low"] = limit.ge if isinstance(limit, Ge) else limit.gt
        if isinstance(limit, Le | Lt):
            found["high"] = limit.le if isinstance(limit, Le) else limit.lt
    return found


class _Mismatch(Exception):
    """The value is not of the annotation."""


def _convert(annotation: Any, value: Any) -> Any:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        converted = _convert(arguments[0], value)
        if not all(_within(limit, converted) for limit in arguments[1:]):
            raise _Mismatch
        return converted
    if origin is Literal:
        return _one_of(arguments, value)
    if origin in (Union, UnionType):
        return _first(arguments, value)
    if origin in (tuple, list):
        if not isinstance(value, list | tuple):
            raise _Mismatch
        return origin(_convert(arguments[0], item) for item in value)
    return value if annotation is Any else _scalar(annotation, value)


def _scalar(kind: type, value: Any) -> Any:
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return _finite(value)
    if kind is not float and type(value) is kind:
        return value
    raise _Mismatch


def _finite(value: int | float) -> float:
    try:
        number = float(value)
    except OverflowError:  # a whole number of more than 308 digits
        raise _Mismatch from None
    if not math.isfinite(number):
        raise _Mismatch
    return number


def _one_of(allowed: tuple[Any, ...], value: Any) -> Any:
    for choice in allowed:
        if type(choice) is type(value) and choice == value:
            return choice
    raise _Mismatch


def _first(annotations: tuple[Any, ...], value: Any) -> Any:
    for annotation in annotations:
        try:
            return _convert(annotation, value)
        except _Mismatch:
            continue
    raise _Mismatch


def _within(limit: Any, value: Any) -> bool:
    match limit:
        case Ge(ge):
            return bool(value >= ge)
        case Gt(gt):
            return bool(value > gt)
        case Le(le):
            return bool(value <= le)
        case Lt(lt):
            return bool(value < lt)
        case Len(shortest, longest):
            return shortest <= len(value) <= (math.inf if longest is None else longest)
        case _:
            return True


def _limit(limit: Any) -> str:
    match limit:
        case Ge(ge):
            return f">= {ge}"
        case Gt(gt):
            return f"> {gt}"
        case Le(le):
            return f"<= {le}"
        case Lt(lt):
            return f"< {lt}"
        case Len(shortest, None):
            return f"(at least {shortest})"
        case Len(shortest, longest):
            return f"({shortest} to {longest})"
        case _:
            return ""


def shown(value: Any) -> str:
    """Say what was read, in the words of a study file: `the text 'no'`, `true`, `null`, `3`."""
    if isinstance(value, str):
        return f"the text {value!r}"
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "null"
    return repr(value)
