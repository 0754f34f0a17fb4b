"""Everything that a run of the benchmarks found, as ``--json`` writes it."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from benchmarks.growth import Figure as Growth
from benchmarks.growth import Rest
from benchmarks.memory import Resident
from benchmarks.rounds import Measured
from benchmarks.rows import Row
from benchmarks.sandboxes import Figure
from benchmarks.targets import Goal


class Found(Struct):
    """What was measured, in which parts; a part that was not asked for is empty."""

    command: str
    machine: Sequence[str]
    rounds: int
    seconds: int
    missing: Sequence[str] = ()  # peers, and how to get them
    comparable: Sequence[str] = ()  # peers that serve our answer, their journal on if they have one
    runs: Sequence[Measured] = ()
    rows: Sequence[Row] = ()
    memory: Sequence[Resident] = ()
    starts: Mapping[str, float] = {}
    isolation: Sequence[Figure] = ()
    pauses: Sequence[Figure] = ()
    page: Sequence[Figure] = ()
    encrypted: Sequence[Figure] = ()
    growth: Sequence[Growth] = ()
    rest: Rest | None = None  # of a request, beside what grows
    goals: Sequence[Goal] = ()
