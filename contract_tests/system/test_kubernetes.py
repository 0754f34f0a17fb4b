"""The shipped manifests: valid against the schemas, with the generated configuration inside."""

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from mockserver.providers import discover
from mockserver.tools.balancer import haproxy_config

SHIPPED = Path(__file__).parents[2] / "deploy/kubernetes/mockserver.yaml"
MANIFESTS: list[dict[str, Any]] = list(yaml.safe_load_all(SHIPPED.read_text()))
MOST = 8  # processes that HAProxy looks for


def manifest(kind: str, name: str) -> dict[str, Any]:
    return next(m for m in MANIFESTS if (m["kind"], m["metadata"]["name"]) == (kind, name))


@pytest.mark.parametrize(
    "manifest", MANIFESTS, ids=lambda m: f"{m['kind']} {m['metadata']['name']}"
)
def test_a_manifest_is_valid(manifest: dict[str, Any]) -> None:
    kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


def test_the_balancer_knows_every_process() -> None:
    providers = discover()
    ports = {"gateway": 8490} | {name: 8490 + p.port for name, p in providers.items()}
    pods = [f"mockserver-{n}.mockserver-processes" for n in range(MOST)]
    processes = [{name: f"{pod}:{port}" for name, port in ports.items()} for pod in pods]
    fronts = {name: f":{port}" for name, port in ports.items()}
    config = haproxy_config(fronts, processes, providers.values(), resolve=True)
    assert manifest("ConfigMap", "mockserver-haproxy")["data"]["haproxy.cfg"] == config
    for kind, name in [("Service", "mockserver"), ("Service", "mockserver-processes")]:
        shown = {row["name"]: row["port"] for row in manifest(kind, name)["spec"]["ports"]}
        assert shown == ports
    processes_set = manifest("StatefulSet", "mockserver")["spec"]
    assert processes_set["replicas"] <= MOST
    assert processes_set["template"]["spec"]["enableServiceLinks"] is False
