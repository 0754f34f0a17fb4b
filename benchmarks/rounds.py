"""The rounds: every group of subjects in turn, each subject on its own, in a fresh process.

No run inherits the replay memory, the journal or the garbage of another, and all subjects of
a group are sent the same file. Every other round turns the order of the subjects round.
"""

import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager

from msgspec import Struct

from benchmarks import wrk
from benchmarks.signed import Prepared
from benchmarks.subject import Subject

CONNECTIONS = (32, 1)


class Entrant(Struct, frozen=True):
    """A subject that runs in a group; ``warm_up`` in seconds.

    ``own`` are requests that it is sent in place of the group's.
    """

    name: str
    warm_up: int
    start: Callable[[], AbstractContextManager[Subject]]
    own: Prepared | None = None


class Group(Struct, frozen=True):
    """Subjects sent the same requests, compared with the ``base``.

    Requests that have to arrive in their order are sent over one of the ``connections``.
    """

    name: str
    base: str
    entrants: tuple[Entrant, ...]
    prepare: Callable[[], Prepared]
    connections: tuple[int, ...] = CONNECTIONS


class Measured(Struct, frozen=True):
    """One run: in which round, of what, and what came of it.

    ``started`` is how many seconds the subject took to start; ``memory`` its resident MB
    after the run.
    """

    round: int
    group: str
    connections: int
    entrant: str
    run: wrk.Run
    started: float = 0.0
    memory: float = 0.0


def measure(groups: Iterable[Group], rounds: int, seconds: int) -> Iterator[Measured]:
    """Runs all rounds. The files are written anew for each number of connections."""
    for n in range(rounds):
        for group in groups:
            for connections in group.connections:
                same = group.prepare()
                for entrant in group.entrants if n % 2 == 0 else reversed(group.entrants):
                    prepared = entrant.own or same
                    run, started, memory = _run(entrant, prepared, connections, seconds)
                    yield Measured(n, group.name, connections, entrant.name, run, started, memory)


def _run(
    entrant: Entrant, prepared: Prepared, connections: int, seconds: int
) -> tuple[wrk.Run, float, float]:
    """Returns the run, seconds to start and MB; what does not run makes a void run."""
    began = time.perf_counter()
    try:
        with entrant.start() as server:
            started = time.perf_counter() - began
            first = _warm(server, entrant, prepared, connections)
            run = wrk.drive(server, prepared, connections, seconds, first)
            return run, started, server.memory
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        return wrk.Run(void=f"{type(error).__name__}: {error}"), 0.0, 0.0


def _warm(server: Subject, entrant: Entrant, prepared: Prepared, connections: int) -> int:
    """Warms up; returns how many requests that took from the file."""
    if not entrant.warm_up:
        return 0
    return wrk.drive(server, prepared, connections, entrant.warm_up).read
