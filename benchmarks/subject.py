"""One server process to be measured: ``python -m benchmarks.subject ours|bare PROVIDER CORE``.

Both run the product's own ``Server``, so both have its uvicorn settings; the bare one on
uvicorn's own HTTP protocol, ours on the product's.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from benchmarks import bare, signed
from mockserver.edge.app import create_app
from mockserver.edge.control.sandboxes import credentials
from mockserver.edge.server import Server, bind
from mockserver.edge.transport import Protocol
from mockserver.providers import discover
from mockserver.wire.provider import Provider

ROOT = Path(__file__).parent.parent
HOST = "127.0.0.1"
TICKS = os.sysconf("SC_CLK_TCK")


class Subject(Struct, frozen=True):
    """A running server: where it listens, and what the kernel knows of it."""

    pid: int
    port: int

    @property
    def cpu(self) -> float:
        """Seconds of CPU it has used, all threads, user and system."""
        stat = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / TICKS

    @property
    def memory(self) -> float:
        """Its resident memory in MB."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        kilobytes = next(line for line in lines if line.startswith("VmRSS:")).split()[1]
        return int(kilobytes) * 1024 / 1e6


@contextlib.contextmanager
def running(role: str, provider: str, core: int) -> Iterator[Subject]:
    """Serves for the length of the block, on one core."""
    command = [sys.executable, "-m", "benchmarks.subject", role, provider, str(core)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise RuntimeError(f"{role} {provider} did not start")
            yield Subject(process.pid, int(line))
        finally:
            process.terminate()


# What a load test would use up.
ENDLESS = {"coinstats.credits": "999999999999"}


def raised(providers: Mapping[str, Provider]) -> dict[str, str]:
    """Returns every limit switched on and out of reach."""
    return {f"{p.name}.{li.name}": "1000000000/60s" for p in providers.values() for li in p.limits}


def main(role: str, name: str, core: str) -> None:
    """Serves until told to stop; prints the port when ready."""
    os.sched_setaffinity(0, {int(core)})
    providers = discover()
    app: Any = create_app(limits=raised(providers), quirks=ENDLESS)
    sockets = bind(HOST, 0, providers)
    if role == "bare":
        credential = credentials(app.sandboxes.default, providers[name])["main"]
        app = bare.record(app, name, signed.example(providers[name], credential))
    port = sockets[name].getsockname()[1]
    protocol = HttpToolsProtocol if role == "bare" else Protocol
    Server(app, sockets, lambda: print(port, flush=True), protocol).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
