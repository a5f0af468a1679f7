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

_Key = tuple[str, Kind | None, int]
"""Study, what its run is of (none: the study itself), and its number."""


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
        self._ids: dict[_Key, str] = {}
        self._doubted: set[_Key] = set()
        self._loaded: set[str] = set()
        self.created: set[str] = set()

    def study(self, study: str, at_ms: int) -> str:
        """Return the run of a study; one is made where there is none."""
        key: _Key = (study, None, 0)
        self._load(study)
        if key not in self._ids:
            own = {KIND_TAG: "study"}
            self._ids[key] = self._in_doubt(key, _STUDY_RUN) or self._create(study, study, at_ms, own)
        return self._ids[key]

    def trial(
        self, study: str, number: int, at_ms: int, *, kind: Kind = "trial", name: str = "", parent: int | None = None
    ) -> str:
        """Return the run of a trial; one is made where there is none, under the study's run or that of a trial."""
        key: _Key = (study, kind, number)
        self._load(study)
        if key not in self._ids:
            above = self.study(study, at_ms) if parent is None else self.trial(study, parent, at_ms)
            tags = {KIND_TAG: kind, _NUMBER_TAGS[kind]: str(number), "mlflow.parentRunId": above}
            own = f"tags.`{_NUMBER_TAGS[kind]}` = '{number}'"
            self._ids[key] = self._in_doubt(key, own) or self._create(study, name or f"{kind} {number}", at_ms, tags)
        return self._ids[key]

    def forget(self, study: str, number: int | None, kind: Kind, parent: int | None = None) -> list[str]:
        """Look for a run, and those it stands under, anew; return those that were known.

        Whether one was made is not known when no answer came.
        """
        keys: list[_Key] = [(study, None, 0)]
        keys += [(study, kind, number)] if number is not None else []
        keys += [(study, "trial", parent)] if parent is not None else []
        self._doubted.update(keys)
        known = [self._ids.pop(key) for key in keys if key in self._ids]
        self.created.difference_update(known)
        return known

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

    def trials(self, study: str) -> dict[int, str]:
        """Return the runs of the search's trials that are known now, by number."""
        return {number: run for (of, kind, number), run in self._ids.items() if of == study and kind == "trial"}

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

    def _load(self, study: str) -> None:
        """Find all runs of a study that there are, in one paged search: nobody but us makes more."""
        if study in self._loaded:
            return
        found: dict[_Key, list[Run]] = {}
        for run in self._search(self.experiment(study), self._wanted(study, f"tags.`{KIND_TAG}` != ''")):
            found.setdefault(_key(study, run), []).append(run)
        self._ids |= {key: self._one(runs) for key, runs in found.items() if key not in self._ids}
        self._loaded.add(study)

    def _in_doubt(self, key: _Key, own: str) -> str | None:
        """Return a run that may have been made, though no answer came."""
        if key not in self._doubted:
            return None
        study = key[0]
        found = list(self._search(self.experiment(study), self._wanted(study, own)))
        self._doubted.discard(key)
        return self._one(found) if found else None

    def _one(self, found: list[Run]) -> str:
        """Return one of the runs of the same thing; where it was made twice, the older, and the other is taken away.

        A server that is slow to answer may make a run long after we stopped waiting and asked again.
        """
        if not self._identity:  # they may be of several studies
            return str(found[0].info.run_id)
        found.sort(key=lambda run: (not run.data.metrics, not run.data.params, run.info.start_time, run.info.run_id))
        for double in found[1:]:
            if not double.data.metrics:
                self._client.delete_run(double.info.run_id)
        return str(found[0].info.run_id)

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


def _key(study: str, run: Run) -> _Key:
    tags = run.data.tags
    for kind, tag in _NUMBER_TAGS.items():
        if tags.get(KIND_TAG) == kind and tags.get(tag, "").isdecimal():
            return study, kind, int(tags[tag])
    return study, None, 0
