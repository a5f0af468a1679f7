"""A short text that several processes change in turn, each only if it still is what they read: compare and set."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from filelock import FileLock, Timeout
from sqlalchemy import Column, DateTime, Engine, MetaData, String, Table, Text, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from tuner.errors import ServiceError
from tuner.home import write_whole

_LOCK_SECONDS = 10.0
_TURNS = 7_302_116_559_870_001  # any number that no other program's advisory lock has


class Written(NamedTuple):
    """What stands in a cell, and how long ago it was written."""

    text: str
    age_seconds: float


class Cell(Protocol):
    """The place of one text."""

    def read(self) -> Written | None:
        """Return what stands there, or None while it is empty."""
        ...

    def replace(self, before: str | None, after: str | None) -> bool:
        """Write `after` (None: empty it) if `before` still stands there, and tell whether it did."""
        ...


class FileCell:
    """A text in a file; processes of every machine that sees the folder take turns by a lock beside it.

    Optuna's journal cannot do this: it appends whatever it is given, so two writers would both succeed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Written | None:
        """Return what stands there, or None while it is empty."""
        with suppress(FileNotFoundError):
            text, written = self._path.read_text(), self._path.stat().st_mtime
            return Written(text, max(0.0, time.time() - written))
        return None

    def replace(self, before: str | None, after: str | None) -> bool:
        """Write `after` (None: empty it) if `before` still stands there, and tell whether it did.

        Raises:
            ServiceError: the file cannot be written, say on a full disk.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self._path.with_suffix(".lock"), timeout=_LOCK_SECONDS):
                return self._replace(before, after)
        except (OSError, Timeout) as error:
            raise ServiceError(f"{self._path} cannot be written: {error}") from error

    def _replace(self, before: str | None, after: str | None) -> bool:
        found = self.read()
        if (found.text if found else None) != before:
            return False
        if after is None:
            self._path.unlink(missing_ok=True)
        else:
            write_whole(self._path, after)
        return True


_LEASES = Table(
    "tuner_leases",
    MetaData(),
    Column("study", String(63), primary_key=True),
    Column("holder", Text, nullable=False),
    Column("written", DateTime(timezone=True), nullable=False),
)


class DatabaseCell:
    """A text in a row of the database that also holds Optuna's tables; its age is by the database's clock.

    Optuna's own attributes cannot do this: they are read and then written, so two writers would both succeed.
    """

    def __init__(self, engine: Engine, study: str) -> None:
        self._engine = engine
        self._study = study
        _LEASES.metadata.create_all(engine)

    def read(self) -> Written | None:
        """Return what stands there, or None while it is empty."""
        wanted = select(_LEASES.c.holder, _LEASES.c.written, func.now()).where(_LEASES.c.study == self._study)
        with self._engine.connect() as connection:
            row = connection.execute(wanted).first()
        return None if row is None else Written(row[0], max(0.0, (_aware(row[2]) - _aware(row[1])).total_seconds()))

    def replace(self, before: str | None, after: str | None) -> bool:
        """Write `after` (None: empty it) if `before` still stands there, and tell whether it did."""
        with self._engine.begin() as connection:
            if before is None:
                return after is None or self._insert(after)
            here = (_LEASES.c.study == self._study, _LEASES.c.holder == before)
            if after is None:
                return connection.execute(delete(_LEASES).where(*here)).rowcount == 1
            return (
                connection.execute(update(_LEASES).where(*here).values(holder=after, written=func.now())).rowcount == 1
            )

    def _insert(self, text: str) -> bool:
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(_LEASES).values(study=self._study, holder=text, written=func.now()))
        except IntegrityError:
            return False
        return True


def rows(engine: Engine) -> dict[str, Written]:
    """Return every text in the database's cells, by study."""
    _LEASES.metadata.create_all(engine)
    with engine.connect() as connection:
        found = connection.execute(select(_LEASES.c.study, _LEASES.c.holder, _LEASES.c.written, func.now())).all()
    return {row[0]: Written(row[1], max(0.0, (_aware(row[3]) - _aware(row[2])).total_seconds())) for row in found}


@contextmanager
def database_turn(engine: Engine) -> Iterator[None]:
    """Run the block in no more than one process at a time; the database frees the place of one that dies."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(_TURNS)))
        yield


@contextmanager
def folder_turn(folder: Path) -> Iterator[None]:
    """Run the block in no more than one process at a time of all that see the folder.

    Raises:
        ServiceError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "queue.lock", timeout=_LOCK_SECONDS):
            yield
    except (OSError, Timeout) as error:
        raise ServiceError(f"{folder} cannot be written: {error}") from error


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
