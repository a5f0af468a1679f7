"""Whether the token that opens a Ray cluster is there, and nobody else's to read."""

from __future__ import annotations

import os
from pathlib import Path

from tuner.cli.doctor.found import Check


def ray_access(*, elsewhere: bool = False) -> Check:
    """Look at the token for the cluster that RAY_ADDRESS names, or for one that is asked from `elsewhere`."""
    mode = os.environ.get("RAY_AUTH_MODE", "")
    named = os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH")
    if not elsewhere and not os.environ.get("RAY_ADDRESS") and not mode:
        return Check("ray access", True, "started here, with a token that only the study knows")
    if mode == "disabled" or (elsewhere and not named and mode != "token"):
        advice = "set RAY_AUTH_MODE=token, and the same token on every node"
        return Check("ray access", None, "without a token: who reaches the cluster can run programs on it", advice)
    if os.environ.get("RAY_AUTH_TOKEN"):
        return Check("ray access", True, "token from RAY_AUTH_TOKEN")
    return token_file(Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or "~/.ray/auth_token").expanduser())


def token_file(path: Path) -> Check:
    """Look whether a file holds a token, for nobody else to read."""
    if not path.is_file():
        advice = "set RAY_AUTH_TOKEN_PATH to a file with the cluster's token"
        return Check("ray access", False, f"no token: {path} does not exist", advice)
    try:
        content = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        return Check("ray access", False, f"{path} cannot be read: {error}", f"make it yours: chown $USER {path}")
    if not content:
        return Check("ray access", False, f"{path} is empty", "write the cluster's token into it")
    if path.stat().st_mode & 0o077:
        return Check("ray access", False, f"token in {path}, which others can read", f"chmod 600 {path}")
    return Check("ray access", True, f"token from {path}")
