"""Who gets into the cluster of docker/compose.yaml, tried from the host and from other containers."""

from __future__ import annotations

import json
import re
import socket
import subprocess

import pytest

from tests.docker.cluster import Cluster, basic, docker

REFUSED = (401, 403)


def published(cluster: Cluster) -> list[tuple[str, str]]:
    """Return the host's address and port of everything that is published."""
    containers = json.loads(docker("inspect", *cluster.containers()))
    bindings = [ports for one in containers for ports in one["HostConfig"]["PortBindings"].values()]
    return [(port["HostIp"], port["HostPort"]) for ports in bindings for port in ports]


def test_ports_are_published_on_loopback_alone(cluster: Cluster):
    ports = {str(cluster.ray_port), str(cluster.mlflow_port)}
    assert set(published(cluster)) == {("127.0.0.1", port) for port in ports}
    listening = subprocess.run(["ss", "-Hltn"], capture_output=True, text=True, check=True).stdout
    addresses = {line.split()[3] for line in listening.splitlines()}
    for port in ports:
        assert {one for one in addresses if one.endswith(f":{port}")} == {f"127.0.0.1:{port}"}


def test_published_ports_are_closed_at_the_hosts_other_addresses(cluster: Cluster):
    shown = subprocess.run(["ip", "-4", "-o", "address"], capture_output=True, text=True, check=True).stdout
    addresses = [line.split()[3].split("/")[0] for line in shown.splitlines() if line.split()[1] != "lo"]
    assert len(addresses) > 1
    for address in addresses:
        assert not answers(address, cluster.ray_port)
        assert not answers(address, cluster.mlflow_port)
    assert answers("127.0.0.1", cluster.ray_port)


def answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=5):
            return True
    except OSError:
        return False


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api/2.0/mlflow/experiments/search?max_results=1",
        "/ajax-api/2.0/mlflow/users/list",
        "/get-artifact?path=x&run_uuid=y",
        "/api/2.0/mlflow-artifacts/artifacts",
        "/graphql",
        "/signup",
        "/metrics",
    ],
)
@pytest.mark.parametrize("user", [None, ("admin", "wrong"), ("admin", "password1234"), ("tuner", "")])
def test_mlflow_refuses_without_a_password(cluster: Cluster, path: str, user: tuple[str, str] | None):
    header = {"Authorization": basic(*user)} if user else {}
    assert cluster.call(cluster.mlflow_url + path, **header)[0] in REFUSED


def test_mlflow_refuses_a_foreign_host_and_origin(cluster: Cluster):
    known = {"Authorization": basic("tuner", cluster.mlflow_password())}
    search = f"{cluster.mlflow_url}/api/2.0/mlflow/experiments/search"
    body = b'{"max_results": 1}'
    assert cluster.call(search, body, **known)[0] == 200
    assert cluster.call(search, body, Host="evil.example", **known)[0] == 403
    assert cluster.call(search, body, Origin="http://evil.example", **known)[0] == 403


def test_drivers_cannot_manage_mlflows_users(cluster: Cluster):
    known = {"Authorization": basic("tuner", cluster.mlflow_password())}
    body = b'{"username": "another", "password": "long-enough-for-it"}'
    assert cluster.call(f"{cluster.mlflow_url}/api/2.0/mlflow/users/create", body, **known)[0] == 403


@pytest.mark.parametrize(
    "path",
    [
        "../../etc/passwd",
        "%2e%2e/%2e%2e/etc/passwd",
        "%252e%252e/etc/passwd",
        "/etc/passwd",
        "a/../../b",
        "..%5c..%5cetc",
        "C:/x",
    ],
)
def test_mlflow_serves_no_file_but_its_own(cluster: Cluster, path: str):
    known = {"Authorization": basic("admin", admin_password(cluster))}
    status, text = cluster.call(f"{cluster.mlflow_url}/api/2.0/mlflow-artifacts/artifacts/{path}", **known)
    assert 400 <= status < 500
    assert "root:" not in text


def admin_password(cluster: Cluster) -> str:
    file = "/run/secrets/tuner/mlflow_admin"
    return cluster.compose("run", "--rm", "--no-deps", "-T", "migrate", "cat", file).strip()


WITHOUT_TOKEN = """
import os
import sys
for name in ("RAY_AUTH_TOKEN_PATH", "RAY_AUTH_TOKEN"):
    os.environ.pop(name, None)
mode = sys.argv[1]
if mode == "disabled":
    os.environ["RAY_AUTH_MODE"] = "disabled"
else:
    os.environ["RAY_AUTH_TOKEN"] = "wrong"
from ray._raylet import GcsClient
try:
    GcsClient(address="head:6379").internal_kv_keys(b"", None, 10)
except Exception as error:
    print("REFUSED", type(error).__name__, str(error)[:200])
else:
    print("OPEN")
"""


@pytest.mark.parametrize("mode", ["disabled", "wrong"])
def test_rays_control_store_refuses_a_container_without_the_token(cluster: Cluster, mode: str):
    out = cluster.run_in("worker", "python", "-c", WITHOUT_TOKEN, mode)
    assert "OPEN" not in out
    assert re.search("REFUSED.*(nauthenticated|authenticat|token)", out), out


FETCH = """
import sys, urllib.error, urllib.request
for url in sys.argv[1:]:
    try:
        print(urllib.request.urlopen(url, timeout=10).status)
    except urllib.error.HTTPError as error:
        print(error.code)
    except OSError as error:
        print("closed", error)
"""


def test_other_containers_need_token_and_password_as_well(cluster: Cluster):
    urls = ["http://head:8265/api/jobs/", "http://mlflow:5000/api/2.0/mlflow/experiments/search?max_results=1"]
    assert cluster.run_in("worker", "python", "-c", FETCH, *urls).split() == ["401", "401"]


CONNECT = """
import psycopg, sys
try:
    psycopg.connect(sys.argv[1], connect_timeout=5)
    print("OPEN")
except psycopg.OperationalError as error:
    print("REFUSED", error)
"""


@pytest.mark.parametrize("user", ["postgres", "tuner", "mlflow"])
def test_postgres_refuses_without_and_with_a_wrong_password(cluster: Cluster, user: str):
    for password in ("", "password=wrong", "password=postgres"):
        address = f"host=postgres user={user} dbname={user} passfile=/nowhere {password}"
        assert cluster.run_in("head", "python", "-c", CONNECT, address).startswith("REFUSED")


def test_drivers_have_their_own_database_and_no_other(cluster: Cluster):
    def tried(base: str) -> str:
        return cluster.run_in("head", "python", "-c", CONNECT, f"host=postgres user=tuner dbname={base}")

    assert tried("tuner").startswith("OPEN")
    password = cluster.secret("head", "/run/secrets/driver/pgpass").rpartition(":")[2]
    for base in ("mlflow", "postgres"):
        address = f"host=postgres user=tuner dbname={base} password={password}"
        assert "permission denied" in cluster.run_in("head", "python", "-c", CONNECT, address)


REACH = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5).close()
    print("OPEN")
except OSError as error:
    print("closed", error)
"""


def test_workers_do_not_reach_the_database_and_nothing_outside(cluster: Cluster):
    networks = json.loads(docker("inspect", *cluster.containers("postgres")))[0]["NetworkSettings"]["Networks"]
    (database,) = (network["IPAddress"] for network in networks.values())
    for host, port in ((database, "5432"), ("postgres", "5432"), ("1.1.1.1", "443")):
        assert cluster.run_in("worker", "python", "-c", REACH, host, port).startswith("closed")


@pytest.mark.parametrize("service", ["head", "mlflow", "postgres"])
def test_nothing_gets_out_of_the_other_services(cluster: Cluster, service: str):
    if service == "postgres":  # which has no Python
        networks = json.loads(docker("inspect", *cluster.containers(service)))[0]["NetworkSettings"]["Networks"]
        assert all(json.loads(docker("network", "inspect", name))[0]["Internal"] for name in networks)
    else:
        assert cluster.run_in(service, "python", "-c", REACH, "1.1.1.1", "443").startswith("closed")
