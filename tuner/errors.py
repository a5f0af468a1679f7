"""The error tree: what went wrong, for whom, and with which exit code.

ValueError                    raised by the parts (mixing, models, training ...): one wrong value
└── ConfigError               every mistake of one plain configuration, each with its path
TunerError                    raised at the door: carries what to do, and the command's exit code
├── StudyFileError       (2)  a study file that cannot be run, every mistake with its line
├── UsageError           (2)  a wrong argument or a study in the wrong state
├── ServiceError         (3)  Ray, MLflow, storage or a download is out of reach
└── StudyFailed          (1)  the study itself failed
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

Path = tuple[str | int, ...]


class Problem(NamedTuple):
    """One mistake: where in the configuration, and what is wrong with it."""

    path: Path
    message: str


def dotted(path: Path) -> str:
    """Render a path as people write it, for example `trial.mixing.depths[0]`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.lstrip(".")


class ConfigError(ValueError):
    """Every mistake of one plain configuration."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{dotted(path)}: {message}" for path, message in problems))


class TunerError(Exception):
    """An error that a person has to act on; `cli` prints it and exits with `exit_code`."""

    exit_code = 1


class StudyFileError(TunerError):
    """A study file that cannot be run."""

    exit_code = 2


class UsageError(TunerError):
    """An argument that is wrong, or a study in the wrong state for what was asked."""

    exit_code = 2


class ServiceError(TunerError):
    """A service that is out of reach."""

    exit_code = 3


class StudyFailed(TunerError):
    """A study that could not be carried out."""

    exit_code = 1
