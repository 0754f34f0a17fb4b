"""Measures a case: small and large in turns, in one process; and all cases, in one each."""

import gc
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from benchmarks.growth.asking import answered, took, took_changing
from benchmarks.growth.cases import CASES, Case
from benchmarks.growth.figure import Figure
from benchmarks.growth.requests import Asks
from benchmarks.subject import ROOT
from mockserver.providers import discover

TURNS = 9
QUICK = 20  # times less of everything, where that is asked for


def compare(case: Case, few: Asks, many: Asks, turns: int = TURNS) -> tuple[float, float]:
    """Returns the least microseconds per request, small and large, over turns of each."""
    measure = took_changing if case.changes else took
    small, large = [], []
    for _ in range(turns):
        asked = few(case.turn), many(case.turn)
        small.append(measure(case.provider, asked[0][:-1]))
        large.append(measure(case.provider, asked[1][:-1]))
        for sandbox, one in (asked[0][-1], asked[1][-1]):
            answered(sandbox, case.provider, one)
    return min(small), min(large)


def measured(case: Case) -> Figure:
    """Measures a case in this process."""
    provider = discover()[case.provider]
    few = case.build(provider, case.small)
    gc.collect()
    before = _resident()
    many = case.build(provider, case.large)
    gc.collect()
    grown = (_resident() - before) / case.large
    small, large = compare(case, few, many)
    memory = f"{grown / 1000:.1f} kB per {case.unit}" if case.unit else ""
    name = f"{case.provider}: {case.name}, {case.small:,} to {case.large:,}"
    return Figure(name, small, large, large / small, memory)


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def figures(quick: bool) -> Iterator[Figure]:
    """Measures every case in a process of its own, so that memory is its own too.

    ``quick`` does a twentieth of everything, here.
    """
    for n, case in enumerate(CASES):
        if quick:
            yield measured(case._replace(large=max(case.large // QUICK, 2 * case.small), turn=50))
            continue
        command = [sys.executable, "-m", "benchmarks.growth", "--case", str(n)]
        told = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
        yield msgspec.json.decode(told, type=Figure)
