"""What the containers of docker/compose.yaml hold, show and may do."""

from __future__ import annotations

import json

import pytest

from tests.docker.cluster import SERVERS, Cluster, docker


def test_secrets_are_private_to_the_user_that_reads_them(cluster: Cluster):
    for service, folder, user in (("head", "ray", "10001"), ("head", "driver", "10001"), ("worker", "ray", "10001"),
                                  ("mlflow", "mlflow", "10001"), ("postgres", "postgres", "postgres")):  # fmt: skip
        out = cluster.run_in(service, "sh", "-c", f"stat -c '%a %u %U' /run/secrets/{folder}/*").splitlines()
        assert out
        assert all(line.split()[0] == "600" and user in line.split()[1:] for line in out), out
    assert cluster.run_in("worker", "sh", "-c", "ls /run/secrets").split() == ["ray"]


@pytest.mark.parametrize("service", SERVERS)
def test_services_are_confined(cluster: Cluster, service: str):
    container = json.loads(docker("inspect", cluster.containers(service)[0]))[0]
    host = container["HostConfig"]
    assert host["ReadonlyRootfs"] is True
    assert host["Privileged"] is False
    assert [one.upper() for one in host["CapDrop"]] == ["ALL"]
    assert not host["CapAdd"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert host["Memory"] > 0
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert not [mount for mount in container["Mounts"] if "docker.sock" in mount["Source"]]
    users = {line.split()[1] for line in docker("top", container["Id"], "-eo", "pid,uid").splitlines()[1:]}
    assert users
    assert "0" not in users


def test_the_image_runs_as_a_numbered_user_and_holds_no_tools_to_build_or_install_with(cluster: Cluster):
    settings = json.loads(docker("image", "inspect", "mixup-tuner:test"))[0]["Config"]
    assert settings["User"] == "10001:10001"
    assert settings["Healthcheck"]["Test"] == ["CMD", "healthy"]
    assert settings["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"
    names = "gcc cc c++ clang make ld pip pip3 uv git curl wget sudo"
    tools = f"for tool in {names}; do command -v $tool; done; python -m pip"
    out = cluster.run_in("worker", "sh", "-c", tools, check=False)
    assert out.strip().splitlines() == ["/opt/tuner/bin/python: No module named pip"]


@pytest.mark.parametrize("token", ["/nowhere", "/dev/null"])
def test_ray_does_not_start_without_a_token(cluster: Cluster, token: str):
    start = ("run", "--rm", "--network=none", f"--env=RAY_AUTH_TOKEN_PATH={token}", "mixup-tuner:test", "ray", "start")
    for arguments in (("--head",), ("--address=127.0.0.1:6379",)):
        said = docker(*start, *arguments, check=False)
        assert "Ray runtime started" not in said
        assert "token" in said, said
