"""A study in a real database: its driver is killed, and the database goes away for a while."""

from __future__ import annotations

import time
from contextlib import suppress

import psycopg
import pytest

from tests.processes import start
from tests.search.killing import DIGITS, end, finished, wait_for
from tests.search.postgres import binaries, running
from tests.search.whole import check_whole, undisturbed

pytestmark = [
    pytest.mark.ray,
    pytest.mark.heavy,
    pytest.mark.timeout(600),
    pytest.mark.skipif(binaries() is None, reason="no PostgreSQL here: apt-get install postgresql"),
]


def epochs(address: str) -> int:
    """Return how many epochs a database holds, none before Optuna has made its tables."""
    with psycopg.connect(address) as connection, suppress(psycopg.errors.UndefinedTable):
        counted = connection.execute("SELECT count(*) FROM trial_intermediate_values").fetchone()
        return counted[0]
    return 0


def test_a_study_in_a_database_outlives_its_driver_and_an_outage_of_half_a_minute(tmp_path):
    with running() as server:
        address = server.address(base=server.new_base())
        driver = start(tmp_path, "run", "digits", *DIGITS, TUNER_STORAGE_URL=address)
        try:
            wait_for(lambda: epochs(address) >= 5, driver)
            end(driver)
            driver = start(tmp_path, "resume", "digits", "--json", TUNER_STORAGE_URL=address)
            wait_for(lambda: epochs(address) >= 10, driver)
            server.stop()
            time.sleep(30)
            assert driver.poll() is None
            server.start()
            ended = finished(driver)
        finally:
            end(driver)
        check_whole(tmp_path, ended, undisturbed(), TUNER_STORAGE_URL=address)
