"""Calls to CDP, with tokens signed by PyJWT."""

import base64
import enum
import json
from typing import Any

import jwt as pyjwt
import requests
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from contract_tests.support.raw import get
from contract_tests.support.request_rows import NOW, Row
from mockserver import MockServer

MAIN = "account_af2937b0-9846-4fe7-bfe9-ccc22d935114"
MANY = "account_00000000-0000-4000-8000-000000000250"
EMPTY = "account_00000000-0000-4000-8000-000000000000"
OWNER = "entity_af2937b0-9846-4fe7-bfe9-ccc22d935114"
NO_ACCOUNT = "account_00000000-0000-4000-8000-00000000dead"
ACCOUNTS = "/platform/v2/accounts"
BALANCES, UNKNOWN = (f"{ACCOUNTS}/{id}/balances" for id in (MAIN, NO_ACCOUNT))
BTC = f"{BALANCES}/btc"
KEY_ID = (
    "organizations/00000000-0000-4000-8000-000000000490/apiKeys/00000000-0000-4000-8000-00000000000"
)
ED25519 = ed25519.Ed25519PrivateKey.from_private_bytes(b"\x11" * 32)
PUBLIC = ED25519.public_key()
P256 = ec.derive_private_key(int.from_bytes(b"\x22" * 32, "big"), ec.SECP256R1())
STRANGER = ed25519.Ed25519PrivateKey.from_private_bytes(b"\x33" * 32)
SIGNERS = {
    "main": (f"{KEY_ID}1", ED25519, "EdDSA"),
    "es256": (f"{KEY_ID}2", P256, "ES256"),
    "stranger": (f"{KEY_ID}3", STRANGER, "EdDSA"),
}
CANONICAL = f"GET api.cdp.coinbase.com{BALANCES}"


class Absent(enum.Enum):
    """No value: the member is left out. Its name is the same in every process that runs tests."""

    ABSENT = "absent"

    def __repr__(self) -> str:
        return self.value


ABSENT = Absent.ABSENT


def claims(
    entry: str = CANONICAL, label: str = "main", now: int = NOW, **more: Any
) -> dict[str, Any]:
    defaults = {
        "sub": SIGNERS[label][0],
        "iss": "cdp",
        "aud": None,
        "nbf": now,
        "exp": now + 120,
        "uris": [entry],
    }
    return {name: value for name, value in (defaults | more).items() if value is not ABSENT}


def token(payload: dict[str, Any], label: str = "main", **header: Any) -> str:
    key_id, key, algorithm = SIGNERS[label]
    head = {"kid": key_id, "nonce": "1234567890123456"} | header
    return pyjwt.encode(payload, key, algorithm, headers=head)


def ask(
    server: MockServer, bearer: str, target: str = BALANCES, host: str = "", url: str = ""
) -> requests.Response:
    headers = {"Authorization": f"Bearer {bearer}"} | ({"Host": host} if host else {})
    base = url or server.cdp.base_url.removesuffix("/platform")
    return requests.get(base + target, headers=headers, timeout=10)


def read(server: MockServer, target: str, label: str = "main", **how: Any) -> requests.Response:
    """Sends a GET below the base URL with a valid token."""
    path = f"/platform{target}".partition("?")[0]
    entry = f"GET api.cdp.coinbase.com{path}"
    now = server.app.sandboxes.default.clock.read()[1] // 10**9
    return ask(server, token(claims(entry, label, now), label), f"/platform{target}", **how)


def outcome(server: MockServer, answer: requests.Response) -> tuple[int, str, str]:
    entry = server.journal[-1]
    return answer.status_code, entry.reason, entry.note


GOOD = (200, "", "")
BAD, LATE, OUTSIDE, MISSING = "bad_signature", "expired", "outside_window", "missing_credential"


def packed(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def crafted(payload: Any, signer: Any = ED25519.sign, **header: Any) -> str:
    """Makes a token without PyJWT, which refuses to make some of these."""
    head = {"alg": "EdDSA", "kid": f"{KEY_ID}1"} | header
    parts = [
        part if isinstance(part, bytes) else json.dumps(part).encode() for part in (head, payload)
    ]
    signed = b".".join(packed(part) for part in parts)
    return (signed + b"." + packed(signer(signed))).decode()


def plain(target: str, bearer: str = "", method: str = "GET", host: str = "") -> bytes:
    """Writes a request with a token as it is."""
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    return get(target, headers | ({"Host": host} if host else {}), method)


def good(target: str, label: str = "main") -> bytes:
    """Writes a GET with a valid token."""
    path = target.partition("?")[0]
    return plain(target, token(claims(f"GET api.cdp.coinbase.com{path}", label), label))


def sent(
    about: str, bearer: str, reason: str = "", target: str = BALANCES, host: str = "", **row: Any
) -> Row:
    return Row(about, plain(target, bearer, host=host), reason, **row)


def symbols(answer: requests.Response) -> list[str]:
    return [balance["asset"]["symbol"] for balance in answer.json()["balances"]]


def paged(
    server: MockServer, account: str, size: int | None = None, token: str = ""
) -> requests.Response:
    parameters = ([f"pageSize={size}"] if size else []) + (
        [f"pageToken={requests.utils.quote(token, safe='')}"] if token else []
    )
    return read(server, f"/v2/accounts/{account}/balances?{'&'.join(parameters)}")


def ids(answer: requests.Response) -> list[str]:
    return [account["accountId"] for account in answer.json()["accounts"]]
