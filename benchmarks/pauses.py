"""The longest pause that one request or control call causes: ``python -m benchmarks.pauses``.

While a call is served, another connection asks for ``/healthz`` again and again; its slowest
response is the pause. The server runs on a core of its own.
"""

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import msgspec

from benchmarks import signed
from benchmarks.sandboxes import Figure
from benchmarks.subject import ROOT
from mockserver.client.auth import Auth
from mockserver.providers import discover

MOST = 50.0  # milliseconds
WITHDRAWALS, FULL, ROWS = 5_000, 10_000, 20_000
JSON = {"Content-Type": "application/json"}
LINES = {"Accept": "application/x-ndjson"}
DEFAULT = "/__admin/sandboxes/default"
PING = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"

Step = tuple[str, Callable[[], object]]


class Served:
    """A running server: its gateway, its credentials, and calls to it."""

    def __init__(self, ready: dict[str, Any]) -> None:
        self.gateway = urlsplit(str(ready["gateway"])).netloc
        self.providers: dict[str, dict[str, Any]] = ready["providers"]

    def call(self, method: str, path: str, body: object = None, **headers: str) -> bytes:
        """Makes a control call; raises RuntimeError when it is refused."""
        client = http.client.HTTPConnection(self.gateway, timeout=120)
        data = None if body is None else msgspec.json.encode(body)
        client.request(method, path, data, JSON | headers)
        response = client.getresponse()
        content = response.read()
        if response.status >= 400:
            raise RuntimeError(f"{method} {path}: {response.status} {content[:200]!r}")
        return content

    def read(self, name: str, query: str = "") -> None:
        """Sends the main read of a provider, signed."""
        credential = self.providers[name]["credentials"]
        draft = signed.example(discover()[name], credential, query)
        url = urlsplit(str(self.providers[name]["base_url"]))
        client = http.client.HTTPConnection(url.netloc, timeout=120)
        headers = {key.decode(): value.decode() for key, value in draft.headers}
        client.request(draft.method, draft.target.decode(), draft.body or None, headers)
        client.getresponse().read()

    def flood(self, data: bytes, many: int) -> None:
        """Sends a request many times over one connection, and reads what comes back."""
        host, port = self.gateway.split(":")
        with socket.create_connection((host, int(port)), 120) as connection:
            sender = threading.Thread(target=connection.sendall, args=(data * many,))
            sender.start()
            received = 0
            while received < many:
                received += connection.recv(1 << 18).count(b"HTTP/1.1 ")
            sender.join()


def figures(core: int) -> Iterator[Figure]:
    """Measures all of them."""
    for world, steps in (("whale", _whale), ("default", _full)):
        with serving(world, core) as (served, _):
            for name, step in steps(served):
                pause = _longest(served.gateway, step)
                yield Figure(f"longest pause: {name}", pause, "ms", MOST)


def _whale(served: Served) -> Iterator[Step]:
    names = [name for name, provider in served.providers.items() if provider["credentials"]]
    for name in names:
        yield f"whale, first read of {name}", lambda name=name: served.read(name)
    for name in names:
        yield f"whale, {name} again", lambda name=name: served.read(name, "limit=10")
    yield "whale, the ledger as lines", lambda: served.call("GET", f"{DEFAULT}/ledger", **LINES)
    rows = [{"asset": f"A{n:05d}", "total": "1"} for n in range(ROWS)]
    path = f"{DEFAULT}/ledger/coinw/main"
    yield f"{ROWS:,} rows put", lambda: served.call("PUT", path, {"balances": rows})
    yield (
        "a sandbox of whale",
        lambda: served.call("POST", "/__admin/sandboxes", {"world": "whale"}),
    )
    yield "whale, reset", lambda: served.call("POST", f"{DEFAULT}/reset")


def _full(served: Served) -> Iterator[Step]:
    get = b"GET /coinapi/v1/balances HTTP/1.1\r\nHost: x\r\nX-CoinAPI-Key: %s\r\n\r\n"
    key = served.providers["coinapi"]["credentials"]["api_key"]
    served.flood(get % key.encode(), FULL)
    yield (
        "a full journal, 1,000 entries",
        lambda: served.call("GET", f"{DEFAULT}/requests?limit=1000"),
    )
    yield "a full journal, as HAR", lambda: served.call("GET", f"{DEFAULT}/requests.har")
    match = {"provider": "coinapi", "header": {"x-coinapi-key": "*"}}
    verify = {"match": match, "at_least": 0}
    yield (
        "a full journal, verify by header",
        lambda: served.call("POST", f"{DEFAULT}/requests/verify", verify),
    )
    yield "a full journal, coverage", lambda: served.call("GET", f"{DEFAULT}/coverage")
    quirks = {"world": "default", "quirks": {"cpg.confirm_after": "1h"}, "limits": "off"}
    made = msgspec.json.decode(served.call("PUT", "/__admin/sandboxes/due", quirks))
    row = "/__admin/sandboxes/due/ledger/cpg/main/USDT?venue=ETH"
    served.call("PUT", row, {"total": "1000000000"})
    _withdraw(made["providers"]["cpg"], WITHDRAWALS)
    yield (
        f"{WITHDRAWALS:,} events that are due",
        lambda: served.call("POST", "/__admin/sandboxes/due/clock", {"advance": "2h"}),
    )
    body = b"x" * 1_000_000
    refused = b"POST /cpg/v1/withdrawals HTTP/1.1\r\nHost: x\r\nX-CPG-Key: cpg_test_key\r\n"
    refused += b"Content-Length: %d\r\n\r\n" % len(body) + body
    yield "a refused body of 1 MB", lambda: served.flood(refused, 1)


def _withdraw(cpg: dict[str, Any], many: int) -> None:
    """Makes withdrawals that the sandbox clock confirms later."""
    auth, url = Auth("cpg", cpg["credentials"]), urlsplit(cpg["base_url"])
    client = http.client.HTTPConnection(url.netloc, timeout=120)
    order = {"currency": "USDT", "network": "ETH", "amount": "10", "to_address": "0x" + "1" * 40}
    body = msgspec.json.encode(order)
    for n in range(many):
        target = f"/v1/withdrawals?n={n}"
        client.request("POST", url.path + target, body, JSON | auth.headers("POST", target, body))
        response = client.getresponse()
        if response.status != 200:
            raise RuntimeError(f"{response.status} {response.read()!r}")
        response.read()


def _longest(gateway: str, step: Callable[[], object]) -> float:
    """Returns the milliseconds of the slowest ping while a step runs."""
    slowest, done = 0.0, threading.Event()
    host, port = gateway.split(":")

    def ping() -> None:
        nonlocal slowest
        with socket.create_connection((host, int(port)), 120) as connection:
            while not done.is_set():
                began = time.perf_counter()
                connection.sendall(PING)
                connection.recv(4096)
                slowest = max(slowest, time.perf_counter() - began)

    thread = threading.Thread(target=ping)
    thread.start()
    time.sleep(0.05)
    try:
        step()
    finally:
        done.set()
        thread.join()
    return slowest * 1000


@contextlib.contextmanager
def serving(world: str, core: int) -> Iterator[tuple[Served, int]]:
    """Serves a world on one core; yields the server, and the id of its process."""
    command = [sys.executable, "-m", "mockserver", "serve", "--port", "0", "--json"]
    command += ["--world", world, "--limits", "off"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        os.sched_setaffinity(process.pid, {core})
        try:
            ready = process.stdout.readline()  # type: ignore[union-attr]
            yield Served(msgspec.json.decode(ready)), process.pid
        finally:
            process.terminate()


def main() -> None:
    """Prints the figures."""
    server, *others = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {*others[:1]} or {server})
    for figure in figures(server):
        verdict = "reached" if figure.value <= figure.most else "MISSED"
        print(f"{figure.value:8.1f} ms  {verdict:<8}{figure.name}", flush=True)


if __name__ == "__main__":
    main()
