"""What a start brings along: modules, not seconds, so that a busy machine changes nothing.

A module that is not needed yet is not there yet; in each row one that is needed is.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from mockserver import Auth

COMMAND = ("-X", "importtime", "-m", "mockserver")
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith("MOCKSERVER_")}
SOON = 30  # seconds

PEOPLE = {"starlette", "anyio", "mockserver.http.pages", "mockserver.control"}
SERVER = {"asyncio", "uvicorn", "uvloop", "httptools", "msgspec", "yaml", "mockserver.engine"}
RULES = {"mockserver.faults.parsing"}
RARE = {"cryptography", "tomllib", "difflib", "httpx"} | RULES


def imported(told: str) -> set[str]:
    """Reads what the interpreter tells of its imports; modules that were not found are told too."""
    lines = (line for line in told.splitlines() if line.startswith("import time:"))
    return {line.rpartition("|")[2].strip() for line in lines}


def after(*args: str, cwd: Path) -> set[str]:
    done = subprocess.run(
        [sys.executable, *args],
        capture_output=True,
        cwd=cwd,
        env=CLEAN,
        text=True,
        timeout=SOON,
        check=True,
    )
    return imported(done.stderr)


def test_the_help_text_brings_the_command_line_alone(tmp_path: Path) -> None:
    found = after(*COMMAND, "--help", cwd=tmp_path)
    assert {"click", "mockserver.cli.main"} <= found
    ours = {name for name in found if name.partition(".")[0] == "mockserver"}
    assert ours == {"mockserver", "mockserver.cli", "mockserver.cli.main"}
    assert not found & (PEOPLE | SERVER | RARE | {"json"})


def test_the_package_brings_nothing_of_its_own(tmp_path: Path) -> None:
    found = after("-X", "importtime", "-c", "import mockserver", cwd=tmp_path)
    assert {name for name in found if name.startswith("mockserver")} == {"mockserver"}
    assert not found & (PEOPLE | SERVER | RARE | {"json", "click"})


def test_the_plugin_brings_nothing_that_pytest_has_not(tmp_path: Path) -> None:
    def loaded(code: str) -> set[str]:
        told = f"{code}; import sys; print(*sys.modules)"
        done = subprocess.check_output(
            [sys.executable, "-c", told], cwd=tmp_path, env=CLEAN, text=True, timeout=SOON
        )
        return set(done.split())

    added = loaded("import pytest, mockserver.client.pytest_plugin") - loaded("import pytest")
    assert added == {"mockserver", "mockserver.client", "mockserver.client.pytest_plugin"}


# The first requests of a server


def read(name: str, path: str = "") -> Callable[[dict[str, Any]], int]:
    """Returns a step: the provider's main read, signed; or a path of it that is none."""

    def step(told: dict[str, Any]) -> int:
        provider = told["providers"][name]
        signed = Auth(name, provider["credentials"]).example(provider["base_url"])
        origin = provider["base_url"].split("/", 3)
        url = "/".join(origin[:3]) + (path or signed.target.decode())
        headers = {key.decode(): value.decode() for key, value in signed.headers}
        answer = requests.request(
            signed.method, url, headers=headers, data=signed.body or None, timeout=SOON
        )
        return answer.status_code

    return step


def health(told: dict[str, Any]) -> int:
    return requests.get(told["gateway"] + "/healthz", timeout=SOON).status_code


def served(cwd: Path, *steps: Callable[[dict[str, Any]], int]) -> tuple[list[int], set[str]]:
    """Starts a server, takes the steps; returns their statuses and all that was imported."""
    with (cwd / "imports").open("w+", encoding="utf-8") as stderr:
        process = subprocess.Popen(
            [sys.executable, *COMMAND, "serve", "--port", "0", "--json"],
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd=cwd,
            env=CLEAN,
            text=True,
        )
        with process:
            try:
                told = json.loads(process.stdout.readline())
                statuses = [step(told) for step in steps]
                process.send_signal(signal.SIGTERM)
                assert process.wait(SOON) == 0
            finally:
                process.kill()
        stderr.seek(0)
        return statuses, imported(stderr.read())


@pytest.mark.parametrize("name", ["coinapi", "cpg"])
def test_the_first_200_needs_nothing_that_is_rare(tmp_path: Path, name: str) -> None:
    statuses, found = served(tmp_path, read(name))
    assert statuses == [200]
    assert found >= SERVER
    assert not found & (RARE - RULES)


def test_what_the_pages_need_is_imported_before_anybody_asks(tmp_path: Path) -> None:
    statuses, found = served(tmp_path)
    assert statuses == []
    assert found >= PEOPLE


READY = """
import os, signal, sys
from mockserver.http.exchange import create_exchange
from mockserver.http.server import Server, bind

def ready():
    print(*sys.modules)
    os.kill(os.getpid(), signal.SIGTERM)

exchange = create_exchange()
Server(exchange, bind("127.0.0.1", 0, exchange.providers), ready, warm=True).serve_forever()
"""


def test_what_the_pages_need_does_not_hold_up_the_start(tmp_path: Path) -> None:
    told = subprocess.check_output(
        [sys.executable, "-c", READY], cwd=tmp_path, env=CLEAN, text=True, timeout=SOON
    )
    found = set(told.split())
    assert found >= SERVER
    assert not found & (PEOPLE | RARE)


# What comes, and the step that brings it: the other side of the row above.
FIRST_USES = [
    pytest.param(health, 200, PEOPLE, id="people"),
    pytest.param(read("cdp"), 200, {"cryptography"}, id="a token"),
    pytest.param(read("coinapi", "/nowhere"), 404, {"difflib"}, id="a wrong address"),
]


@pytest.mark.parametrize(("step", "status", "brought"), FIRST_USES)
def test_what_is_left_out_comes_at_its_first_use(
    tmp_path: Path, step: Callable[[dict[str, Any]], int], status: int, brought: set[str]
) -> None:
    statuses, found = served(tmp_path, step)
    assert statuses == [status]
    assert brought <= found
    assert not found & (RARE - RULES - brought)
