"""What a start imports: modules are compared, not seconds, which depend on the machine.

Each row also has a module that is needed, so that an empty list fails.
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
from mockserver.cli.main import COMMANDS, cli

COMMAND = ("-X", "importtime", "-m", "mockserver")
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith("MOCKSERVER_")}
SOON = 30  # seconds

PAGES = {"starlette", "anyio", "mockserver.http.pages", "mockserver.control"}
SERVER = {"asyncio", "uvicorn", "uvloop", "httptools", "msgspec", "yaml", "mockserver.engine"}
RULES = {"mockserver.faults.parsing"}
RARE = {"cryptography", "tomllib", "difflib", "httpx"} | RULES


def imported(log: str) -> set[str]:
    """Returns the modules in a log of ``-X importtime``, those that do not exist included."""
    lines = (line for line in log.splitlines() if line.startswith("import time:"))
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
    modules = after(*COMMAND, "--help", cwd=tmp_path)
    assert {"click", "mockserver.cli.main"} <= modules
    ours = {name for name in modules if name.partition(".")[0] == "mockserver"}
    assert ours == {"mockserver", "mockserver.cli", "mockserver.cli.main"}
    assert not modules & (PAGES | SERVER | RARE | {"json"})


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_text_lists_the_first_sentence_of_a_command(name: str) -> None:
    help = cli.get_command(None, name).help
    assert help.partition("\n\n")[0].replace("\n", " ") == COMMANDS[name]


RUN_AND_LIST = """
import sys
from mockserver.cli.main import main

try:
    main(sys.argv[1:])
finally:
    print(*(name for name in sys.modules if name.startswith("mockserver.cli.")), file=sys.stderr)
"""

# Arguments, and the modules of the command line that they load beside main.
COMMAND_LINES = [
    ("--help", ""),
    ("worlds", "worlds options completion config variables"),
    ("check default", "check options completion config variables"),
    ("facts cpg", "facts options completion config variables"),
    ("generate --help", "generate"),
]


@pytest.mark.parametrize(("line", "loaded"), COMMAND_LINES)
def test_a_command_loads_no_other_command(tmp_path: Path, line: str, loaded: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN_AND_LIST, *line.split()],
        capture_output=True,
        cwd=tmp_path,
        env=CLEAN,
        text=True,
        timeout=SOON,
        check=True,
    )
    assert set(done.stderr.split()) == {f"mockserver.cli.{n}" for n in ["main", *loaded.split()]}


def test_the_package_imports_none_of_its_modules(tmp_path: Path) -> None:
    modules = after("-X", "importtime", "-c", "import mockserver", cwd=tmp_path)
    assert {name for name in modules if name.startswith("mockserver")} == {"mockserver"}
    assert not modules & (PAGES | SERVER | RARE | {"json", "click"})


def test_the_plugin_imports_nothing_beside_pytest(tmp_path: Path) -> None:
    def loaded(code: str) -> set[str]:
        script = f"{code}; import sys; print(*sys.modules)"
        done = subprocess.check_output(
            [sys.executable, "-c", script], cwd=tmp_path, env=CLEAN, text=True, timeout=SOON
        )
        return set(done.split())

    added = loaded("import pytest, mockserver.client.pytest_plugin") - loaded("import pytest")
    plugin = {"mockserver.client.pytest_plugin", "mockserver.client.pytest_quirks"}
    assert added == {"mockserver", "mockserver.client", *plugin}


# The first requests of a server


def read(name: str, path: str = "") -> Callable[[dict[str, Any]], int]:
    """Returns a step that sends the provider's main read, signed, or to another path."""

    def step(summary: dict[str, Any]) -> int:
        provider = summary["providers"][name]
        signed = Auth(name, provider["credentials"]).example(provider["base_url"])
        origin = provider["base_url"].split("/", 3)
        url = "/".join(origin[:3]) + (path or signed.target.decode())
        headers = {key.decode(): value.decode() for key, value in signed.headers}
        answer = requests.request(
            signed.method, url, headers=headers, data=signed.body or None, timeout=SOON
        )
        return answer.status_code

    return step


def health(summary: dict[str, Any]) -> int:
    return requests.get(summary["gateway"] + "/healthz", timeout=SOON).status_code


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
                summary = json.loads(process.stdout.readline())
                statuses = [step(summary) for step in steps]
                process.send_signal(signal.SIGTERM)
                assert process.wait(SOON) == 0
            finally:
                process.kill()
        stderr.seek(0)
        return statuses, imported(stderr.read())


@pytest.mark.parametrize("name", ["coinapi", "cpg"])
def test_the_first_200_needs_nothing_that_is_rare(tmp_path: Path, name: str) -> None:
    statuses, modules = served(tmp_path, read(name))
    assert statuses == [200]
    assert modules >= SERVER
    assert not modules & (RARE - RULES)


def test_what_the_pages_need_is_imported_before_the_first_request(tmp_path: Path) -> None:
    statuses, modules = served(tmp_path)
    assert statuses == []
    assert modules >= PAGES


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
    assert not found & (PAGES | RARE)


# A step, its status, and the modules that it imports first.
FIRST_USES = [
    pytest.param(health, 200, PAGES, id="pages"),
    pytest.param(read("cdp"), 200, {"cryptography"}, id="a token"),
    pytest.param(read("coinapi", "/nowhere"), 404, {"difflib"}, id="a wrong address"),
]


@pytest.mark.parametrize(("step", "status", "brought"), FIRST_USES)
def test_what_is_left_out_is_imported_at_its_first_use(
    tmp_path: Path, step: Callable[[dict[str, Any]], int], status: int, brought: set[str]
) -> None:
    statuses, modules = served(tmp_path, step)
    assert statuses == [status]
    assert brought <= modules
    assert not modules & (RARE - RULES - brought)
