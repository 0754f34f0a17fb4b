"""The card in a terminal."""

import shutil
import sys
from collections import Counter
from textwrap import wrap
from typing import TextIO

from mockserver.certify.card import Card, CheckReport
from mockserver.certify.model import PASS, VERDICTS, Result

COLOURS = {"pass": 32, "fail": 31, "warning": 33, "harness_error": 35, "too_slow_to_tell": 35}
WIDTH_MAX = 130
ABOUT_MIN = 30  # columns of a sentence, in a terminal however narrow


class Progress:
    """Counts checks on one line of a terminal; writes nothing elsewhere."""

    def __init__(self, stream: TextIO, total: int) -> None:
        self._stream, self._total = stream, total
        self._shown = stream.isatty()
        self._done = 0

    def __call__(self, result: Result) -> None:
        """Counts one check."""
        self._done += 1
        if self._shown:
            text = f"{self._done}/{self._total} {result.check.id}"
            self._stream.write(f"\r\x1b[K{text[:78]}")
            self._stream.flush()

    def close(self) -> None:
        """Clears the line."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def table(card: Card, colours: bool) -> str:
    """Returns the table of all checks, then what failed, then the score."""
    width = min(shutil.get_terminal_size((100, 24)).columns, WIDTH_MAX)
    lines = _lines(card.checks, width, colours)
    failed = [check for check in card.checks if check.verdict != PASS and check.evidence]
    for check in failed:
        lines += ["", *_failure(check)]
    return "\n".join([*lines, "", summary(card)])


def summary(card: Card) -> str:
    """Returns score and counts in one line."""
    counts = Counter(check.verdict for check in card.checks)
    parts = [f"{counts[v]} {v.replace('_', ' ')}" for v in VERDICTS if counts[v]]
    new = sum(not check.scores for check in card.checks)
    return (
        f"{card.client.provider}: score {card.score.text}, reached {card.reached.text}"
        f" (requirements {card.requirements}): {', '.join(parts)}"
        + (f", {new} too new to score" if new else "")
        + f" in {card.seconds:g} s"
    )


def _lines(checks: list[CheckReport], width: int, colours: bool) -> list[str]:
    """Returns the rows of the table, each sentence whole, on as many lines as it takes."""
    verdicts = max((len(check.verdict) for check in checks), default=0) + 2
    ids = max((len(check.id) for check in checks), default=0) + 2
    lines = []
    for check in checks:
        verdict = f"{check.verdict.replace('_', ' '):<{verdicts}}"
        indent = " " * len(f"{verdict}{check.level:<8}{'':<{ids}}")
        about = wrap(check.about, max(width - len(indent), ABOUT_MIN))
        if colours and check.verdict in COLOURS:
            verdict = f"\x1b[{COLOURS[check.verdict]}m{verdict}\x1b[0m"
        lines.append(f"{verdict}{check.level:<8}{check.id:<{ids}}{about[0]}")
        lines += [indent + more for more in about[1:]]
    return lines


def _failure(check: CheckReport) -> list[str]:
    evidence = check.evidence.splitlines() or [""]
    lines = [f"{check.id}: {evidence[0]}", *(f"    {line}" for line in evidence[1:])]
    if check.verdict in ("skipped", "not_applicable"):
        return lines
    return [*lines, f"    why: {check.why}", f"    fix: {check.fix}", f"    {check.command}"]


def colours_wanted(stream: TextIO, no_color: str | None) -> bool:
    """Returns whether a stream is a terminal on which colours are wanted."""
    return not no_color and stream.isatty() and sys.platform != "win32"
