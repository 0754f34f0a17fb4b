"""The recipes that we ship, as far as they go without their services: each script is run."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from contract_tests.clients.senders import tool
from contract_tests.support.processes import CLEAN, SOON

ROOT = Path(__file__).parents[2]
GUIDES = ROOT / "docs/guides"


def load(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text("utf-8"))


@pytest.fixture
def shell(tmp_path: Path) -> Any:
    """Runs lines in bash, with the mock's command on the path; ends servers that they started."""
    tool("curl")
    programs = tmp_path / "bin"
    programs.mkdir()
    command = programs / "mockserver"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m mockserver "$@"\n')
    command.chmod(0o755)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"

    def run(lines: str, cwd: Path = tmp_path, **variables: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", lines],
            env=CLEAN | {"PATH": path} | variables,
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=SOON,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    yield run
    for file in tmp_path.rglob("mockserver.pid"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(file.read_text()), signal.SIGTERM)


def test_the_action_sets_variables_for_the_steps_that_follow(shell: Any, tmp_path: Path) -> None:
    action = load("action.yml")
    values = {f"inputs.{name}": row["default"] for name, row in action["inputs"].items()}
    values |= {"github.action_path": str(ROOT), "inputs.options": "--port 0 --seed 7"}
    files = {name: str(tmp_path / name) for name in ("GITHUB_ENV", "GITHUB_OUTPUT")}
    [step] = action["runs"]["steps"]
    env = {
        name: re.sub(r"\$\{\{ (.*?) \}\}", lambda match: values[match[1]], text)
        for name, text in step["env"].items()
    }
    shell(step["run"], RUNNER_TEMP=str(tmp_path), **files, **env)
    lines = Path(files["GITHUB_ENV"]).read_text().splitlines()
    variables = dict(line.split("=", 1) for line in lines)
    assert Path(files["GITHUB_OUTPUT"]).read_text() == f"url={variables['MOCKSERVER_URL']}\n"
    assert variables["CPG_SECRET"] == "test_secret_do_not_use"
    assert "SSL_CERT_FILE" not in variables  # steps that follow fetch packages
    url = f"{variables['COINAPI_BASE_URL']}/v1/balances?apikey={variables['COINAPI_API_KEY']}"
    assert "KRAKEN" in shell(f"curl -sS '{url}'")


def test_the_job_for_gitlab_runs(shell: Any, tmp_path: Path) -> None:
    job = load("deploy/ci/gitlab.yml")["test"]
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    output = shell("\n".join([*job["before_script"], *job["script"]]))
    assert output.count("KRAKEN") == 2
    shell("\n".join(job["after_script"]))


def test_the_script_says_why_a_server_does_not_start(shell: Any) -> None:
    with pytest.raises(AssertionError, match="did you mean default"):
        shell(f"{ROOT}/deploy/ci/start.sh --world defalt")


# What stands in for Testcontainers: the image's command, in a process.
TESTCONTAINERS = """
import os, subprocess, sys

class DockerContainer:
    def __init__(self, image):
        self.env = {}

    def with_env(self, name, value):
        self.env[name] = value
        return self

    def with_exposed_ports(self, *ports):
        assert ports == (8490,)
        return self

    def __enter__(self):
        command = [sys.executable, "-m", "mockserver", "serve", "--port", "0"]
        env = os.environ | self.env
        self.process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *error):
        self.process.terminate()
        self.process.communicate()

    def get_container_host_ip(self):
        return "127.0.0.1"

    def get_exposed_port(self, port):
        return self.ready.partition(",")[0].rpartition(":")[2]

def wait_for_logs(container, text):
    container.ready = next(line for line in container.process.stdout if text in line)
"""


def recipe(language: str) -> str:
    """Returns the program in the guide on containers."""
    page = (GUIDES / "containers.md").read_text("utf-8")
    return re.search(rf"```{language}\n(.*?)```", page, re.DOTALL)[1]


def test_the_recipe_for_testcontainers_in_python_runs(tmp_path: Path) -> None:
    package = tmp_path / "testcontainers/core"
    package.mkdir(parents=True)
    for name in ("container", "waiting_utils"):
        (package / f"{name}.py").write_text(TESTCONTAINERS)
    path = os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", "")))
    done = subprocess.run(
        [sys.executable, "-c", recipe("python")],
        env=CLEAN | {"PYTHONPATH": path},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SOON,
        check=False,
    )
    assert "KRAKEN" in done.stdout, done.stderr
