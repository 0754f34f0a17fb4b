"""Explains a wrong signature: another key, another algorithm, or other bytes were signed."""

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
from mockserver.providers.cdp.mistakes.lookup import json_type, read_token

OTHER_KEYS_MAX = 8  # other keys that are tried; each takes a fifth of a millisecond
HMAC_DIGESTS = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}
ALGORITHM_NAME = re.compile(r"[A-Za-z0-9-]{1,12}")

FIX_WHOLE_MESSAGE = "Sign header.payload, both parts, without hashing it first."
FIX_SEED = "Decode the secret from base64: the first 32 bytes are the private key."


class SigningAttempt(Struct, frozen=True):
    """A key, a message and a signature that may belong together."""

    key: jwt.Key
    message: bytes
    signature: bytes

    def is_genuine(self) -> bool:
        """Returns whether the key signed the message."""
        token = jwt.Token({"alg": self.key.algorithm}, {}, self.message, self.signature)
        return jwt.genuine(token, self.key)


def explain_signature(rejected: RejectedRequest) -> Explanation:
    """Explains a signature that the key did not make, or a wrong ``alg``."""
    token = read_token(rejected)
    key = rejected.keyring.with_label(rejected.facts["credential"])
    attempt = SigningAttempt(keys.parse(key.key_secret), token.signed, token.signature)
    expected = _expected(key, attempt)
    if not token.signature:
        fix = "Sign the token with the key's secret."
        return Explanation("unsigned token", expected, "no signature", fix)
    alg = token.header.get("alg")
    if isinstance(alg, str) and alg in HMAC_DIGESTS:
        return _explain_hmac(rejected, key, token)
    solution = solve(attempt, _mistakes(rejected, key), SigningAttempt.is_genuine)
    if solution is not None:
        return explanation_for(
            solution[0], expected, _received(rejected, key, attempt, solution[1])
        )
    if alg != attempt.key.algorithm:
        return _explain_algorithm(key, token.header)
    return Explanation(
        "bad signature",
        expected,
        "no known mistake reproduces this signature",
        "Sign header.payload exactly as sent, with the secret of the key that kid names.",
    )


def _expected(key: Any, attempt: SigningAttempt) -> str:
    message = fingerprinted(attempt.message, f"header.payload of {len(attempt.message)} bytes")
    return f"{attempt.key.algorithm} with the secret of the key {key.label}, of {message}"


# The algorithm


def _explain_algorithm(key: Any, header: Any) -> Explanation:
    """Explains an ``alg`` that is not the key's."""
    alg, algorithm = header.get("alg"), keys.parse(key.key_secret).algorithm
    is_name = isinstance(alg, str) and ALGORITHM_NAME.fullmatch(alg) is not None
    received = alg if is_name else json_type(alg)
    rule = {"none": "alg none", "Ed25519": "Ed25519 instead of EdDSA"}.get(received, "wrong alg")
    if "alg" not in header:
        rule, received = "alg missing", "no alg"
    fix = f"Set alg to {algorithm}: {key.label} is an {key.key_type} key."
    return Explanation(rule, f"alg {algorithm}", f"alg {received}", fix)


def _explain_hmac(rejected: RejectedRequest, key: Any, token: jwt.Token) -> Explanation:
    """Explains a token signed with a shared secret, and names that secret if it is known."""
    algorithm, alg = keys.parse(key.key_secret).algorithm, token.header["alg"]
    sign = partial(hmac.digest, msg=token.signed, digest=HMAC_DIGESTS[alg])
    candidates = (
        (owner, name, secret)
        for owner in (key, *_other_keys(rejected, key))
        for name, secret in _shared_secrets(owner)
    )
    received = f"alg {alg}"
    for owner, name, secret in candidates:
        if secret and hmac.compare_digest(sign(secret), token.signature):
            fingerprint = fingerprinted(secret)
            received = f"alg {alg}, keyed with {name} of the key {owner.label} ({fingerprint})"
            break
    fix = f"Sign with {algorithm}: the secret of {key.label} is a private key."
    return Explanation("symmetric algorithm", f"alg {algorithm}", received, fix)


def _shared_secrets(key: Any) -> Iterator[tuple[str, bytes]]:
    """Yields the values of a key that clients use as a shared secret, each with its name."""
    secret = key.key_secret
    for text in (secret, secret.strip()):
        yield "the text of the secret", text.encode()
        yield "the secret with \\n for its line ends", text.replace("\n", "\\n").encode()
    yield "the key id", key.key_id.encode()
    yield "the private bytes", keys.parse(secret).secret
    if not secret.lstrip().startswith("-----"):
        yield "the decoded secret", base64.b64decode(secret)


# Signatures that a known mistake reproduces


def _received(
    rejected: RejectedRequest, key: Any, right: SigningAttempt, solved: SigningAttempt
) -> str:
    """Describes how the solved attempt differs from the right one."""
    differences = []
    others = _other_keys(rejected, key)
    signer = next((k for k in others if keys.parse(k.key_secret) == solved.key), None)
    if signer is not None:
        differences.append(f"signed by the key {signer.label}")
    if solved.message != right.message:
        label = f"the signature is of other {len(solved.message)} bytes"
        differences.append(fingerprinted(solved.message, label))
    if solved.signature != right.signature:
        differences.append(f"encoded in {len(right.signature)} bytes")
    return ", ".join(differences) or "signed with other bytes as the private key"


def _other_keys(rejected: RejectedRequest, key: Any) -> list[Any]:
    return [other for other in rejected.keys if other.label != key.label][:OTHER_KEYS_MAX]


def _mistakes(rejected: RejectedRequest, key: Any) -> tuple[Mistake, ...]:
    """Returns the known mistakes, the cheapest and likeliest first."""
    others = [keys.parse(other.key_secret) for other in _other_keys(rejected, key)]
    misread = _misread_secrets(key)

    def with_other_keys(attempt: SigningAttempt) -> Iterable[SigningAttempt]:
        return [replace(attempt, key=other) for other in others]

    def with_misread_secrets(attempt: SigningAttempt) -> Iterable[SigningAttempt]:
        return [replace(attempt, key=other) for other in misread]

    fix_der = "Encode r and s in 32 bytes each, one after the other."
    fix_twice = "Encode the 64 bytes of the signature in base64url, once."
    fix_key = "Sign with the secret of the key that kid names."
    fix_bytes = "Send exactly the bytes that were signed."
    return (
        Mistake("signature in DER", fix_der, _from_der),
        Mistake("signature encoded twice", fix_twice, _decoded_again),
        Mistake("another key than kid", fix_key, with_other_keys),
        Mistake("wrong bytes of the secret", FIX_SEED, with_misread_secrets, no_pairs=True),
        Mistake("token serialized again after signing", fix_bytes, _reserialized, no_pairs=True),
        Mistake("part of the token signed", FIX_WHOLE_MESSAGE, _partial_messages, no_pairs=True),
    )


def _misread_secrets(key: Any) -> list[jwt.Key]:
    """Returns the keys that wrong bytes of an Ed25519 secret make."""
    if key.key_type != "Ed25519":
        return []
    text = key.key_secret.encode()
    seeds = (base64.b64decode(text)[32:], text[:32], hashlib.sha256(text).digest())
    return [jwt.Key("EdDSA", seed) for seed in seeds]


def _reserialized(attempt: SigningAttempt) -> Iterable[SigningAttempt]:
    try:
        messages = _serializations(attempt.message)
    except RecursionError:  # nesting that jwt.read just accepts
        return ()
    return [replace(attempt, message=message) for message in messages]


def _partial_messages(attempt: SigningAttempt) -> Iterable[SigningAttempt]:
    header, _, payload = attempt.message.partition(b".")
    digest = hashlib.sha256(attempt.message)
    messages = (payload, digest.digest(), digest.hexdigest().encode(), header + payload)
    return [replace(attempt, message=message) for message in messages]


def _from_der(attempt: SigningAttempt) -> Iterable[SigningAttempt]:
    """Decodes a signature in DER."""
    from mockserver.model.asymmetric import raw

    if attempt.signature[:1] != b"\x30":
        return ()
    try:
        return [replace(attempt, signature=raw(attempt.signature))]
    except (ValueError, OverflowError):
        return ()


def _decoded_again(attempt: SigningAttempt) -> Iterable[SigningAttempt]:
    """Decodes a signature in hex or base64."""
    return [replace(attempt, signature=raw) for raw in _decodings(attempt.signature) if raw]


def _decodings(signature: bytes) -> Iterator[bytes]:
    for decode in (bytes.fromhex, base64.urlsafe_b64decode, base64.b64decode):
        try:
            yield decode(signature.decode("ascii"))
        except (ValueError, binascii.Error):
            yield b""


# A token that was serialized again after it was signed

JSON_STYLES: tuple[dict[str, Any], ...] = (
    {"separators": (",", ":")},
    {},
    {"separators": (",", ":"), "sort_keys": True},
    {"sort_keys": True},
)


def _serializations(message: bytes) -> list[bytes]:
    """Returns ``header.payload`` as other libraries would serialize the same content."""
    header, _, payload = message.partition(b".")
    headers, payloads = _styled(header), _styled(payload)
    both = [h + b"." + p for h in (header, *headers[:2]) for p in (payload, *payloads[:2])]
    sorted_members = [header + b"." + styled for styled in payloads[2:]]
    padded = _padded(header) + b"." + _padded(payload)
    return [*both, *sorted_members, *_without_added_member(header, payload), padded]


def _styled(part: bytes) -> list[bytes]:
    content = json.loads(base64.urlsafe_b64decode(_padded(part)))
    return [_encode(content, **style) for style in JSON_STYLES]


def _without_added_member(header: bytes, payload: bytes) -> Iterator[bytes]:
    """Yields the message without a header member that may have been added after signing."""
    content = json.loads(base64.urlsafe_b64decode(_padded(header)))
    for name in ("kid", "nonce", "typ"):
        rest = {member: value for member, value in content.items() if member != name}
        yield _encode(rest, separators=(",", ":")) + b"." + payload


def _encode(content: Any, **style: Any) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(content, **style).encode()).rstrip(b"=")


def _padded(part: bytes) -> bytes:
    return part + b"=" * (-len(part) % 4)
