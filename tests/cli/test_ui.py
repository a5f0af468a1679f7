"""MLflow's page on a real store."""

from __future__ import annotations

import contextlib
import http.client
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tuner.cli.ui import ui
from tuner.errors import ServiceError, UsageError
from tuner.tracking import Tracking, TrackingReport, destination


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("TUNER_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def recorded(home: Path) -> TrackingReport:
    tracking = Tracking(destination())
    tracking.study_started("shown", study_file="name: shown\n")
    report = tracking.close(60)
    assert report.unwritten == 0, report.error
    return report


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def get(port: int, path: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", path)
        return connection.getresponse().read().decode()


def test_page_shows_the_study_and_its_file_and_ends_with_all_its_processes(recorded: TrackingReport, free_port: int):
    command = f"from tuner.cli.ui import ui; ui(port={free_port})"
    with subprocess.Popen([sys.executable, "-uc", command], stdout=subprocess.PIPE, text=True) as page:
        assert page.stdout is not None
        assert "takes some seconds" in page.stdout.readline()
        assert f"http://127.0.0.1:{free_port}/#/experiments" in page.stdout.readline()
        assert "shown" in get(free_port, "/ajax-api/2.0/mlflow/experiments/search?max_results=9")
        assert get(free_port, f"/get-artifact?path=study.yaml&run_uuid={recorded.run_id}") == "name: shown\n"
        page.send_signal(signal.SIGINT)
        assert page.wait(30) == 0
    with pytest.raises(ConnectionRefusedError):
        get(free_port, "/health")


def test_server_that_cannot_read_the_store_says_why(home: Path, free_port: int):
    home.mkdir()
    (home / "mlflow.db").write_text("no database at all, but long enough to be taken for one " * 10)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        with pytest.raises(ServiceError, match=r"did not start: .*not a database"):
            ui(port=free_port)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_no_store_yet_says_to_run_a_study(free_port: int):
    with pytest.raises(UsageError, match="run a study first"):
        ui(port=free_port)


@pytest.fixture
def empty_store(home: Path) -> None:
    home.mkdir()
    (home / "mlflow.db").touch()


@pytest.mark.usefixtures("empty_store")
def test_taken_port_is_named_with_the_way_out(taken_port: int):
    with pytest.raises(UsageError, match=f"port {taken_port} .*--port"):
        ui(port=taken_port)


@pytest.mark.usefixtures("empty_store")
@pytest.mark.parametrize("port", [0, 70000])
def test_port_that_is_none_is_refused(port: int):
    with pytest.raises(UsageError, match="between 1 and 65535"):
        ui(port=port)


def test_tracking_server_has_its_own_page(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://someone:secret@127.0.0.1:9")
    ui()
    shown = capsys.readouterr()
    assert "http://127.0.0.1:9/#/experiments" in shown.out  # the page may answer where the study's own is not known
    assert "begun last cannot be told" in shown.err
    with pytest.raises(ServiceError) as caught:
        ui("shown")
    assert "secret" not in shown.out + shown.err + str(caught.value)


def test_a_study_opens_as_its_view_has_it(recorded: TrackingReport, free_port: int):
    command = f"from tuner.cli.ui import ui; ui('shown', {free_port})"
    with subprocess.Popen([sys.executable, "-uc", command], stdout=subprocess.PIPE, text=True) as page:
        assert page.stdout is not None
        told = [page.stdout.readline() for _ in range(5)]
        page.send_signal(signal.SIGINT)
    assert told[2] == "Study shown:\n"
    address = f"http://127.0.0.1:{free_port}/#/experiments/{recorded.experiment_id}/runs?viewStateShareKey=tuner"
    assert told[3].endswith(f"{address}\n")
    assert told[4].endswith(f"{address}&compareRunsMode=CHART\n")


def test_a_study_that_mlflow_has_not_is_refused(recorded: TrackingReport, free_port: int):
    with pytest.raises(UsageError, match="no study other; `tuner sync other`"):
        ui("other", free_port)
