"""The example of a reverse proxy with TLS: nginx's own words, in their places."""

from __future__ import annotations

from pathlib import Path

import crossplane
import pytest

from tests.readme import ROOT

CONFIG = ROOT / "docs/proxy/nginx.conf"


def parsed(text: str, folder: Path) -> dict:
    """Return what nginx would read, in the place where its packages put such a file."""
    (folder / "tuner.conf").write_text(text)
    (folder / "nginx.conf").write_text(f"events {{}}\nhttp {{ include {folder}/tuner.conf; }}\n")
    return crossplane.parse(str(folder / "nginx.conf"), strict=False)


def servers(parts: dict) -> list[dict[str, list[list[str]]]]:
    """Return each server's directives, and those of its location."""
    (config,) = (one for one in parts["config"] if one["file"].endswith("tuner.conf"))
    found = []
    for server in (one["block"] for one in config["parsed"] if one["directive"] == "server"):
        inner = [one for location in server if location["directive"] == "location" for one in location["block"]]
        directives: dict[str, list[list[str]]] = {}
        for one in [*server, *inner]:
            directives.setdefault(one["directive"], []).append(one["args"])
        found.append(directives)
    return found


def test_it_is_nginxs_language(tmp_path):
    assert parsed(CONFIG.read_text(), tmp_path)["status"] == "ok"


@pytest.mark.parametrize(
    ("before", "after"),
    [("ssl_protocols ", "client_max_body_size  9 "), ("proxy_pass http://127.0.0.1:8265;", "proxy_pass;")],
)
def test_a_mistake_would_be_found(tmp_path, before, after):
    assert parsed(CONFIG.read_text().replace(before, after, 1), tmp_path)["status"] == "failed"


def test_all_is_encrypted_and_goes_to_this_machine_alone(tmp_path):
    found = servers(parsed(CONFIG.read_text(), tmp_path))
    assert {one["proxy_pass"][0][0] for one in found} == {"http://127.0.0.1:8265", "http://127.0.0.1:5000"}
    for one in found:
        assert one["listen"] == [["443", "ssl"]]
        assert ["TLSv1.2", "TLSv1.3"] in one["ssl_protocols"]
        assert ["Host", "$host"] in one["proxy_set_header"]
