"""The peers, a row each: how to find one, how to start it, what to tell it."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import Struct

from benchmarks.peers import config
from benchmarks.peers.stub import Stub
from benchmarks.subject import HOST

HERE = Path(__file__).parent
JVM = ("java", "-Djava.io.tmpdir={folder}", "-XX:-UsePerfData")  # nothing left behind in /tmp
JVM_WARM_UP = 30  # seconds in which the compiler does most of what it can


def _unchanged(stub: Stub) -> Stub:
    return stub


class Peer(Struct, frozen=True, kw_only=True):
    """A mock server to compare ours with; ``warm_up`` in seconds.

    ``program`` is looked for in the peers' folder. ``journal``: it keeps what it was asked.
    ``comparable``: it serves the stub; else ``asked`` says what it serves instead.
    ``matches``: it looks at the stub's headers. In ``command``, {program}, {config}, {folder},
    {port} and {spare}, another free port, are filled in.
    """

    name: str
    program: str
    command: tuple[str, ...]
    config: Callable[[Stub, int], Any]
    config_file: str = "config.json"
    asked: Callable[[Stub], Stub] = _unchanged
    warm_up: int = 1
    journal: bool = True
    comparable: bool = True
    matches: bool = True

    @property
    def found(self) -> Path | None:
        """Where its program is, or nothing."""
        folder = Path(os.environ.get("BENCH_PEERS") or HERE.parent / ".peers").absolute()
        return next(iter(sorted(folder.glob(self.program))), None)

    @property
    def present(self) -> bool:
        """Says whether it can be started: the program, and what runs it."""
        return bool(
            self.found and (self.command[0] == "{program}" or shutil.which(self.command[0]))
        )


PEERS = (
    Peer(
        name="WireMock",
        program="wiremock/build/wiremock-standalone-*.jar",
        command=(
            *(*JVM, "-jar", "{program}", "--bind-address", HOST, "--port", "{port}"),
            *("--root-dir", "{folder}", "--disable-banner", "--disable-request-logging"),
            *("--use-chunked-encoding", "never"),
        ),
        config=config.wiremock,
        config_file="mappings/stub.json",
        warm_up=JVM_WARM_UP,
    ),
    Peer(
        name="MockServer",
        program="mockserver-node/mockserver-netty-*.jar",
        command=(
            *(*JVM, "-Dmockserver.localBoundIP=" + HOST, "-Dmockserver.disableSystemOut=true"),
            *("-jar", "{program}", "--port", "{port}", "--init", "{config}", "--log-level", "WARN"),
        ),
        config=config.mockserver,
        warm_up=JVM_WARM_UP,
    ),
    Peer(
        name="Mockoon",
        program="node_modules/.bin/mockoon-cli",
        command=(
            *("node", "{program}", "start", "--data", "{config}", "--hostname", HOST),
            *("--port", "{port}", "--repair", "--disable-log-to-file"),
        ),
        config=config.mockoon,
    ),
    Peer(
        name="Prism",
        program="node_modules/.bin/prism",
        command=(
            *("node", "{program}", "mock", "--host", HOST, "--port", "{port}"),
            *("--cors=false", "--verboseLevel", "silent", "{config}"),
        ),
        config=config.prism,
        asked=config.as_text,
        journal=False,
    ),
    Peer(
        name="mountebank",
        program="node_modules/.bin/mb",
        command=(
            *("node", "{program}", "start", "--host", HOST, "--port", "{spare}", "--localOnly"),
            *("--configfile", "{config}", "--noParse", "--nologfile", "--loglevel", "error"),
        ),
        config=config.mountebank,
    ),
    Peer(
        name="pytest-httpserver",
        program="venv/lib/python*/site-packages/pytest_httpserver/../../../../bin/python",
        command=("{program}", str(HERE / "httpserver.py"), "{config}", HOST, "{port}"),
        config=config.pytest_httpserver,
    ),
    Peer(
        name="moto",
        program="venv/bin/moto_server",
        command=("{program}", "-H", HOST, "-p", "{port}"),
        config=config.moto,
        asked=config.clusters,
        journal=False,
        comparable=False,
        matches=False,
    ),
)


def discover() -> list[Peer]:
    """Returns the peers that are on this machine."""
    return [peer for peer in PEERS if peer.present]


def missing() -> list[str]:
    """Returns a line for each peer that is not, with where to read how to get it."""
    absent = (peer.name for peer in PEERS if not peer.present)
    return [f"{name}: not found, see benchmarks/peers/README.md" for name in absent]
