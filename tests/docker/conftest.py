from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.docker.cluster import Cluster, engine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/docker" in item.path.as_posix():
            item.add_marker(pytest.mark.docker)
            item.add_marker(pytest.mark.timeout(3600))  # the first one builds the image


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster with one worker, built from this checkout; it is taken away with all that it kept."""
    if reason := engine():
        pytest.skip(f"{reason}; see docker/README.md")
    cluster = Cluster()
    cluster.build()
    try:
        cluster.seconds_to_healthy = cluster.up()
        yield cluster
    finally:
        cluster.down(volumes=True)
