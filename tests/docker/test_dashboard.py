"""Ray's dashboard and Jobs API: whom they refuse, and what they serve to nobody."""

from __future__ import annotations

import json
import urllib.request

import pytest

from tests.docker.cluster import Cluster
from tests.docker.test_doors import REFUSED


@pytest.mark.parametrize(
    "path", ["/api/version", "/api/jobs/", "/api/cluster_status", "/nodes?view=summary", "/logs", "/metrics"]
)
@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer "}])
def test_ray_refuses_without_the_token(cluster: Cluster, path: str, header: dict[str, str]):
    assert cluster.call(cluster.ray_url + path, **header)[0] in REFUSED


def test_ray_takes_no_job_without_the_token(cluster: Cluster):
    body = json.dumps({"entrypoint": "id"}).encode()
    for header in ({}, {"Authorization": "Bearer wrong"}):
        assert cluster.call(f"{cluster.ray_url}/api/jobs/", body, **header)[0] in REFUSED
    assert cluster.call(f"{cluster.ray_url}/api/version", Authorization=f"Bearer {cluster.token()}")[0] == 200


NOTHING_FOUND = '{"result": true, "msg": "", "data": {"result": {}}}'
PATHS = [
    "../../../../run/secrets/driver/pgpass",
    "%2e%2e/%2e%2e/%2e%2e/%2e%2e/run/secrets/driver/pgpass",
    "%252e%252e/%252e%252e/run/secrets/driver/pgpass",
    "..%5c..%5crun",
    "/run/secrets/driver/pgpass",
    "raylet.out%00/../../../../run/secrets/driver/pgpass",
    "C:/x",
]


@pytest.mark.parametrize("path", PATHS)
def test_rays_dashboard_serves_no_file_but_its_logs_to_a_token_holder(cluster: Cluster, path: str):
    known = {"Authorization": f"Bearer {cluster.token()}"}
    nodes = json.loads(cluster.call(f"{cluster.ray_url}/api/v0/nodes", **known)[1])["data"]["result"]["result"]
    (head,) = (node["node_id"] for node in nodes if node["is_head_node"])
    logs = f"{cluster.ray_url}/api/v0/logs"
    status, text = cluster.call(f"{logs}/file?node_id={head}&lines=9&filename=gcs_server.out", **known)
    assert status == 200
    assert text.strip()
    password = cluster.secret("head", "/run/secrets/driver/pgpass").rpartition(":")[2]
    urls = [
        f"{logs}/file?node_id={head}&lines=9&filename={path}",
        f"{logs}?node_id={head}&glob={path}",
        f"{cluster.ray_url}/logs/{path}",
        f"{cluster.ray_url}/static/{path}",
    ]
    for url in urls:
        status, text = cluster.call(url, **known)
        assert status >= 400 or text.strip() in {"", NOTHING_FOUND}, (url, text[:200])
        assert password not in text


def test_rays_dashboard_gives_another_sites_page_nothing(cluster: Cluster):
    """Whoever has the token may call it by any name; a browser's page of another site has neither token nor answer."""
    jobs, body = f"{cluster.ray_url}/api/jobs/", b'{"entrypoint": "id"}'
    for foreign in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
        assert cluster.call(jobs, **foreign)[0] in REFUSED
        assert cluster.call(jobs, body, **foreign)[0] in REFUSED
    known = {"Authorization": f"Bearer {cluster.token()}"}
    page = {"Origin": "http://evil.example", "User-Agent": "Mozilla/5.0", "Sec-Fetch-Site": "cross-site"}
    assert cluster.call(jobs, body, **known, **page)[0] == 405
    for path, data in (("/api/jobs/", None), ("/api/authenticate", b"")):
        request = urllib.request.Request(cluster.ray_url + path, data, known | page)
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
            cookie = answer.headers.get("Set-Cookie", "HttpOnly; SameSite=Strict")
            assert "HttpOnly" in cookie
            assert "SameSite=Strict" in cookie
