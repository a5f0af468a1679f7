"""Optuna's journal file, whose records are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from optuna.storages.journal import JournalFileBackend

from tuner.errors import ServiceError


class WholeRecords(JournalFileBackend):
    """Optuna's journal, whose records are written whole or not at all.

    Optuna's own (5.0, storages/journal/_file.py) leaves part of a line when it is killed or the disk is full, and
    appends the next record to that part: from then on the whole study cannot be read. Only the driver that holds the
    lease writes, so nobody else is in the middle of a record here.
    """

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append records, or nothing where they could not be written whole.

        Raises:
            ServiceError: the disk is full, or the file cannot be written.
        """
        path = Path(self._file_path)
        whole = _whole_bytes(path)
        if whole < path.stat().st_size:
            os.truncate(path, whole)
        try:
            super().append_logs(logs)
        except OSError as error:
            os.truncate(path, whole)
            reason = error.strerror or error
            raise ServiceError(f"{path} cannot be written: {reason}; what stands in it is kept") from error


def _whole_bytes(path: Path) -> int:
    """Return how many bytes of a file are whole lines."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        tail = 1
        while end:
            file.seek(max(0, end - tail))
            found = file.read().rfind(b"\n")
            if found >= 0:
                return max(0, end - tail) + found + 1
            if tail >= end:
                return 0
            tail *= 16
    return end
