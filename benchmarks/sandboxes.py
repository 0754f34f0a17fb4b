"""What isolation costs: making sandboxes, fixtures, the plugin, and a journal that is full."""

import http.client
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import msgspec

from benchmarks import signed
from mockserver import MockServer
from mockserver.engine import pipeline
from mockserver.model.http import Request
from mockserver.tools.credentials import credentials

TIMES = 300
TESTS = 1_000
FULL = 10_000  # requests that fill a journal
MANY = 1_000_000

WITH = "def test_{n}(sandbox):\n    assert sandbox.id\n"
WITHOUT = "def test_{n}():\n    assert {n} >= 0\n"


class Figure(msgspec.Struct, frozen=True):
    """A figure, its unit, and what it shall not exceed."""

    name: str
    value: float
    unit: str
    most: float


def figures(quick: bool) -> Iterator[Figure]:
    """Measures; ``quick`` does a hundredth of everything."""
    part = 100 if quick else 1
    with MockServer() as server:
        yield Figure("sandbox made and dropped over HTTP", _http(server, TIMES // part), "ms", 3)
        yield Figure("fixture's set-up and teardown", _fixture(server, TIMES // part), "ms", 2)
        grown = _journal(server, FULL // part, MANY // part)
        yield Figure(f"memory grown by {MANY // part:,} requests more", grown, "MB", 5)
    yield Figure("memory of an idle sandbox, of 10,000", _idle(10_000 // part), "kB", 40)
    yield Figure("plugin import", _import(), "ms", 50)
    tests = TESTS // part
    added = _session(WITH, tests) - _session(WITHOUT, tests)
    yield Figure(f"{tests:,} tests with a fresh sandbox each, added", added, "s", 5)


def _median(times: int, once: Callable[[], None]) -> float:
    """Returns the median milliseconds."""
    once()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        once()
        taken.append((time.perf_counter() - began) * 1000)
    return median(taken)


def _http(server: MockServer, times: int) -> float:
    client = http.client.HTTPConnection(urlsplit(server.url).netloc)
    json = {"Content-Type": "application/json"}

    def once() -> None:
        client.request("POST", "/__admin/sandboxes", "{}", json)
        made = msgspec.json.decode(client.getresponse().read())
        client.request("DELETE", f"/__admin/sandboxes/{made['id']}")
        client.getresponse().read()

    return _median(times, once)


def _fixture(server: MockServer, times: int) -> float:
    return _median(times, lambda: server.drop(server.sandbox()))


def _journal(server: MockServer, full: int, many: int) -> float:
    """Returns by how many MB the process grows once the journal is full."""
    sandbox = server.app.sandboxes.default
    provider = server.app.providers["coinapi"]
    draft = signed.example(provider, credentials(sandbox, provider)["main"])
    headers = [(name.lower(), value) for name, value in draft.headers]

    def ask(count: int) -> None:
        for n in range(count):
            query = b"n=%08d" % n
            asked = Request("GET", draft.path, query, [*headers], b"", "127.0.0.1", draft.path)
            pipeline.respond(sandbox, "coinapi", asked)

    ask(full)
    before = resident()
    ask(many)
    return max(0.0, resident() - before)


def resident() -> float:
    """Returns the MB of resident memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


IDLE = """
import secrets, sys
from benchmarks.sandboxes import resident
from mockserver.http.exchange import create_exchange
count = int(sys.argv[1])
sandboxes = create_exchange(max_sandboxes=count + 10).sandboxes
world, settings = sandboxes.default.world, sandboxes.default.initial_settings
def make(id):
    sandboxes.make(id, world.with_fresh_keys(secrets.token_bytes), settings, 10**13)
for n in range(9):
    make(f"first-{n}")
before = resident()
for n in range(count):
    make(f"{n}")
print(1000 * (resident() - before) / count)
"""


def _idle(count: int) -> float:
    """Returns the kB that each of so many sandboxes with keys of their own takes."""
    command = [sys.executable, "-c", IDLE, str(count)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _import() -> float:
    """Returns the milliseconds that the plugin adds to an interpreter that has pytest."""
    with_it = _median(10, lambda: _python("import pytest, mockserver.client.pytest_plugin"))
    return with_it - _median(10, lambda: _python("import pytest"))


def _python(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True)


def _session(test: str, count: int) -> float:
    """Returns the seconds that a session of so many tests takes."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MOCKSERVER_")}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "test_many.py"
        file.write_text("".join(test.format(n=n) for n in range(count)))
        began = time.perf_counter()
        subprocess.run(command, cwd=folder, check=True, env=clean, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began
