"""How long a start takes: to the first 200, to the help text, to an import; and a stop.

Bytecode is cached, as it is for whoever installed the product: where the environment forbids
it, every start would compile the whole source anew, and that is what would be measured.
"""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import msgspec

from benchmarks.signed import example
from benchmarks.subject import ROOT
from mockserver.providers import discover

SERVE = (sys.executable, "-m", "mockserver", "serve", "--port", "0", "--json")
COMMANDS = {
    "python alone": (sys.executable, "-c", "pass"),
    "import mockserver": (sys.executable, "-c", "import mockserver"),
    "mockserver --help": (sys.executable, "-m", "mockserver", "--help"),
    "pytest alone": (sys.executable, "-c", "import pytest"),
    "pytest and the plugin": (
        sys.executable,
        "-c",
        "import pytest, mockserver.client.pytest_plugin",
    ),
}

HALF = b"POST /cpg/v1/withdrawals HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab"
ASKED = "coinapi"  # signs with a header, so the client's part is nothing


def starts(times: int, core: int) -> dict[str, float]:
    """Returns the median seconds of each kind of start; the first of each fills the caches."""
    found = {"cold start to the first 200": _median(times, lambda: _first_200(core))}
    for name, command in COMMANDS.items():
        found[name] = _median(times, lambda command=command: _whole(command, core))
    found["a stop, one request half sent"] = _median(times, lambda: _stop(core))
    return found


def _median(times: int, once: Callable[[], float]) -> float:
    once()
    return median(once() for _ in range(times))


def _spawn(command: Sequence[str], core: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(command, cwd=ROOT, env=_settings(), stdout=subprocess.PIPE)
    os.sched_setaffinity(process.pid, {core})
    return process


def _settings() -> dict[str, str]:
    """Returns the environment without what configures the product, or forbids bytecode."""
    unwanted = ("MOCKSERVER_", "PYTHONDONTWRITEBYTECODE")
    return {k: v for k, v in os.environ.items() if not k.startswith(unwanted)}


def _whole(command: Sequence[str], core: int) -> float:
    began = time.perf_counter()
    with _spawn(command, core) as process:
        process.communicate()
    taken = time.perf_counter() - began
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    return taken


def _first_200(core: int) -> float:
    began = time.perf_counter()
    with _spawn(SERVE, core) as process:
        try:
            line = process.stdout.readline() if process.stdout else b""
            if not line:
                raise RuntimeError(f"{' '.join(SERVE)} printed nothing")
            _ask(ASKED, msgspec.json.decode(line)["providers"][ASKED])
            return time.perf_counter() - began
        finally:
            process.terminate()


def _stop(core: int) -> float:
    """Returns the seconds from SIGTERM to the end, while a client has sent half a request."""
    with _spawn(SERVE, core) as process:
        line = process.stdout.readline() if process.stdout else b""
        url = urlsplit(msgspec.json.decode(line)["gateway"])
        with socket.create_connection((url.hostname, url.port)) as idle:
            idle.sendall(HALF)
            began = time.perf_counter()
            process.terminate()
            process.wait()
            return time.perf_counter() - began


def _ask(name: str, told: dict[str, Any]) -> None:
    draft = example(discover()[name], told["credentials"])
    client = http.client.HTTPConnection(urlsplit(told["base_url"]).netloc)
    headers = {name.decode(): value.decode() for name, value in draft.headers}
    client.request(draft.method, draft.target.decode(), draft.body, headers)
    status = client.getresponse().status
    client.close()
    if status != 200:
        raise RuntimeError(f"{name} answered {status} at the start")
