"""Nodes of a cluster that come and go while a study runs on them."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path

import pytest

from tests.processes import start
from tests.search.cluster import cluster
from tests.search.killing import DIGITS, end, epochs, journal, losses, wait_for
from tests.search.whole import check_whole, undisturbed

pytestmark = [pytest.mark.ray, pytest.mark.heavy, pytest.mark.timeout(600)]

ALL_NODES = (*DIGITS, "--set", "resources.concurrent=auto")


def listened(process: subprocess.Popen[str]) -> list[str]:
    """Return a list that fills with what a process says to people."""
    pipe, process.stderr = process.stderr, None
    lines: list[str] = []

    def listen() -> None:
        with pipe:
            lines.extend(pipe)

    threading.Thread(target=listen, daemon=True).start()
    return lines


def running(home: Path) -> int:
    """Return how many trials run just now."""
    records = journal(home)
    begun = sum("config" in record.get("user_attr", {}) for record in records)
    return begun - sum("datetime_complete" in record for record in records)


def test_trials_go_on_elsewhere_when_their_node_is_lost_and_wait_when_none_is_left(tmp_path):
    with cluster() as nodes:
        first = nodes.add()
        driver = start(tmp_path, "run", "digits", *ALL_NODES, RAY_ADDRESS=nodes.address, RAY_AUTH_MODE="disabled")
        said = listened(driver)
        try:
            wait_for(lambda: epochs(tmp_path) >= 3, driver)
            assert running(tmp_path) == 1
            second = nodes.add()
            wait_for(lambda: running(tmp_path) == 2, driver)
            nodes.kill(first)
            gone = epochs(tmp_path)
            wait_for(lambda: epochs(tmp_path) >= gone + 3, driver)
            nodes.kill(second)
            wait_for(lambda: any(line.startswith("waiting: no node is left") for line in said), driver)
            assert not any("going on" in line for line in said)
            nodes.add()
            out = driver.stdout.read()
            assert driver.wait() == 0, said
        finally:
            end(driver)
        assert "going on\n" in said
        assert any("its node was lost" in line for line in said)
        assert not losses(tmp_path)
        check_whole(tmp_path, json.loads(out), undisturbed(ALL_NODES))
