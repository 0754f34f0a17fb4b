"""Log lines on stderr: one line each, control characters escaped, no secret."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import asdict

from mockserver.engine.journal import JournalEntry
from mockserver.http.line_writer import LineHandler
from mockserver.model.redaction import printable

log = logging.getLogger("mockserver")
TEXT = "%(message)s"

# The members of a JSON line beside its message.
FIELDS = ("provider", "operation", "method", "status", "reason", "credential")
FAULT_FIELDS = ("fault", "delivery")


def follow(entry: JournalEntry) -> None:
    """Logs a request that was refused, or on which a rule had an effect, in one line."""
    if not (entry.reason or entry.fault) or not log.isEnabledFor(logging.INFO):
        return
    target = entry.target.decode("latin-1")
    log.info(
        "%s %s %s -> %d %s%s",
        *(entry.provider, entry.method, target, entry.status, _outcome(entry), _why(entry)),
        extra={"entry": entry},
    )


def _outcome(entry: JournalEntry) -> str:
    who = f"(key {entry.credential})" if entry.credential else ""
    fault = f"[{', '.join(filter(None, (entry.fault, entry.delivery)))}]" if entry.fault else ""
    return " ".join(filter(None, (entry.reason, who, fault)))


def _why(entry: JournalEntry) -> str:
    why = entry.explanation
    return f": {why.rule}. {why.fix}" if why is not None else ""


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        lines = super().format(record).splitlines()
        return "\n".join(printable(line.encode("utf-8", "backslashreplace")) for line in lines)


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
            if entry.explanation is not None:
                line["explanation"] = asdict(entry.explanation)
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def set_up(form: str) -> None:
    """Sends our lines and the server's to stderr, as ``text`` or ``json``.

    They are written by a thread of their own; without a stderr there are none.
    """
    formatter = _Json() if form == "json" else _Text(TEXT)
    try:
        handler: logging.Handler = LineHandler(sys.stderr.fileno(), formatter)
    except (AttributeError, OSError, ValueError):  # closed, or no file
        handler = logging.NullHandler()
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    log.setLevel(logging.INFO)
