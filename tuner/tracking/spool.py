"""Records that MLflow could not take yet, on disk beside the study, in order: what a later process sends.

    unsent/records.jsonl   a line that says whose they are, then one line a record
    unsent/sent            how many bytes of it have been sent
    unsent/files/          the larger files that records speak of

Only the driver that holds the study's lease writes here. A line that was cut short by a kill or a full disk is dropped:
the study's own storage can tell it again. Sending a record twice changes nothing, so `sent` may lag behind.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from tuner.home import study_directory, write_whole
from tuner.tracking import wire
from tuner.tracking.operations import FileMade, Operation

LIMIT_BYTES = 256 * 2**20
"""What may wait on disk: half a million epochs, and as much again in files."""

LARGE_BYTES = 2**20
"""From this size a file lies beside the records and not among them."""


def spool_folder(study: str) -> Path:
    """Return where the records of a study wait."""
    return study_directory(study) / "unsent"


class Spool:
    """The records that wait in `folder` for the study that `identity` tells from an earlier one of the same name.

    Raises:
        OSError: the folder cannot be read or written; `append` as well, and then nothing of it was kept.
    """

    def __init__(self, folder: Path, identity: str = "") -> None:
        self._folder = folder
        self._records = folder / "records.jsonl"
        self._head = json.dumps({"spool": 1, "identity": identity}).encode() + b"\n"
        self._position = len(self._head)
        self._end = len(self._head)
        self._read_to = len(self._head)
        self._taken = 0
        self.pending = 0
        self.damaged = 0
        self._open()

    def append(self, operations: Sequence[Operation]) -> None:
        """Keep records behind those that wait, so that they outlive the process."""
        content = b"".join(wire.line(self.with_file_aside(one)) for one in operations)
        if self._size() + len(content) > LIMIT_BYTES:
            raise OSError(f"more than {LIMIT_BYTES // 2**20} MB wait in {self._folder}")
        self._folder.mkdir(parents=True, exist_ok=True)
        is_new = not self._records.exists() or self._records.stat().st_size == 0  # a full disk left it empty
        try:
            with self._records.open("ab") as file:
                file.write(self._head + content if is_new else content)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            with suppress(OSError):
                os.truncate(self._records, 0 if is_new else self._end)
            raise
        self._end += len(content)
        self.pending += len(operations)

    def next(self, count: int) -> list[Operation]:
        """Return the first records, which stay until `sent` is called; damaged ones are left out, and counted."""
        found: list[Operation] = []
        with self._records.open("rb") as file:
            file.seek(self._position)
            for _ in range(min(count, self.pending)):
                try:
                    found.append(wire.operation(file.readline()))
                except ValueError:
                    self.damaged += 1
            self._taken = min(count, self.pending)
            self._read_to = file.tell()
        return found

    def sent(self) -> None:
        """Forget what `next` returned last; when nothing waits any more, the files go."""
        self._position, self.pending = self._read_to, self.pending - self._taken
        self._taken = 0
        if self.pending:
            write_whole(self._folder / "sent", str(self._position))
        else:
            self.clear()

    def waiting(self, in_hand: int | None) -> int:
        """Return how many records wait, `in_hand` of which are left of those that `next` returned last."""
        return self.pending if in_hand is None else self.pending - self._taken + in_hand

    def clear(self) -> None:
        """Remove all that waits."""
        for name in ("records.jsonl", "sent"):
            (self._folder / name).unlink(missing_ok=True)
        shutil.rmtree(self._folder / "files", ignore_errors=True)
        self._position = self._end = self._read_to = len(self._head)
        self.pending = 0

    def with_file_aside(self, operation: Operation) -> Operation:
        """Return a record whose file, if it is large, lies on disk, so that it takes no memory while it waits."""
        if not isinstance(operation, FileMade) or not isinstance(operation.content, bytes):
            return operation
        if len(operation.content) < LARGE_BYTES:
            return operation
        if self._size() + len(operation.content) > LIMIT_BYTES:
            raise OSError(f"more than {LIMIT_BYTES // 2**20} MB wait in {self._folder}")
        path = self._folder / "files" / hashlib.sha256(operation.content).hexdigest()[:32]
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".partial")
            try:
                partial.write_bytes(operation.content)
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)
        return replace(operation, content=path)

    def _open(self) -> None:
        if not self._records.is_file():
            return
        with self._records.open("rb") as file:
            if file.readline() != self._head:
                self.clear()  # of a study that was removed since
                return
            self._position = max(self._position, self._sent_bytes())
            file.seek(self._position)
            whole = [len(one) for one in file if one.endswith(b"\n")]
        self._end, self.pending = self._position + sum(whole), len(whole)
        if self._end < self._records.stat().st_size:
            os.truncate(self._records, self._end)
        if not self.pending:
            self.clear()

    def _sent_bytes(self) -> int:
        try:
            return min(int((self._folder / "sent").read_text()), self._records.stat().st_size)
        except (OSError, ValueError):
            return 0

    def _size(self) -> int:
        files = self._folder / "files"
        beside = sum(one.stat().st_size for one in files.iterdir()) if files.is_dir() else 0
        return self._end + beside
