"""How an explanation writes bytes: in one line, bounded, without a secret."""

import base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache

from mockserver.model.redaction import HIDDEN_MIN, written_forms
from mockserver.model.secret_index import SecretIndex, fingerprint

SHOWN_MAX = 700  # characters of one text
NEAR_MAX = 160  # bytes that are shown before a difference
URL_ALPHABET = bytes.maketrans(b"+/", b"-_")

# Redacts what is about to be cut or compared; without a server there is nothing to redact.
REDACT: ContextVar[Callable[[bytes], bytes]] = ContextVar("redact", default=bytes)


@contextmanager
def redacting(redact: Callable[[bytes], bytes]) -> Iterator[None]:
    """Redacts all bytes that are written within, before they are cut."""
    token = REDACT.set(redact)
    try:
        yield
    finally:
        REDACT.reset(token)


def printable(raw: bytes, size: int | None = None) -> str:
    """Writes bytes, at most ``size`` of them, in one line; escapes what cannot be read."""
    raw = REDACT.get()(raw)[:size]
    raw = raw[: 4 * SHOWN_MAX + 4]  # as many bytes as so many characters can have
    text = raw.decode("utf-8", "backslashreplace")
    plain = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return plain if len(plain) <= SHOWN_MAX else plain[:SHOWN_MAX] + "..."


def highlight_diff(expected: bytes, received: bytes) -> tuple[str, str]:
    """Writes two strings, each with what differs from the other between ``>>`` and ``<<``."""
    expected, received = map(REDACT.get(), (expected, received))
    start = common(expected, received)
    end = common(expected[start:][::-1], received[start:][::-1])
    return _mark(expected, start, end), _mark(received, start, end)


def _mark(raw: bytes, start: int, end: int) -> str:
    behind = len(raw) - end
    before = raw[:start] if start <= NEAR_MAX else b"..." + raw[start - NEAR_MAX : start]
    return f"{printable(before)}>>{printable(raw[start:behind])}<<{printable(raw[behind:])}"


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


def fingerprinted(secret: bytes | str, label: str = "") -> str:
    """Returns what stands for a secret in an explanation: a label, and eight hex digits."""
    raw = secret.encode() if isinstance(secret, str) else secret
    return fingerprint(raw, label or "value")


def redact_secrets(raw: bytes, secrets: Mapping[str, str]) -> bytes:
    """Puts a label and eight hex digits in the place of secrets, however they are written.

    ``secrets`` are labels by secret.
    """
    index, owners = _finder(tuple(secrets.items()))

    def replacement(form: bytes) -> str:
        return fingerprinted(*owners[form]) if form in owners else fingerprint(form)

    return index.redact(raw, replacement=replacement)


@lru_cache(8)
def _finder(
    secrets: tuple[tuple[str, str], ...],
) -> tuple[SecretIndex, dict[bytes, tuple[str, str]]]:
    """Returns an index of secrets in all their forms, and secret and label by form."""
    index = SecretIndex()
    owners = {form: pair for pair in secrets for form in _forms(pair[0])}
    index.put("forms", owners)
    return index, owners


def _forms(secret: str) -> list[bytes]:
    plain = secret.encode()
    if len(plain) < HIDDEN_MIN:
        return []
    base = base64.b64encode(plain).rstrip(b"=")
    hexed = plain.hex().encode()
    recased = (plain.upper(), plain.lower(), hexed, hexed.upper())
    return [*written_forms(secret), *recased, base, base.translate(URL_ALPHABET)]
