"""One trial: a plain configuration becomes dataset, model, policy and recipe, and then epochs of training.

Nothing here knows Ray, Optuna or MLflow:

    from tuner import trial
    config = trial.resolve({"dataset": "digits", "model": {"name": "small_cnn", "padding": "same"},
                            "mixing": {"name": "mixup", "ratio": {"name": "beta", "alpha": 0.2}}})
    last = trial.run(config, report=print, seed=0)
"""

from tuner.trial.check import check_model, check_split, image_shape
from tuner.trial.config import SECTIONS, TRAINING, resolve
from tuner.trial.cost import forward_work, policy_cost
from tuner.trial.network import Network, load_network, network_state
from tuner.trial.probe import Memory, Pace, always_mixing, measure, memory
from tuner.trial.run import build, expected_strength, load_data, run, validation_split
from tuner.trial.score import score_on_test

__all__ = [
    "SECTIONS",
    "TRAINING",
    "Memory",
    "Network",
    "Pace",
    "always_mixing",
    "build",
    "check_model",
    "check_split",
    "expected_strength",
    "forward_work",
    "image_shape",
    "load_data",
    "load_network",
    "measure",
    "memory",
    "network_state",
    "policy_cost",
    "resolve",
    "run",
    "score_on_test",
    "validation_split",
]
