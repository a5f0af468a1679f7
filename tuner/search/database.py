"""The database that TUNER_STORAGE_URL names: Optuna's tables and the leases of a cluster, instead of files.

The address comes from the environment and is never written down; what is shown of it has no user and no password.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from optuna.storages import RDBStorage
from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.pool import NullPool

from tuner.errors import ServiceError, UsageError
from tuner.search.patience import Patience, PatientStorage

VARIABLE = "TUNER_STORAGE_URL"
_SCHEMES = ("postgresql", "postgresql+psycopg")

_NOTICES_LOSS = {"connect_timeout": 10, "keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3}
"""Seconds after which a server counts as gone whose machine went away without a word; the system's are hours."""


def is_used() -> bool:
    """Tell whether studies are in a database."""
    return bool(os.environ.get(VARIABLE))


def storage() -> PatientStorage:
    """Return Optuna's storage in the database, connected.

    Raises:
        UsageError: an address that is not PostgreSQL's.
        ServiceError: the database cannot be reached, now or at any later call.
    """
    return _storage(_address())


def engine() -> Engine:
    """Return the database behind `storage`."""
    return storage().engine


@contextmanager
def patience(tell: Callable[[str], None]) -> Iterator[None]:
    """Wait, inside the block, for a database that is out of reach; where it stays away too long, the error comes.

    `tell` is told why, and with no words when it is back.
    """
    if not is_used():
        yield
        return
    patient = storage()
    patient.patience = Patience(tell)
    try:
        yield
    finally:
        patient.patience = None


def patiently(attempt: Callable[[], Any]) -> Any:
    """Return what `attempt` returns, which needs the database; inside `patience` it is tried until it succeeds."""
    return storage().patiently(attempt) if is_used() else attempt()


def forget() -> None:
    """Close the connection, and let go of what is known of the studies."""
    engine().dispose()
    _storage.cache_clear()


def probe() -> str:
    """Return where the database is, having looked whether its tables are those of this Optuna; nothing is made.

    Raises:
        UsageError: an address that is not PostgreSQL's.
        ServiceError: it cannot be reached, may not be written, or its tables are another version's.
    """
    address = _address()
    _connect_once(address)
    asked = create_engine(address, poolclass=NullPool)
    _explain(asked, address)
    with asked.connect() as connection:
        if not inspect(connection).has_table("version_info"):
            return _empty(address, connection)
    url = address.render_as_string(hide_password=False)
    quietly = {"poolclass": NullPool}  # no connection stays open
    kept = RDBStorage(url, quietly, skip_compatibility_check=True, skip_table_creation=True)
    current, head = kept.get_current_version(), kept.get_head_version()
    if current != head:
        raise ServiceError(
            f"the tables at {_shown(address)} are of version {current}, this Optuna's of {head}; bring them up to date "
            f"with: optuna storage upgrade --storage ${VARIABLE} (docker/compose.yaml's `migrate` does)"
        )
    return f"{_shown(address)}, tables of version {current}"


def shown() -> str:
    """Return the address without user, password and options."""
    return _shown(_address())


def _empty(address: URL, connection: Connection) -> str:
    if connection.scalar(text("SELECT has_schema_privilege(current_schema(), 'CREATE')")):
        return f"{_shown(address)}, empty: the first study makes its tables"
    raise ServiceError(f"{_shown(address)} is empty, and its user may not make tables; GRANT CREATE ON SCHEMA")


def _address() -> URL:
    wanted = f"{VARIABLE} must be postgresql://USER@HOST:PORT/DATABASE (the password may stand in PGPASSFILE's file)"
    try:
        address = make_url(os.environ[VARIABLE])
    except (ArgumentError, ValueError):
        raise UsageError(f"{wanted}; what it holds is no address") from None  # it may hold a password
    if address.drivername not in _SCHEMES or not address.database:
        raise UsageError(f"{wanted}, read {_shown(address)}")
    return address.set(drivername="postgresql+psycopg")


def _shown(address: URL) -> str:
    scheme = address.drivername.split("+")[0]
    return URL.create(scheme, host=address.host, port=address.port, database=address.database).render_as_string()


@lru_cache(maxsize=1)
def _storage(address: URL) -> PatientStorage:
    _connect_once(address)
    noticing = {key: address.query.get(key, seconds) for key, seconds in _NOTICES_LOSS.items()}
    options = {"pool_pre_ping": True, "connect_args": noticing}
    storage = PatientStorage(address.render_as_string(hide_password=False), engine_kwargs=options)
    _explain(storage.engine, address)
    return storage


def _connect_once(address: URL) -> None:
    """Fail in words: Optuna connects before anybody can listen for errors."""
    probe = create_engine(address)
    _explain(probe, address)
    with probe.connect():
        pass
    probe.dispose()


def _explain(engine: Engine, address: URL) -> None:
    """Let the loss of the database be a ServiceError wherever it happens, without the statement and its values."""

    @event.listens_for(engine, "handle_error")
    def explain(context: ExceptionContext) -> None:
        if context.is_pre_ping:
            return  # the pool connects again by itself, and tells here if it cannot
        error = context.sqlalchemy_exception
        if context.is_disconnect or isinstance(error, OperationalError):
            first = str(error.orig if isinstance(error, DBAPIError) else error).strip().splitlines()
            said = first[0] if first else "it said nothing"
            raise ServiceError(f"the storage at {_shown(address)} is out of reach: {said}; see {VARIABLE}") from None
