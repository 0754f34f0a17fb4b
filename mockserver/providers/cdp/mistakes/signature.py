"""Why a token's signature is wrong: whose it is, or what was signed in the token's place."""

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mockserver.explain import (
    Explanation,
    Mistake,
    RejectedRequest,
    explanation_for,
    fingerprinted,
    solve,
)
from mockserver.model import jwt
from mockserver.providers.cdp import keys
from mockserver.providers.cdp.mistakes.names import kind, presented

OTHERS_MAX = 8  # other keys that are tried: each costs a fifth of a millisecond
DIGESTS = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}
ALGORITHM = re.compile(r"[A-Za-z0-9-]{1,12}")


class SigningAttempt(Struct, frozen=True):
    """What a signature may be of: a key's signature of a message, written in some way."""

    key: jwt.Key
    message: bytes
    signature: bytes

    def genuine(self) -> bool:
        """Tells whether the key signed the message."""
        token = jwt.Token({"alg": self.key.algorithm}, {}, self.message, self.signature)
        return jwt.genuine(token, self.key)


def wrong(refused: RejectedRequest) -> Explanation:
    """Explains a signature that the key did not make, or a wrong ``alg``."""
    token, key = presented(refused), refused.keyring.with_label(refused.facts["credential"])
    right = SigningAttempt(keys.read(key.key_secret), token.signed, token.signature)
    if not token.signature:
        fix = "Sign the token with the key's secret."
        return Explanation("unsigned token", _expected(key, right), "no signature", fix)
    alg = token.header.get("alg")
    if isinstance(alg, str) and alg in DIGESTS:
        return _symmetric(refused, key, right, token)
    found = solve(right, _mistakes(refused, key), SigningAttempt.genuine)
    if found is not None:
        return _found(refused, key, right, found)
    if alg != right.key.algorithm:
        return _algorithm(key, right, token.header)
    return Explanation(
        "bad signature",
        _expected(key, right),
        "no known mistake reproduces this signature",
        "Sign header.payload as it is sent, with the secret of the key that kid names.",
    )


def _expected(key: Any, right: SigningAttempt) -> str:
    of = fingerprinted(right.message, f"header.payload of {len(right.message)} bytes")
    return f"{right.key.algorithm} with the secret of the key {key.label}, of {of}"


# The algorithm


def _algorithm(key: Any, right: SigningAttempt, header: Any) -> Explanation:
    """Explains an ``alg`` that is not the key's."""
    alg = header.get("alg")
    named = isinstance(alg, str) and ALGORITHM.fullmatch(alg) is not None
    told = alg if named else kind(alg)
    rule = {"none": "alg none", "Ed25519": "Ed25519 for EdDSA"}.get(told, "wrong alg")
    if "alg" not in header:
        rule, told = "alg missing", "no alg"
    fix = f"Set alg to {right.key.algorithm}: {key.label} is an {key.key_type} key."
    return Explanation(rule, f"alg {right.key.algorithm}", f"alg {told}", fix)


def _symmetric(
    refused: RejectedRequest, key: Any, right: SigningAttempt, token: jwt.Token
) -> Explanation:
    """Explains a token signed with a shared secret, and tells which text served as that."""
    alg = token.header["alg"]
    told, sign = f"alg {alg}", partial(hmac.digest, msg=token.signed, digest=DIGESTS[alg])
    for owner in (key, *_others(refused, key)):
        for what, secret in _texts(owner):
            if secret and hmac.compare_digest(sign(secret), token.signature):
                told = f"alg {alg}, keyed with {what} of the key {owner.label}"
                return _symmetric_told(key, right, f"{told} ({fingerprinted(secret)})")
    return _symmetric_told(key, right, told)


def _symmetric_told(key: Any, right: SigningAttempt, told: str) -> Explanation:
    fix = f"Sign with {right.key.algorithm}: the secret of {key.label} is a private key."
    return Explanation("symmetric algorithm", f"alg {right.key.algorithm}", told, fix)


def _texts(key: Any) -> Iterator[tuple[str, bytes]]:
    """Yields what of a key clients take for a shared secret."""
    text = key.key_secret
    for told in (text, text.strip()):
        yield "the text of the secret", told.encode()
        yield "the secret with \\n for its line ends", told.replace("\n", "\\n").encode()
    yield "the key id", key.key_id.encode()
    yield "the private bytes", keys.read(text).secret
    if not text.lstrip().startswith("-----"):
        yield "the decoded secret", base64.b64decode(text)


# Signatures that another way of signing makes


def _found(
    refused: RejectedRequest,
    key: Any,
    right: SigningAttempt,
    found: tuple[tuple[Mistake, ...], SigningAttempt],
) -> Explanation:
    mistakes, way = found
    told = []
    owner = next((k for k in _others(refused, key) if keys.read(k.key_secret) == way.key), None)
    if owner is not None:
        told.append(f"signed by the key {owner.label}")
    if way.message != right.message:
        told.append(fingerprinted(way.message, f"signed are other {len(way.message)} bytes"))
    if way.signature != right.signature:
        told.append(f"written in {len(right.signature)} bytes")
    return explanation_for(
        mistakes, _expected(key, right), ", ".join(told) or "signed by other bytes"
    )


def _others(refused: RejectedRequest, key: Any) -> list[Any]:
    return [other for other in refused.keys if other.label != key.label][:OTHERS_MAX]


def _mistakes(refused: RejectedRequest, key: Any) -> tuple[Mistake, ...]:
    """Returns what clients do wrong, what costs least and is likeliest first."""
    others = [keys.read(other.key_secret) for other in _others(refused, key)]
    parts = _misread(key)

    def by_another(way: SigningAttempt) -> Iterable[SigningAttempt]:
        return [replace(way, key=other) for other in others]

    def by_a_part(way: SigningAttempt) -> Iterable[SigningAttempt]:
        return [replace(way, key=part) for part in parts]

    return (
        Mistake("signature in DER", "Write r and s, 32 bytes each, one behind the other.", _raw),
        Mistake("signature encoded twice", "Write its 64 bytes in base64url, once.", _once),
        Mistake(
            "another key than kid", "Sign with the secret of the key that kid names.", by_another
        ),
        Mistake("wrong bytes of the secret", SEED, by_a_part, no_pairs=True),
        Mistake(
            "token written anew", "Send the very bytes that were signed.", _anew, no_pairs=True
        ),
        Mistake("part of the token signed", WHOLE, _part, no_pairs=True),
    )


WHOLE = "Sign header.payload, both parts, and do not hash it before."
SEED = "Decode the secret from base64: the first 32 bytes are the private key."


def _misread(key: Any) -> list[jwt.Key]:
    """Returns the keys that wrong bytes of an Ed25519 secret make."""
    if key.key_type != "Ed25519":
        return []
    text = key.key_secret.encode()
    halves = (base64.b64decode(text)[32:], text[:32], hashlib.sha256(text).digest())
    return [jwt.Key("EdDSA", half) for half in halves]


def _anew(way: SigningAttempt) -> Iterable[SigningAttempt]:
    try:
        messages = _written_anew(way.message)
    except RecursionError:  # nested as deeply as could just be read
        return ()
    return [replace(way, message=message) for message in messages]


def _part(way: SigningAttempt) -> Iterable[SigningAttempt]:
    head, _, claims = way.message.partition(b".")
    digest = hashlib.sha256(way.message)
    messages = (claims, digest.digest(), digest.hexdigest().encode(), head + claims)
    return [replace(way, message=message) for message in messages]


def _raw(way: SigningAttempt) -> Iterable[SigningAttempt]:
    """Reads a signature in DER."""
    from mockserver.model.asymmetric import raw

    if way.signature[:1] != b"\x30":
        return ()
    try:
        return [replace(way, signature=raw(way.signature))]
    except (ValueError, OverflowError):
        return ()


def _once(way: SigningAttempt) -> Iterable[SigningAttempt]:
    """Reads a signature in hex or base64."""
    return [replace(way, signature=raw) for raw in _decodings(way.signature) if raw]


def _decodings(signature: bytes) -> Iterator[bytes]:
    for decode in (bytes.fromhex, base64.urlsafe_b64decode, base64.b64decode):
        try:
            yield decode(signature.decode("ascii"))
        except (ValueError, binascii.Error):
            yield b""


# A token that was written anew after it was signed

WRITINGS: tuple[dict[str, Any], ...] = (
    {"separators": (",", ":")},
    {},
    {"separators": (",", ":"), "sort_keys": True},
    {"sort_keys": True},
)


def _written_anew(message: bytes) -> list[bytes]:
    """Returns the token's two parts as other libraries would write what they say."""
    head, _, claims = message.partition(b".")
    heads, bodies = _written(head), _written(claims)
    whole = [h + b"." + b for h in (head, *heads[:2]) for b in (claims, *bodies[:2])]
    ordered = [head + b"." + body for body in bodies[2:]]
    return [*whole, *ordered, *_less(head, claims), _padded(head) + b"." + _padded(claims)]


def _written(part: bytes) -> list[bytes]:
    said = json.loads(base64.urlsafe_b64decode(_padded(part)))
    return [_packed(said, **how) for how in WRITINGS]


def _less(head: bytes, claims: bytes) -> Iterator[bytes]:
    """Yields the token without a member that was put into the header afterwards."""
    said = json.loads(base64.urlsafe_b64decode(_padded(head)))
    for name in ("kid", "nonce", "typ"):
        rest = {member: value for member, value in said.items() if member != name}
        yield _packed(rest, separators=(",", ":")) + b"." + claims


def _packed(said: Any, **how: Any) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(said, **how).encode()).rstrip(b"=")


def _padded(part: bytes) -> bytes:
    return part + b"=" * (-len(part) % 4)
