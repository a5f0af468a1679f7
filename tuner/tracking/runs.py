"""Which MLflow run belongs to which trial: runs are found again by their tags before one is made.

Imported by `connection.open_store` alone: MLflow reads some of its settings when it is imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mlflow import MlflowClient
from mlflow.entities import Run, ViewType

from tuner.tracking.destination import Destination
from tuner.tracking.operations import Kind, RunIds

STUDY_TAG = "tuner.study"
IDENTITY_TAG = "tuner.study_id"
TRIAL_TAG = "tuner.trial"
CONFIRMATION_TAG = "tuner.confirmation"
KIND_TAG = "tuner.kind"

_NUMBER_TAGS: Mapping[Kind, str] = {"trial": TRIAL_TAG, "confirmation": CONFIRMATION_TAG}

# Without it MLflow's page asks every visitor what kind of experiment this is.
_EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}

_STUDY_RUN = f"tags.`{KIND_TAG}` = 'study'"

_PAGE = 1000


class Runs:
    """The experiment of a study, the study's run in it, and the trials' runs under that.

    `identity` tells a study from an earlier one of the same name, whose runs are left as they are; without it any run
    of that name counts.
    """

    def __init__(self, client: MlflowClient, destination: Destination, identity: str = "") -> None:
        self._client = client
        self._destination = destination
        self._identity = identity
        self._experiments: dict[str, str] = {}
        self._ids: dict[tuple[str, Kind | None, int], str] = {}
        self.created: set[str] = set()

    def study(self, study: str, at_ms: int) -> str:
        """Return the run of a study; one is made where there is none."""
        key = (study, None, 0)
        if key not in self._ids:
            self._ids[key] = self._found(study, _STUDY_RUN) or self._create(study, study, at_ms, {KIND_TAG: "study"})
        return self._ids[key]

    def trial(
        self, study: str, number: int, at_ms: int, *, kind: Kind = "trial", name: str = "", parent: int | None = None
    ) -> str:
        """Return the run of a trial; one is made where there is none, under the study's run or that of a trial."""
        key = (study, kind, number)
        if key not in self._ids:
            above = self.study(study, at_ms) if parent is None else self.trial(study, parent, at_ms)
            tags = {KIND_TAG: kind, _NUMBER_TAGS[kind]: str(number), "mlflow.parentRunId": above}
            own = f"tags.`{_NUMBER_TAGS[kind]}` = '{number}'"
            self._ids[key] = self._found(study, own) or self._create(study, name or f"{kind} {number}", at_ms, tags)
        return self._ids[key]

    def experiment(self, study: str) -> str:
        """Return the experiment of a study; one is made where there is none, a deleted one is restored."""
        if study not in self._experiments:
            found = self._client.get_experiment_by_name(study)
            if found is None:
                location = self._destination.artifact_location(study)
                self._experiments[study] = self._client.create_experiment(study, location, _EXPERIMENT_TAGS)
            else:
                # MLflow keeps the name of a deleted experiment, and takes no runs for it.
                if found.lifecycle_stage == "deleted":
                    self._client.restore_experiment(found.experiment_id)
                self._experiments[study] = found.experiment_id
        return self._experiments[study]

    def find(self, study: str) -> RunIds | None:
        """Return the run of a study without making one."""
        experiment = self._client.get_experiment_by_name(study)
        runs = self._search(experiment.experiment_id, self._wanted(study, _STUDY_RUN)) if experiment else iter(())
        return next((RunIds(run.info.experiment_id, run.info.run_id) for run in runs), None)

    def children(self, study: str) -> dict[int, str]:
        """Return the runs of a study's trials, by trial number, in one paged search."""
        experiment = self._client.get_experiment_by_name(study)
        wanted = self._wanted(study, f"tags.`{KIND_TAG}` = 'trial'")
        runs = self._search(experiment.experiment_id, wanted) if experiment else iter(())
        return {int(run.data.tags[TRIAL_TAG]): run.info.run_id for run in runs}

    def running(self, study: str, kind: Kind) -> list[str]:
        """Return the runs of this kind that nobody has ended."""
        wanted = self._wanted(study, f"tags.`{KIND_TAG}` = '{kind}' and attributes.status = 'RUNNING'")
        return [run.info.run_id for run in self._search(self.experiment(study), wanted)]

    def _create(self, study: str, name: str, at_ms: int, tags: dict[str, str]) -> str:
        tags = {STUDY_TAG: study, "mlflow.source.name": "tuner", **tags}
        if self._identity:
            tags[IDENTITY_TAG] = self._identity
        run = self._client.create_run(self.experiment(study), start_time=at_ms, tags=tags, run_name=name)
        self.created.add(run.info.run_id)
        return str(run.info.run_id)

    def _found(self, study: str, own: str) -> str | None:
        """Return the run that is described; where one was made twice, the older, and the other is taken away.

        A server that is slow to answer may make a run long after we stopped waiting and asked again.
        """
        found = list(self._search(self.experiment(study), self._wanted(study, own)))
        if not self._identity:  # they may be of several studies
            return found[0].info.run_id if found else None
        found.sort(key=lambda run: (not run.data.metrics, not run.data.params, run.info.start_time, run.info.run_id))
        for double in found[1:]:
            if not double.data.metrics:
                self._client.delete_run(double.info.run_id)
        return found[0].info.run_id if found else None

    def _wanted(self, study: str, own: str) -> str:
        same = f" and tags.`{IDENTITY_TAG}` = '{self._identity}'" if self._identity else ""
        return f"tags.`{STUDY_TAG}` = '{study}' and {own}{same}"

    def _search(self, experiment: str, wanted: str) -> Iterator[Run]:
        token: str | None = None
        while True:
            page = self._client.search_runs([experiment], wanted, ViewType.ACTIVE_ONLY, _PAGE, page_token=token)
            yield from page
            token = page.token
            if not token:
                return
