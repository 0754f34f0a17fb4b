"""Explains a wrong signature: another key, another algorithm, or other bytes were signed."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import product
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mockserver.explain import (
    Explanation,
    Mistake,
    RejectedRequest,
    explanation_for,
    fingerprinted,
    first_explanation,
    solve,
)
from mockserver.explain.part_mistakes import COMPACT, SPACED, json_spellings
from mockserver.model import jwt
from mockserver.model.rule_table import Rule
from mockserver.providers.cdp import keys
from mockserver.providers.cdp.mistakes import lookup

OTHER_KEYS_MAX = 8  # other keys that are tried; each takes a fifth of a millisecond
HMAC_DIGESTS = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}
ALGORITHM_NAME = re.compile(r"[A-Za-z0-9-]{1,12}")

FIX_ALG = "Set alg to {algorithm}: {key.label} is an {key.key_type} key."
FIX_PRIVATE = "Sign with EdDSA or ES256: the secret is a private key."
FIX_SIGN = "Sign header.payload exactly as sent, with the secret of the key that kid names."
UNKNOWN = "alg {alg}; no known mistake reproduces this signature"
RIGHT = "{algorithm} with the secret of the key {key.label}, of {message}"

SIGNATURE = (
    Rule("unsigned token", lambda s: not s.token.signature, FIX_SIGN, "no signature"),
    Rule("{match.rule}", lambda s: s.solution, "{match.fix}", "{match.received}"),
    Rule("symmetric algorithm", lambda s: s.alg in HMAC_DIGESTS, FIX_PRIVATE, "alg {alg}"),
    Rule("alg missing", lambda s: "alg" not in s.token.header, FIX_ALG, "no alg"),
    Rule("alg none", lambda s: s.alg == "none", FIX_ALG, "alg {alg}"),
    Rule("Ed25519 instead of EdDSA", lambda s: s.alg == "Ed25519", FIX_ALG, "alg {alg}"),
    Rule("wrong alg", lambda s: s.alg != s.algorithm, FIX_ALG, "alg {alg}"),
    Rule("bad signature", lambda s: True, FIX_SIGN, UNKNOWN, RIGHT),
)


class SigningAttempt(Struct, frozen=True):
    """A key, a message and a signature that may belong together, and how they differ."""

    key: jwt.Key
    message: bytes
    signature: bytes
    differs: tuple[str, ...] = ()

    def is_genuine(self) -> bool:
        """Returns whether the key signed the message."""
        algorithm, secret = self.key.algorithm, self.key.secret
        if algorithm in HMAC_DIGESTS:
            made = hmac.digest(secret, self.message, HMAC_DIGESTS[algorithm])
            return hmac.compare_digest(made, self.signature)
        token = jwt.Token({"alg": algorithm}, {}, self.message, self.signature)
        return jwt.genuine(token, self.key)


def explain_signature(rejected: RejectedRequest) -> Explanation | None:
    """Explains a signature that the key did not make, or a wrong ``alg``."""
    token, key = lookup.read_token(rejected), lookup.key_of_token(rejected)
    alg, right_key = token.header.get("alg"), keys.parse(key.key_secret)
    if not (isinstance(alg, str) and ALGORITHM_NAME.fullmatch(alg)):
        alg = lookup.json_type(alg)
    others = [other for other in rejected.keys if other.label != key.label][:OTHER_KEYS_MAX]
    right = SigningAttempt(right_key, token.signed, token.signature)
    solution = solve(right, _mistakes(key, others, alg), SigningAttempt.is_genuine)
    return first_explanation(
        SIGNATURE,
        token=token,
        alg=alg,
        key=key,
        algorithm=right_key.algorithm,
        message=fingerprinted(token.signed, f"header.payload of {len(token.signed)} bytes"),
        solution=solution and explanation_for(solution[0], "", ", ".join(solution[1].differs)),
    )


# Signatures that a known mistake reproduces, or two

FIX_DER = "Encode r and s in 32 bytes each, one after the other."
FIX_TWICE = "Encode the 64 bytes of the signature in base64url, once."
FIX_KEY = "Sign with the secret of the key that kid names."
FIX_SEED = "Decode the secret from base64: the first 32 bytes are the private key."
FIX_BYTES = "Send exactly the bytes that were signed."
FIX_WHOLE = "Sign header.payload, both parts, without hashing it first."

Variants = Iterable[tuple[str, Any]]  # what differs, and another value


def _mistakes(key: Any, others: list[Any], alg: str) -> tuple[Mistake, ...]:
    """Returns the known mistakes, the cheapest and likeliest first."""
    owners = [key, *others] if alg in HMAC_DIGESTS else []
    signers = [(f"signed by the key {k.label}", keys.parse(k.key_secret)) for k in others]
    return (
        _mistake("symmetric algorithm", FIX_PRIVATE, "key", lambda _: _shared_keys(owners, alg)),
        _mistake("signature in DER", FIX_DER, "signature", _from_der, no_pairs=False),
        _mistake("signature encoded twice", FIX_TWICE, "signature", _from_text, no_pairs=False),
        _mistake("another key than kid", FIX_KEY, "key", lambda _: signers, no_pairs=False),
        _mistake("wrong bytes of the secret", FIX_SEED, "key", lambda _: _misread_keys(key)),
        _mistake("token serialized again after signing", FIX_BYTES, "message", _reserialized),
        _mistake("part of the token signed", FIX_WHOLE, "message", _partial_messages),
    )


def _mistake(
    name: str, fix: str, member: str, variants: Callable[[Any], Variants], *, no_pairs: bool = True
) -> Mistake:
    """Returns the mistake that tries other values of a member of an attempt."""

    def change(attempt: SigningAttempt) -> list[SigningAttempt]:
        return [
            replace(attempt, differs=(*attempt.differs, difference), **{member: value})
            for difference, value in variants(getattr(attempt, member))
        ]

    return Mistake(name, fix, change, no_pairs)


def _misread_keys(key: Any) -> Variants:
    """Yields what wrong bytes of an Ed25519 secret make."""
    text = key.key_secret.encode()
    if key.key_type == "Ed25519":
        for seed in (base64.b64decode(text)[32:], text[:32], hashlib.sha256(text).digest()):
            yield "signed with other bytes as the private key", jwt.Key("EdDSA", seed)


def _shared_keys(owners: list[Any], alg: str) -> Variants:
    """Yields what clients use as a shared secret."""
    for owner in owners:
        secret, raw = owner.key_secret, keys.parse(owner.key_secret).secret
        texts = {"secret": secret, "stripped secret": secret.strip(), "key id": owner.key_id}
        texts |= {f"{name} with \\n": text.replace("\n", "\\n") for name, text in texts.items()}
        shared = {name: text.encode() for name, text in texts.items()} | {"private bytes": raw}
        if owner.key_type == "Ed25519":
            shared["decoded secret"] = base64.b64decode(secret)
        for name, value in shared.items():
            of = f"the {name} of the key {owner.label} ({fingerprinted(value)})"
            yield f"alg {alg}, keyed with {of}", jwt.Key(alg, value)


def _from_der(signature: bytes) -> Variants:
    from mockserver.model.asymmetric import raw

    return _decoded(signature, raw) if signature[:1] == b"\x30" else ()


def _from_text(signature: bytes) -> Variants:
    yield from _decoded(signature, lambda text: bytes.fromhex(text.decode("ascii")))
    yield from _decoded(signature, base64.urlsafe_b64decode)


def _decoded(signature: bytes, decode: Callable[[bytes], bytes]) -> Variants:
    with suppress(ValueError, OverflowError):  # it is not in this encoding
        yield f"encoded in {len(signature)} bytes", decode(signature)


def _partial_messages(message: bytes) -> Variants:
    header, _, payload = message.partition(b".")
    digest = hashlib.sha256(message)
    parts = (payload, digest.digest(), digest.hexdigest().encode(), header + payload)
    return map(_other_message, parts)


def _other_message(message: bytes) -> tuple[str, bytes]:
    return fingerprinted(message, f"the signature is of other {len(message)} bytes"), message


def _reserialized(message: bytes) -> Variants:
    """Yields the same content as other libraries serialize it, or without a member."""
    header, _, payload = message.partition(b".")
    pairs = [
        *product([header, *_spellings(header)], [payload, *_spellings(payload)]),
        *product([header], _spellings(payload, sort=True)),
        *product(_shorter(header), [payload]),
        (_padded(header), _padded(payload)),
    ]
    return [_other_message(b".".join(pair)) for pair in pairs if pair != (header, payload)]


def _spellings(part: bytes, *, sort: bool = False) -> list[bytes]:
    raw = base64.urlsafe_b64decode(_padded(part))
    styles = (COMPACT, SPACED)
    return [_encoded(text) for style in styles for text in json_spellings(raw, style, sort)]


def _shorter(header: bytes) -> Iterator[bytes]:
    """Yields a header without a member that may have been added after signing."""
    members = json.loads(base64.urlsafe_b64decode(_padded(header)))
    for added in ("kid", "nonce", "typ"):
        rest = {name: value for name, value in members.items() if name != added}
        with suppress(RecursionError):  # nesting that jwt.read just accepts
            yield _encoded(json.dumps(rest, separators=COMPACT).encode())


def _encoded(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _padded(part: bytes) -> bytes:
    return part + b"=" * (-len(part) % 4)
