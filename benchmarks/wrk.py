"""Drives a subject with wrk, which inherits our core, and reads what came of it."""

import resource
import subprocess
from pathlib import Path

import msgspec
from msgspec import Struct

from benchmarks.signed import Prepared
from benchmarks.subject import HOST, Subject

SCRIPT = Path(__file__).parent / "replay.lua"
GOOD = 0.999  # the share of 200s below which a run is void


class Told(Struct, frozen=True):
    """What replay.lua prints at its end; ``us`` and ``p50`` are microseconds."""

    requests: int
    good: int
    refused: int
    broken: int
    wrapped: int
    us: int
    p50: int


class Run(Struct, frozen=True):
    """One measurement: ``cpu`` and ``p50`` in us, ``client`` the share of its core wrk used.

    ``read`` counts the prepared requests that may have been sent; ``void`` says why the run
    does not count, or nothing.
    """

    requests: int = 0
    read: int = 0
    rate: float = 0.0
    cpu: float = 0.0
    p50: int = 0
    client: float = 0.0
    void: str = ""

    @property
    def server(self) -> float:
        """The share of its core that the server used."""
        return self.rate * self.cpu / 1e6


def drive(
    subject: Subject, prepared: Prepared, connections: int, seconds: int, first: int = 0
) -> Run:
    """Sends prepared requests for some seconds, beginning with the ``first``."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(SCRIPT)]
    command += [f"http://{HOST}:{subject.port}", "--"]
    command += [str(prepared.path), str(prepared.size), str(first)]
    client, server = _client(), subject.cpu
    output = subprocess.run(command, check=True, capture_output=True).stdout
    client, server = _client() - client, subject.cpu - server
    told = msgspec.json.decode(output.rstrip().rpartition(b"\n")[2], type=Told)
    return Run(
        requests=told.requests,
        read=told.requests + told.broken + 2 * connections,  # what is on its way at the end too
        rate=told.requests / told.us * 1e6,
        cpu=server / max(told.requests, 1) * 1e6,
        p50=told.p50,
        client=client / told.us * 1e6,
        void=_void(told, prepared),
    )


def _client() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _void(told: Told, prepared: Prepared) -> str:
    """Says why a run does not count, or nothing."""
    if told.wrapped and prepared.distinct:
        return "the prepared requests ran out"
    asked = told.requests + told.broken
    good = min(told.good, told.requests - told.refused)
    if asked and good >= GOOD * asked:
        return ""
    return f"{good} of {asked} answered with 200"
