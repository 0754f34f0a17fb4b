"""Signatures: how a digest is written, and secrets that are not quite the secret."""

import base64
import binascii
import re
from collections.abc import Callable, Iterable
from urllib.parse import unquote_to_bytes

from msgspec.structs import replace

from mockserver.explain.solver import Mistake, W

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


def _resecreted(change: Callable[[bytes], Iterable[bytes]]) -> Callable[[W], Iterable[W]]:
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
    Mistake(name, fix, _resecreted(change), no_pairs=True)
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
