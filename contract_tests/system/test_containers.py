"""The Dockerfile and compose.yaml, executed without a daemon, and linted."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from contract_tests.support.tools import find_tool, missing

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
SOON = 600  # seconds
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What happened when every step was executed, twice, and the services were run."""
    unshare = [find_tool("unshare"), "--mount"]
    if os.geteuid() or subprocess.run([*unshare, "true"], check=False).returncode:
        missing("mount namespaces need root")
    folder = tmp_path_factory.mktemp("image")
    command = [*unshare, sys.executable, str(HERE / "run_containers.py"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SOON, check=False)
    if "wrong fs type" in done.stderr:
        missing("overlays cannot be mounted here")
    assert done.returncode == 0, done.stderr[-4000:]
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_a_client_under_the_real_host_name_reads_balances(ran: dict[str, Any]) -> None:
    assert "KRAKEN" in ran["client"]


def test_the_server_is_no_root_and_its_files_are_read_only(ran: dict[str, Any]) -> None:
    assert (ran["uid"], ran["read_only"], ran["stopped"]) == ("65534", True, 0)


def test_clients_get_the_certificate_and_never_the_key(ran: dict[str, Any]) -> None:
    assert ran["trust"] == {"authority.pem": "0o644"}
    assert ran["ca"]["authority.key"] == "0o600"


def test_the_image_is_small_and_has_no_tools_to_build(ran: dict[str, Any]) -> None:
    assert ran["bytes"] < 100 * MEGABYTE
    assert ran["elsewhere"] == []
    assert not {"pip", "cc", "gcc", "hatchling"} & set(ran["programs"])


def test_the_same_sources_give_the_same_files(ran: dict[str, Any]) -> None:
    assert ran["differs"] == []


def test_the_dockerfile_passes_hadolint() -> None:
    tool = find_tool("hadolint", str(Path(sys.prefix) / "bin/hadolint"))
    done = subprocess.run(
        [tool, "--failure-threshold", "info", str(ROOT / "Dockerfile")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


SCHEMAS = [
    ("vendor.compose-spec", "deploy/compose.yaml"),
    ("vendor.github-actions", "action.yml"),
    ("vendor.gitlab-ci", "deploy/ci/gitlab.yml"),
]


@pytest.mark.parametrize(("schema", "file"), SCHEMAS)
def test_a_file_for_another_tool_has_its_schema(schema: str, file: str) -> None:
    tool = find_tool("check-jsonschema", str(Path(sys.prefix) / "bin/check-jsonschema"))
    command = [tool, "--builtin-schema", schema, str(ROOT / file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_docker_compose_reads_its_file() -> None:
    tool = find_tool("docker-compose")
    command = [tool, "-f", str(ROOT / "deploy/compose.yaml"), "config", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
