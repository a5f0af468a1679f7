"""A study's name that is made to be a command, a path or a line of its own is refused, and does nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docker.client import Client
from tests.docker.cluster import SERVERS, Cluster
from tests.readme import ROOT

NAMES = [
    """a'b"c""",
    "two\nlines",
    "$(touch /tmp/pwned)",
    "`touch /tmp/pwned`",
    "x; touch /tmp/pwned #",
    "x' || touch /tmp/pwned; '",
    "../../../tmp/pwned",
    "%2e%2e/pwned",
    "d\u0456gits\u202e",
]

SEND = """
import json, sys
from pathlib import Path
from tuner.cluster import STUDY, Cluster, Order, finished, packed
from tuner.errors import ServiceError

address, study, names = sys.argv[1], Path(sys.argv[2]).read_text(), json.loads(sys.argv[3])
cluster, jobs = Cluster(address), []
for name in names:
    for order in (Order(("run", STUDY, "--or-resume")), Order(("resume", name))):
        with packed(order, study.replace("name: digits", "name: " + json.dumps(name))) as folder:
            try:
                jobs.append((name, cluster.submit(name, folder, name, environment={"TUNER_NOTE": name})))
            except ServiceError as error:
                print("ENDED", json.dumps([name, "refused", 2, str(error)]))
for name, sent in jobs:
    said = []
    job = finished(cluster, sent, said.append)
    assert job.study == name, (job.study, name)
    print("ENDED", json.dumps([name, job.state, job.exit_code, "".join(said)]))
"""


def pwned(cluster: Cluster) -> list[str]:
    """Return every file in the containers and here that a name might have made."""
    found = [str(path) for folder in (Path("/tmp"), ROOT) for path in folder.glob("*pwned*")]
    for service in ("head", "worker", "supervisor", "mlflow"):
        out = cluster.run_in(service, "sh", "-c", "find /tmp /var/lib -name '*pwned*' 2>/dev/null", check=False)
        found += [line for line in out.splitlines() if "/runtime_resources/" not in line and "/logs/" not in line]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_name_is_refused_before_it_is_sent(client: Client, name: str):
    code, _, err = client.run("submit", "digits", "--set", f"name={json.dumps(name)}")
    assert code == 2, err
    assert "name" in err


def test_a_hostile_name_in_a_job_is_text_and_the_job_is_refused(cluster: Cluster, client: Client, tmp_path: Path):
    names = NAMES[:1] + NAMES[2:3] + NAMES[4:5] + NAMES[6:7]  # each is two jobs
    sent = subprocess.run(
        [sys.executable, "-c", SEND, cluster.ray_url, str(ROOT / "search_spaces/digits.yaml"), json.dumps(names)],
        cwd=ROOT, env=client.environment(), capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert sent.returncode == 0, sent.stderr[-4000:]
    ended = [json.loads(line.removeprefix("ENDED ")) for line in sent.stdout.splitlines() if line.startswith("ENDED ")]
    assert len(ended) == 2 * len(names)
    assert {(state, code) for _, state, code, _ in ended} <= {("failed", 2), ("refused", 2)}, ended
    assert pwned(cluster) == []
    assert not {one["study"] for one in cluster.tuner("ls")} & set(names)
    assert cluster.states()["supervisor"] == ["healthy"]
    assert set(cluster.states()) == set(SERVERS)
