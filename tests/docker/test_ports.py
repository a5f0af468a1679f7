"""Every port that listens in a container is closed to strangers or refuses whoever has no token, but for metrics."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator

import grpc
import pytest

from tests.docker.cluster import SERVERS, Cluster, docker
from tests.docker.test_secrets import secrets

LISTENS = "0A"
METHODS = [
    "InternalKVGcsService/InternalKVKeys",  # the control store
    "NodeManagerService/GetSystemConfig",  # the raylet
    "ObjectManagerService/Pull",
    "CoreWorkerService/KillActor",  # every process of Ray's
    "RayletDriver/ClusterInfo",  # Ray client
    "LogService/ListLogs",  # the agent of the dashboard
]
ASK = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
REACH = """
import socket, sys
for one in sys.argv[1:]:
    host, _, port = one.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=2).close()
        print("OPEN", one)
    except OSError as error:
        print("closed", one)
"""


def addresses(container: str) -> list[str]:
    networks = json.loads(docker("inspect", container))[0]["NetworkSettings"]["Networks"]
    return [network["IPAddress"] for network in networks.values()]


def listening(container: str) -> set[int]:
    """Return the ports at which a container listens for others, as its kernel knows them."""
    rows = [line.split() for line in docker("exec", container, "cat", "/proc/net/tcp").splitlines()[1:]]
    local = [row[1].split(":") for row in rows if row[3] == LISTENS]
    return {int(port, 16) for address, port in local if not address.endswith("7F")}


def doors(cluster: Cluster, *services: str) -> Iterator[tuple[str, int]]:
    """Yield the address and port of everything that listens in some services' containers."""
    for service in services:
        for container in cluster.containers(service):
            yield from ((address, port) for address in addresses(container) for port in listening(container))


def said(host: str, port: int) -> bytes:
    """Return how something answers a browser without a token; nothing where it is closed or hangs up."""
    try:
        with socket.create_connection((host, port), timeout=5) as connection:
            connection.sendall(ASK)
            return b"".join(iter(lambda: connection.recv(1 << 16), b""))
    except OSError:
        return b""


def answers(host: str, port: int) -> set[str]:
    """Return how a gRPC server answers calls without a token."""
    found = set()
    with grpc.insecure_channel(f"{host}:{port}") as channel:
        for method in METHODS:
            try:
                channel.unary_unary(f"/ray.rpc.{method}")(b"", timeout=10)
                found.add("OK")
            except grpc.RpcError as refusal:
                found.add(refusal.code().name)
    return found


def test_the_ports_that_are_tried_are_those_of_ray_and_postgres(cluster: Cluster):
    (head,), (worker, *_) = cluster.containers("head"), cluster.containers("worker")
    assert {6379, 8265, 10001, 52365} <= listening(head)
    assert 52365 in listening(worker)
    assert len(listening(worker)) >= 5  # raylet, object manager, agents, metrics: at ports that Ray chooses
    assert listening(cluster.containers("postgres")[0]) == {5432}


@pytest.mark.parametrize("service", ["head", "worker", "mlflow", "postgres"])
def test_nothing_answers_the_hosts_own_users_without_a_token_but_metrics(cluster: Cluster, service: str):
    hidden = secrets(cluster)
    for host, port in doors(cluster, service):
        answer = said(host, port)
        if b"\n# HELP " in answer:
            assert not [one for one in hidden if one.encode() in answer]
        elif answer.startswith(b"HTTP/"):
            assert re.match(rb"HTTP/1.[01] (401|403|400) ", answer), (host, port, answer[:200])
        elif answer:  # a frame of HTTP/2
            assert "UNAUTHENTICATED" in (codes := answers(host, port)), (host, port, codes)
            assert codes <= {"UNAUTHENTICATED", "UNIMPLEMENTED"}, (host, port, codes)


def test_a_container_elsewhere_reaches_no_port_at_all(cluster: Cluster):
    targets = [f"{host}:{port}" for host, port in doors(cluster, *SERVERS)]
    assert len(targets) > 20
    out = docker("run", "--rm", "mixup-tuner:test", "python", "-c", REACH, *targets, seconds=300)
    assert "OPEN" not in out
    assert out.count("closed") == len(targets)


def test_a_worker_reaches_of_what_is_no_part_of_ray_mlflow_alone(cluster: Cluster):
    targets = [f"{host}:{port}" for host, port in doors(cluster, "mlflow", "postgres", "supervisor")]
    out = cluster.run_in("worker", "python", "-c", REACH, *targets)
    assert {line.rpartition(":")[2] for line in out.splitlines() if line.startswith("OPEN")} == {"5000"}
