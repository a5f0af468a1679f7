"""The models, each a list of stages: to add one, write a function of (image, classes) and a line here."""

from __future__ import annotations

from tuner.catalog import Table, entry
from tuner.models.base import ImageShape, forward
from tuner.models.mlp import mlp
from tuner.models.residual import preact_resnet18, wide_resnet
from tuner.models.small_cnn import small_cnn

__all__ = ["MODELS", "ImageShape", "forward"]

MODELS = Table(
    "model",
    {
        "small_cnn": entry(small_cnn, source="Keras example: MixUp augmentation for image classification"),
        "preact_resnet18": entry(preact_resnet18, source="He et al. 2016, arXiv 1603.05027"),
        "wide_resnet": entry(wide_resnet, source="Zagoruyko and Komodakis 2016, arXiv 1605.07146"),
        "mlp": entry(mlp, source="Rumelhart et al. 1986"),
    },
)
