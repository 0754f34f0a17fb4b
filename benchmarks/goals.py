"""Every target beside what was reached, in one run: ratios, starts, memory, growth, pauses."""

from collections.abc import Iterator, Mapping
from statistics import median

from benchmarks.cases import CASES, Case
from benchmarks.found import Found
from benchmarks.groups import OURS, PEERS
from benchmarks.rows import Row
from benchmarks.subject import BURDENED
from benchmarks.targets import Goal, Target

AT = 32  # connections at which ratios are held against their targets
PEER = Target(3, 4)
BURDEN = Target(0.91)  # of what ours answers without it: at most a tenth more work
START = Target(0.30, 0.20, less=True)
MEMORY = Target(60, 45, less=True)
GROWTH = Target(1.5, 1.1, less=True)


def goals(found: Found) -> Iterator[Goal]:
    """Returns the targets of the parts that were measured."""
    measured = {run.group for run in found.runs}
    ours = {row.group: row for row in found.rows if (row.entrant, row.connections) == (OURS, AT)}
    for case in CASES:
        if case.name in measured:
            yield _case(case, ours.get(case.name))
            yield from _burdens(case, found)
    if found.comparable:
        yield _peers(found)
    if found.starts:
        name, seconds = next(iter(found.starts.items()))
        yield Goal(name, seconds, START, "s")
    if found.memory:
        yield _memory(found)
    if found.growth:
        worst = found.growth[0]
        by_pipeline = f"{worst.pipeline:.2f} by the pipeline alone"
        yield Goal(
            f"large to small, the worst ({worst.name})", worst.ratio, GROWTH, note=by_pipeline
        )
    for figure in (*found.isolation, *found.pauses, *found.page, *found.encrypted):
        yield Goal(figure.name, figure.value, Target(figure.most, less=True), figure.unit)


def _case(case: Case, row: Row | None) -> Goal:
    name = f"{case.name}: ours to {case.base}"
    if row is None:
        return Goal(name, None, case.target)
    by_cpu = f"{row.cpu_ratio:.2f} by CPU" if row.cpu_ratio else ""
    return Goal(name, row.ratio, case.target, note=by_cpu)


def _burdens(case: Case, found: Found) -> Iterator[Goal]:
    """Compares, round by round, ours with something more to do and ours without."""
    rows = {r.entrant: r for r in found.rows if (r.group, r.connections) == (case.name, AT)}
    plain = rows.get(OURS)
    for role in BURDENED:
        if role in case.roles:
            row = rows.get(role)
            ratio = _to(row.ratios, plain.ratios) if row and plain else None
            by_cpu = _to(row.by_cpu, plain.by_cpu) if row and plain else None
            note = f"{by_cpu:.2f} by CPU" if by_cpu else ""
            yield Goal(f"{case.name}: {role} to {OURS}", ratio, BURDEN, note=note)


def _to(ratios: Mapping[int, float], others: Mapping[int, float]) -> float | None:
    both = [ratios[n] / others[n] for n in ratios if n in others]
    return median(both) if both else None


def _peers(found: Found) -> Goal:
    """Compares us, round by round, with the peer that was the fastest in that round."""
    peers = [row for row in found.rows if _compared(row, found)]
    rounds = {n for row in peers for n in row.ratios}
    times = [1 / max(row.ratios[n] for row in peers if n in row.ratios) for n in rounds]
    fastest = max(peers, key=lambda row: row.rate, default=None)
    name = f"coinapi: ours to the fastest peer ({fastest.entrant if fastest else '-'})"
    return Goal(name, median(times) if times else None, PEER, "times")


def _compared(row: Row, found: Found) -> bool:
    return (row.group, row.connections) == (PEERS, AT) and row.entrant in found.comparable


def _memory(found: Found) -> Goal:
    void = any(resident.void for resident in found.memory)
    most = max(found.memory, key=lambda resident: resident.megabytes)
    name = f"resident after {most.requests:,} requests, the most ({most.provider})"
    return Goal(name, None if void else most.megabytes, MEMORY, "MB", digits=0)
