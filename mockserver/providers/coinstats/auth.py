"""CoinStats authentication: a key or an OAuth token, either one in either of two headers.

``X-API-KEY`` counts first; ``Authorization: Bearer`` is looked at where that is absent.
"""

from msgspec.structs import replace

from mockserver.model.http import Request, UnsignedRequest
from mockserver.model.provider import Keyring
from mockserver.model.reject import Reject
from mockserver.model.world import Credential, Quirks


class Key(Credential, frozen=True, kw_only=True):
    """An API key or an OAuth token, and the account whose exchanges it sees."""

    api_key: str
    account: str

    def regenerate(self, entropy: bytes) -> "Key":
        """Returns the key with a new value."""
        return replace(self, api_key=entropy[:32].hex())


class ClientKey(Key, frozen=True, kw_only=True):
    """A key with what a client needs beside it: an exchange, and its credentials there."""

    connection_id: str
    connection_fields: dict[str, str]


def sign(draft: UnsignedRequest, key: Key, now: int) -> UnsignedRequest:
    """Returns the draft with the key in its header."""
    return replace(draft, headers=(*draft.headers, (b"X-API-KEY", key.api_key.encode())))


def authenticate(request: Request, keyring: Keyring, now: int, quirks: Quirks) -> tuple[Key, str]:
    """Finds the key. Raises Reject."""
    presented = request.header(b"x-api-key") or _bearer(request.header(b"authorization"))
    if not presented:
        raise Reject("missing_credential")
    return keyring.find(presented), ""


def _bearer(value: bytes) -> bytes:
    scheme, _, token = value.partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" else b""
