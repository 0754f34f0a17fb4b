"""Why a request was refused, told to the developer; the wire never shows it.

For a signature, the way in which the client seems to have signed is found by trying known
mistakes on the right way, alone and in pairs, until one reproduces what the client sent.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from msgspec import Struct

from mockserver.wire.message import Request
from mockserver.wire.provider import Vault
from mockserver.wire.redaction import fingerprint

TRIES_MAX = 600
SHOWN_MAX = 700  # characters of one text

Way = Any  # a provider's own value: everything that makes a signature; hashable


class Explanation(Struct, frozen=True):
    """The first broken rule, what was expected, what came, and what to change."""

    rule: str
    expected: str
    received: str
    fix: str


class Refused(Struct, frozen=True):
    """A refused request with its secrets, of which only explanations leave."""

    request: Request
    reason: str
    facts: Mapping[str, Any]
    vault: Vault
    quirks: Mapping[str, Any]
    auth_now: int


class Mistake(Struct, frozen=True):
    """A known mistake: ``change`` returns the ways of signing that it makes of one.

    ``fix`` is one sentence: what to do instead.
    """

    name: str
    fix: str
    change: Callable[[Way], Iterable[Way]]


def solve(
    right: Way, mistakes: Sequence[Mistake], reproduces: Callable[[Way], bool]
) -> tuple[tuple[Mistake, ...], Way] | None:
    """Returns the mistakes that reproduce a signature, and the way they make; or None.

    One mistake is tried before two, and no more than TRIES_MAX ways in all.
    """
    for made, way in islice(_ways(right, mistakes), TRIES_MAX):
        if reproduces(way):
            return made, way
    return None


def _ways(right: Way, mistakes: Sequence[Mistake]) -> Iterator[tuple[tuple[Mistake, ...], Way]]:
    """Yields every way that one mistake makes, then every one that two make; none twice."""
    tried = {right}
    singles: list[tuple[int, Way]] = []
    for n, mistake in enumerate(mistakes):
        for way in mistake.change(right):
            if way not in tried:
                tried.add(way)
                singles.append((n, way))
                yield (mistake,), way
    for n, way in singles:
        for mistake in mistakes[n + 1 :]:
            for other in mistake.change(way):
                if other not in tried:
                    tried.add(other)
                    yield (mistakes[n], mistake), other


def shown(raw: bytes) -> str:
    """Writes bytes in one line, line ends and what cannot be read escaped."""
    text = raw.decode("utf-8", "backslashreplace")
    plain = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return plain if len(plain) <= SHOWN_MAX else plain[:SHOWN_MAX] + "..."


def marked(expected: bytes, received: bytes) -> tuple[str, str]:
    """Writes two strings, each with what differs from the other between ``>>`` and ``<<``."""
    start = _common(expected, received)
    end = _common(expected[start:][::-1], received[start:][::-1])
    return _mark(expected, start, end), _mark(received, start, end)


def _mark(raw: bytes, start: int, end: int) -> str:
    behind = len(raw) - end
    return f"{shown(raw[:start])}>>{shown(raw[start:behind])}<<{shown(raw[behind:])}"


def _common(one: bytes, other: bytes) -> int:
    """Returns how many bytes two strings have in common at their beginning."""
    size = min(len(one), len(other))
    return next((n for n in range(size) if one[n] != other[n]), size)


def veiled(secret: bytes | str, label: str = "") -> str:
    """Returns what stands for a secret in an explanation: a label, and eight hex digits."""
    raw = secret.encode() if isinstance(secret, str) else secret
    return fingerprint(raw, label or "value")


def solved(found: tuple[Mistake, ...], expected: str, received: str) -> Explanation:
    """Makes the explanation of a signature whose mistakes were found."""
    return Explanation(
        " + ".join(mistake.name for mistake in found),
        expected,
        received,
        " ".join(mistake.fix for mistake in found),
    )


def drift(refused: Refused, window: str) -> Explanation:
    """Explains a timestamp that is too far off; the facts have the drift in seconds."""
    off = refused.facts.get("drift")
    when = "behind" if (off or 0) < 0 else "ahead"
    told = "no whole number of seconds" if off is None else f"{abs(off)} s {when} of the exchange"
    return Explanation(
        "clock drift",
        f"a time within {window} of the exchange's clock",
        told,
        "Set the clock, or sign with the time of the exchange's Date header.",
    )
