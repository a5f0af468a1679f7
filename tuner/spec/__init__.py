"""The study file: text in, a checked `StudySpec` out, or every mistake at once with its line and column."""

from tuner.spec.load import StudySpec, load, plain, settings
from tuner.spec.shipped import shipped_studies

__all__ = ["StudySpec", "load", "plain", "settings", "shipped_studies"]
