"""Where the record of the studies lies: a server that MLFLOW_TRACKING_URI names, or a store under TUNER_HOME."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from tuner.errors import UsageError
from tuner.home import home

URI_VARIABLE = "MLFLOW_TRACKING_URI"
PAGE_VARIABLE = "TUNER_MLFLOW_PAGE"
"""Names the server as browsers reach it, where drivers reach it by another name, as in containers."""


@dataclass(frozen=True)
class Destination:
    """An MLflow store: its address, and the folder that artifacts go to where no server takes them.

    `page` is a server's address for browsers, without credentials; None where no server shows the runs.
    """

    uri: str
    artifacts: Path | None = None
    page: str | None = None

    @property
    def shown(self) -> str:
        """Return the address without its credentials, for people to read."""
        return without_credentials(self.uri)

    @property
    def database(self) -> Path | None:
        """Return the SQLite file, or nothing where the store is something else."""
        path, _, _ = self.uri.removeprefix("sqlite:///").partition("?")
        is_file = self.uri.startswith("sqlite:///") and path not in {"", ":memory:"} and not path.startswith("file:")
        return Path(path) if is_file else None

    @property
    def is_server(self) -> bool:
        """Tell whether a tracking server answers at the address, rather than a database."""
        return self.uri.startswith(("http://", "https://"))

    def found_at(self, experiment_id: str | None = None, run_id: str | None = None) -> dict[str, str | None]:
        """Return where a study's run is as plain values; `page` shows it in a browser, as far as a server does."""
        page = self.page
        if page is not None and experiment_id is not None and run_id is not None:
            page = f"{page}/#/experiments/{experiment_id}/runs/{run_id}"
        return {"uri": self.shown, "experiment_id": experiment_id, "run_id": run_id, "page": page}

    def artifact_location(self, study: str) -> str | None:
        """Return the folder of one study's artifacts as a URI; none where the server decides."""
        return (self.artifacts / study).as_uri() if self.artifacts else None


def destination() -> Destination:
    """Return the store that the environment names.

    Raises:
        UsageError: TUNER_HOME has a `?` or `#` in it, which a database address cannot hold.
    """
    given = os.environ.get(URI_VARIABLE)
    if given and given.startswith(("http://", "https://")):
        uri = given.rstrip("/")
        page = os.environ.get(PAGE_VARIABLE, "").rstrip("/")
        return Destination(uri, page=without_credentials(page or uri, mask=""))
    folder = home()
    if re.search(r"[?#]", str(folder)):
        raise UsageError(f"TUNER_HOME may not contain '?' or '#', got {folder}; choose another folder")
    return Destination(given or f"sqlite:///{folder / 'mlflow.db'}", folder / "artifacts")


def without_credentials(text: str, mask: str = "***@") -> str:
    """Return `text` with the user and password of every address in it masked."""
    return re.sub(r"(?<=://)[^/\s]*@", mask, text)
