"""Medians over the rounds, and ratios within each round."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from msgspec import Struct

from benchmarks.rounds import Group, Measured


class Row(Struct, frozen=True):
    """The medians of one subject over its good rounds; two ratios to the base for each round.

    ``ratios`` compares requests per second, ``by_cpu`` CPU per request: a neighbour that
    takes the core away falsifies the first more than the second.
    """

    group: str
    entrant: str
    base: str
    connections: int
    rounds: int
    rate: float
    cpu: float
    p50: float
    server: float
    client: float
    started: float
    memory: float
    ratios: Mapping[int, float]
    by_cpu: Mapping[int, float]

    @property
    def ratio(self) -> float | None:
        """The median of the ratios, where a round has one."""
        return median(self.ratios.values()) if self.ratios else None

    @property
    def cpu_ratio(self) -> float | None:
        """The same by CPU per request."""
        return median(self.by_cpu.values()) if self.by_cpu else None


def rows(groups: Sequence[Group], measured: Sequence[Measured]) -> list[Row]:
    """Returns a row for each subject with a good round, in the order of the groups."""
    connections = dict.fromkeys(m.connections for m in measured)
    return [
        row
        for group in groups
        for count in connections
        for entrant in group.entrants
        for row in _row(group, entrant.name, count, measured)
    ]


def _row(
    group: Group, entrant: str, connections: int, measured: Sequence[Measured]
) -> Iterator[Row]:
    good = {
        (m.entrant, m.round): m
        for m in measured
        if (m.group, m.connections) == (group.name, connections) and not m.run.void
    }
    found = {n: m for (name, n), m in good.items() if name == entrant}
    bases = {n: m.run for (name, n), m in good.items() if name == group.base}
    both = {n: (m.run, bases[n]) for n, m in found.items() if n in bases}
    if found:
        runs = [m.run for m in found.values()]
        yield Row(
            group=group.name,
            entrant=entrant,
            base=group.base,
            connections=connections,
            rounds=len(runs),
            rate=median(run.rate for run in runs),
            cpu=median(run.cpu for run in runs),
            p50=median(run.p50 for run in runs),
            server=median(run.server for run in runs),
            client=median(run.client for run in runs),
            started=median(m.started for m in found.values()),
            memory=median(m.memory for m in found.values()),
            ratios={n: run.rate / base.rate for n, (run, base) in both.items()},
            by_cpu={n: base.cpu / run.cpu for n, (run, base) in both.items() if run.cpu},
        )
