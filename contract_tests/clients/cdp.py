"""A small client for the balances of a Coinbase CDP account, page by page.

A token names one request and is valid for two minutes, so every try carries a new one. Amounts
are strings in the responses and never become floats.
"""

import base64
import json
import secrets
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

LIFETIME = 120  # seconds
PAUSES = (1, 2, 4, 8)  # seconds before each retry; the rate limit covers ten


class Balance(NamedTuple):
    """The balance of an asset; ``total`` includes what is on hold."""

    asset: str
    available: Decimal
    total: Decimal


class CdpError(Exception):
    """An error response; ``code`` is the API's error type or else the HTTP status.

    ``wait`` is the number of seconds to wait before a retry, 0 if the API does not say, None
    if a retry would not help.
    """

    def __init__(self, code: str, message: str, wait: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.wait = code, message, wait


class CdpClient:
    """Reads with one API key, whose secret is Ed25519 in base64 or P-256 in PEM."""

    def __init__(
        self,
        http: httpx.Client,
        base_url: str,
        key_id: str,
        key_secret: str,
        *,
        page_size: int = 100,
        sleep: Callable[[float], object] = time.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._http, self._base_url = http, base_url
        self._key_id, self._key_secret = key_id, key_secret
        self._page_size = page_size
        self._sleep, self._now = sleep, now

    def balances(self, account: str) -> list[Balance]:
        """Returns all balances of an account, the most valuable first; raises CdpError."""
        try:
            return [_balance(row) for page in self._pages(account) for row in page["balances"]]
        except (LookupError, TypeError, ValueError, ArithmeticError) as error:
            raise CdpError("malformed", repr(error)) from error

    def _pages(self, account: str) -> Iterator[dict[str, Any]]:
        """Yields pages up to the one without a token or with an empty one."""
        query = {"pageSize": str(self._page_size)}
        seen: set[str] = set()
        while True:
            page = self.read(f"/v2/accounts/{account}/balances", query)
            yield page
            token = page.get("nextPageToken")
            if not token:
                return
            if token in seen:
                raise CdpError("malformed", "a page token repeats")
            seen.add(token)
            query["pageToken"] = token

    def read(self, path: str, query: dict[str, str]) -> Any:
        """Returns the JSON of a GET below the base URL; raises CdpError."""
        for pause in PAUSES:
            try:
                return self._send(path, query)
            except CdpError as error:
                if error.wait is None:
                    raise
                self._sleep(error.wait or pause)
        return self._send(path, query)

    def _send(self, path: str, query: dict[str, str]) -> Any:
        try:
            response = self._http.get(self._base_url + path, params=query, auth=self._sign)
        except httpx.TransportError as error:
            raise CdpError("unreachable", str(error), wait=0) from error
        if response.status_code != httpx.codes.OK:
            raise _error(response)
        return json.loads(response.content)

    def _sign(self, request: httpx.Request) -> httpx.Request:
        """Adds a token for this method, host and path; the query is not part of it."""
        path = request.url.raw_path.partition(b"?")[0].decode()
        claims = self._claims(f"{request.method} {request.url.netloc.decode()}{path}")
        header = {"kid": self._key_id, "nonce": self._nonce()}
        token = jwt.encode(claims, *_key(self._key_secret), header)
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    def _claims(self, uri: str) -> dict[str, Any]:
        now = int(self._now())
        return {
            "sub": self._key_id,
            "iss": "cdp",
            "nbf": now,
            "exp": now + LIFETIME,
            "uris": [uri],
        }

    def _nonce(self) -> str:
        return secrets.token_hex(8)


class CdpCurlClient(CdpClient):
    """The same, with tokens as Coinbase's command-line client ``cdpcurl`` makes them."""

    def _claims(self, uri: str) -> dict[str, Any]:
        now = int(self._now())
        return {
            "aud": [""],
            "exp": now + LIFETIME // 2,
            "iss": "coinbase-cloud",
            "nbf": now,
            "sub": self._key_id,
            "uris": [uri],
        }

    def _nonce(self) -> str:
        return str(secrets.randbelow(2**63 - 1))


def _key(secret: str) -> tuple[Ed25519PrivateKey | str, str]:
    """Returns the key and its algorithm; the first half of an Ed25519 secret is the seed."""
    if secret.startswith("-----BEGIN"):
        return secret, "ES256"
    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(secret)[:32]), "EdDSA"


def _balance(row: dict[str, Any]) -> Balance:
    """Reads a row; its amount may also have the value in dollars, which is ignored."""
    symbol = row["asset"]["symbol"]
    amount = row["amount"][symbol]
    return Balance(symbol, _exact(amount["available"]), _exact(amount["total"]))


def _exact(text: str) -> Decimal:
    if not isinstance(text, str) or not Decimal(text).is_finite():
        raise ValueError(f"{text!r} is not an amount")
    return Decimal(text)


def _error(response: httpx.Response) -> CdpError:
    """Reads an error; a gateway may have sent plain text instead of JSON."""
    try:
        body = json.loads(response.content)
        code, message = str(body["errorType"]), str(body["errorMessage"])
    except (LookupError, TypeError, ValueError):
        code, message = str(response.status_code), response.text
    return CdpError(code, message, _wait(response))


def _wait(response: httpx.Response) -> int | None:
    if response.status_code != httpx.codes.TOO_MANY_REQUESTS and not response.is_server_error:
        return None
    seconds = response.headers.get("Retry-After", "")
    return int(seconds) if seconds.isdecimal() else 0
