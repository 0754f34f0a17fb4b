"""The honest floor: the bare application, and nothing but the check of the signature.

Each check is the shortest straight line that finds the key and verifies what this benchmark
sends: no form bodies, no other spelling, no limits, no journal; of a token, as every library
does, also whether it has expired.
"""

import hashlib
import hmac
import json
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, derive_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from benchmarks.bare import Bare
from mockserver.http.exchange import Receive, Scope, Send
from mockserver.model.signing import EMPTY_SHA256
from mockserver.providers.cdp import keys

Credentials = Mapping[str, Mapping[str, Any]]
Genuine = Callable[[Scope], bool]
Verify = Callable[[bytes, bytes], None]

REFUSED = {"type": "http.response.start", "status": 401, "headers": [(b"content-length", b"0")]}
EMPTY = {"type": "http.response.body", "body": b""}

BEARER = len(b"Bearer ")
HALF = 32  # bytes of an ES256 signature


class Floor(Bare):
    """Answers as the bare application does, but a request that is not genuine gets a 401."""

    def __init__(self, bare: Bare, genuine: Genuine) -> None:
        super().__init__(bare.start, bare.body)
        self._genuine = genuine

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] == "http" and not self._genuine(scope):
            await send(REFUSED)
            await send(EMPTY)
            return
        await super().__call__(scope, receive, send)


def check(provider: str, credentials: Credentials) -> Genuine:
    """Returns what tells whether a request to the provider is genuine."""
    return CHECKS[provider]([*credentials.values()])


def _coinapi(credentials: list[Mapping[str, Any]]) -> Genuine:
    known = {one["api_key"].encode() for one in credentials}
    return lambda scope: dict(scope["headers"])[b"x-coinapi-key"] in known


def _coinstats(credentials: list[Mapping[str, Any]]) -> Genuine:
    known = {one["api_key"].encode() for one in credentials}
    return lambda scope: dict(scope["headers"])[b"x-api-key"] in known


def _coinw(credentials: list[Mapping[str, Any]]) -> Genuine:
    secrets = {one["api_key"].encode(): one["secret_key"].encode() for one in credentials}

    def genuine(scope: Scope) -> bool:
        given = dict(pair.split(b"=", 1) for pair in scope["query_string"].split(b"&"))
        signature = given.pop(b"sign")
        del given[b"command"]
        signed = [name + b"=" + given[name] for name in sorted(given)]
        message = b"&".join([*signed, b"secret_key=" + secrets[given[b"api_key"]]])
        digest = hashlib.md5(message, usedforsecurity=False).hexdigest().upper().encode()
        return hmac.compare_digest(digest, signature)

    return genuine


def _cpg(credentials: list[Mapping[str, Any]]) -> Genuine:
    secrets = {one["key_id"].encode(): one["secret"].encode() for one in credentials}

    def genuine(scope: Scope) -> bool:
        headers = dict(scope["headers"])
        parts = (
            headers[b"x-cpg-timestamp"],
            scope["method"].encode(),
            scope["raw_path"],
            scope["query_string"],
            EMPTY_SHA256,
        )
        digest = hmac.digest(secrets[headers[b"x-cpg-key"]], b"\n".join(parts), "sha256")
        return hmac.compare_digest(digest.hex().encode(), headers[b"x-cpg-signature"])

    return genuine


def _cdp(credentials: list[Mapping[str, Any]]) -> Genuine:
    """The token that was verified last is genuine still: clients send one for two minutes."""
    verifiers = {one["key_id"]: _verify(one["key_secret"]) for one in credentials}
    last = b""

    def genuine(scope: Scope) -> bool:
        nonlocal last
        token = dict(scope["headers"])[b"authorization"][BEARER:]
        if token == last:
            return True
        signed, _, signature = token.rpartition(b".")
        header, claims = [json.loads(_unpacked(part)) for part in signed.split(b".")]
        if time.time() >= claims["exp"]:
            return False
        try:
            verifiers[header["kid"]](_unpacked(signature), signed)
        except InvalidSignature:
            return False
        last = token
        return True

    return genuine


def _verify(secret: str) -> Verify:
    key = keys.parse(secret)
    if key.algorithm == "EdDSA":
        return Ed25519PrivateKey.from_private_bytes(key.secret).public_key().verify
    public = derive_private_key(int.from_bytes(key.secret, "big"), SECP256R1()).public_key()
    how = ECDSA(SHA256())

    def verify(signature: bytes, signed: bytes) -> None:
        r, s = int.from_bytes(signature[:HALF], "big"), int.from_bytes(signature[HALF:], "big")
        public.verify(encode_dss_signature(r, s), signed, how)

    return verify


def _unpacked(part: bytes) -> bytes:
    return urlsafe_b64decode(part + b"=" * (-len(part) % 4))


CHECKS: dict[str, Callable[[list[Mapping[str, Any]]], Genuine]] = {
    "cdp": _cdp,
    "coinapi": _coinapi,
    "coinstats": _coinstats,
    "coinw": _coinw,
    "cpg": _cpg,
}
