"""`tuner doctor`: what works, here or on a cluster, and what to do where something does not."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from tuner.cli.doctor import access, gpus, machine, nodes, services
from tuner.cli.doctor.found import Check, carried_out
from tuner.cli.output import print_json, print_tables, wants_json
from tuner.cluster import address as address_of
from tuner.errors import ServiceError, TunerError
from tuner.search import node_facts
from tuner.search.doctor import RayFound, probe_ray
from tuner.tracking import URI_VARIABLE


def doctor(json: bool = False, folders: Sequence[str] = ()) -> int:
    """Print every check and return the exit code: 3 where something does not work."""
    return told(checks(start_ray=True, folders=folders), json)


def elsewhere(address: str | None, json: bool, folders: Sequence[str] = ()) -> int:
    """Print what works between here and a cluster, and on the cluster; return the exit code."""
    from tuner.cli import asking  # imports what talks to clusters

    found = carried_out(
        {
            "proxy": lambda: machine.proxy([address_of(address)]),
            "ray access": lambda: access.ray_access(elsewhere=True),
        }
    )
    asked = [argument for one in folders for argument in ("--data", one)]
    try:
        code, document, text = asking.answer(["doctor", *asked], address, as_json=True)
    except TunerError as error:
        return told([*found, Check("cluster", False, "does not answer as it should", str(error))], json)
    if not isinstance(document, dict) or "checks" not in document:
        last = (text.strip().splitlines() or ["nothing"])[-1]
        said = f"its doctor ended with {code}"
        return told([*found, Check("cluster", False, said, last.removeprefix("error: "))], json)
    theirs = node_facts.Versions(**document["versions"])
    there = [Check(f"there: {one['name']}", one["ok"], one["found"], one["advice"]) for one in document["checks"]]
    return told([*found, nodes.compared(node_facts.versions(), theirs), *there], json)


def told(found: list[Check], json: bool) -> int:
    """Print checks, and return the exit code that they mean."""
    works = all(check.ok is not False for check in found)
    if wants_json(json):
        ours = vars(node_facts.versions())
        print_json({"ok": works, "checks": [asdict(check) for check in found], "versions": ours})
    else:
        _print(found)
    return 0 if works else ServiceError.exit_code


def checks(start_ray: bool = False, folders: Sequence[str] = ()) -> list[Check]:
    """Check all that a study needs; no check raises. Ray takes seconds to start, and is only started on request."""
    joins = bool(os.environ.get("RAY_ADDRESS"))
    ray: list[RayFound] = []

    def started() -> Check:
        ray.append(probe_ray(folders))
        return Check("ray", True, ray[0].words)

    found = carried_out(
        {
            "python": machine.python,
            "processors": machine.processors,
            "memory": machine.memory,
            "shared memory": machine.shared_memory,
            "open files": machine.files,
            "home": machine.home_folder,
            "file system": machine.file_system,
            "proxy": lambda: machine.proxy([os.environ.get(URI_VARIABLE, "")]),
            "torch": machine.torch,
            "gpu": gpus.gpu,
            "ray": started if start_ray or joins else _ray_version,
            "ray access": access.ray_access,
            "storage": services.storage,
            "mlflow": services.mlflow,
            "mlflow files": services.artifacts,
            "fashion_mnist": _fashion_mnist,
            **({"data": lambda: _folders(folders)} if folders else {}),
        }
    )
    more = nodes.checks(ray[0].nodes, node_facts.versions(), folders) if ray and joins else []
    return [*found, *more]


def _ray_version() -> Check:
    return Check("ray", None, f"Ray {version('ray')}, not started")


def _fashion_mnist() -> Check:
    from tuner.datasets.cache import cache_folder  # imports torch
    from tuner.datasets.fashion_mnist import DEBIAN_FOLDER  # imports torch

    places = (DEBIAN_FOLDER, cache_folder() / "fashion_mnist")
    for place in places:
        if (place / "train-images-idx3-ubyte.gz").is_file():
            return Check("fashion_mnist", True, str(place))
    advice = "apt install dataset-fashion-mnist, or let the first study download it"
    return Check("fashion_mnist", None, "not here yet", advice)


def _folders(folders: Sequence[str]) -> Check:
    lacking = [one for one in folders if not Path(one).exists()]
    if lacking:
        return Check("data", False, f"{', '.join(lacking)} not here", "correct the path, or mount the data there")
    return Check("data", True, ", ".join(folders))


def _print(found: list[Check]) -> None:
    from rich.table import Table  # a tenth of a second, not needed for JSON

    table = Table("", "what", "found", "what to do", box=None)
    marks = {True: "[green]ok[/green]", False: "[red]no[/red]", None: "-"}
    for check in found:
        table.add_row(marks[check.ok], check.name, check.found, "" if check.ok else check.advice)
    print_tables(table)
