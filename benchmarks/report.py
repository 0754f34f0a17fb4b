"""The tables that are printed, the one with the targets last."""

from collections.abc import Iterator

from benchmarks import markdown
from benchmarks.found import Found
from benchmarks.goals import GROWTH
from benchmarks.groups import PEERS
from benchmarks.rounds import Measured
from benchmarks.rows import Row

RUNS = (
    *("subject", "connections", "req/s", "ratio", "range", "CPU us", "by CPU", "p50 us"),
    *("server", "wrk", "start s", "MB", "good"),
)
GROWN = ("growth", "small us", "large us", "pipeline", "ratio", "verdict", "memory")
GOALS = ("target", "reached", "bound", "aim", "verdict", "")


def told(measured: Measured) -> str:
    """Returns a line for a run that has just ended."""
    run = measured.run
    said = (
        f"VOID: {run.void}" if run.void else f"{run.rate:,.0f} req/s, server busy {run.server:.0%}"
    )
    connections = f"{measured.connections} connections"
    return (
        f"round {measured.round + 1}, {measured.group}, {measured.entrant}, {connections}: {said}"
    )


def lines(found: Found) -> Iterator[str]:
    """Returns everything, as Markdown."""
    yield from markdown.table(RUNS, (_run(row, found.rounds) for row in found.rows))
    yield from markdown.table(("other figures", ""), _others(found))
    if found.rest:
        yield from ("", f"{found.rest}")
    yield from markdown.table(GROWN, _growth(found))
    yield from markdown.table(GOALS, (goal.cells() for goal in found.goals))
    yield from ("", f"`{found.command}`", *found.machine)


def _run(row: Row, rounds: int) -> tuple[str, ...]:
    ratios = row.ratios.values()
    peer = row.group == PEERS and row.entrant != row.base
    return (
        f"{row.group}: {row.entrant}",
        f"{row.connections}",
        f"{row.rate:,.0f}",
        _ratio(row.ratio),
        f"{_ratio(min(ratios))} - {_ratio(max(ratios))}" if ratios else "-",
        f"{row.cpu:.1f}",
        _ratio(row.cpu_ratio),
        f"{row.p50:,.0f}",
        f"{row.server:.0%}",
        f"{row.client:.0%}",
        f"{row.started:.2f}" if peer else "",
        f"{row.memory:.0f}",
        f"{row.rounds}/{rounds}",
    )


def _ratio(ratio: float | None) -> str:
    if ratio is None:
        return "-"
    return f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.3f}"


def _others(found: Found) -> Iterator[tuple[str, str]]:
    for name, seconds in [*found.starts.items()][1:]:
        yield name, f"{seconds:.3f} s"
    for one in found.memory:
        said = one.void or f"{one.megabytes:.1f} MB"
        yield f"{one.provider}, resident after {one.requests:,} requests", said


def _growth(found: Found) -> Iterator[tuple[str, ...]]:
    for one in found.growth:
        costs = (f"{one.small:.1f}", f"{one.large:.1f}", f"{one.pipeline:.2f}")
        yield (one.name, *costs, _ratio(one.ratio), GROWTH.verdict(one.ratio), one.memory)
