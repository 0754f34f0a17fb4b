"""Measures speed, starts, memory and growth: ``python -m benchmarks.bench``.

Our signed reads run beside a bare application, beside one that checks nothing but the
signature, and beside peers; server and wrk have a core each.
"""

import argparse
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from benchmarks import (
    encrypted,
    growth,
    machine,
    page,
    pauses,
    peers,
    report,
    sandboxes,
    start,
)
from benchmarks.cases import REQUESTS, cases_of
from benchmarks.found import Found
from benchmarks.goals import goals
from benchmarks.groups import Ground, connections, of_case, of_peers
from benchmarks.memory import Resident, resident
from benchmarks.rounds import Group, measure
from benchmarks.rows import rows
from mockserver.files import worlds
from mockserver.providers import discover

SECONDS_MAX = 20  # so that a group's runs end within the 120 s for which a token is good
REMEMBERED = 100_000  # requests after which memory is read
STARTS = 5
QUICK = "QUICK: nothing is warm, so the figures say little, and of a JVM nothing"
PARTS = (
    *discover(),
    *("peers", "memory", "start", "isolation", "pauses", "page", "tls", "growth"),
)


def main() -> int:
    """Measures, prints, and returns the exit status."""
    options = _options()
    if missing := _needed() or unprepared(options.only):
        print(f"bench: {missing}", file=sys.stderr)
        return 2
    server, client = _cores()
    os.sched_setaffinity(0, {client})
    command = shlex.join(["python", "-m", "benchmarks.bench", *sys.argv[1:]])
    described = [
        *machine.described(),
        _pinning(server, client),
        *([QUICK] if options.quick else []),
    ]
    found = Found(command, described, options.rounds, options.seconds)
    print(*found.machine, sep="\n", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        ground = Ground(server, options.seconds, Path(folder), warm=not options.quick)
        _rest(found, options, ground)  # the short parts first: what fails there fails early
        _runs(found, options.only, ground)
    found.goals = [*goals(found)]
    print(*report.lines(found), sep="\n")
    if options.json:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    return _status(found)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    seconds = range(1, SECONDS_MAX + 1)
    parser.add_argument("--seconds", type=int, default=3, choices=seconds, metavar="N")
    quick = "one round of one second without warm-up: does it run?"
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--only", action="append", choices=PARTS, help="repeatable")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    options.only = options.only or PARTS
    if options.quick:
        options.rounds = options.seconds = 1
    return options


def _needed() -> str:
    """Says what is missing on this machine."""
    if not hasattr(os, "sched_setaffinity"):
        return "needs Linux, for pinning and /proc"
    return "" if shutil.which("wrk") else "wrk is missing: install the package wrk (Debian)"


def unprepared(only: Sequence[str]) -> str:
    """Says which provider lacks what it needs to be measured."""
    parts = worlds.load("default").parts
    lacking = [n for n in parts if n in only and "main" not in parts[n].keys]
    if not lacking:
        return ""
    return f"{lacking[0]}: add its section, with a key main, to fixtures/worlds/default.yaml"


def _cores() -> tuple[int, int]:
    cores = sorted(os.sched_getaffinity(0))
    return cores[0], cores[1 % len(cores)]


def _pinning(server: int, client: int) -> str:
    if server == client:
        return f"ONE core ({server}) for server and wrk: the ratios mean little"
    return f"server on core {server}, wrk on core {client}"


def _runs(found: Found, only: Sequence[str], ground: Ground) -> None:
    """Runs the rounds and tells of each run."""
    groups = [*_groups(found, only, ground)]
    measured = []
    for one in measure(groups, found.rounds, found.seconds):
        print(report.told(one), flush=True)
        measured.append(one)
    found.runs, found.rows = measured, rows(groups, measured)


def _groups(found: Found, only: Sequence[str], ground: Ground) -> Iterator[Group]:
    names = [name for name in discover() if name in only]
    yield from (of_case(case, ground) for name in names for case in cases_of(name))
    if "peers" in only:
        present = peers.discover()
        found.missing = peers.missing()
        found.comparable = [peer.name for peer in present if peer.comparable]
        print(*found.missing, sep="\n", end="\n" if found.missing else "", flush=True)
        if present:
            yield of_peers(present, ground)


def _rest(found: Found, options: argparse.Namespace, ground: Ground) -> None:
    only, quick = options.only, options.quick
    if "memory" in only:
        found.memory = [*_memory(ground, REMEMBERED // 10 if quick else REMEMBERED)]
    if "start" in only:
        found.starts = start.starts(1 if quick else STARTS, ground.core)
    if "isolation" in only:
        found.isolation = [*sandboxes.figures(quick)]
    if "tls" in only:
        found.encrypted = [*encrypted.figures(ground.core, quick)]
    if "pauses" in only:
        found.pauses = [*pauses.figures(ground.core)]
    if "page" in only:
        found.page = [*page.figures(ground.core, quick)]
    if "growth" in only:
        found.rest, found.growth = growth.whole(quick, ground)


def _memory(ground: Ground, least: int) -> Iterator[Resident]:
    for name in discover():
        prepared = ground.requests(name, least + REQUESTS)
        most = max(connections(name))
        yield resident(name, prepared, least, ground.core, most)


def _status(found: Found) -> int:
    """Returns 1 when something was void."""
    void = [one.run.void for one in found.runs] + [one.void for one in found.memory]
    void += [found.rest.void] if found.rest else []
    return 1 if any(void) else 0


if __name__ == "__main__":
    sys.exit(main())
