"""Data sets by name. A study file sets a loader's own parameters and those of the cut that all have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tuner.catalog import Entry, Table, entry
from tuner.datasets.base import Dataset, DatasetFacts, Examples, Split
from tuner.datasets.cifar import cifar10, cifar100
from tuner.datasets.csv_table import csv
from tuner.datasets.digits import digits
from tuner.datasets.fashion_mnist import fashion_mnist
from tuner.datasets.features import Feature, column_numbers, encoded
from tuner.datasets.image_folder import image_folder
from tuner.datasets.imported import imported
from tuner.datasets.npz import npz
from tuner.datasets.split import cut
from tuner.datasets.toy_tables import breast_cancer, diabetes, wine

__all__ = ["DATASETS", "Dataset", "Examples", "Feature", "Split", "column_numbers", "encoded", "is_regression"]

_CUT = entry(cut).parameters


def _dataset(loader: Callable[..., Dataset], source: str = "", facts: DatasetFacts | None = None) -> Entry:
    """Return the entry that loads a data set and cuts it: `build(config, seed)` gives a Split."""
    return _cutting(entry(loader, source=source, facts=facts), loader.__name__)


def _imported(reference: str) -> Entry:
    return _cutting(imported(reference, _CUT), reference)


def _cutting(load: Entry, name: str) -> Entry:
    def build(seed: int, **parameters: Any) -> Split:
        common = {parameter.name: parameters.pop(parameter.name) for parameter in _CUT}
        return cut(name, load.function(**parameters), seed, **common)

    return Entry(build, load.parameters + _CUT, load.summary, load.source, load.facts)


def is_regression(config: Mapping[str, Any]) -> bool:
    """Tell whether a configured data set is known to be a regression before it is loaded."""
    facts = DATASETS.entry_of(config).facts
    return isinstance(facts, DatasetFacts) and facts.is_regression(config)


DATASETS = Table(
    "dataset",
    {
        "digits": _dataset(digits, source="Alpaydin and Kaynak 1998, UCI optical recognition of handwritten digits"),
        "fashion_mnist": _dataset(fashion_mnist, source="Xiao et al. 2017, arXiv 1708.07747"),
        "cifar10": _dataset(cifar10, source="Krizhevsky 2009, Learning multiple layers of features from tiny images"),
        "cifar100": _dataset(cifar100, source="Krizhevsky 2009, Learning multiple layers of features from tiny images"),
        "image_folder": _dataset(image_folder),
        "npz": _dataset(npz),
        "csv": _dataset(csv, facts=DatasetFacts(lambda config: config.get("task") == "regression")),
        "breast_cancer": _dataset(breast_cancer, source="Street, Wolberg and Mangasarian 1993"),
        "wine": _dataset(wine, source="Aeberhard, Coomans and de Vel 1992, UCI wine recognition data"),
        "diabetes": _dataset(
            diabetes, source="Efron et al. 2004, Least Angle Regression", facts=DatasetFacts(lambda _: True)
        ),
    },
    _imported,
)
