"""The models, each a network with stages: to add one, write a function of (image, classes) and a line here."""

from __future__ import annotations

from tuner.catalog import Table, entry
from tuner.models.base import ImageShape, ModelFacts
from tuner.models.from_torchvision import torchvision
from tuner.models.imported import imported
from tuner.models.mlp import mlp
from tuner.models.residual import preact_resnet18, wide_resnet
from tuner.models.small_cnn import small_cnn
from tuner.models.stages import Mix, it_has, mixing_at, stages, with_stages

__all__ = ["MODELS", "ImageShape", "Mix", "ModelFacts", "it_has", "mixing_at", "stages", "with_stages"]

MODELS = Table(
    "model",
    {
        "small_cnn": entry(
            small_cnn,
            source="Keras example: MixUp augmentation for image classification",
            facts=ModelFacts("each convolution, the hidden layer"),
        ),
        "preact_resnet18": entry(
            preact_resnet18,
            source="He et al. 2016, arXiv 1603.05027",
            facts=ModelFacts("the four groups of blocks"),
        ),
        "wide_resnet": entry(
            wide_resnet,
            source="Zagoruyko and Komodakis 2016, arXiv 1605.07146",
            facts=ModelFacts("the three groups of blocks"),
        ),
        "mlp": entry(mlp, source="Rumelhart et al. 1986", facts=ModelFacts("each hidden layer", takes_tables=True)),
        "torchvision": entry(
            torchvision,
            source="torchvision.models",
            facts=ModelFacts("layer1 to layer4 and their like; or name them in stages"),
        ),
    },
    imported,
)
