"""What travels with a job: its order, the study file, and the folder with the user's own code."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path

from tuner.cluster import code
from tuner.errors import UsageError

FOLDER = "tuner-job"
ORDER, STUDY = f"{FOLDER}/order.json", f"{FOLDER}/study.yaml"
"""Where they lie in the job's working directory."""

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
"""The Python that runs here, as far as code can tell it."""

MOST_BYTES = 100 * 2**20
"""What Ray takes as a working directory."""

_SHOWN = 5


@dataclass(frozen=True)
class Order:
    """What a job is to do: `tuner` with these arguments. `version` is that of the tuner that ordered it.

    `has_code` says that somebody's own code travels along, which was written for `python`.
    """

    arguments: tuple[str, ...]
    version: str = version("mixup-tuner")
    has_code: bool = False
    python: str = PYTHON

    def as_json(self) -> str:
        """Return it as the text that travels."""
        return json.dumps(asdict(self))


def read(path: Path) -> Order:
    """Read an order that has travelled.

    Raises:
        ValueError: it is none.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        arguments, has_code = tuple(map(str, found["arguments"])), bool(found.get("has_code"))
        return Order(arguments, str(found["version"]), has_code, str(found.get("python", "another version")))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is no order of the tuner: {error}") from error


@contextmanager
def packed(order: Order, study_file: str | None = None, working_dir: Path | None = None) -> Iterator[Path]:
    """Put an order, a study file's text and a folder with the user's own code together, for as long as the block runs.

    Raises:
        UsageError: there is no such folder, or it is more than Ray takes.
    """
    with tempfile.TemporaryDirectory(prefix="tuner-job-") as place:
        folder = Path(place) / "parcel"
        folder.mkdir()
        if working_dir is not None:
            _copy(working_dir, folder)
        (folder / FOLDER).mkdir()
        order = replace(order, has_code=working_dir is not None)
        (folder / ORDER).write_text(order.as_json(), encoding="utf-8")
        if study_file is not None:
            (folder / STUDY).write_text(study_file, encoding="utf-8")
        yield folder


def _copy(working_dir: Path, folder: Path) -> None:
    if not working_dir.is_dir():
        raise UsageError(f"--working-dir: there is no folder {str(working_dir)!r}")
    found = code.read(working_dir)
    if found.bytes > MOST_BYTES:
        raise UsageError(
            f"--working-dir: {working_dir} holds {found.bytes / 2**20:.0f} MiB, and a job takes "
            f"{MOST_BYTES / 2**20:.0f}; give a folder with your code alone, name the rest in its .gitignore or "
            ".rayignore, and put data where every worker sees it (a mounted path)"
        )
    found.copy(folder)
    if found.stays:
        sys.stderr.write(f"--working-dir: {_some(found)} here, as .gitignore or .rayignore says\n")


def _some(found: code.Code) -> str:
    names = [str(path.relative_to(found.folder)) for path in found.stays]
    shown, more = ", ".join(names[:_SHOWN]), len(names) - _SHOWN
    return f"{shown} and {more} more stay" if more > 0 else f"{shown} {'stays' if len(names) == 1 else 'stay'}"
