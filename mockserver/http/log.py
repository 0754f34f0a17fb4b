"""Log lines on stderr: one line each, control characters escaped, no secret.

On a terminal every request is a line, in colours; elsewhere those that were refused, and those
on which a fault rule had an effect.
"""

import json
import logging
import os
import sys
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import asdict

from mockserver.engine.journal import JournalEntry
from mockserver.http.line_writer import LineHandler
from mockserver.tools.request_line import RequestLine, one_line

log = logging.getLogger("mockserver")
TEXT = "%(message)s"
# Of an accepted request with no effect of a rule; INFO is that of all others.
LEVELS = {"quiet": logging.WARNING, "refused": logging.INFO, "all": logging.DEBUG}

# The members of a JSON line beside its message.
FIELDS = ("provider", "operation", "method", "status", "reason", "credential")
FAULT_FIELDS = ("fault", "delivery")


def follow(entry: JournalEntry) -> None:
    """Logs a request in one line, at the level of refused ones or of all."""
    level = logging.INFO if entry.reason or entry.fault else logging.DEBUG
    if log.isEnabledFor(level):
        line = line_of(entry, "")
        log.log(level, "%s", line.message, extra={"entry": entry})


def line_of(entry: JournalEntry, time: str) -> RequestLine:
    """Returns the line of a journal entry; ``time`` is when it was logged."""
    why = entry.explanation
    target = entry.target.decode("latin-1")
    text = "" if why is None else f"{why.rule}. {why.fix}"
    return RequestLine(
        time,
        entry.provider,
        entry.method,
        target,
        entry.status,
        entry.reason,
        entry.credential,
        entry.fault,
        entry.delivery,
        entry.duration // 1000,
        text,
    )


class _Text(logging.Formatter):
    """Lines of text; ``terminal`` is the descriptor of a terminal, None for another stderr."""

    def __init__(self, terminal: int | None) -> None:
        super().__init__(TEXT)
        self._terminal = terminal
        self._colour = terminal is not None and has_colours()

    def format(self, record: logging.LogRecord) -> str:
        entry = getattr(record, "entry", None)
        if entry is None:
            lines = super().format(record).splitlines()
            return "\n".join(map(one_line, lines))
        now = datetime.fromtimestamp(record.created).astimezone()
        line = line_of(entry, now.isoformat(timespec="milliseconds")[11:23])
        if self._terminal is None:
            return line.plain()
        return line.on_terminal(_columns(self._terminal), self._colour)


def _columns(terminal: int) -> int:
    try:
        return os.get_terminal_size(terminal).columns
    except OSError:
        return 0


def has_colours() -> bool:
    """Returns whether a terminal is to have colours (https://no-color.org)."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {
            "time": time,
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        entry = getattr(record, "entry", None)
        if entry is not None:
            names = (*FIELDS, *FAULT_FIELDS) if entry.fault else FIELDS
            line |= {name: getattr(entry, name) for name in names}
            line["target"] = entry.target.decode("latin-1")
            line["duration_us"] = entry.duration // 1000
            if entry.explanation is not None:
                line["explanation"] = asdict(entry.explanation)
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def set_up(form: str, level: str | None = None) -> None:
    """Sends our lines and the server's to stderr, as ``text`` or ``json``.

    ``level`` is quiet, refused or all; None is all on a terminal and refused elsewhere. Lines are
    written by a thread of their own; without a stderr there are none.
    """
    terminal = None
    try:
        fd = sys.stderr.fileno()
        terminal = fd if os.isatty(fd) else None
        formatter = _Json() if form == "json" else _Text(terminal)
        handler: logging.Handler = LineHandler(fd, formatter)
    except (AttributeError, OSError, ValueError):  # closed, or no file
        handler = logging.NullHandler()
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    log.setLevel(LEVELS[level or ("refused" if terminal is None else "all")])
