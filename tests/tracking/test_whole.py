"""A real study on a server as teams have it: Postgres, artifacts through the server, a password for everybody.

Then all of it from another machine, which has that server and nothing else; and its pages, in Chromium.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.processes import tuner
from tests.search import postgres
from tests.tracking import browser
from tests.tracking.servers import Server, served

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(1500)]

ADMIN, OWN = "an-admins-long-password", "a-drivers-long-password"
TRIALS = 8
SETTINGS = {
    "search.trials": TRIALS,
    "trial.training.epochs": 6,
    "scheduler.grace_epochs": 2,
    "confirm.seeds": 2,
    "search.baselines": "none",
}


@dataclass(frozen=True)
class Team:
    """A server, a folder for homes, a driver's credentials as settings, and what its study's command printed."""

    server: Server
    folder: Path
    credentials: dict[str, str]
    printed: dict[str, Any]

    def elsewhere(self, *command: str, **settings: str) -> tuple[int, str, str]:
        """Run a command as on a machine that has no study."""
        home = tempfile.mkdtemp(dir=self.folder)
        code, out, err = tuner(Path(home), *command, **(self.credentials | settings))
        assert os.listdir(home) in ([], ["studies"]), "a reader stores nothing but a report that it fetched"
        return code, out, err

    def here(self, *command: str) -> Any:
        """Return the document of a command run where the study is."""
        code, out, err = tuner(self.folder / "home", *command, "--json", **self.credentials)
        assert code == 0, err
        return json.loads(out)


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    if postgres.binaries() is None:
        pytest.skip("needs PostgreSQL's server (Debian: postgresql)")
    folder = tmp_path_factory.mktemp("team")
    with postgres.running() as database:
        stores = [database.address(base=database.new_base()).replace("://", "+psycopg://") for _ in range(2)]
        (folder / "auth.ini").write_text(
            f"[mlflow]\ndefault_permission = READ\ndatabase_uri = {stores[1]}\nadmin_username = admin\n"
            "auth_cache_ttl_seconds = 60\n"
            "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
        )
        settings = {
            "MLFLOW_BACKEND_STORE_URI": stores[0],
            "MLFLOW_AUTH_CONFIG_PATH": str(folder / "auth.ini"),
            "MLFLOW_AUTH_ADMIN_PASSWORD": ADMIN,
            "MLFLOW_FLASK_SERVER_SECRET_KEY": "only-for-this-test",
        }
        with served(folder, "--app-name", "basic-auth", "--serve-artifacts", **settings) as server:
            made = requests.post(
                f"{server.address}/api/2.0/mlflow/users/create",
                json={"username": "driver", "password": OWN},
                auth=("admin", ADMIN),
                timeout=60,
            )
            assert made.status_code == 200, made.text
            (folder / "password").write_text(OWN)
            credentials = {
                "MLFLOW_TRACKING_URI": server.address,
                "MLFLOW_TRACKING_USERNAME": "driver",
                "MLFLOW_TRACKING_PASSWORD_FILE": str(folder / "password"),
            }
            chosen = [argument for key, value in SETTINGS.items() for argument in ("--set", f"{key}={value}")]
            code, out, err = tuner(folder / "home", "run", "digits", *chosen, "--json", **credentials)
            assert code == 0, err
            yield Team(server, folder, credentials, json.loads(out))


def test_nothing_is_missing_and_nobody_is_warned(team: Team):
    assert "MLflow lacks" not in " ".join(team.printed["warnings"])
    sent = team.here("sync", "digits")
    assert (sent["unsent"], sent["error"]) == (0, None)


@pytest.mark.parametrize("command", ["trials", "recommend"])
def test_another_machine_reads_what_this_one_says(team: Team, command: str):
    code, out, err = team.elsewhere(command, "digits", "--json")
    assert code == 0, err
    assert comparable(json.loads(out)) == comparable(team.here(command, "digits"))


def test_another_machine_reads_the_state(team: Team):
    code, out, err = team.elsewhere("status", "digits", "--json")
    assert code == 0, err
    there, here = json.loads(out), team.here("status", "digits")
    for key in ("study", "state", "metric"):
        assert there[key] == here[key]
    assert comparable(there["trials"]) == comparable(here["trials"])


def test_another_machine_shows_the_answer_in_words(team: Team):
    code, out, err = team.elsewhere("recommend", "digits", COLUMNS="200")
    _, here, _ = tuner(team.folder / "home", "recommend", "digits", COLUMNS="200", **team.credentials)
    assert code == 0, err
    assert out == here


def test_another_machine_gets_the_report(team: Team, tmp_path: Path):
    code, out, err = team.elsewhere("report", "digits", "--out", str(tmp_path / "out"), "--json")
    assert code == 0, err
    told = json.loads(out)
    there, here = (Path(told["html"]), Path(team.printed["report"]))
    assert there.read_bytes() == here.read_bytes()
    assert {path.name for path in there.parent.iterdir()} == set(told["files"])


@pytest.mark.parametrize("command", ["status", "trials", "recommend", "report"])
def test_a_wrong_password_is_refused_in_words(team: Team, command: str):
    code, _, err = team.elsewhere(command, "digits", MLFLOW_TRACKING_PASSWORD_FILE="", MLFLOW_TRACKING_PASSWORD="no")
    assert code == 3
    assert "401" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("command", ["status", "recommend", "report"])
def test_a_study_that_nobody_has_is_said_to_be_none(team: Team, command: str):
    code, _, err = team.elsewhere(command, "nobody")
    assert code == 2
    assert "nobody" in err


def test_trials_say_what_they_used_of_their_machine(team: Team):
    complete = next(trial for trial in team.here("trials", "digits") if trial["state"] == "complete")
    asked = {"run_id": complete["run_id"], "metric_key": "system/process_memory_megabytes"}
    found = requests.get(
        f"{team.server.address}/api/2.0/mlflow/metrics/get-history", asked, auth=("driver", OWN), timeout=60
    ).json()["metrics"]
    assert [int(point["step"]) for point in found] == list(range(1, 7))
    assert all(100 < point["value"] < 10_000 for point in found)


@pytest.fixture(scope="module")
def chromium(team: Team) -> Iterator[Any]:
    if reason := browser.missing():
        pytest.skip(reason)
    with browser.chromium(team.folder / "profile") as driver:
        driver.get(team.server.address.replace("://", f"://driver:{OWN}@"))  # asks no more
        yield driver


def shot(driver: Any, name: str) -> None:
    """Keep a picture of the page for people, where they ask for it."""
    if folder := os.environ.get("TUNER_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        driver.save_screenshot(str(Path(folder) / f"{name}.png"))


def links(team: Team) -> list[str]:
    code, out, err = team.elsewhere("ui")
    assert code == 0, err
    assert "Study digits" in out
    return re.findall(r"http\S+runs\?\S+", out)


def test_the_list_of_experiments_names_the_study(team: Team, chromium: Any):
    chromium.get(f"{team.server.address}/#/experiments")
    browser.awaited(chromium, lambda text: "digits" in text)
    shot(chromium, "experiments")


def test_the_trials_stand_best_first_with_what_was_searched(team: Team, chromium: Any):
    trials, _ = links(team)
    chromium.get(trials)
    text = browser.awaited(chromium, lambda text: f"{TRIALS} matching runs" in text)
    shot(chromium, "trials")
    for column in ("val_accuracy", "mixing.name", "mixing.ratio.alpha", "mixing.probability"):
        assert column in text
    best = max(team.here("trials", "digits"), key=lambda trial: (trial["curve"] or [0])[-1])
    shown = re.findall(r"trial (\d+) ", text)
    assert int(shown[0]) == best["number"]
    assert sorted(set(map(int, shown))) == list(range(TRIALS))


def test_the_charts_show_alpha_against_accuracy(team: Team, chromium: Any):
    from selenium.webdriver.common.by import By

    _, charts = links(team)
    chromium.get(charts)
    browser.awaited(chromium, lambda text: "Model metrics" in text)
    mixed = [trial for trial in team.here("trials", "digits") if "mixing.ratio.alpha" in trial["params"]]

    def points(_: Any) -> bool:
        drawn = chromium.find_elements(By.CSS_SELECTOR, ".scatterlayer")
        return bool(drawn) and len(drawn[0].find_elements(By.CSS_SELECTOR, "path.point")) == len(mixed)

    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(chromium, browser.SECONDS).until(points)
    titles = [one.text for one in chromium.find_elements(By.CSS_SELECTOR, ".xtitle, .ytitle")]
    shot(chromium, "charts")
    assert titles[:2] == ["mixing.ratio.alpha", "val_accuracy"]


def test_the_study_s_page_says_the_answer_at_a_glance(team: Team, chromium: Any):
    where = team.printed["tracking"]
    chromium.get(f"{team.server.address}/#/experiments/{where['experiment_id']}/runs/{where['run_id']}")
    text = browser.awaited(chromium, lambda text: "best_so_far" in text)
    shot(chromium, "study")
    assert re.search(r"no mixing|better than", text)
    assert "The whole report is the artifact" in text


def comparable(document: Any) -> Any:
    """Return a document without what only the study's own machine knows."""
    if isinstance(document, dict):
        return {key: comparable(value) for key, value in document.items() if key not in {"config"}}
    return [comparable(one) for one in document] if isinstance(document, list) else document
