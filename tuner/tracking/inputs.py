"""The data that a run has read, as MLflow shows it.

Imported by `store` alone: MLflow reads some of its settings when it is imported.
"""

from __future__ import annotations

import json

import mlflow.entities
from mlflow import MlflowClient
from mlflow.entities import InputTag

from tuner.tracking.destination import without_credentials
from tuner.tracking.operations import DatasetInput

NAME_LENGTH = 500
DIGEST_LENGTH = 36
CONTEXT_TAG = "mlflow.data.context"
"""Source: mlflow/utils/validation.py and mlflow_tags.py, 3.17."""


def log_dataset(client: MlflowClient, run_id: str, dataset: DatasetInput) -> None:
    """Say that a run has read a data set; MLflow knows name and digest again, and keeps one."""
    source = json.dumps({"uri": without_credentials(dataset.source)})
    shown = mlflow.entities.Dataset(
        name=dataset.name[:NAME_LENGTH],
        digest=dataset.digest[:DIGEST_LENGTH],
        source_type="local",
        source=source,
        schema=json.dumps(dict(dataset.schema), default=str) if dataset.schema else None,
        profile=json.dumps(dict(dataset.profile), default=str) if dataset.profile else None,
    )
    tags = [InputTag(CONTEXT_TAG, dataset.context)]
    client.log_inputs(run_id, datasets=[mlflow.entities.DatasetInput(shown, tags)])
