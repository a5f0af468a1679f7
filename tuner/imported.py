"""One's own function by name, `package.module:function`: imported, read and called, every failure put in words."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import sys
import sysconfig
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

from tuner.catalog import Entry, Parameter, nearest
from tuner.values import checked, understands

_FORM = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")


_NOBODYS_OWN = ("<", sysconfig.get_path("stdlib"), f"{Path(__file__).parent}{os.sep}")


def load(reference: str) -> Callable[..., Any]:
    """Return the function (or class) that `package.module:function` names; the current folder is searched first.

    As `python -m` does, and unlike an installed command, the current folder is put on `sys.path`.

    Raises:
        ValueError: it is not of this form, there is no such module or function, or importing the module raises.
    """
    if not _FORM.fullmatch(reference):
        raise ValueError(f"wanted package.module:function, read {reference!r}; for example my_models:network")
    module_name, _, name = reference.partition(":")
    module = _module(module_name)
    found = getattr(module, name, None)
    if callable(found):
        function: Callable[..., Any] = found
        return function
    if found is not None:
        raise ValueError(f"{reference} is a {type(found).__name__}; wanted a function or a class")
    own = [
        known
        for known, value in vars(module).items()
        if callable(value) and getattr(value, "__module__", "") == module_name
    ]
    has = f"it has {', '.join(own)}" if own else "it has no functions"
    raise ValueError(f"module {module_name} ({module.__file__}) has no {name!r}; {has}{nearest(name, own)}")


def call(function: Callable[..., Any], reference: str, *context: Any, **arguments: Any) -> Any:
    """Call one's own function.

    Raises:
        ValueError: it raised; the message says what, and where in its file.
    """
    try:
        return function(*context, **arguments)
    except Exception as error:  # anybody's code may raise anything
        raise ValueError(f"{reference} raised {in_words(error)}") from error


def in_words(error: BaseException) -> str:
    """Say in one line what was raised, with the file and line where somebody's own code raised it or asked for it."""
    if isinstance(error, SyntaxError):
        return f"SyntaxError: {error.msg} ({error.filename}, line {error.lineno})"
    message = " ".join(f"{type(error).__name__}: {error}".split())
    files = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    own = [place for place in files if not place[0].startswith(_NOBODYS_OWN) and "site-packages" not in place[0]]
    return f"{message} ({own[-1][0]}, line {own[-1][1]})" if own else message


def entry_of(reference: str, context: tuple[str, ...], taken: tuple[str, ...]) -> Entry:
    """Import a function and return its entry: what it takes by name beside its context.

    An annotation that a study file has no words for, or that the default does not keep to, allows any plain value. What
    has a default that is no plain value is left out: a study file could not say it.

    Raises:
        ValueError: see `load`; or the function does not take its context, or has a parameter of a `taken` name.
    """
    function = load(reference)
    parameters = list(inspect.signature(function).parameters.values())
    first = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)][: len(context)]
    if len(first) < len(context) and not any(p.kind is p.VAR_POSITIONAL for p in parameters):
        wanted = ", ".join((*context, "..."))
        raise ValueError(f"wanted a function of ({wanted}), and {reference} takes {inspect.signature(function)}")
    for p in parameters:
        if p.kind is p.POSITIONAL_ONLY and p.name not in first:
            raise ValueError(f"{reference} takes {p.name} by position alone; a study file gives it by name")
    hints = _hints(function)
    own = tuple(
        Parameter(p.name, _kept_to(hints.get(p.name, Any), p.default), p.default)
        for p in parameters
        if p.name not in first and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and _can_be_said(p.default)
    )
    for name in {"name", *taken} & {parameter.name for parameter in own}:
        raise ValueError(f"{reference} has a parameter {name}, which means something else here; rename it")
    summary = (inspect.getdoc(function) or "").split("\n\n")[0].replace("\n", " ")
    return Entry(partial(call, function, reference), own, summary)


def _module(name: str) -> ModuleType:
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    importlib.invalidate_caches()  # a file written since this folder was last looked into
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise ValueError(f"importing {name} raised {in_words(error)}") from error
        hint = nearest(name, [file.stem for file in Path(here).glob("*.py")])
        where = f"looked in the current folder {here}, PYTHONPATH and the installed packages"
        raise ValueError(f"no module named {error.name!r}{hint}; {where}") from error
    except (Exception, SystemExit) as error:
        raise ValueError(f"importing {name} raised {in_words(error)}") from error


def _hints(function: Callable[..., Any]) -> Mapping[str, Any]:
    try:
        return get_type_hints(function.__init__ if inspect.isclass(function) else function, include_extras=True)
    except Exception:  # names that exist for a type checker alone
        return {}


def _kept_to(annotation: Any, default: Any) -> Any:
    if not understands(annotation):
        return Any
    if default is inspect.Parameter.empty:
        return annotation
    try:
        checked(annotation, default)
    except ValueError:
        return Any
    return annotation


def _can_be_said(default: Any) -> bool:
    return default is inspect.Parameter.empty or _is_plain(default)


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
    return value is None or isinstance(value, bool | int | float | str)
