r"""Finds known secrets in a text, in time that does not depend on the number of secrets.

A text is searched as it is, and once more after each layer of escapes is removed: percent
escapes, JSON's ``\/``, ``\"`` and ``\u00XX``. Anything in the form of a JWT counts as a secret.
The time is linear in the text.
"""

import hashlib
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

SECRET_MIN = 4  # bytes; a shorter secret is not looked for
FEW = 64  # secrets without an anchor that are searched for one by one
LAYERS_MAX = 4  # layers of escapes that are taken off
MARGIN = 32 * 1024  # bytes searched beyond a cut, so that a secret across it is found whole

# A secret is looked up where it first has a digit, a hyphen or an underscore in front of a
# letter, which keys have everywhere and other texts rarely.
ANCHOR = re.compile(rb"[0-9_-](?=[A-Za-z])")
ANCHOR_SIZE = 6  # bytes

# A text is searched for anchors by the kinds of its bytes, which is several times faster.
KINDS = bytes(
    ord("0" if chr(byte) in "0123456789_-" else "a" if chr(byte).isalpha() and byte < 128 else " ")
    for byte in range(256)
)
ANCHOR_KINDS = b"0a"

PERCENT, BACKSLASH = b"%\\"
ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})|\\u00([0-9A-Fa-f]{2})|\\([/\"\\])")

# Three parts of base64url, the first of which is an object in JSON: `{"`, or `{` and a blank.
DOTTED = re.compile(rb"(?<![\w-])[\w-]{12,}(?:\.[\w-]*){2,}")
JWT_START = re.compile(rb"(?:ey[A-L]|ew[0ok])[\w-]{9}")

Shape = tuple[int, int]  # where a secret's anchor is, and how long the secret is


def fingerprint(secret: bytes, label: str = "redacted") -> str:
    """Returns the label and the first eight hex digits of the secret's SHA-256."""
    return f"{label}:{hashlib.sha256(secret).hexdigest()[:8]}"


class Span(Struct, frozen=True, gc=False):
    """A secret in a text: its position, escapes included, and the secret without escapes."""

    start: int
    end: int
    secret: bytes


class SecretIndex:
    """An index of secrets, by which all of them are found in one pass over a text.

    It does not change, except in the engine's subclass of the secrets in use.
    """

    def __init__(self, secrets: Iterable[bytes] = ()) -> None:
        self._secrets = dict.fromkeys((s for s in secrets if len(s) >= SECRET_MIN), 1)
        self._anchors: dict[bytes, tuple[Shape, ...]] = {}
        self._plain: dict[bytes, None] = {}  # secrets without an anchor
        self._few: tuple[tuple[str, bytes], ...] | None = ()  # the same, or None for too many
        self._starts: dict[bytes, tuple[int, ...]] = {}
        self._firsts = re.compile(rb"(?!)")
        for secret in self._secrets:
            self._add(secret)
        self._index_plain()

    def _add(self, secret: bytes) -> None:
        anchor = next(_anchors(secret), None)
        if anchor is None:
            self._plain[secret] = None
            return
        at, gram = anchor
        shapes = self._anchors.get(gram, ())
        if (at, len(secret)) not in shapes:
            self._anchors[gram] = (*shapes, (at, len(secret)))

    def _index_plain(self) -> None:
        if len(self._plain) <= FEW:
            self._few = tuple((secret.decode("latin-1"), secret) for secret in self._plain)
            return
        lengths: dict[bytes, set[int]] = {}
        for secret in self._plain:
            lengths.setdefault(secret[:SECRET_MIN], set()).add(len(secret))
        firsts = {bytes([start[0]]) for start in lengths}
        self._starts = {start: tuple(sizes) for start, sizes in lengths.items()}
        self._firsts = re.compile(b"[" + b"".join(map(re.escape, firsts)) + b"]")
        self._few = None

    def redact(
        self,
        text: bytes,
        limit: int | None = None,
        replacement: Callable[[bytes], str] = fingerprint,
    ) -> bytes:
        """Returns a text, at most ``limit`` bytes of it, with its secrets replaced."""
        if limit is None or len(text) <= limit:
            searched, end = text, len(text)
        else:
            searched, end = text[: limit + MARGIN], limit
        if PERCENT not in searched and BACKSLASH not in searched:
            spans = self._within(searched)
        else:
            spans = self._in_layers(searched)
        if not spans:
            return text[:limit]
        spans = _merged(spans)
        pieces, at = [], 0
        for span in spans:
            if span.start >= end:
                break
            pieces += [text[at : span.start], replacement(span.secret).encode()]
            at = span.end
        pieces.append(text[at:end])
        return b"".join(pieces)[:limit]

    def find(self, text: bytes) -> list[Span]:
        """Returns the secrets in a text in order; secrets that overlap are one span."""
        return _merged(self._in_layers(text))

    def _in_layers(self, text: bytes) -> list[Span]:
        """Returns the secrets in a text and below each layer of its escapes."""
        layers = [text]
        while True:
            plain = ESCAPE.sub(_unescaped, layers[-1])
            if plain == layers[-1] or len(layers) > LAYERS_MAX:
                break
            layers.append(plain)
        spans = []
        for depth, layer in enumerate(layers):
            in_layer = self._within(layer)
            for outer in reversed(layers[:depth] if in_layer else ()):
                in_layer = _located(outer, in_layer)
            spans += in_layer
        return spans

    def _within(self, text: bytes) -> list[Span]:
        """Returns the secrets in a text as it is, in any order."""
        as_text = text.decode("latin-1")  # searching str is several times faster than bytes
        spans: list[Span] = []
        few, anchors = self._few, self._anchors
        if few is None:
            spans += self._many_plain(text)
        else:
            for plain, secret in few:
                if plain in as_text:
                    starts = _starts(as_text, plain)
                    spans += [Span(at, at + len(plain), secret) for at in starts]
        kinds = text.translate(KINDS)
        at = kinds.find(ANCHOR_KINDS)
        while at >= 0:
            gram = text[at : at + ANCHOR_SIZE]
            if gram in anchors:
                spans += self._anchored(text, at, anchors[gram])
            at = kinds.find(ANCHOR_KINDS, at + 1)
        if "." in as_text and ("ey" in as_text or "ew" in as_text) and JWT_START.search(text):
            spans += _tokens(text)
        return spans

    def _many_plain(self, text: bytes) -> Iterator[Span]:
        starts, secrets = self._starts, self._secrets
        for match in self._firsts.finditer(text):
            at = match.start()
            for length in starts.get(text[at : at + SECRET_MIN], ()):
                secret = text[at : at + length]
                if secret in secrets:
                    yield Span(at, at + length, secret)

    def _anchored(self, text: bytes, at: int, shapes: Iterable[Shape]) -> Iterator[Span]:
        """Yields the secrets whose anchor is at a position."""
        for before, length in shapes:
            start = at - before
            secret = text[start : start + length] if start >= 0 else b""
            if secret in self._secrets:
                yield Span(start, start + length, secret)


def _anchors(secret: bytes) -> Iterator[tuple[int, bytes]]:
    """Yields the positions of a secret's anchors, each with its bytes."""
    for match in ANCHOR.finditer(secret, 0, max(0, len(secret) - ANCHOR_SIZE + 2)):
        yield match.start(), secret[match.start() : match.start() + ANCHOR_SIZE]


def _starts(text: str, part: str) -> Iterator[int]:
    at = text.find(part)
    while at >= 0:
        yield at
        at = text.find(part, at + len(part))


def _tokens(text: bytes) -> Iterator[Span]:
    """Yields texts in the form of a JWT, with all their parts."""
    for run in DOTTED.finditer(text):
        second_last = text.rfind(b".", run.start(), text.rfind(b".", run.start(), run.end()))
        token = JWT_START.search(text, run.start(), second_last)
        if token is not None:
            yield Span(token.start(), run.end(), text[token.start() : run.end()])


def _unescaped(match: "re.Match[bytes]") -> bytes:
    code = match[1] or match[2]
    return bytes.fromhex(code.decode()) if code else match[3]


def _located(escaped: bytes, spans: Iterable[Span]) -> list[Span]:
    """Returns the spans of an unescaped text as spans of the escaped text."""
    places, lost = [], [0]
    for match in ESCAPE.finditer(escaped):
        places.append(match.start() - lost[-1])
        lost.append(lost[-1] + match.end() - match.start() - 1)

    def before(at: int) -> int:
        return at + lost[bisect_left(places, at)]

    return [Span(before(span.start), before(span.end), span.secret) for span in spans]


def _merged(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if merged and span.start < merged[-1].end:
            last = merged[-1]
            longer = max(last.secret, span.secret, key=len)
            merged[-1] = Span(last.start, max(last.end, span.end), longer)
        else:
            merged.append(span)
    return merged
