"""Waits for a database that is out of reach, so that a study outlives its restart or a failover."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar, cast

from optuna.storages import RDBStorage
from optuna.trial import TrialState

from tuner.errors import ServiceError

LONGEST_SECONDS = 300.0
"""How long is waited: a restart takes seconds, a failover a minute or two."""

_PAUSE_SECONDS = 1.0

_Result = TypeVar("_Result")
_Method = TypeVar("_Method", bound=Callable[..., Any])


def _patient(method: _Method) -> _Method:
    @wraps(method)
    def call(self: PatientStorage, *args: Any, **kwargs: Any) -> Any:
        return self.patiently(lambda: method(self, *args, **kwargs))

    return cast("_Method", call)


class Patience:
    """One outage after another: since when the present one lasts, and who is told of it."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._since: float | None = None

    def allows(self, error: ServiceError) -> bool:
        """Wait a little, unless the outage has lasted too long; it then has to end before anything is waited for."""
        now = time.monotonic()
        if self._since is None:
            self._since = now
            self._tell(f"waiting, for {LONGEST_SECONDS / 60:g} minutes at most: {error}")
        if now - self._since >= LONGEST_SECONDS:
            return False
        time.sleep(_PAUSE_SECONDS)
        return True

    def is_over(self) -> None:
        """Note that the database answers."""
        if self._since is not None:
            self._since = None
            self._tell("")


class PatientStorage(RDBStorage):
    """Optuna's tables; while it has `patience`, every call is repeated until the database answers.

    A call is one transaction, so what broke off is not there. Only where the answer to its end was lost it may be:
    setting a value again changes nothing, a trial made twice is never handed out, and a state is looked at first.
    """

    patience: Patience | None = None

    def patiently(self, attempt: Callable[[], _Result], again: Callable[[], _Result] | None = None) -> _Result:
        """Return what `attempt` returns, once the database answers; `again` is what is tried after the first time."""
        while True:
            try:
                result = attempt()
            except ServiceError as error:
                if self.patience is None or not self.patience.allows(error):
                    raise
                attempt = again or attempt
            else:
                if self.patience is not None:
                    self.patience.is_over()
                return result

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """Set a trial's state, and tell whether it was this call that did."""

        def attempt() -> bool:
            return RDBStorage.set_trial_state_values(self, trial_id, state, values)

        def again() -> bool:
            return RDBStorage.get_trial(self, trial_id).state is state or attempt()

        return self.patiently(attempt, again)

    # All else that Optuna's cache in front of the storage (storages/_cached_storage.py, 5.0) calls while a study runs.
    _create_new_trial = _patient(RDBStorage._create_new_trial)
    _get_trials = _patient(RDBStorage._get_trials)
    _set_trial_param = _patient(RDBStorage._set_trial_param)
    get_study_directions = _patient(RDBStorage.get_study_directions)
    get_study_name_from_id = _patient(RDBStorage.get_study_name_from_id)
    get_study_system_attrs = _patient(RDBStorage.get_study_system_attrs)
    get_study_user_attrs = _patient(RDBStorage.get_study_user_attrs)
    get_trial = _patient(RDBStorage.get_trial)
    get_trial_id_from_study_id_trial_number = _patient(RDBStorage.get_trial_id_from_study_id_trial_number)
    set_study_user_attr = _patient(RDBStorage.set_study_user_attr)
    set_trial_intermediate_value = _patient(RDBStorage.set_trial_intermediate_value)
    set_trial_system_attr = _patient(RDBStorage.set_trial_system_attr)
    set_trial_user_attr = _patient(RDBStorage.set_trial_user_attr)
