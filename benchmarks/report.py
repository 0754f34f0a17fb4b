"""What was reached, beside what is wanted: medians, ratios within a round, one table."""

import platform
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from statistics import median

from msgspec import Struct

from benchmarks.sandboxes import Figure
from benchmarks.wrk import Run

COLUMNS = "{:<18}{:>6}{:>9}{:>7}{:>13}{:>8}{:>8}{:>8}{:>6}{:>7}{:>6}{:>6}  {}"
TITLES = ("subject", "conns", "req/s", "ratio", "range", "CPU us", "by CPU", "p50 us", "wrk")


class Target(Struct, frozen=True):
    """A floor and an aim; ``less`` where a smaller figure is the better one."""

    least: float
    aim: float
    less: bool = False

    def verdict(self, reached: float) -> str:
        """Says which of the two is reached."""
        sign = -1 if self.less else 1
        if sign * reached >= sign * self.aim:
            return "aim reached"
        return "reached" if sign * reached >= sign * self.least else "MISSED"


# The ratios hold at 32 connections.
RATIOS = {
    "cdp": Target(0.45, 0.55),
    "coinapi": Target(0.45, 0.55),
    "coinstats": Target(0.40, 0.50),
    "coinw": Target(0.45, 0.55),
    "cpg": Target(0.45, 0.55),
}
RATIOS_AT = 32
START = Target(0.30, 0.20, less=True)
MEMORY = Target(60, 45, less=True)


class Measured(Struct, frozen=True):
    """One run: in which round, of what, and what came of it."""

    round: int
    provider: str
    connections: int
    role: str
    run: Run


class Row(Struct, frozen=True):
    """The medians of one subject over its good rounds; two ratios to bare for each round.

    ``ratios`` compares requests per second, ``by_cpu`` CPU per request: a neighbour that
    takes the core away falsifies the first more than the second.
    """

    provider: str
    connections: int
    role: str
    rounds: int
    rate: float
    cpu: float
    p50: float
    client: float
    ratios: tuple[float, ...]
    by_cpu: tuple[float, ...]


def rows(measured: Sequence[Measured]) -> list[Row]:
    """Returns a row for each subject with a good round, in the order measured."""
    keys = dict.fromkeys((m.provider, m.connections, m.role) for m in measured)
    return [row for key in keys for row in _row(measured, *key)]


def _row(measured: Sequence[Measured], provider: str, connections: int, role: str) -> Iterator[Row]:
    good = {
        (m.round, m.role): m.run
        for m in measured
        if (m.provider, m.connections) == (provider, connections) and not m.run.void
    }
    runs = {n: run for (n, of), run in good.items() if of == role}
    pairs = [(run, good[n, "bare"]) for n, run in runs.items() if (n, "bare") in good]
    if runs:
        found = runs.values()
        yield Row(
            provider=provider,
            connections=connections,
            role=role,
            rounds=len(runs),
            rate=median(run.rate for run in found),
            cpu=median(run.cpu for run in found),
            p50=median(run.p50 for run in found),
            client=median(run.client for run in found),
            ratios=tuple(run.rate / bare.rate for run, bare in pairs),
            by_cpu=tuple(bare.cpu / run.cpu for run, bare in pairs if run.cpu),
        )


def machine(wrk: str) -> str:
    """Returns what the figures were measured with, in one line."""
    names = ("uvicorn", "uvloop", "httptools", "starlette", "msgspec")
    tools = ", ".join(f"{name} {version(name)}" for name in names)
    return f"CPython {platform.python_version()}, {tools}, {wrk}"


def table(found: Sequence[Row], rounds: int) -> list[str]:
    """Returns the lines for the runs."""
    lines = [COLUMNS.format(*TITLES, "least", "aim", "good", "")]
    return lines + [_line(row, rounds) for row in found]


def _line(row: Row, rounds: int) -> str:
    aimed = row.role != "bare" and row.connections == RATIOS_AT and row.ratios
    target = RATIOS.get(row.provider) if aimed else None
    return COLUMNS.format(
        f"{row.provider}, {row.role}",
        row.connections,
        f"{row.rate:,.0f}",
        f"{median(row.ratios):.2f}" if row.ratios else "-",
        f"{min(row.ratios):.2f} - {max(row.ratios):.2f}" if row.ratios else "-",
        f"{row.cpu:.1f}",
        f"{median(row.by_cpu):.2f}" if row.by_cpu else "-",
        f"{row.p50:,.0f}",
        f"{row.client:.0%}",
        *((target.least, target.aim) if target else ("", "")),
        f"{row.rounds}/{rounds}",
        target.verdict(median(row.ratios)) if target else "",
    ).rstrip()


def others(starts: Mapping[str, float], memory: Mapping[str, tuple[float, int]]) -> list[str]:
    """Returns the lines for starts and memory."""
    lines = [""]
    for n, (name, seconds) in enumerate(starts.items()):
        wanted = _wanted(START, seconds, "s") if n == 0 else ""
        lines.append(f"{name:<52}{seconds:>8.3f} s   {wanted}".rstrip())
    for name, (megabytes, requests) in memory.items():
        said = f"{name}, resident after {requests:,} requests"
        lines.append(f"{said:<52}{megabytes:>8.1f} MB  {_wanted(MEMORY, megabytes, 'MB')}")
    return lines


def isolation(figures: Sequence[Figure]) -> list[str]:
    """Returns the lines for what isolation costs."""
    lines = [""]
    for figure in figures:
        verdict = "reached" if figure.value <= figure.most else "MISSED"
        aim = f"aim at most {figure.most:g} {figure.unit}: {verdict}"
        lines.append(f"{figure.name:<52}{figure.value:>8.2f} {figure.unit:<3} {aim}")
    return lines


def _wanted(target: Target, reached: float, unit: str) -> str:
    return f"at most {target.least:g} {unit}, aim {target.aim:g}: {target.verdict(reached)}"
