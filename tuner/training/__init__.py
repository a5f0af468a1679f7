"""Training one model under one mixing policy: data on the device, an epoch at a time."""

from tuner.training.batches import DeviceSplit, standard_scaling, unit_scaling
from tuner.training.loop import Recipe, Training
from tuner.training.randomness import RandomStreams
from tuner.training.targets import TargetScaling, target_scaling

__all__ = [
    "DeviceSplit",
    "RandomStreams",
    "Recipe",
    "TargetScaling",
    "Training",
    "standard_scaling",
    "target_scaling",
    "unit_scaling",
]
