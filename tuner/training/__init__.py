"""Training one model under one mixing policy: data on the device, an epoch at a time."""

from tuner.training.batches import DeviceSplit, standard_scaling, unit_scaling
from tuner.training.loop import Recipe, Training
from tuner.training.randomness import RandomStreams

__all__ = ["DeviceSplit", "RandomStreams", "Recipe", "Training", "standard_scaling", "unit_scaling"]
