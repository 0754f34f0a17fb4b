"""A client that is a command: a process for each run, ended with its children."""

import contextlib
import hashlib
import os
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from mockserver.certify import rows
from mockserver.certify.clients import POLL, STOP_AFTER, RequestCounter
from mockserver.certify.clients.environment import environment
from mockserver.certify.model import Outcome, Stage
from mockserver.errors import UnusableClient

OUTPUT_MAX = 2 * 1024 * 1024  # bytes of stdout that are read; the rest is counted
ERROR_MAX = 64 * 1024  # bytes of stderr
FILE_MAX = 8 * 1024 * 1024  # bytes of a file that the hash of a client covers
DRAIN = 2  # seconds for the pipes after the end of a process
NOT_RUNNABLE = (126, 127)  # exit statuses of a shell that cannot run a command


class Pipe:
    """Reads a pipe to its end in a thread, and keeps the first bytes."""

    def __init__(self, pipe: IO[bytes], limit: int) -> None:
        self._pipe, self._limit = pipe, limit
        self.data = bytearray()
        self.size = 0
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError), self._pipe:
            while part := self._pipe.read1(65536):  # type: ignore[attr-defined]
                self.size += len(part)
                self.data += part[: max(self._limit - len(self.data), 0)]

    def finish(self) -> None:
        """Waits a little for the end; a grandchild may still hold the pipe."""
        self._thread.join(DRAIN)

    @property
    def text(self) -> str:
        """The text that was kept."""
        return bytes(self.data).decode("utf-8", "replace")


class CommandClient:
    """Runs a command; raises UnusableClient for one that is not found."""

    rehearses = True

    def __init__(self, command: Sequence[str], workers: int = 0) -> None:
        self.command = list(command)
        self.name = shlex.join(self.command)
        program = shutil.which(self.command[0])
        if program is None:
            raise UnusableClient(
                f"{self.command[0]} is no command: expected one on PATH, a path, or"
                " module:function of a Python function"
            )
        self.digest = _digest([program, *self.command[1:]], self.name)
        self.workers = workers or 2 * (os.cpu_count() or 1) + 2

    def run(self, stage: Stage, requests: RequestCounter) -> Outcome:
        """Runs the command once."""
        begin = time.monotonic()
        try:
            process = subprocess.Popen(  # noqa: S603 - the user's own command
                self.command,
                env=environment(stage),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise UnusableClient(f"{self.command[0]} cannot be run: {error.strerror}") from None
        assert process.stdout is not None and process.stderr is not None  # noqa: S101, PT018
        output, errors = Pipe(process.stdout, OUTPUT_MAX), Pipe(process.stderr, ERROR_MAX)
        stopped = self._wait(process, begin + stage.time_limit, requests)
        _end(process)
        for pipe in (output, errors):
            pipe.finish()
        seconds = time.monotonic() - begin
        return _outcome(process.returncode, stopped, output, errors, seconds, stage.provider)

    def _wait(self, process: subprocess.Popen[bytes], end: float, requests: RequestCounter) -> str:
        """Waits for the end of a process; returns why it must be ended, or an empty text."""
        while True:
            try:
                process.wait(POLL)
            except subprocess.TimeoutExpired:
                if time.monotonic() > end:
                    return "time"
                if requests() > STOP_AFTER:
                    return "requests"
            else:
                return ""


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a process and all that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _outcome(
    status: int, stopped: str, output: Pipe, errors: Pipe, seconds: float, provider: str
) -> Outcome:
    text, problem, parsed = output.text, "", None
    if not stopped and status == 0:
        try:
            parsed = rows.parse_text(text, provider)
        except ValueError as error:
            problem = str(error)
        if output.size > OUTPUT_MAX:
            problem = f"expected at most {OUTPUT_MAX} bytes on stdout, got {output.size}"
    return Outcome(
        rows=parsed,
        error=problem or errors.text or f"exit status {status}",
        problem=problem,
        stopped=stopped,  # type: ignore[arg-type]
        status=status,
        output=text,
        error_output=errors.text,
        seconds=seconds,
    )


def _digest(words: Sequence[str], name: str) -> str:
    """Returns a hash of the command and of the files that it names, the program apart."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape"))
    for word in words[1:] if len(words) > 1 else words:
        path = Path(word)
        with contextlib.suppress(OSError):
            if path.is_file() and path.stat().st_size <= FILE_MAX:
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
