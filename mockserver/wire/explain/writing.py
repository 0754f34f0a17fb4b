"""How an explanation writes bytes: in one line, bounded, without a secret."""

import base64
from collections.abc import Mapping

from mockserver.wire.redaction import HIDDEN_MIN, fingerprint, writings

SHOWN_MAX = 700  # characters of one text
NEAR_MAX = 160  # bytes that are shown before a difference
URL_ALPHABET = bytes.maketrans(b"+/", b"-_")


def shown(raw: bytes) -> str:
    """Writes bytes in one line, line ends and what cannot be read escaped."""
    raw = raw[: 4 * SHOWN_MAX + 4]  # as many bytes as so many characters can have
    text = raw.decode("utf-8", "backslashreplace")
    plain = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return plain if len(plain) <= SHOWN_MAX else plain[:SHOWN_MAX] + "..."


def marked(expected: bytes, received: bytes) -> tuple[str, str]:
    """Writes two strings, each with what differs from the other between ``>>`` and ``<<``."""
    start = common(expected, received)
    end = common(expected[start:][::-1], received[start:][::-1])
    return _mark(expected, start, end), _mark(received, start, end)


def _mark(raw: bytes, start: int, end: int) -> str:
    behind = len(raw) - end
    before = raw[:start] if start <= NEAR_MAX else b"..." + raw[start - NEAR_MAX : start]
    return f"{shown(before)}>>{shown(raw[start:behind])}<<{shown(raw[behind:])}"


def common(one: bytes, other: bytes) -> int:
    """Returns how many bytes two strings have in common at their beginning."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def veiled(secret: bytes | str, label: str = "") -> str:
    """Returns what stands for a secret in an explanation: a label, and eight hex digits."""
    raw = secret.encode() if isinstance(secret, str) else secret
    return fingerprint(raw, label or "value")


def hidden(raw: bytes, secrets: Mapping[str, str]) -> bytes:
    """Puts a label and eight hex digits in the place of secrets, however they are written.

    ``secrets`` are labels by secret.
    """
    for secret in sorted(secrets, key=len, reverse=True):
        for form in _forms(secret):
            if form in raw:
                raw = raw.replace(form, veiled(secret, secrets[secret]).encode())
    return raw


def _forms(secret: str) -> list[bytes]:
    plain = secret.encode()
    if len(plain) < HIDDEN_MIN:
        return []
    base = base64.b64encode(plain).rstrip(b"=")
    hexed = plain.hex().encode()
    recased = (plain.upper(), plain.lower(), hexed, hexed.upper())
    return [*writings(secret), *recased, base, base.translate(URL_ALPHABET)]
