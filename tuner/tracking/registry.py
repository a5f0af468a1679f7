"""A trained network in MLflow's model registry: images as bytes or rows of a table go in, logits come out.

Imported by `store` alone: MLflow reads some of its settings when it is imported.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import LoggedModel, LoggedModelStatus
from mlflow.exceptions import MlflowException

from tuner.tracking.encoding import param_texts, tag_texts
from tuner.tracking.masking import masked
from tuner.tracking.operations import RegisteredModel

NETWORK_FILE = "network.trained.pt"
"""The network as the tuner keeps it, beside MLflow's form: `tuner.trial.load_network` reads it."""

IDENTITY_TAG = "tuner.study_id"
POLICY_TAG = "tuner.policy"
DIGEST_TAG = "tuner.policy_digest"

_SHOWN_IMAGES = 2
_PARAMS_AT_ONCE = 100


def register(client: MlflowClient, experiment: str, run_id: str, model: RegisteredModel, identity: str) -> None:
    """Put a network in the registry under its alias; a policy that a study registered before is found again.

    Raises:
        FileNotFoundError: the network's file is not there any more.
        ValueError: the file is damaged.
        MlflowException: MLflow could not take it.
    """
    tags = _tags(model, identity)
    known = _known(client, model.name, tags)
    number = known if known is not None else _new(client, experiment, run_id, model, tags)
    if model.alias:
        client.set_registered_model_alias(model.name, model.alias, number)


def _known(client: MlflowClient, name: str, tags: Mapping[str, str]) -> str | None:
    found = client.search_model_versions(f"name = '{name}' and {_same('tag', tags)}")
    return None if not found else str(min(int(one.version) for one in found))


def _new(client: MlflowClient, experiment: str, run_id: str, model: RegisteredModel, tags: Mapping[str, str]) -> str:
    logged = _logged(client, experiment, run_id, model, tags)
    with suppress(MlflowException):  # it is there already; what else is wrong is said by the next call
        client.create_registered_model(model.name)
    made = client.create_model_version(
        model.name,
        logged.artifact_location,
        run_id,
        tags=dict(tags),
        description=model.description or None,
        model_id=logged.model_id,
    )
    return str(made.version)


def _logged(
    client: MlflowClient, experiment: str, run_id: str, model: RegisteredModel, tags: Mapping[str, str]
) -> LoggedModel:
    """Return the network as a model of the experiment; what an attempt that was cut short has left is used."""
    if not model.network.is_file():
        raise FileNotFoundError(f"the trained network {model.network} is not there any more")
    found = client.search_logged_models([experiment], _same("tags", tags), max_results=1)
    if found and found[0].status == LoggedModelStatus.READY:
        return found[0]
    params = dict(list(param_texts(model.params).items())[:_PARAMS_AT_ONCE])
    logged = (
        found[0]
        if found
        else client.create_logged_model(experiment, model.name, run_id, dict(tags), params, "classifier")
    )
    with tempfile.TemporaryDirectory(prefix="tuner-") as place:
        folder = Path(place) / "model"
        _save(model.network, folder)
        shutil.copyfile(model.network, folder / NETWORK_FILE)
        client.log_model_artifacts(logged.model_id, str(folder))
    return client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)


def _same(of: str, tags: Mapping[str, str]) -> str:
    return " and ".join(f"{of}.`{key}` = '{tags[key]}'" for key in (IDENTITY_TAG, DIGEST_TAG))


def _save(network: Path, folder: Path) -> None:
    """Write MLflow's form: the traced graph, which needs no tuner to be loaded, or a pickle of what has none."""
    import mlflow.pytorch  # seconds, with torch
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    from tuner.training import checkpoint
    from tuner.trial import load_network

    loaded, image = load_network(network), tuple(checkpoint.load(network)["image"])
    kind = np.dtype("float32" if loaded.features else "uint8")
    told = "logits" if loaded.classes else "predictions"
    signature = ModelSignature(
        inputs=Schema([TensorSpec(kind, (-1, *image), "rows" if loaded.features else "images")]),
        outputs=Schema([TensorSpec(np.dtype("float32"), (-1, len(loaded.classes) or 1), told)]),
    )
    settings: dict[str, Any] = {
        "signature": signature,
        "input_example": np.zeros((_SHOWN_IMAGES, *image), dtype=kind),
        "metadata": {
            "classes": list(loaded.classes),
            **({"features": [feature.name for feature in loaded.features]} if loaded.features else {}),
            "config": masked(loaded.config),
        },
        # Given, for MLflow would load the model in a process of its own to find them out.
        "pip_requirements": [f"{name}=={version(name)}" for name in ("mlflow", "torch", "torchvision", "numpy")],
    }
    try:
        mlflow.pytorch.save_model(loaded, folder, serialization_format="pt2", **settings)
    except Exception:  # torch.export has an error of its own for whatever it cannot trace
        shutil.rmtree(folder, ignore_errors=True)
        settings["pip_requirements"].append(f"mixup-tuner=={version('mixup-tuner')}")
        mlflow.pytorch.save_model(loaded, folder, serialization_format="pickle", **settings)


def _tags(model: RegisteredModel, identity: str) -> dict[str, str]:
    policy = json.dumps(dict(model.policy), sort_keys=True, default=str)
    digest = hashlib.sha256(policy.encode()).hexdigest()[:16]
    return {**tag_texts(model.tags), **tag_texts({POLICY_TAG: policy, IDENTITY_TAG: identity, DIGEST_TAG: digest})}
