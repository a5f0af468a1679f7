"""What a cluster that is not there, not ours or not of our version says, over real HTTP."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import ray

from tuner.cluster import Cluster, address
from tuner.errors import ServiceError, UsageError


@pytest.fixture(autouse=True)
def _no_cluster_of_ones_own(monkeypatch):
    for name in ("TUNER_ADDRESS", "RAY_API_SERVER_ADDRESS", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def serve():
    """Answer every request with a status and a document."""
    servers = []

    def start(status: int, document: object) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_the_address_comes_from_the_argument_or_the_environment(monkeypatch):
    monkeypatch.setenv("TUNER_ADDRESS", "http://cluster:8265")
    assert address(None) == "http://cluster:8265"
    assert address("https://other/ray/") == "https://other/ray"
    monkeypatch.delenv("TUNER_ADDRESS")
    with pytest.raises(UsageError, match="which cluster"):
        address(None)


@pytest.mark.parametrize(
    "given", ["cluster:8265", "ray://cluster:10001", "http://", "http://a b", "file:///etc/passwd"]
)
def test_what_is_no_dashboards_address_is_refused(given):
    with pytest.raises(UsageError, match="wants that of Ray's dashboard"):
        address(given)


def test_a_cluster_of_another_ray_is_refused(serve):
    with pytest.raises(UsageError, match=r"runs Ray 2\.1\.0, this is Ray"):
        Cluster(serve(200, {"ray_version": "2.1.0"}))
    assert Cluster(serve(200, {"ray_version": ray.__version__})).address.startswith("http://127.0.0.1")


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_token_is_said_with_what_to_set(serve, status):
    with pytest.raises(ServiceError, match="RAY_AUTH_TOKEN_PATH"):
        Cluster(serve(status, {"error": "Unauthorized: Missing authentication token"}))


def test_a_server_that_is_none_of_rays_is_out_of_reach(serve):
    with pytest.raises(ServiceError):
        Cluster(serve(404, {}))


def test_nobody_at_the_address_is_a_service_that_is_out_of_reach():
    with pytest.raises(ServiceError, match=r"no Ray cluster answers at http://127\.0\.0\.1:9"):
        Cluster("http://127.0.0.1:9")
