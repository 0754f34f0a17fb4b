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
from benchmarks.subject import BURDENED, ENDLESS, HOST, raised
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
RESTATE = "python -m benchmarks.instructions > contract_tests/project/instructions.yaml"

# What one provider is sent, and the application that answers it at once.
Load = tuple[list[bytes], bare.Bare]


class Count(NamedTuple):
    """Instructions per request: a bare application, ours, and ours with more to do."""

    bare: float
    ours: float
    burdened: dict[str, float] = {}  # by what it has to do, see subject.BURDENED

    @property
    def ratio(self) -> float:
        """How many times the work of a bare application ours is."""
        return self.ours / self.bare

    @property
    def burdens(self) -> dict[str, float]:
        """How many times its own work ours does when there is more to do."""
        return {name: count / self.ours for name, count in self.burdened.items()}


def main() -> int:
    """Counts, prints, and returns the exit status."""
    parser = argparse.ArgumentParser(prog="instructions", description=__doc__)
    parser.add_argument("--json", action="store_true", help="counts and ratios instead")
    parser.add_argument("--burdens", action="store_true", help="ten rules and a skewed clock, too")
    parser.add_argument("--prepared", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.prepared:
        _drive_all(*pickle.loads(options.prepared.read_bytes()))
        return 0
    if not shutil.which("valgrind"):
        print("instructions: valgrind is missing: install the package (Debian)", file=sys.stderr)
        return 2
    found = counts(burdens=options.burdens)
    if options.json or options.burdens:
        rows = {
            name: count._asdict() | {"ratio": count.ratio, "burdens": count.burdens}
            for name, count in found.items()
        }
        print(json.dumps(rows, indent=2))
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


def counts(*, burdens: bool = False) -> dict[str, Count]:
    """Returns what each provider's requests take; raises when they cannot be counted."""
    roles = ["bare", "ours", *(BURDENED if burdens else ())]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        loads = _loads(folder / "requests")
        prepared = folder / "prepared"
        prepared.write_bytes(pickle.dumps((loads, roles, time.time_ns())))
        callgrind.run(folder / "out", "-m", "benchmarks.instructions", "--prepared", str(prepared))
        dumps = iter(range(1, 1 + len(roles) * len(loads)))
        return {
            provider: _count(
                {role: callgrind.total(folder / f"out.{next(dumps)}") for role in roles}
            )
            for provider in loads
        }


def _count(totals: dict[str, int]) -> Count:
    each = {role: total / (CONNECTIONS * COUNTED) for role, total in totals.items()}
    return Count(each.pop("bare"), each.pop("ours"), each)


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


def _drive_all(loads: Mapping[str, Load], roles: list[str], now: int) -> None:
    """Serves every load once a role; time stands at ``now``, so no signature expires."""
    apps = {role: _app(real=repeat(now).__next__) for role in roles if role != "bare"}
    ports = {1 + n: name for n, name in enumerate(loads)}
    for port, name in ports.items():
        requests, recorded = loads[name]
        for role in roles:
            _drive(_server(role, name, apps, recorded, ports), requests, port)


def _server(
    role: str, name: str, apps: Mapping[str, Exchange], recorded: bare.Bare, ports: dict[int, str]
) -> Server:
    if role == "bare":
        return Server(recorded, {}, http="httptools")
    app = apps[role]
    if role in BURDENED:
        BURDENED[role](app, name)
    server = Server(app, {})
    app.routing.ports = ports  # a server without sockets knows none
    return server


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
