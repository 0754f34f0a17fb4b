"""Log lines leave through a thread of their own: a slow reader never blocks the server."""

import logging
import os
import threading
import time
import traceback
from collections.abc import Callable
from queue import Empty, SimpleQueue

QUEUE_MAX = 1024 * 1024  # bytes that wait to be written; lines beyond are dropped and counted
CHUNK = 64 * 1024  # bytes for one write
RETRY = 0.05  # seconds before a full non-blocking descriptor is tried again
FLUSH_WITHIN = 0.3  # seconds that a stop waits for lines that are not written yet


class LineWriter:
    """Writes lines to a file descriptor, in order; ``report`` words the count of dropped ones.

    ``put`` is called by one thread at a time, which a logging handler's lock sees to.
    """

    def __init__(self, fd: int, report: Callable[[int], bytes]) -> None:
        self._fd = fd
        self._report = report
        self._queue: SimpleQueue[bytes] = SimpleQueue()
        self._accepted = self._done = 0  # bytes; each is changed by one thread only
        self._dropped = self._lost = self._reported = 0  # lines; the same
        threading.Thread(target=self._run, name="mockserver-log", daemon=True).start()

    @property
    def dropped(self) -> int:
        """How many lines were not written."""
        return self._dropped + self._lost

    def put(self, line: bytes) -> None:
        """Queues a line, or drops it when too many wait."""
        if self._accepted - self._done + len(line) > QUEUE_MAX:
            self._dropped += 1
            return
        self._accepted += len(line)
        self._queue.put(line)

    def flush(self, within: float = FLUSH_WITHIN) -> None:
        """Waits for the queue to be written, at most so many seconds."""
        end = time.monotonic() + within
        while self._unfinished() and time.monotonic() < end:
            time.sleep(0.005)

    def _unfinished(self) -> bool:
        return self._done < self._accepted or self._reported < self._dropped + self._lost

    def _run(self) -> None:
        while True:
            lines = [self._queue.get()]
            self._gather(lines)
            if not self._write(b"".join(lines)):
                self._lost += len(lines)
            self._done += sum(map(len, lines))
            if self._queue.empty():
                self._report_dropped()

    def _gather(self, lines: list[bytes]) -> None:
        """Adds the lines that wait already, for one write."""
        size = len(lines[0])
        try:
            while size < CHUNK:
                lines.append(self._queue.get_nowait())
                size += len(lines[-1])
        except Empty:
            return

    def _report_dropped(self) -> None:
        dropped = self._dropped + self._lost
        if dropped > self._reported and self._write(self._report(dropped - self._reported)):
            self._reported = dropped

    def _write(self, data: bytes) -> bool:
        """Writes all of it, for as long as that takes; returns whether it could be written."""
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._fd, view) :]
            except BlockingIOError:
                time.sleep(RETRY)
            except OSError:
                return False
        return True


class LineHandler(logging.Handler):
    """Hands log records to a LineWriter on ``fd``."""

    def __init__(self, fd: int, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.writer = LineWriter(fd, self._dropped)

    def emit(self, record: logging.LogRecord) -> None:
        """Formats and queues one record."""
        try:
            line = self.format(record)
        except Exception:
            line = traceback.format_exc()  # a mistake of ours: shown, never raised into a request
        self.writer.put(f"{line}\n".encode("utf-8", "backslashreplace"))

    def flush(self) -> None:
        """Waits for the queue to be written, for a bounded time."""
        self.writer.flush()

    def _dropped(self, count: int) -> bytes:
        what = f"{count} log lines dropped: stderr was not read, or could not be written"
        record = logging.LogRecord("mockserver", logging.WARNING, "", 0, what, (), None)
        return f"{self.format(record)}\n".encode()
