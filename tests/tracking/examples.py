"""Small records that the tests of this folder write."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuner.results import EpochMetrics
from tuner.tracking import Destination, Tracking, TrackingReport


def store_in(folder: Path) -> Destination:
    return Destination(f"sqlite:///{folder / 'mlflow.db'}", folder / "artifacts")


def metrics(epoch: int, val_accuracy: float = 0.5, val_nll: float = 1.0) -> EpochMetrics:
    return EpochMetrics(
        epoch=epoch,
        train_loss=2.0,
        val_accuracy=val_accuracy,
        val_nll=val_nll,
        val_ece=0.1,
        learning_rate=1e-3,
        examples_per_second=1000.0,
        seconds=0.4,
    )


def closed(tracking: Tracking) -> TrackingReport:
    report = tracking.close(60)
    assert report.unwritten == 0, report.error
    return report


def values(points: Any) -> list[tuple[int, float]]:
    """Return step and value of each point of a metric's history."""
    return sorted((point.step, point.value) for point in points if not math.isnan(point.value))


def mixup(alpha: float) -> Mapping[str, Any]:
    return {"mixing.name": "mixup", "mixing.depths": [0], "mixing.ratio.name": "beta", "mixing.ratio.alpha": alpha}
