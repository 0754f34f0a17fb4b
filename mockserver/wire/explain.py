"""Why a request was refused, told to the developer; the wire never shows it.

For a signature, the way in which the client seems to have signed is found by trying known
mistakes on the right way, alone and in pairs, until one reproduces what the client sent.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import chain, islice
from typing import Any, Protocol
from urllib.parse import unquote_to_bytes

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from mockserver.wire.message import Request
from mockserver.wire.provider import Vault
from mockserver.wire.query import raw_pairs
from mockserver.wire.redaction import HIDDEN_MIN, fingerprint, writings

TRIES_MAX = 600
SHOWN_MAX = 700  # characters of one text
NEAR_MAX = 160  # bytes that are shown before a difference
LOOKED_AT_MAX = 16 * 1024  # bytes of a body in which a key is looked for
NAME_MAX = 40  # bytes of a name that are shown
KEY_MAX = 512  # bytes of a value that may be a key

Way = Any  # a provider's own value: everything that makes a signature; hashable


class Explanation(Struct, frozen=True):
    """The first broken rule, what was expected, what came, and what to change."""

    rule: str
    expected: str
    received: str
    fix: str


class Keyring(Vault, Protocol):
    """A vault that tells all it holds."""

    @property
    def labels(self) -> Mapping[str, Any]:
        """The credentials by label."""


class Refused(Struct, frozen=True):
    """A refused request with its secrets, of which only explanations leave."""

    request: Request
    reason: str
    facts: Mapping[str, Any]
    vault: Keyring
    quirks: Mapping[str, Any]
    auth_now: int

    @property
    def keys(self) -> list[Any]:
        """The credentials of the world, without those that are made to be refused."""
        return [key for key in self.vault.labels.values() if not key.rejects]


def nowhere(way: Way) -> Iterable[Way]:
    """Changes no way: for a mistake that is found by looking, not by trying."""
    return ()


class Mistake(Struct, frozen=True):
    """A known mistake: ``change`` returns the ways of signing that it makes of one.

    ``fix`` is one sentence: what to do instead. One that is tried ``alone`` makes no pairs.
    """

    name: str
    fix: str
    change: Callable[[Way], Iterable[Way]] = nowhere
    alone: bool = False


def solve(
    right: Way,
    mistakes: Sequence[Mistake],
    reproduces: Callable[[Way], bool],
    *also: Way,
    tries: int = TRIES_MAX,
) -> tuple[tuple[Mistake, ...], Way] | None:
    """Returns the mistakes that reproduce a signature, and the way they make; or None.

    ``also`` are further ways that are right. One mistake is tried before two, the likeliest
    two first, and no more than ``tries`` ways in all.
    """
    for made, way in islice(_ways((right, *also), mistakes), tries):
        if reproduces(way):
            return made, way
    return None


def _ways(
    rights: Sequence[Way], mistakes: Sequence[Mistake]
) -> Iterator[tuple[tuple[Mistake, ...], Way]]:
    """Yields every way that one mistake makes, then every one that two make; none twice."""
    tried = set(rights)
    singles: list[tuple[int, Way]] = []
    for n, mistake in enumerate(mistakes):
        for way in _new(tried, chain.from_iterable(map(mistake.change, rights))):
            singles.append((n, way))
            yield (mistake,), way
    singles = [(n, way) for n, way in singles if not mistakes[n].alone]
    for m, mistake in enumerate(mistakes):
        earlier = [single for single in singles if single[0] < m and not mistake.alone]
        for n, way in earlier:
            for other in _new(tried, mistake.change(way)):
                yield (mistakes[n], mistake), other


def _new(tried: set[Way], ways: Iterable[Way]) -> Iterator[Way]:
    for way in ways:
        if way not in tried:
            tried.add(way)
            yield way


def shown(raw: bytes) -> str:
    """Writes bytes in one line, line ends and what cannot be read escaped."""
    raw = raw[: 4 * SHOWN_MAX + 4]  # as many bytes as so many characters can have
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
    before = raw[:start] if start <= NEAR_MAX else b"..." + raw[start - NEAR_MAX : start]
    return f"{shown(before)}>>{shown(raw[start:behind])}<<{shown(raw[behind:])}"


def _common(one: bytes, other: bytes) -> int:
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


# Signatures: how a digest is written, and secrets that are not quite the secret

DIGEST_SIZES = frozenset({16, 20, 28, 32, 48, 64})  # bytes: from MD5 to SHA-512
HEX = re.compile(rb"(?:[0-9a-fA-F]{2})+")

# What may be written round a digest, and what is left within.
WRAPPED = (
    (
        re.compile(rb"b([\"'])(.*)\1"),
        Mistake(
            "bytes literal for the signature", "Decode the bytes: Python writes b'' round them."
        ),
    ),
    (
        re.compile(rb"([\"'])(.*)\1"),
        Mistake("quotes round the signature", "Send the signature without quotes."),
    ),
    (
        re.compile(rb"(0x|[A-Za-z][\w-]{0,15}[=: ] ?)([\w+/-]{20,}=*)"),
        Mistake("prefix before the signature", "Send the digest alone, with nothing before it."),
    ),
)
ESCAPED = Mistake("signature URL-encoded", "Send the signature as it is.")
BASE64 = Mistake("base64 for hex", "Write the digest in hex, not in base64.")
URLSAFE = Mistake("urlsafe base64 for hex", "Write the digest in hex, not in base64.")
ENCODED = Mistake("base64 of the hex", "Send the hex itself, encode it only once.")
CASES = {
    b"lower": Mistake("upper-case hex", "Write the hex in lower case."),
    b"upper": Mistake("lower-case hex", "Write the hex in upper case."),
}
WRITING = frozenset(
    {ESCAPED, BASE64, URLSAFE, ENCODED, *CASES.values(), *(mistake for _, mistake in WRAPPED)}
)


def digest_of(text: bytes, case: bytes) -> tuple[tuple[Mistake, ...], bytes]:
    """Returns what is odd about how a digest is written, and the digest.

    Right is hex, its ``case`` lower, upper or any. Nothing is returned for what is no digest.
    """
    odd: list[Mistake] = []
    if b"%" in text:
        odd.append(ESCAPED)
        text = unquote_to_bytes(text)
    for wrapped, mistake in WRAPPED:
        found = wrapped.fullmatch(text)
        if found:
            odd.append(mistake)
            text = found[2]
    if not _is_hex(text):
        raw = _base64_of(text)
        if len(raw) in DIGEST_SIZES and not _is_hex(raw):
            odd.append(URLSAFE if re.search(rb"[-_]", text) else BASE64)
            return tuple(odd), raw
        odd.append(ENCODED)
        text = raw
    if not _is_hex(text):
        return (), b""
    if case in CASES and getattr(text, case.decode())() != text:
        odd.append(CASES[case])
    return tuple(odd), bytes.fromhex(text.decode())


def _is_hex(text: bytes) -> bool:
    return len(text) // 2 in DIGEST_SIZES and HEX.fullmatch(text) is not None


def _base64_of(text: bytes) -> bytes:
    """Decodes either alphabet, padded or not; a space was a plus before a form was read."""
    plain = text.rstrip(b"=").translate(bytes.maketrans(b"-_ ", b"+/+"))
    try:
        return base64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)
    except binascii.Error:
        return b""


def _resecreted(change: Callable[[bytes], Iterable[bytes]]) -> Callable[[Way], Iterable[Way]]:
    return lambda way: [replace(way, secret=secret) for secret in change(way.secret)]


def _unhex(secret: bytes) -> list[bytes]:
    return [bytes.fromhex(secret.decode())] if HEX.fullmatch(secret) else []


def _unbase64(secret: bytes) -> list[bytes]:
    raw = _base64_of(secret)
    return [raw] if raw else []


STRIP = "Strip the secret: blanks and line ends do not belong to it."
UNQUOTE = "Take the quotes off the secret."
PLAIN = "Use the secret's text as it is: do not decode or encode it."
UNSET = "Look whether the variable is set from which the secret is taken."

# For ways that have a member ``secret``. The likely ones, then the others.
SECRETS = (
    Mistake("newline behind the secret", STRIP, _resecreted(lambda s: [s + b"\n"])),
    Mistake("blanks round the secret", STRIP, _resecreted(lambda s: [s + b" ", b" " + s])),
    Mistake("quotes round the secret", UNQUOTE, _resecreted(lambda s: [b'"' + s + b'"'])),
    Mistake("secret decoded from base64", PLAIN, _resecreted(_unbase64)),
    Mistake("secret decoded from hex", PLAIN, _resecreted(_unhex)),
)
RARE_SECRETS = tuple(
    Mistake(name, fix, _resecreted(change), alone=True)
    for name, fix, change in (
        (SECRETS[0].name, STRIP, lambda s: [s + b"\r\n"]),
        (SECRETS[1].name, STRIP, lambda s: [b" " + s + b" ", s + b"\t", b"\t" + s]),
        (SECRETS[2].name, UNQUOTE, lambda s: [b"'" + s + b"'", b"`" + s + b"`"]),
        ("no secret", UNSET, lambda s: [b"", b"None", b"null", b"undefined"]),
        (
            "secret written in hex or base64",
            PLAIN,
            lambda s: [s.hex().encode(), base64.b64encode(s)],
        ),
        (
            "secret in another case",
            "Use the secret's capitals and small letters as they are.",
            lambda s: [s.lower(), s.upper()],
        ),
    )
)


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


URL_ALPHABET = bytes.maketrans(b"+/", b"-_")


# Keys that are sent as they are: where a request carries them, and what was done to them


class Sent(Struct, frozen=True):
    """A value that a request carries in a ``header``, a ``parameter`` or a ``member``."""

    where: str
    name: str
    value: bytes

    @property
    def place(self) -> str:
        """Where it is, in words."""
        return f"the {self.where} {shown(self.name.encode()[:NAME_MAX])}"


def sent(request: Request) -> Iterator[Sent]:
    """Yields the values of headers and parameters, and of members and fields of a body."""
    for name, value in request.headers:
        yield Sent("header", name.decode("latin-1"), value)
    for name, value in raw_pairs(request.query):
        yield Sent("parameter", name.decode("utf-8", "replace"), value)
    if len(request.body) <= LOOKED_AT_MAX:
        yield from _in_body(request.body)


def _in_body(body: bytes) -> Iterator[Sent]:
    try:
        members = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        members = {name.decode("utf-8", "replace"): value for name, value in raw_pairs(body)}
    for name, value in members.items():
        raw = value.encode("utf-8", "replace") if isinstance(value, str) else value
        if raw and isinstance(raw, bytes):
            yield Sent("member", name, raw)


def worn(
    value: bytes, keys: Mapping[bytes, str], whole: bool = False
) -> tuple[tuple[Mistake, ...], str] | None:
    """Returns what was done to a key before it was sent, maybe nothing, and the key's label.

    ``keys`` are labels by key. ``whole`` looks only for what leaves a key as it is inside.
    Returns None where the value is none of the keys.
    """
    if value in keys:
        return (), keys[value]
    if not value or len(value) > KEY_MAX:
        return None
    tables = (CLOTHES,) if whole else ((*CLOTHES, *_damage(keys)), (_more(keys),))
    solutions = (solve(value, table, keys.__contains__) for table in tables)
    found = next(filter(None, solutions), None)
    return found and (found[0], keys[found[1]])


def _quotes(value: bytes) -> list[bytes]:
    inner = value[1:] if value[:2] in (b"b'", b'b"') else value
    return [inner.strip(b"\"'`<>{}[]")]


def _scheme(value: bytes) -> list[bytes]:
    word, *rest = value.split(None, 1) or [b""]
    return rest if word.isalpha() else []


def _name(value: bytes) -> list[bytes]:
    named = re.fullmatch(rb"[\w-]{1,40}\s{0,3}[:=]\s{0,3}(.+)", value)
    return [named[1]] if named else []


def _base64(value: bytes) -> list[bytes]:
    try:
        raw = base64.b64decode(value, validate=True)
    except binascii.Error:
        return []
    return [raw, raw.partition(b":")[0]]


QUOTED = Mistake("quotes round the key", "Send the key without quotes or brackets.", _quotes)
BLANK = Mistake("blanks round the key", "Strip blanks and line ends.", lambda v: [v.strip()])
CLOTHES = (
    QUOTED,
    BLANK,
    Mistake("word before the key", "Send the key without a scheme in front.", _scheme),
    Mistake("name before the key", "Send the value alone, without its name.", _name),
    Mistake("key URL-encoded", "Send the key as it is.", lambda v: [unquote_to_bytes(v)]),
    Mistake("key in base64", "Send the key as it is.", _base64),
    QUOTED,  # once more: what is found inside of another one
    BLANK,
)

CUT_MIN = 6  # bytes of a key that are left


def _damage(keys: Mapping[bytes, str]) -> tuple[Mistake, ...]:
    """Returns the mistakes that change a key itself, where only one key can be meant."""

    def recased(value: bytes) -> list[bytes]:
        return _only([key for key in keys if key.lower() == value.lower()])

    def completed(value: bytes) -> list[bytes]:
        found = _only([key for key in keys if key.startswith(value) or key.endswith(value)])
        return [key for key in found if len(value) >= max(CUT_MIN, len(key) // 2)]

    def corrected(value: bytes) -> list[bytes]:
        long = [key for key in keys if len(key) >= CUT_MIN]
        return _only([key for key in long if _one_sign_off(key, value)])

    return (
        Mistake("key in another case", "Send capitals and small letters as they are.", recased),
        Mistake("key cut short", "Send the whole key.", completed),
        Mistake("one sign of the key wrong", "Copy the key anew.", corrected),
    )


def _more(keys: Mapping[bytes, str]) -> Mistake:
    """Returns the mistake that leaves a key at one end of a longer value."""

    def freed(value: bytes) -> list[bytes]:
        long = [key for key in keys if len(key) >= CUT_MIN]
        return [key for key in long if value.startswith(key) or value.endswith(key)]

    return Mistake("more than the key", "Send the key and nothing else.", freed)


def _only(found: list[bytes]) -> list[bytes]:
    return found if len(found) == 1 else []


def _one_sign_off(one: bytes, other: bytes) -> bool:
    start = _common(one, other)
    end = _common(one[start:][::-1], other[start:][::-1])
    return max(len(one), len(other)) - start - end == 1


def nearest(given: str, known: Iterable[str]) -> str:
    """Returns which of some names was probably meant, or nothing; however it is capitalised."""
    names = {name.lower(): name for name in known}
    found = get_close_matches(given.lower()[:KEY_MAX], names, 1)
    return names[found[0]] if found else ""
