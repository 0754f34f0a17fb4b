"""The rest of a request: what it costs the server beside the pipeline, for HTTP and sockets."""

import shutil
import subprocess
from collections.abc import Iterable
from statistics import median

from msgspec import Struct

from benchmarks import signed, subject, wrk
from benchmarks.groups import Ground
from benchmarks.growth.figure import Figure, beside
from benchmarks.growth.measuring import figures

PROVIDER = "coinapi"
CONNECTIONS = 32
PARTS = 2  # of a second each, after one that warms up


class Rest(Struct, frozen=True):
    """Microseconds of CPU for each request; ``void`` says why there are none."""

    us: float | None = None
    void: str = ""

    def __str__(self) -> str:
        """Says what it is, and how it was measured."""
        if self.us is None:
            return f"The rest of a request was not measured ({self.void}): the pipeline alone."
        return (
            f"The rest of a request, added to small and large for `ratio`: {self.us:.1f} us, which"
            f" is what the server's process used for each `{PROVIDER}` read under wrk at"
            f" {CONNECTIONS} connections, kernel included, less the median small figure of"
            f" `{PROVIDER}`."
        )


def whole(quick: bool, ground: Ground) -> tuple[Rest, list[Figure]]:
    """Measures every case and the rest of a request in one run; the worst case comes first."""
    served = _served(ground)
    alone = [*figures(quick)]
    rest = _rest(served, alone)
    return rest, beside(alone, rest.us)


def _served(ground: Ground) -> wrk.Run:
    """Measures whole requests, as long as nothing has grown: the least of some parts."""
    if not shutil.which("wrk"):
        return wrk.Run(void="wrk is missing")
    try:
        prepared = ground.requests(PROVIDER, signed.COPIES)
        with subject.running("ours", PROVIDER, ground.core) as server:
            parts = [wrk.drive(server, prepared, CONNECTIONS, 1) for _ in range(1 + PARTS)]
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        return wrk.Run(void=f"{type(error).__name__}: {error}")
    void = next((part for part in parts if part.void), None)
    return void or min(parts[1:], key=lambda part: part.cpu)


def _rest(run: wrk.Run, alone: Iterable[Figure]) -> Rest:
    """Takes from a whole request what the pipeline alone took in the same run."""
    if run.void:
        return Rest(void=run.void)
    small = [one.small for one in alone if one.name.startswith(f"{PROVIDER}:")]
    return Rest(run.cpu - median(small))
