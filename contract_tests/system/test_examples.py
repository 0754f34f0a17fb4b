"""The projects in docs/examples, run as their READMEs say; Go's is text."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from contract_tests.support.processes import CLEAN
from contract_tests.support.tools import find_tool
from mockserver import MockServer

EXAMPLES = Path(__file__).parents[2] / "docs/examples"
TIME_LIMIT = 120  # seconds


@pytest.fixture
def variables(server: MockServer, tmp_path: Path) -> dict[str, str]:
    """What deploy/ci/start.sh writes, of a server that runs; `mockserver` is a command."""
    command = tmp_path / "mockserver"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m mockserver "$@"\n')
    command.chmod(0o755)
    key = server.cpg.credentials
    return CLEAN | {
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "MOCKSERVER_URL": server.url,
        "CPG_BASE_URL": server.cpg.base_url,
        "CPG_KEY_ID": key["key_id"],
        "CPG_SECRET": key["secret"],
        "COINAPI_BASE_URL": server.coinapi.base_url,
        "COINAPI_API_KEY": server.coinapi.credentials["api_key"],
    }


def run(folder: str, command: list[str], variables: dict[str, str]) -> str:
    done = subprocess.run(
        command,
        cwd=EXAMPLES / folder,
        env=variables,
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("folder", ["python-requests", "python-httpx"])
def test_the_tests_of_a_python_project_pass(folder: str) -> None:
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-c", os.devnull]
    assert "passed" in run(folder, [sys.executable, "-m", "pytest", *options, "."], {**CLEAN})


def test_the_python_tracker_prints_totals(variables: dict[str, str]) -> None:
    totals = run("python-requests", [sys.executable, "portfolio.py"], variables)
    assert "USDT" in totals


def test_the_tests_of_the_node_project_pass(variables: dict[str, str]) -> None:
    assert "# fail 0" in run("node", [find_tool("node"), "--test"], variables)
    assert "USDT" in run("node", [find_tool("node"), "portfolio.mjs"], variables)


def test_the_tests_of_the_shell_script_pass(variables: dict[str, str]) -> None:
    for tool in ("curl", "openssl"):
        find_tool(tool)
    assert "waited out" in run("shell", ["sh", "test.sh"], variables)


def test_the_java_program_reads_balances(variables: dict[str, str]) -> None:
    printed = run("java", [find_tool("java"), "Portfolio.java"], variables)
    assert printed.startswith("200 ")


@pytest.mark.parametrize(
    ("schema", "file"),
    [("vendor.github-workflows", "ci/github.yml"), ("vendor.gitlab-ci", "ci/gitlab.yml")],
)
def test_a_ci_job_has_its_schema(schema: str, file: str) -> None:
    tool = find_tool("check-jsonschema", str(Path(sys.prefix) / "bin/check-jsonschema"))
    run("ci", [tool, "--builtin-schema", schema, str(EXAMPLES / file)], {**os.environ})
