"""Compact JWS: a JSON header, a JSON payload and a signature, in base64url without padding.

The key decides which algorithm signs: EdDSA (Ed25519) or ES256 (ECDSA on P-256 over SHA-256);
the token's ``alg`` must agree with it. ``crit`` and ``b64`` would change what is signed, so a
header with one of them is refused, and so is a duplicate member.

``asymmetric`` is slow to import, so only signing and verifying import it.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from mockserver.caches import MIB, cached
from mockserver.model.json_members import once_each

TOKEN_MAX = 8192  # bytes

# Arrays and objects of a part: up to this many, parsing never depends on the depth of the stack.
OPENED_MAX = 500

# base64url is decoded as base64: its two own characters become those of base64, whose own three
# become invalid. By the length modulo 4: the characters a part may end with, and its padding.
TO_BASE64 = bytes.maketrans(b"-_+/=", b"+/!!!")
LAST = {2: b"AQgw", 3: b"AEIMQUYcgkosw048"}
PADDING = (b"", b"===", b"==", b"=")


class Key(Struct, frozen=True):
    """A private key: ``EdDSA`` with an Ed25519 seed, or ``ES256`` with a P-256 scalar."""

    algorithm: str
    secret: bytes


class Token(Struct, frozen=True):
    """A parsed token; its signature is not yet verified."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    signed: bytes
    signature: bytes


def sign(header: Mapping[str, Any], claims: Mapping[str, Any], key: Key) -> bytes:
    """Returns the token; ``alg`` comes before the header's members."""
    head = {"alg": key.algorithm, **header}
    signed = b".".join(_encoded(_json(part)) for part in (head, claims))
    return signed + b"." + _encoded(_signature(signed, key))


@cached("tokens", size=lambda token: 600 + 4 * len(token), room=32 * MIB)
def read(token: bytes) -> Token:
    """Parses a token; raises ValueError for one that is not in the one valid form."""
    if len(token) > TOKEN_MAX:
        raise ValueError("the token is too long")
    signed, _, signature = token.rpartition(b".")
    head, dot, payload = signed.partition(b".")
    if not dot:
        raise ValueError("a token has three parts")
    header = members(_decoded(head))
    if "crit" in header or "b64" in header:
        raise ValueError("the header asks for an extension")
    return Token(header, members(_decoded(payload)), signed, _decoded(signature))


def genuine(token: Token, key: Key) -> bool:
    """Returns whether ``key`` signed the token, with the algorithm that the token names."""
    same = token.header.get("alg") == key.algorithm
    return same and _verified((token.signed, token.signature, key))


def _encoded(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


class NotBase64url(ValueError):
    """A part that is not in the one valid form of base64url."""


class NotAnObject(ValueError):
    """A part that is JSON, but not an object."""


def _decoded(part: bytes) -> bytes:
    """Decodes a part; raises NotBase64url for any form but the one valid one."""
    rest = len(part) % 4
    if rest > 1 and part[-1] not in LAST[rest]:
        raise NotBase64url("a part is written in another way")
    try:
        return binascii.a2b_base64(part.translate(TO_BASE64) + PADDING[rest], strict_mode=True)
    except binascii.Error:
        raise NotBase64url("a part is no base64url") from None


def _json(part: Mapping[str, Any]) -> bytes:
    return json.dumps(part, separators=(",", ":")).encode()


DECODER = json.JSONDecoder(object_pairs_hook=once_each)
# What clients send: ten times as fast to parse, to the same values.
FLAT = msgspec.json.Decoder(dict[str, str | int | list[str]])
BACKSLASH, BLANKS = ord("\\"), b" \t\r\n"


def decode(part: bytes) -> Any:
    """Parses a part, decoded from base64url, as JSON; raises ValueError."""
    if part.count(b"[") + part.count(b"{") > OPENED_MAX:
        raise ValueError("nested too deeply")
    return DECODER.decode(part.decode())


def members(raw: bytes) -> dict[str, Any]:
    """Parses a part as an object, each member given once; raises ValueError."""
    try:
        flat: dict[str, Any] = FLAT.decode(raw)
        # Without escapes, a quote and a colon stand behind each name: it is given once.
        if BACKSLASH not in raw and len(flat) == raw.translate(None, BLANKS).count(b'":'):
            return flat
    except msgspec.MsgspecError:
        pass  # the slow way says what is wrong
    value = decode(raw)
    if not isinstance(value, dict):
        raise NotAnObject("a part is no object")
    return value


NOT_BASE64URL = "is not base64url"
EXTENDED = "has an extension"
PROBLEMS = {
    NotBase64url: NOT_BASE64URL,
    UnicodeDecodeError: "is not UTF-8",
    json.JSONDecodeError: "is not JSON",
    NotAnObject: "is not an object",
}


def first_problem(token: bytes) -> tuple[str, bytes, str, str]:
    """Returns the name and the text of the first bad part of a token, its problem, and a detail.

    The token has three parts, and ``read`` refuses it.
    """
    head, payload, signature = token.split(b".")
    part, text = "header", head
    try:
        header = members(_decoded(head))
        extension = next((name for name in ("crit", "b64") if name in header), "")
        if extension:
            return part, text, EXTENDED, extension
        part, text = "payload", payload
        members(_decoded(payload))
        part, text = "signature", signature
        _decoded(signature)
    except ValueError as error:
        return part, text, PROBLEMS.get(type(error), "cannot be read"), str(error)
    return part, text, "", ""


def _signature(message: bytes, key: Key) -> bytes:
    from mockserver.model import asymmetric

    return asymmetric.SIGN[key.algorithm](key.secret, message)


def _signed_size(signed: tuple[bytes, bytes, Key]) -> int:
    return 100 + len(signed[0]) + len(signed[1])


@cached("verified tokens", size=_signed_size, room=12 * MIB)
def _verified(signed: tuple[bytes, bytes, Key]) -> bool:
    from mockserver.model import asymmetric

    message, signature, key = signed
    return asymmetric.VERIFY[key.algorithm](key.secret, message, signature)
