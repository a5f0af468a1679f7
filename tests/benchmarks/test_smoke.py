"""Every benchmark runs, and prints one JSON document with the machine, its numbers and its targets."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tracking import browser

SCRIPTS = (
    "cli_help",
    "keras_example",
    "mixing",
    "mlflow_pages",
    "noisy_boundary",
    "oracles",
    "recommend",
    "record_curves",
    "recorded_search",
    "response",
    "search",
    "tracking",
    "training_loop",
)
RAY_SCRIPTS = ("memory", "orchestration", "tracked_study")
TARGET_KEYS = {"name", "value", "wanted", "aim", "better", "met", "aim_met"}


@pytest.mark.heavy
@pytest.mark.timeout(480)
@pytest.mark.parametrize("name", [*SCRIPTS, *(pytest.param(name, marks=pytest.mark.ray) for name in RAY_SCRIPTS)])
def test_benchmark_prints_one_document(name: str, tmp_path: Path) -> None:
    if name == "mlflow_pages" and (reason := browser.missing()):
        pytest.skip(reason)
    script = Path(__file__).with_name(f"{name}.py")
    done = subprocess.run(
        [sys.executable, script, "--quick"], capture_output=True, text=True, cwd=tmp_path, check=False, timeout=450
    )
    assert done.returncode == 0, done.stderr[-2000:]
    document = json.loads(done.stdout)
    assert document["benchmark"] == name
    assert document["quick"]
    assert {"cpu", "cores", "torch"} <= set(document["machine"])
    assert all(set(target) == TARGET_KEYS and target["value"] > -1 for target in document["targets"])
    assert bool(document["targets"]) == (name != "keras_example")


def test_every_script_is_tried() -> None:
    scripts = {file.stem for file in Path(__file__).parent.glob("*.py")}
    assert scripts - {"measure", "official", "rivals", "test_smoke"} == {*SCRIPTS, *RAY_SCRIPTS}
