"""Both sizes of every figure, and a study whose search is over."""

from __future__ import annotations

import pytest

from tests.report.reading import STUDY
from tests.search.conftest import begin, drive, rising
from tuner import spec
from tuner.report.figures.style import NARROW, WIDE
from tuner.search import storage


@pytest.fixture(params=[WIDE, NARROW], ids=["wide", "narrow"])
def size(request):
    return request.param


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNER_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def study(tmp_path):
    """A study whose search is over."""
    path = tmp_path / "study.yaml"
    path.write_text(STUDY)
    search = begin(spec.load(path))
    storage.set_state(
        search.study,
        scheduler={"settings": search.spec.scheduler.model_dump(), "epochs": 9},
        state="completed",
        id="one",
    )
    drive(search, rising)
    return search
