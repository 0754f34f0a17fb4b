"""Bytes as explanation text: one line, bounded, without secrets."""

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from mockserver.caches import MIB, cached
from mockserver.model.redaction import HIDDEN_MIN, written_forms
from mockserver.model.secret_index import SecretIndex, fingerprint

SHOWN_MAX = 700  # characters of one text
CONTEXT_MAX = 160  # bytes that are shown before a difference
URL_ALPHABET = bytes.maketrans(b"+/", b"-_")

# Redacts what is about to be cut or compared; without a server there is nothing to redact.
REDACT: ContextVar[Callable[[bytes], bytes]] = ContextVar("redact", default=bytes)


@contextmanager
def redacting(redact: Callable[[bytes], bytes]) -> Iterator[None]:
    """Redacts all bytes that are written inside the block, before they are cut."""
    token = REDACT.set(redact)
    try:
        yield
    finally:
        REDACT.reset(token)


def printable(raw: bytes, size: int | None = None) -> str:
    """Decodes at most ``size`` bytes to one line of at most SHOWN_MAX characters.

    Unprintable characters are escaped.
    """
    raw = REDACT.get()(raw)[:size]
    raw = raw[: 4 * SHOWN_MAX + 4]  # a character of UTF-8 has at most four bytes
    text = raw.decode("utf-8", "backslashreplace")
    line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return line if len(line) <= SHOWN_MAX else line[:SHOWN_MAX] + "..."


def highlight_diff(expected: bytes, received: bytes) -> tuple[str, str]:
    """Returns both strings as text, with the part that differs between ``>>`` and ``<<``."""
    if expected == received:
        return printable(expected), printable(received)
    expected, received = map(REDACT.get(), (expected, received))
    prefix = common_prefix(expected, received)
    suffix = common_prefix(expected[prefix:][::-1], received[prefix:][::-1])
    return _highlight(expected, prefix, suffix), _highlight(received, prefix, suffix)


def _highlight(raw: bytes, prefix: int, suffix: int) -> str:
    end = len(raw) - suffix
    before = raw[:prefix] if prefix <= CONTEXT_MAX else b"..." + raw[prefix - CONTEXT_MAX : prefix]
    return f"{printable(before)}>>{printable(raw[prefix:end])}<<{printable(raw[end:])}"


def common_prefix(one: bytes, other: bytes) -> int:
    """Returns the length of the common prefix of two strings, by bisection."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def listed(names: Sequence[str]) -> str:
    """Returns names as ``a, b and c``."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def fingerprinted(secret: bytes | str, label: str = "") -> str:
    """Returns what replaces a secret in an explanation: a label and eight hex digits."""
    raw = secret.encode() if isinstance(secret, str) else secret
    return fingerprint(raw, label or "value")


def redact_secrets(raw: bytes, secrets: Mapping[str, str]) -> bytes:
    """Replaces secrets, plain or encoded, by a label and eight hex digits.

    ``secrets`` maps each secret to its label.
    """
    index, owners = _finder(tuple(secrets.items()))

    def replacement(form: bytes) -> str:
        return fingerprinted(*owners[form]) if form in owners else fingerprint(form)

    return index.redact(raw, replacement=replacement)


Labelled = tuple[tuple[str, str], ...]  # secrets, each with its label


def _finder_size(secrets: Labelled) -> int:
    return sum([1200 + 27 * len(secret) for secret, _ in secrets])


@cached("explanations: encodings", size=_finder_size, room=4 * MIB, at_once=True, keys_min=8)
def _finder(secrets: Labelled) -> tuple[SecretIndex, dict[bytes, tuple[str, str]]]:
    """Returns an index of secrets in all their encodings, and secret and label by encoding."""
    owners = {form: pair for pair in secrets for form in _encodings(pair[0])}
    return SecretIndex(owners), owners


def codes(secret: bytes) -> list[bytes]:
    """Returns a secret in hex and in base64 of either alphabet."""
    hexed, base = secret.hex().encode(), base64.b64encode(secret).rstrip(b"=")
    return [hexed, hexed.upper(), base, base.translate(URL_ALPHABET)]


def _encodings(secret: str) -> list[bytes]:
    """Returns a secret plain, URL-encoded, in either case, in hex and in base64."""
    plain = secret.encode()
    if len(plain) < HIDDEN_MIN:
        return []
    return [*written_forms(secret), plain.upper(), plain.lower(), *codes(plain)]
