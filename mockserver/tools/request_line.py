"""A request of the journal as one line of text, as the log and ``mockserver requests`` print it.

    10:59:35.123  0.3ms cpg GET /v1/balances -> 401 bad_signature (key main): rule. fix

On a terminal it has colours, its target is shortened, and it is broken at spaces.
"""

from collections.abc import Iterator

from msgspec import Struct

from mockserver.model.redaction import printable

WIDTH_MIN = 40  # columns of a terminal below which nothing is shortened or broken
INDENT = 2  # columns of the lines after the first
TARGET_MIN = 24  # characters to which a target is shortened at most
COLOURS = {"dim": "2", "good": "32", "warn": "33", "bad": "31"}


class RequestLine(Struct, frozen=True):
    """What the line of a request says; ``time`` is text, ``duration_us`` microseconds."""

    time: str
    provider: str
    method: str
    target: str
    status: int
    reason: str
    credential: str
    fault: str
    delivery: str
    duration_us: int
    why: str

    @property
    def message(self) -> str:
        """The line without time and duration."""
        return self.text(self.target)

    def text(self, target: str) -> str:
        """Returns the message with another target in the place of its own."""
        why = f": {self.why}" if self.why else ""
        return f"{self.provider} {self.method} {target} -> {self.status} {self._outcome()}{why}"

    def _outcome(self) -> str:
        key = f"(key {self.credential})" if self.credential else ""
        effects = ", ".join(filter(None, (self.fault, self.delivery)))
        return " ".join(filter(None, (self.reason, key, f"[{effects}]" if self.fault else "")))

    def plain(self) -> str:
        """Returns the whole line."""
        return one_line(f"{self._start()} {self.message}")

    def _start(self) -> str:
        return f"{self.time} {_duration(self.duration_us):>6}"

    def on_terminal(self, width: int, colour: bool) -> str:
        """Returns the line for a terminal of so many columns, with colours or without."""
        paint = _paint if colour else _unpainted
        target = self.target if width < WIDTH_MIN else self._short_target(width)
        head, tail = f"{self._start()} ", self.text(target)
        lines = list(_broken(one_line(head + tail), width))
        status = f"-> {self.status}"
        painted = "\n".join(lines).replace(status, paint(status, self._style()), 1)
        return paint(head, "dim") + painted.removeprefix(head)

    def _short_target(self, width: int) -> str:
        """Returns the target, its middle left out where the request would fill more than a line."""
        outcome = self._outcome()
        outcome = outcome if len(outcome) <= width // 3 else self.reason
        rest = f"{self._start()} {self.provider} {self.method}  -> {self.status} {outcome}"
        room = max(TARGET_MIN, width - len(rest))
        if len(self.target) <= room:
            return self.target
        end = room // 3
        return f"{self.target[: room - end - 3]}...{self.target[-end:]}"

    def _style(self) -> str:
        if self.reason or self.status >= 400:
            return "bad"
        return "warn" if self.fault else "good"


def one_line(text: str) -> str:
    """Escapes control characters."""
    return printable(text.encode("utf-8", "backslashreplace"))


def _duration(microseconds: int) -> str:
    if microseconds < 100_000:
        return f"{microseconds / 1000:.1f}ms"
    return f"{microseconds / 1_000_000:.1f}s"


def _broken(text: str, width: int) -> Iterator[str]:
    """Yields a text in lines of a width, broken at spaces where there are any."""
    while width >= WIDTH_MIN and len(text) > width:
        at = text.rfind(" ", INDENT + 1, width + 1)
        if at < 0:
            break
        yield text[:at]
        text = " " * INDENT + text[at + 1 :]
    yield text


def _paint(text: str, style: str) -> str:
    return f"\x1b[{COLOURS[style]}m{text}\x1b[0m"


def _unpainted(text: str, style: str) -> str:
    return text
