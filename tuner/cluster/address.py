"""Which cluster a command is for."""

from __future__ import annotations

import os
import re

from tuner.errors import UsageError

ADDRESS_VARIABLE = "TUNER_ADDRESS"
"""Where it is set, commands that can be for a cluster are for that one."""

_RAYS_VARIABLE = "RAY_API_SERVER_ADDRESS"


def is_meant(given: str | None) -> bool:
    """Tell whether a command is for a cluster: by its argument, or by TUNER_ADDRESS."""
    return bool(given or os.environ.get(ADDRESS_VARIABLE))


def address(given: str | None) -> str:
    """Return the address of the cluster's dashboard that is asked for, by an argument or the environment.

    Raises:
        UsageError: there is none, or it is no address.
    """
    found = given or os.environ.get(ADDRESS_VARIABLE) or os.environ.get(_RAYS_VARIABLE)
    if found is None:
        raise UsageError(f"which cluster? --address http://HOST:8265, or set {ADDRESS_VARIABLE}")
    if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", found):
        raise UsageError(f"--address wants that of Ray's dashboard, such as http://localhost:8265; read {found!r}")
    return found.rstrip("/")
