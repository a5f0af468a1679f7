"""The study files that come with the package, found by bare name."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from tuner.catalog import nearest
from tuner.errors import StudyFileError


def shipped_studies() -> dict[str, Path]:
    """Return the shipped study files by name, from the wheel, or beside the package in a source checkout.

    Those in a folder have its name before theirs: `articles/alpha_sweep`.
    """
    package = Path(str(files("tuner")))
    packaged, beside = package / "search_spaces", package.parent / "search_spaces"
    folder = packaged if packaged.is_dir() else beside
    files_of = [*sorted(folder.glob("*.yaml")), *sorted(folder.glob("*/*.yaml"))]
    return {file.relative_to(folder).with_suffix("").as_posix(): file for file in files_of}


def find_study(path_or_name: str | Path) -> Path:
    """Return the study file at a path, or the shipped one of that name.

    Raises:
        StudyFileError: neither exists; the message lists the shipped names.
    """
    file, text = Path(path_or_name), str(path_or_name)
    shipped = shipped_studies()
    readable = text and "\0" not in text
    if readable and _is_there(file.is_file):
        return file
    if text in shipped:  # before a folder of that name
        return shipped[text]
    if readable and _is_there(file.exists):
        return file
    known = ", ".join(shipped) or "none"
    hint = nearest(file.stem, list(shipped))
    raise StudyFileError(f"no study file at {text!r}; give a path, or the name of a shipped study: {known}{hint}")


def _is_there(question: Callable[[], bool]) -> bool:
    try:
        return question()
    except OSError:  # a name that no file system takes
        return False
