"""Runs a peer for the length of a block, and leaves nothing of it behind."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from benchmarks.peers.stub import Stub, ask
from benchmarks.peers.table import Peer
from benchmarks.subject import HOST, Subject

READY_WITHIN = 60  # seconds
BETWEEN = 0.01  # seconds from one look to the next
BOUND = ("setpriv", "--pdeathsig", "KILL", "taskset", "-c")  # to our life, and to one core
QUIET = {"DO_NOT_TRACK": "1", "NO_UPDATE_NOTIFIER": "1"}  # asked of whoever heeds it


@contextlib.contextmanager
def running(peer: Peer, stub: Stub, core: int) -> Iterator[Subject]:
    """Serves the stub, on one core, from the moment that it is answered as it should be."""
    with tempfile.TemporaryDirectory(prefix="peer-", ignore_cleanup_errors=True) as name:
        folder, port = Path(name), _free_port()
        command = _command(peer, peer.asked(stub), folder, port)
        with _group([*BOUND, str(core), *command], folder) as process:
            _wait(peer, peer.asked(stub), port, process, folder / "log")
            yield Subject(process.pid, port)


def _command(peer: Peer, stub: Stub, folder: Path, port: int) -> list[str]:
    """Writes the configuration and returns the command with everything filled in."""
    config = folder / peer.config_file
    config.parent.mkdir(exist_ok=True)
    config.write_bytes(msgspec.json.encode(peer.config(stub, port)))
    places = {
        "program": peer.found,
        "config": config,
        "folder": folder,
        "port": port,
        "spare": _free_port(),
    }
    return [part.format_map(places) for part in peer.command]


@contextlib.contextmanager
def _group(command: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Starts a process group whose home is the folder, and kills all of it at the end."""
    settings = {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder), **QUIET}
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            command, cwd=folder, env=settings, stdout=log, stderr=log, start_new_session=True
        ) as process,
    ):
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _wait(peer: Peer, stub: Stub, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Returns when the stub is answered; raises RuntimeError when it is not in time."""
    until = time.monotonic() + READY_WITHIN
    answer: object = None
    while answer != stub.answer:
        if process.poll() is not None or time.monotonic() > until:
            said = log.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{peer.name} did not start; last answer {answer}; it said: {said}")
        time.sleep(BETWEEN)
        with contextlib.suppress(OSError, http.client.HTTPException):
            answer = ask(stub, HOST, port)


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as server:
        return int(server.getsockname()[1])
