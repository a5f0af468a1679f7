"""The manifest for KubeRay: every object by a schema, and what it promises of security."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
import yaml
from ray import __version__ as ray_version

from tests.readme import ROOT

VERSION = "1.30"
SCHEMA = json.loads((Path(__file__).parent / "raycluster.schema.json").read_text())
OBJECTS = list(yaml.safe_load_all((ROOT / "docker/kubernetes/tuner.yaml").read_text()))
CLUSTER = next(one for one in OBJECTS if one["kind"] == "RayCluster")
GROUPS = [CLUSTER["spec"]["headGroupSpec"], *CLUSTER["spec"]["workerGroupSpecs"]]
PODS = [group["template"]["spec"] for group in GROUPS]


def check(thing: dict) -> None:
    if thing["kind"] != "RayCluster":
        kubernetes_validate.validate(thing, VERSION, strict=True)
        return
    jsonschema.validate(thing, SCHEMA)
    spec = thing["spec"]
    for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
        template = {
            "apiVersion": "v1",
            "kind": "PodTemplate",
            "metadata": {"name": "one"},
            "template": group["template"],
        }
        kubernetes_validate.validate(template, VERSION, strict=True)


@pytest.mark.parametrize("thing", OBJECTS, ids=lambda one: one["kind"])
def test_every_object_fits_its_schema(thing):
    check(thing)


@pytest.mark.parametrize(
    "path",
    [
        ("spec", "authOption"),
        ("spec", "headGroupSpec", "template", "spec", "container"),
        ("spec", "workerGroupSpecs", 0, "template", "spec", "containers", 0, "livenessProb"),
        ("spec", "workerGroupSpecs", 0, "replica"),
    ],
)
def test_a_misspelt_key_is_found(path):
    wrong = copy.deepcopy(CLUSTER)
    place = wrong
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = {}
    with pytest.raises((jsonschema.ValidationError, kubernetes_validate.ValidationError)):
        check(wrong)


def test_it_is_for_the_ray_that_we_have():
    assert CLUSTER["spec"]["rayVersion"] == ray_version


def test_nobody_gets_in_without_the_token_and_no_port_is_given_to_the_outside():
    assert CLUSTER["spec"]["authOptions"]["mode"] == "token"
    assert CLUSTER["spec"]["headGroupSpec"]["serviceType"] == "ClusterIP"
    assert not CLUSTER["spec"]["headGroupSpec"].get("enableIngress")
    (policy,) = (one for one in OBJECTS if one["kind"] == "NetworkPolicy")
    assert policy["spec"]["podSelector"]["matchLabels"] == {"ray.io/cluster": CLUSTER["metadata"]["name"]}
    assert all(rule["from"] for rule in policy["spec"]["ingress"])


@pytest.mark.parametrize("pod", PODS, ids=[group.get("groupName", "head") for group in GROUPS])
def test_pods_are_confined(pod):
    assert pod["securityContext"]["runAsNonRoot"]
    assert not pod["automountServiceAccountToken"]
    (container,) = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert not container["securityContext"]["allowPrivilegeEscalation"]
    assert container["resources"]["limits"] == container["resources"]["requests"]
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/var/lib/tuner", "/tmp"}
    for one in container["env"]:
        assert "PASSWORD" not in one["name"] or "secretKeyRef" in one["valueFrom"]


def test_the_head_runs_no_trials_and_drivers_alone_get_passwords():
    assert CLUSTER["spec"]["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    for pod in PODS[1:]:
        assert not any("PASSWORD" in one["name"] for one in pod["containers"][0]["env"])
