"""Our resident memory after many requests, for each provider."""

from msgspec import Struct

from benchmarks import subject, wrk
from benchmarks.signed import Prepared

CONNECTIONS = 32
LAST = 50_000  # requests that go through one connection, so that hardly more are sent than wanted


class Resident(Struct, frozen=True):
    """Resident memory in MB after so many requests; ``void`` says why there is none."""

    provider: str
    megabytes: float
    requests: int
    void: str


def resident(
    provider: str, prepared: Prepared, least: int, core: int, most: int = CONNECTIONS
) -> Resident:
    """Sends at least so many requests over ``most`` connections, and reads the memory."""
    with subject.running("ours", provider, core) as server:
        done, first, void = 0, 0, ""
        while done < least and not void:
            connections = most if least - done > LAST else 1
            run = wrk.drive(server, prepared, connections, 1, first)
            done, first, void = done + run.requests, first + run.read, run.void
        return Resident(provider, server.memory, done, void)
