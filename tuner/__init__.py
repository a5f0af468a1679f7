"""Find the mixing augmentation that suits a dataset and model, and use it: `policy = tuner.load_policy("policy.yaml")`.

Importing this imports nothing: the command line's `--help` and every worker begin here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike

    from tuner.policies import LoadedPolicy

__all__ = ["load_policy"]


def load_policy(
    source: str | PathLike[str] | Mapping[str, Any],
    *,
    classes: int | None = None,
    epochs: int | None = None,
    seed: int | None = None,
    std: float | Sequence[float] | None = None,
    deviation: float | None = None,
) -> LoadedPolicy:
    """Return a policy for any training loop: `images, targets = policy(images, labels)`; see `LoadedPolicy`.

    `source` is a policy file (`tuner export NAME --to yaml`), its values, a mixing block, or a trial's MLflow run as
    `runs:/RUN_ID`. `classes` and `epochs` (how long you train) go before the file's; a run does not know the classes.
    `seed` makes the policy's own generator repeatable. `std` is what your images are divided by when they are
    normalised (1 for images from 0 to 1), for methods that compare images. `deviation` is the standard deviation of a
    regression's training labels, for methods that compare labels.

    Raises:
        ValueError: the source holds no policy, with every mistake of it.
        OSError: the file cannot be read.
        ServiceError: MLflow is out of reach.
    """
    from tuner import policies

    wanted: Any = source
    if isinstance(source, str) and source.startswith("runs:/"):
        from tuner.tracking import trial_config

        wanted = policies.of_trial(trial_config(source.removeprefix("runs:/")), origin=f"MLflow's {source}")
    return policies.load_policy(wanted, classes=classes, epochs=epochs, seed=seed, std=std, deviation=deviation)
