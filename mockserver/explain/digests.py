"""Mistakes in how a digest is encoded."""

import base64
import binascii
import re
from urllib.parse import unquote_to_bytes

from mockserver.explain.solver import Mistake

DIGEST_SIZES = frozenset({16, 20, 28, 32, 48, 64})  # bytes: from MD5 to SHA-512
HEX = re.compile(rb"(?:[0-9a-fA-F]{2})+")

# What clients write around a digest; the second group is the digest.
WRAPPERS = (
    (
        re.compile(rb"b([\"'])(.*)\1"),
        Mistake(
            "bytes literal for the signature",
            "Decode the bytes: Python writes b'' around them.",
        ),
    ),
    (
        re.compile(rb"([\"'])(.*)\1"),
        Mistake("quotes around the signature", "Send the signature without quotes."),
    ),
    (
        re.compile(rb"(0x|[A-Za-z][\w-]{0,15}[=: ] ?)([\w+/-]{20,}=*)"),
        Mistake("prefix before the signature", "Send the digest alone, with nothing before it."),
    ),
)
URL_ENCODED = Mistake("signature URL-encoded", "Send the signature without URL-encoding it.")
BASE64 = Mistake("base64 for hex", "Write the digest in hex, not in base64.")
URLSAFE_BASE64 = Mistake("urlsafe base64 for hex", "Write the digest in hex, not in base64.")
HEX_FOR_BASE64 = Mistake("hex for base64", "Write the digest in base64, not in hex.")
ENCODED_TWICE = Mistake("base64 of the hex", "Send the hex itself, encode it only once.")
HEX_ENCODED = Mistake("base64 of the hex", "Write the digest's bytes in base64, not their hex.")
# Other ways to write bytes in base64; one text may have several.
OTHER_BASE64 = (
    (
        re.compile(rb".*[-_].*"),
        Mistake("base64url in place of base64", "Use the alphabet with + and /, not - and _."),
    ),
    (
        re.compile(rb"(.{4})*.{1,3}(?<!=)"),
        Mistake("base64 without padding", "Keep the = at the end of the base64."),
    ),
)
RESPELLED = Mistake(
    "base64 written otherwise", "Write standard base64: with +, / and the = at its end."
)
WRONG_CASE = {
    b"lower": Mistake("upper-case hex", "Write the hex in lower case."),
    b"upper": Mistake("lower-case hex", "Write the hex in upper case."),
}


def digest_of(text: bytes, case: bytes) -> tuple[tuple[Mistake, ...], bytes]:
    """Returns the mistakes in how a signature is encoded, and its digest.

    Correct is hex whose ``case`` is lower, upper or any, or base64. Returns nothing and an empty
    digest where the text does not contain a digest.
    """
    mistakes: list[Mistake] = []
    if b"%" in text:
        mistakes.append(URL_ENCODED)
        text = unquote_to_bytes(text)
    for pattern, mistake in WRAPPERS:
        wrapped = pattern.fullmatch(text)
        if wrapped:
            mistakes.append(mistake)
            text = wrapped[2]
    if not _is_hex(text):
        decoded = decode_base64(text)
        if len(decoded) in DIGEST_SIZES and not _is_hex(decoded):
            if case == b"base64":
                mistakes += _base64_mistakes(text, decoded)
            else:
                mistakes.append(URLSAFE_BASE64 if re.search(rb"[-_]", text) else BASE64)
            return tuple(mistakes), decoded
        mistakes.append(HEX_ENCODED if case == b"base64" else ENCODED_TWICE)
        text = decoded
    elif case == b"base64":
        mistakes.append(HEX_FOR_BASE64)
    if not _is_hex(text):
        return (), b""
    if case in WRONG_CASE and getattr(text, case.decode())() != text:
        mistakes.append(WRONG_CASE[case])
    return tuple(mistakes), bytes.fromhex(text.decode())


def _base64_mistakes(text: bytes, decoded: bytes) -> list[Mistake]:
    if text == base64.b64encode(decoded):
        return []
    return [mistake for pattern, mistake in OTHER_BASE64 if pattern.fullmatch(text)] or [RESPELLED]


def _is_hex(text: bytes) -> bool:
    return len(text) // 2 in DIGEST_SIZES and HEX.fullmatch(text) is not None


def decode_base64(text: bytes) -> bytes:
    """Decodes either alphabet, padded or not, and spaces that form decoding made of plus signs."""
    unpadded = text.rstrip(b"=").translate(bytes.maketrans(b"-_ ", b"+/+"))
    try:
        return base64.b64decode(unpadded + b"=" * (-len(unpadded) % 4), validate=True)
    except binascii.Error:
        return b""
