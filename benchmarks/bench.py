"""Measures our signed reads beside a bare application: ``python -m benchmarks.bench``.

Each provider's example request, everything on, limits raised; one server core, one
wrk core. A server process is fresh for every run: no run inherits the replay memory,
the journal or the garbage of another, and both subjects can be sent the same file.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from benchmarks import report, sandboxes, signed, start, subject, wrk
from mockserver.edge.app import create_app
from mockserver.providers import discover
from mockserver.wire.provider import Provider

CONNECTIONS = (32, 1)
ROLES = ("bare", "ours")
WARM_UP = 1  # second
RATE_MAX = 60_000  # requests prepared for each second of a run: more than bare answers
SECONDS_MAX = 30  # so that a round ends within the 300 s for which its requests are good
REMEMBERED = 100_000  # requests after which memory is read
STARTS = 5


class Plan(Struct, frozen=True):
    """What is measured, for how long, and on which cores."""

    providers: list[Provider]
    rounds: int
    seconds: int
    remembered: int
    starts: int
    server: int
    client: int


def main() -> int:
    """Measures, prints, and returns the exit status."""
    options = _options()
    if not hasattr(os, "sched_setaffinity"):
        print("bench: needs Linux, for pinning and /proc", file=sys.stderr)
        return 2
    if not shutil.which("wrk"):
        print("bench: wrk is missing: install the package wrk (Debian)", file=sys.stderr)
        return 2
    plan = _plan(options)
    os.sched_setaffinity(0, {plan.client})
    print(report.machine(_version()), flush=True)
    print(_pinning(plan), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        measured = list(_measure(plan, Path(folder) / "requests"))
        found = report.rows(measured)
        memory = dict(_memory(plan, Path(folder) / "requests"))
    starts = start.starts(plan.starts, plan.server)
    isolation = list(sandboxes.figures(options.quick))
    lines = (*report.table(found, plan.rounds), *report.others(starts, memory))
    print("", *lines, *report.isolation(isolation), sep="\n")
    if options.json:
        whole = (report.machine(_version()), plan.rounds, plan.seconds, measured, found)
        names = ("machine", "rounds", "seconds", "runs", "rows", "starts", "memory", "isolation")
        kept = dict(zip(names, (*whole, starts, memory, isolation), strict=True))
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(kept)) + b"\n")
    return 0 if len(found) == len(plan.providers) * len(CONNECTIONS) * len(ROLES) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument(
        "--seconds", type=int, default=3, choices=range(1, SECONDS_MAX + 1), metavar="N"
    )
    parser.add_argument("--quick", action="store_true", help="one round of one second")
    parser.add_argument("--only", action="append", choices=[*discover()], help="repeatable")
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser.parse_args()


def _plan(options: argparse.Namespace) -> Plan:
    cores = sorted(os.sched_getaffinity(0))
    return Plan(
        providers=[p for name, p in discover().items() if name in (options.only or discover())],
        rounds=1 if options.quick else options.rounds,
        seconds=1 if options.quick else options.seconds,
        remembered=REMEMBERED // 10 if options.quick else REMEMBERED,
        starts=1 if options.quick else STARTS,
        server=cores[0],
        client=cores[1 % len(cores)],
    )


def _pinning(plan: Plan) -> str:
    if plan.server == plan.client:
        return f"ONE core ({plan.server}) for server and wrk: the ratios mean little"
    cores = f"server on core {plan.server}, wrk on core {plan.client}"
    return f"{cores}; load before the start {os.getloadavg()[0]:.2f}"


def _version() -> str:
    said = subprocess.run(["wrk", "-v"], check=False, capture_output=True, text=True).stdout
    return " ".join(said.split()[:2])


def _measure(plan: Plan, path: Path) -> Iterator[report.Measured]:
    """Runs the rounds; in every other one ours comes first."""
    sandbox = create_app().sandboxes.default
    for n in range(plan.rounds):
        for provider in plan.providers:
            count = RATE_MAX * (WARM_UP + plan.seconds)
            prepared = signed.prepare(path, sandbox, provider, count)
            for connections in CONNECTIONS:
                for role in ROLES if n % 2 == 0 else reversed(ROLES):
                    run = _run(plan, prepared, provider.name, role, connections)
                    _tell(n, provider.name, role, connections, run)
                    yield report.Measured(n, provider.name, connections, role, run)


def _run(
    plan: Plan, prepared: signed.Prepared, provider: str, role: str, connections: int
) -> wrk.Run:
    with subject.running(role, provider, plan.server) as server:
        wrk.drive(server, prepared, connections, WARM_UP)
        first = RATE_MAX * WARM_UP
        return wrk.drive(server, prepared, connections, plan.seconds, first)


def _tell(n: int, provider: str, role: str, connections: int, run: wrk.Run) -> None:
    said = (
        f"VOID: {run.void}"
        if run.void
        else f"{run.rate:,.0f} req/s, server busy {run.rate * run.cpu / 1e6:.0%}"
    )
    print(f"round {n + 1}, {provider}, {role}, {connections} connections: {said}", flush=True)


def _memory(plan: Plan, path: Path) -> Iterator[tuple[str, tuple[float, int]]]:
    """Reads our resident memory after ``remembered`` requests, or a little more."""
    sandbox = create_app().sandboxes.default
    for provider in plan.providers:
        prepared = signed.prepare(path, sandbox, provider, plan.remembered + RATE_MAX)
        with subject.running("ours", provider.name, plan.server) as server:
            done, void = 0, ""
            while done < plan.remembered and not void:
                first = done * 11 // 10  # what wrk had sent when it stopped is not sent again
                run = wrk.drive(server, prepared, max(CONNECTIONS), 1, first)
                done, void = done + run.requests, run.void
            if not void:
                yield provider.name, (server.memory, done)


if __name__ == "__main__":
    sys.exit(main())
