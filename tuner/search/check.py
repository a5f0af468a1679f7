"""What can be known of a study before a single trial runs: its data load, and every corner of its space builds."""

from __future__ import annotations

import json
from typing import Any

import cloudpickle

from tuner import space, trial
from tuner.datasets import Split
from tuner.errors import ConfigError, Path, Problem
from tuner.imported import in_words
from tuner.spec import StudySpec

_OF_ANY_SIZE = {"ratio", "probability", "off_epochs", "weights"}


def load(spec: StudySpec) -> Split:
    """Load the study's dataset and build every corner's model for its images (on the meta device).

    Raises:
        StudyFileError: the data cannot be loaded as the file says, or a corner does not build.
    """
    corners = space.corners(spec.trial)
    try:
        split = trial.load_data(trial.resolve(corners[0].config), spec.seed)
    except (ValueError, OSError) as error:
        raise spec.failure([Problem(("trial", "dataset"), str(error))]) from error
    problems: dict[Problem, None] = {}
    seen: set[str] = set()
    for corner in corners:
        config = trial.resolve(corner.config)
        key = json.dumps([config["model"], config["training"]["augment"], _shape(config["mixing"])], sort_keys=True)
        if key not in seen:
            seen.add(key)
            problems |= dict.fromkeys(_problems(config, split, corner))
    if not problems and (reason := _stays_here(split)):
        problems[Problem(("trial", "dataset"), reason)] = None
    if problems:
        raise spec.failure(problems)
    return split


def _stays_here(split: Split) -> str | None:
    """Return why the test split could not be opened by another process, which the confirmation asks for at the end."""
    try:
        cloudpickle.dumps(split.load_test)
    except Exception as error:  # pickle calls what the objects of anybody's own code say
        wanted = "let load_test open what it reads itself"
        return f"its load_test cannot be sent to another process: {in_words(error)}; {wanted}"
    return None


def _shape(mixing: Any) -> Any:
    """Return what of a mixing block decides whether it fits images: its numbers are tried once for each method."""
    if isinstance(mixing, list | tuple):
        return [_shape(item) for item in mixing]
    if isinstance(mixing, dict):
        return {key: _shape(value) for key, value in mixing.items() if key not in _OF_ANY_SIZE}
    return mixing


def _problems(config: dict[str, Any], split: Split, corner: space.Corner) -> list[Problem]:
    try:
        trial.check_model(config, trial.image_shape(split), len(split.classes))
    except ConfigError as error:
        return [Problem(_in_file(corner, path), message) for path, message in error.problems]
    return []


def _in_file(corner: space.Corner, path: Path) -> Path:
    return ("trial", *corner.origin_of(path))
