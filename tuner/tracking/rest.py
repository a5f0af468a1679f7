"""Ask a tracking server over MLflow's REST interface, as its own client would, and without its seconds of import."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from tuner.errors import ServiceError
from tuner.tracking.credentials import take_credentials
from tuner.tracking.destination import Destination, without_credentials

_API = "api/2.0/mlflow"
_SECONDS = 30


def artifact(at: Destination, run_id: str, path: str) -> Any:
    """Return the answer that holds a run's file; None where there is no such file, which some servers call a fault."""
    asked = {"path": path, "run_uuid": run_id}
    return _ask(at, "GET", f"{at.uri}/get-artifact", params=asked, missing=(404, 500))


def get(at: Destination, path: str, params: Mapping[str, str]) -> Any:
    """Return what the server says; None where there is no such thing. Raises ServiceError, as all here."""
    found = _ask(at, "GET", f"{at.uri}/{_API}/{path}", params=params)
    return None if found is None else document(at, found)


def post(at: Destination, path: str, body: Mapping[str, Any]) -> Any:
    """Return what the server says, nothing where there is no such thing."""
    found = _ask(at, "POST", f"{at.uri}/{_API}/{path}", json=body)
    return {} if found is None else document(at, found)


def _as_mlflow_asks() -> dict[str, Any]:
    """Return who we are and whom we trust, by the settings that MLflow's own client has for it."""
    name, password, token, trusted, own = (
        os.environ.get(f"MLFLOW_TRACKING_{one}")
        for one in ("USERNAME", "PASSWORD", "TOKEN", "SERVER_CERT_PATH", "CLIENT_CERT_PATH")
    )
    asked: dict[str, Any] = {"cert": own} if own else {}
    if os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() == "true":
        asked["verify"] = False
    elif trusted:
        asked["verify"] = trusted
    if name and password:
        return asked | {"auth": (name, password)}
    return asked | ({"headers": {"Authorization": f"Bearer {token}"}} if token else {})


def _directly(address: str) -> dict[str, Any]:
    """Return what leads past a proxy, which knows nothing of what this machine serves itself."""
    own = urlsplit(address).hostname in ("127.0.0.1", "localhost", "::1")
    return {"proxies": {"http": "", "https": ""}} if own else {}


def document(at: Destination, answer: Any) -> Any:
    """Return an answer as JSON."""
    try:
        return answer.json()
    except ValueError as error:
        raise ServiceError(
            f"MLflow at {at.shown} answers with no JSON; see whether MLFLOW_TRACKING_URI is right"
        ) from error


def _ask(at: Destination, method: str, address: str, missing: Sequence[int] = (404,), **content: Any) -> Any:
    """Return the server's answer; None where there is no such thing."""
    import requests

    try:
        take_credentials()
        answer = requests.request(
            method, address, **_as_mlflow_asks(), **_directly(address), timeout=_SECONDS, **content
        )
        if answer.status_code in missing:
            return None
        answer.raise_for_status()
        return answer
    except (requests.RequestException, ValueError) as error:
        words = without_credentials(str(error))
        raise ServiceError(f"MLflow at {at.shown}: {words}; see whether MLFLOW_TRACKING_URI is right") from error
