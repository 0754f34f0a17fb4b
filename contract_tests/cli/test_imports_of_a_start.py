"""The modules that commands, the package and a server import: their names, not seconds.

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


def test_the_help_text_lists_the_first_sentence_of_every_command() -> None:
    for name, sentence in COMMANDS.items():
        help = cli.get_command(None, name).help
        assert help.partition("\n\n")[0].replace("\n", " ") == sentence


# Arguments, and the modules of the command line that they load beside main.
COMMAND_LINES = {
    "--help": "",
    "worlds": "worlds options completion config variables",
    "check default": "check options completion config variables",
    "facts cpg": "facts options completion config variables",
    "generate --help": "generate",
}

RUN_AND_LIST = """
import sys
from importlib import import_module

def of_the_command_line():
    return [name for name in sys.modules if name.startswith("mockserver.cli")]

for line in sys.argv[1:]:
    for name in of_the_command_line():
        del sys.modules[name]
    try:
        import_module("mockserver.cli.main").main(line.split())
    except SystemExit:
        print(*of_the_command_line(), file=sys.stderr)
"""


def test_a_command_loads_no_other_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN_AND_LIST, *COMMAND_LINES],
        capture_output=True,
        cwd=tmp_path,
        env=CLEAN,
        text=True,
        timeout=SOON,
        check=True,
    )
    for line, expected in zip(done.stderr.splitlines(), COMMAND_LINES.values(), strict=True):
        modules = {f"mockserver.cli.{name}" for name in ["main", *expected.split()]}
        assert {*line.split()} == {"mockserver.cli", *modules}


def test_the_package_imports_none_of_its_modules(tmp_path: Path) -> None:
    modules = after("-X", "importtime", "-c", "import mockserver", cwd=tmp_path)
    assert {name for name in modules if name.startswith("mockserver")} == {"mockserver"}
    assert not modules & (PAGES | SERVER | RARE | {"json", "click"})


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


def test_the_first_reads_need_nothing_rare_and_pages_are_imported_before_them(
    tmp_path: Path,
) -> None:
    statuses, modules = served(tmp_path, read("coinapi"), read("cpg"))
    assert statuses == [200, 200]
    assert modules >= SERVER | PAGES
    assert not modules & (RARE - RULES)


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


def test_a_server_is_ready_before_the_pages_are_imported(tmp_path: Path) -> None:
    out = subprocess.check_output(
        [sys.executable, "-c", READY], cwd=tmp_path, env=CLEAN, text=True, timeout=SOON
    )
    modules = {*out.split()}
    assert modules >= SERVER
    assert not modules & (PAGES | RARE)


def test_rare_modules_are_imported_at_their_first_use(tmp_path: Path) -> None:
    statuses, modules = served(tmp_path, health, read("cdp"), read("coinapi", "/nowhere"))
    assert statuses == [200, 200, 404]
    assert modules >= PAGES | {"cryptography", "difflib"}
    assert not modules & {"tomllib", "httpx"}
