"""What can be known of a study before a single trial runs: its data load, and every corner of its space builds."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import cloudpickle
import optuna

from tuner import space, trial
from tuner.datasets import Split
from tuner.errors import ConfigError, Path, Problem, UsageError
from tuner.imported import in_words
from tuner.results import CLASSIFIED, OBJECTIVES, REGRESSED
from tuner.spec import StudySpec

_DATA = "data"

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
        parts = config["model"], config["loss"]["name"], config["training"]["augment"], _shape(config["mixing"])
        key = json.dumps(parts, sort_keys=True)
        if key not in seen:
            seen.add(key)
            problems |= dict.fromkeys(_problems(config, split, corner))
    if not problems and (reason := _stays_here(split)):
        problems[Problem(("trial", "dataset"), reason)] = None
    problems |= dict.fromkeys(_unmeasured(spec, split))
    if problems:
        raise spec.failure(problems)
    return split


def _unmeasured(spec: StudySpec, split: Split) -> list[Problem]:
    """Return that the study optimises what its data does not give, if so."""
    absent = REGRESSED if split.classes else CLASSIFIED
    if spec.objective.metric not in absent:
        return []
    what = "a classification" if split.classes else "a regression"
    given = [name for name in OBJECTIVES if name not in absent]
    message = (
        f"{split.name} is {what}, of which {spec.objective.metric} is not measured; set objective.metric to one of"
    )
    return [Problem(("objective", "metric"), f"{message} {', '.join(given)}")]


def require_same_data(study: optuna.Study, split: Split) -> None:
    """Check that a study goes on with the very images that it began with, and remember them where it begins.

    Raises:
        UsageError: they have changed.
    """
    found = fingerprint(split)
    kept = study.user_attrs.get(_DATA)
    if kept is None:
        study.set_user_attr(_DATA, found)
    elif kept != found:
        raise UsageError(
            f"the examples or labels of data set {split.name} have changed since study {study.study_name} began, so "
            "that its trials cannot be compared with new ones; bring the old data back, or run the file as a study of "
            "its own: tuner run FILE --fork"
        )


def digest(study: optuna.Study) -> str:
    """Return the digest of the images that a study began with."""
    return str(study.user_attrs[_DATA])


def fingerprint(split: Split) -> str:
    """Return a digest of every image and label that is trained and validated on, in their order, and of the classes."""
    described = [split.classes, split.features] if split.features else split.classes
    digest = hashlib.blake2b(json.dumps(described).encode(), digest_size=16)
    for part in (split.training, split.validation):
        digest.update(f"{part.images.shape}".encode())
        digest.update(part.images.data)
        digest.update(part.labels.data)
    return digest.hexdigest()


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
        trial.check_split(config, split)
    except ConfigError as error:
        return [Problem(_in_file(corner, path), message) for path, message in error.problems]
    return []


def _in_file(corner: space.Corner, path: Path) -> Path:
    return ("trial", *corner.origin_of(path))
