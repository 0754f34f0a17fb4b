"""What TLS costs the server: ``python -m benchmarks.encrypted``.

CPU of the server's process by TLS, less the same in plain: for a request on a kept connection, and
for a connection with one request. Medians over rounds in turns.
"""

import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import msgspec

from benchmarks import tree
from benchmarks.sandboxes import Figure
from benchmarks.subject import ROOT

ROUNDS = 5
REQUESTS, HANDSHAKES = 5_000, 500
MOST, HANDSHAKE_MOST = 25.0, 2_000.0  # microseconds
GET = b"GET /coinapi/v1/balances HTTP/1.1\r\nHost: x\r\nX-CoinAPI-Key: %s\r\n\r\n"


def figures(core: int, quick: bool = False) -> Iterator[Figure]:
    """Measures both, in microseconds of CPU."""
    command = [sys.executable, "-m", "mockserver", "serve", "--port", "0", "--json", "--tls"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        os.sched_setaffinity(process.pid, {core})
        try:
            ready = msgspec.json.decode(process.stdout.readline())  # type: ignore[union-attr]
            rounds = 1 if quick else ROUNDS
            more = _difference(process.pid, ready, _requests, REQUESTS, rounds)
            yield Figure("CPU more for a request over TLS", more, "us", MOST)
            more = _difference(process.pid, ready, _handshakes, HANDSHAKES, rounds)
            yield Figure("CPU of a TLS handshake", more, "us", HANDSHAKE_MOST)
        finally:
            process.terminate()


def _difference(
    pid: int, ready: dict[str, Any], work: Callable[..., None], count: int, rounds: int
) -> float:
    """Returns the median difference between TLS and plain, of rounds after a warm one."""
    key = ready["providers"]["coinapi"]["credentials"]["api_key"].encode()
    trust = ssl.create_default_context(cafile=ready["authority"])
    found: dict[str, list[float]] = {"gateway": [], "https": []}
    for _ in range(rounds + 1):
        for way, costs in found.items():
            before = tree.cpu(pid)
            work(urlsplit(ready[way]), trust if way == "https" else None, GET % key, count)
            costs.append((tree.cpu(pid) - before) / count * 1e6)
    plain, encrypted = (costs[1:] for costs in found.values())
    return median(b - a for a, b in zip(plain, encrypted, strict=True))


def _connected(url: Any, trust: ssl.SSLContext | None) -> socket.socket:
    connection = socket.create_connection((url.hostname, url.port), 60)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return trust.wrap_socket(connection, server_hostname=url.hostname) if trust else connection


def _requests(url: Any, trust: ssl.SSLContext | None, request: bytes, count: int) -> None:
    with closing(_connected(url, trust)) as connection:
        for _ in range(count):
            connection.sendall(request)
            connection.recv(65536)


def _handshakes(url: Any, trust: ssl.SSLContext | None, request: bytes, count: int) -> None:
    """Connects, and reads one response, so that the whole handshake is done."""
    for _ in range(count):
        with closing(_connected(url, trust)) as connection:
            connection.sendall(request)
            connection.recv(65536)


def main() -> None:
    """Prints the figures."""
    server, *others = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {*others[:1]} or {server})
    for figure in figures(server):
        print(f"{figure.value:8.1f} {figure.unit}  at most {figure.most:g}  {figure.name}")


if __name__ == "__main__":
    main()
