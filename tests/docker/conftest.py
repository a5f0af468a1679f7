from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.docker.client import Client
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


@pytest.fixture(scope="session")
def client(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Client:
    """The tuner on the host, with the cluster's token."""
    return Client(cluster, tmp_path_factory.mktemp("client"))
