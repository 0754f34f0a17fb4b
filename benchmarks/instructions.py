"""Instructions per request, ours beside bare: ``python -m benchmarks.instructions``.

Seconds move with the machine and its neighbours; instructions hardly do. What it prints is a
file of limits, each a little above what was reached. Requests are signed and bare answers
recorded here; a second process, under valgrind, hands them to the HTTP protocol without
sockets, and callgrind counts between two marks.
"""

import argparse
import asyncio
import gc
import json
import pickle
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import bare, callgrind, machine, signed
from benchmarks.subject import ENDLESS, HOST, raised
from mockserver.http.exchange import Exchange, create_exchange
from mockserver.http.server import Server
from mockserver.providers import discover
from mockserver.tools.credentials import credentials

CONNECTIONS = 32
WARM_UP = 4  # requests on each connection
COUNTED = 8  # the same
TURNS = 2  # of the event loop, within which a request is answered
DATE = (b"date", b"Sat, 01 Jan 2028 00:00:00 GMT")

MARGIN = 0.10  # by which a limit stands above what was reached
LOOSE = 0.25  # a limit further above than this would let a slowdown pass
RESTATE = "python -m benchmarks.instructions > contract_tests/instructions.yaml"

# What one provider is sent, and the application that answers it at once.
Load = tuple[list[bytes], bare.Bare]


class Count(NamedTuple):
    """Instructions per request of the two subjects."""

    bare: float
    ours: float

    @property
    def ratio(self) -> float:
        """How many times the work of a bare application ours is."""
        return self.ours / self.bare


def main() -> int:
    """Counts, prints, and returns the exit status."""
    parser = argparse.ArgumentParser(prog="instructions", description=__doc__)
    parser.add_argument("--json", action="store_true", help="counts and ratios instead")
    parser.add_argument("--prepared", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.prepared:
        _drive_all(*pickle.loads(options.prepared.read_bytes()))
        return 0
    if not shutil.which("valgrind"):
        print("instructions: valgrind is missing: install the package (Debian)", file=sys.stderr)
        return 2
    found = counts()
    if options.json:
        told = {name: count._asdict() | {"ratio": count.ratio} for name, count in found.items()}
        print(json.dumps(told, indent=2))
    else:
        print(*limits(found), sep="\n")
    return 0


def limits(found: Mapping[str, Count]) -> Iterator[str]:
    """Yields the lines of a file of limits that what was found stays under."""
    yield "# The most instructions per request, as a multiple of a bare application's."
    yield f"# {RESTATE}"
    yield f"# {machine.summary()}"
    for provider, count in found.items():
        limit = count.ratio * (1 + MARGIN)
        yield f"{provider}: {limit:.2f}  # {count.ours:,.0f} / {count.bare:,.0f}"


def complaints(found: Mapping[str, Count], limits: Mapping[str, float]) -> Iterator[str]:
    """Yields a sentence for each provider that is over its limit, or far under it."""
    for provider, count in found.items():
        ratio, limit = count.ratio, limits[provider]
        told = f"{provider}: {ratio:.3f} times what a bare application takes"
        if ratio > limit:
            yield f"{told}, at most {limit:.2f} is allowed"
        elif ratio < limit * (1 - LOOSE):
            yield f"{told}, so lower its limit of {limit:.2f}: {RESTATE}"


# What prepares and counts


def counts() -> dict[str, Count]:
    """Returns what each provider's requests take; raises when they cannot be counted."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        loads = _loads(folder / "requests")
        prepared = folder / "prepared"
        prepared.write_bytes(pickle.dumps((loads, time.time_ns())))
        callgrind.run(folder / "out", "-m", "benchmarks.instructions", "--prepared", str(prepared))
        totals = [callgrind.total(folder / f"out.{n + 1}") for n in range(2 * len(loads))]
    each = CONNECTIONS * COUNTED
    pairs = zip(totals[::2], totals[1::2], strict=True)
    return {p: Count(b / each, o / each) for p, (b, o) in zip(loads, pairs, strict=True)}


def _app(**settings: Any) -> Exchange:
    return create_exchange(limits=raised(discover()), quirks=ENDLESS, **settings)


def _loads(path: Path) -> dict[str, Load]:
    app = _app()
    return {name: _load(app, name, path) for name in app.providers}


def _load(app: Exchange, name: str, path: Path) -> Load:
    provider, sandbox = app.providers[name], app.sandboxes.default
    count = CONNECTIONS * (WARM_UP + COUNTED)
    size = signed.prepare(path, sandbox, provider, count).size
    whole = path.read_bytes()
    requests = [whole[n * size : (n + 1) * size] for n in range(count)]
    example = signed.example(provider, credentials(sandbox, provider)["main"])
    return requests, bare.record(app, name, example)


# What is counted


class Nowhere(asyncio.Transport):
    """A connection to a provider's port that keeps what is written."""

    def __init__(self, port: int) -> None:
        super().__init__({"peername": (HOST, 1), "sockname": (HOST, port)})
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Keeps it."""
        self.written.append(data)

    def is_closing(self) -> bool:
        """Tells that it is open."""
        return False

    def close(self) -> None:
        """Stays open."""

    abort = close


def _drive_all(loads: Mapping[str, Load], now: int) -> None:
    """Serves every load twice, bare and ours; time stands at ``now``, so no signature expires."""
    app = _app(real=repeat(now).__next__)
    ports = {1 + n: name for n, name in enumerate(loads)}
    for port, name in ports.items():
        requests, recorded = loads[name]
        _drive(Server(recorded, {}, http="httptools"), requests, port)
        ours = Server(app, {})
        app.routing.ports = ports  # a server without sockets knows none
        _drive(ours, requests, port)


def _drive(server: Server, requests: list[bytes], port: int) -> None:
    server.config.load()
    server.server_state.default_headers = [DATE]
    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(_serve(server, requests, port))


async def _serve(server: Server, requests: list[bytes], port: int) -> None:
    pairs = [_connected(server, port) for _ in range(CONNECTIONS)]
    protocols, wires = zip(*pairs, strict=True)
    rounds = [requests[at : at + CONNECTIONS] for at in range(0, len(requests), CONNECTIONS)]
    await _send(protocols, rounds[:WARM_UP])
    gc.collect()
    gc.freeze()  # so that what was there before is not searched while we count
    callgrind.begin(0)
    await _send(protocols, rounds[WARM_UP:])
    callgrind.end(0)
    _check(wires, len(rounds))
    for protocol in protocols:
        protocol.connection_lost(None)


def _connected(server: Server, port: int) -> tuple[Any, Nowhere]:
    protocol: Any = server.config.http_protocol_class(server.config, server.server_state, {})
    wire = Nowhere(port)
    protocol.connection_made(wire)
    return protocol, wire


async def _send(protocols: tuple[Any, ...], rounds: list[list[bytes]]) -> None:
    for sent in rounds:
        for protocol, request in zip(protocols, sent, strict=True):
            protocol.data_received(request)
        for _ in range(TURNS):
            await asyncio.sleep(0)


def _check(wires: tuple[Nowhere, ...], answers: int) -> None:
    """Raises unless every connection was sent so many answers, all of them 200."""
    for wire in wires:
        statuses = re.findall(rb"HTTP/1\.1 (\d+)", b"".join(wire.written))
        if statuses != [b"200"] * answers:
            raise RuntimeError(f"{answers} times 200 wanted, {statuses} had")


if __name__ == "__main__":
    sys.exit(main())
