"""No secret of the cluster is where somebody without it can look, once a study has run in its containers."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker.client import SMALL, Client, sets
from tests.docker.cluster import Cluster, docker
from tests.readme import ROOT

STUDY = "keeps-secrets"
CANARY = "canary-of-the-index-f3a91c"
CHUNK = 1 << 22

TEXT = "tr -cd '\\11\\12\\40-\\176'"  # of files that hold other bytes as well
RAY_LOGS = f"find /tmp/ray -type f -print -exec cat {{}} + | {TEXT}"
STORED = f"find /var/lib/tuner -type f -print -exec cat {{}} + | {TEXT}"
RECORDED = f"find /var/lib/mlflow -type f -print -exec cat {{}} + | {TEXT}"
COMMAND_LINES = f"cat /proc/[0-9]*/cmdline 2>/dev/null | {TEXT}"


def secrets(cluster: Cluster) -> list[str]:
    """Return every secret that was made, read as only root may."""
    image = json.loads(docker("inspect", cluster.containers("postgres")[0]))[0]["Config"]["Image"]
    volume = f"{cluster.project}_secrets:/secrets:ro"
    command = ("run", "--rm", "--network=none", "--user=root", "--entrypoint=sh", f"-v{volume}", image)
    out = docker(*command, "-c", "cd /secrets && for one in *; do cat $one; echo; done")
    return out.split()


def everything(cluster: Cluster) -> Iterator[tuple[str, str, str]]:
    """Yield where somebody might look, what is shown there, and a word by which it is seen to be the right place."""
    everyone = cluster.compose("ps", "-aq").split()
    yield "inspect", docker("inspect", *everyone), "RAY_AUTH_TOKEN_PATH"
    yield "config", cluster.compose("config"), "RAY_AUTH_TOKEN_PATH"
    yield "history", docker("history", "--no-trunc", "mixup-tuner:test"), "RAY_AUTH_MODE"
    yield "output", cluster.compose("logs", "--no-color"), "mlflow"
    for container in cluster.containers():
        yield "processes", docker("top", container, "-eo", "pid,args"), "docker-init"
    for service, word in (("head", f"tuner-study-{STUDY}"), ("worker", "TrialActor")):
        yield f"{service}'s Ray logs", cluster.run_in(service, "sh", "-c", RAY_LOGS, check=False), word
        yield f"{service}'s command lines", cluster.run_in(service, "sh", "-c", COMMAND_LINES), "raylet"
    yield "TUNER_HOME", cluster.run_in("head", "sh", "-c", STORED), STUDY
    yield "MLflow's files", cluster.run_in("mlflow", "sh", "-c", RECORDED), "study.yaml"
    for base in ("mlflow", "tuner"):  # params, tags and metrics are in its tables; so are trials and their attributes
        dump = cluster.run_in("postgres", "pg_dump", "--username=postgres", "--inserts", base)
        yield f"database {base}", dump, STUDY


@pytest.fixture(scope="module")
def study(client: Client) -> str:
    client.json("submit", "digits", *sets(SMALL | {"name": STUDY, "search.trials": 2, "search.baselines": "[]"}))
    return STUDY


def test_no_secret_is_in_settings_processes_logs_tables_or_files(cluster: Cluster, study: str):
    found = secrets(cluster)
    assert len(found) >= 7
    assert all(len(one) == 64 for one in found)
    for where, text, word in everything(cluster):
        assert word in text, f"{word} is not in {where}: this is not what was to be searched\n{text[:500]}"
        assert not [one for one in found if one in text], f"a secret is in {where}"


def test_a_build_secret_is_in_no_layer_of_the_image(cluster: Cluster, tmp_path: Path):
    config = tmp_path / "uv.toml"
    index = f'[[index]]\nname = "company"\nurl = "https://builder:{CANARY}@index.example/simple"\nexplicit = true\n'
    config.write_text(index)
    image = f"{cluster.project}-canary"
    docker(
        *("build", "--progress=plain", f"--tag={image}", "--file", str(ROOT / "docker/Dockerfile")),
        *("--secret", f"id=uv,src={config}", "--secret", f"id=ca,src={os.environ.get('SSL_CERT_FILE', '/dev/null')}"),
        *("--no-cache-filter=resolution,project", str(ROOT)),
        seconds=900,
    )
    try:
        assert CANARY not in docker("history", "--no-trunc", image) + docker("image", "inspect", image)
        assert holds(image, b"opt/tuner/bin/tuner", CANARY.encode()) == {b"opt/tuner/bin/tuner"}
    finally:
        docker("image", "rm", image, check=False)


def holds(image: str, *words: bytes) -> set[bytes]:
    """Return which of some words stand in an image's layers, also in files that a later layer hides."""
    found: set[bytes] = set()
    overlap = b""
    with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saved:
        while piece := saved.stdout.read(CHUNK):
            found |= {word for word in words if word in overlap + piece}
            overlap = piece[-100:]
    assert saved.returncode == 0
    return found
