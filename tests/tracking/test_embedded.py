"""The store under TUNER_HOME is made whole or not at all, whoever is killed and however many make it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.readme import ROOT
from tests.tracking.examples import store_in
from tuner.tracking import Destination
from tuner.tracking.connection import TrackingFailure, open_store

pytestmark = pytest.mark.timeout(200)

OPEN = """
import sys
from pathlib import Path
from tuner.tracking import Destination
from tuner.tracking.connection import open_store
open_store(Destination("sqlite:///" + sys.argv[1], Path(sys.argv[1]).parent)).answer()
"""


def opening(database: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", OPEN, str(database)], cwd=ROOT, stderr=subprocess.PIPE)


def tables_begun(folder: Path) -> bool:
    return any(path.stat().st_size > 100_000 for path in folder.glob("mlflow.db*") if not path.name.endswith("journal"))


def test_a_process_killed_while_it_makes_the_store_leaves_none_and_the_next_makes_it(tmp_path: Path):
    process = opening(tmp_path / "mlflow.db")
    deadline = time.monotonic() + 100
    while not tables_begun(tmp_path):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert not (tmp_path / "mlflow.db").exists()

    open_store(store_in(tmp_path)).answer()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mlflow.db", "mlflow.db.lock"]


def test_two_that_make_the_store_at_once_get_the_same(tmp_path: Path):
    both = [opening(tmp_path / "mlflow.db") for _ in range(2)]
    for one in both:
        error = one.communicate(timeout=150)[1]
        assert one.returncode == 0, error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mlflow.db", "mlflow.db.lock"]


def test_a_folder_that_cannot_be_made_is_told_at_once(tmp_path: Path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(TrackingFailure, match="taken"):
        open_store(store_in(tmp_path / "taken"))


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("sqlite:////home/me/mlflow.db", Path("/home/me/mlflow.db")),
        ("sqlite:///mlflow.db?timeout=5", Path("mlflow.db")),
        ("sqlite:///:memory:", None),
        ("sqlite://", None),
        ("sqlite:///file:mlflow.db?uri=true", None),
        ("postgresql://there/mlflow", None),
    ],
)
def test_the_file_of_an_address(uri: str, path: Path | None):
    assert Destination(uri).database == path
