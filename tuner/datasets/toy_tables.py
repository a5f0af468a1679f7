"""Three small tables that scikit-learn's package brings along, each with a fixed held-out test split."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from tuner.datasets.base import Dataset, Examples
from tuner.datasets.features import Feature
from tuner.datasets.stratify import hold_out

TEST_SHARE = 0.15


def breast_cancer() -> Dataset:
    """Wisconsin breast cancer: 569 cells' nuclei, 30 measurements, malignant or benign; 85 rows held out for testing.

    Source: Street, Wolberg and Mangasarian 1993, Nuclear feature extraction for breast tumor diagnosis.
    """
    return _dataset("load_breast_cancer")


def wine() -> Dataset:
    """Three growers' wines: 178 bottles, 13 chemical measurements; 27 rows held out for testing.

    Source: Aeberhard, Coomans and de Vel 1992, UCI wine recognition data.
    """
    return _dataset("load_wine")


def diabetes() -> Dataset:
    """Regression: progress of diabetes after a year, of 442 patients and 10 measurements; 66 rows held out for testing.

    Source: Efron, Hastie, Johnstone and Tibshirani 2004, Least Angle Regression, Annals of Statistics 32.
    """
    return _dataset("load_diabetes", scaled=False)


def _dataset(loader: str, **settings: bool) -> Dataset:
    table = _loaded(loader, settings)
    features = tuple(Feature(str(name)) for name in table.feature_names)
    return Dataset(_classes(table), _part(loader, settings, 0), partial(_part, loader, settings, 1), features=features)


def _part(loader: str, settings: dict[str, bool], which: int) -> Examples:
    """Return the training split, 0, or the test split, 1."""
    table = _loaded(loader, settings)
    classes = _classes(table)
    labels = table.target.astype(np.int64 if classes else np.float32)
    whole = Examples(table.data.astype(np.float32)[:, :, np.newaxis, np.newaxis], labels)
    return whole.take(hold_out(labels, classes, TEST_SHARE)[which])


def _loaded(loader: str, settings: dict[str, bool]) -> Any:
    from sklearn import datasets

    return getattr(datasets, loader)(**settings)


def _classes(table: Any) -> tuple[str, ...]:
    return tuple(str(name) for name in table.get("target_names", ()))
