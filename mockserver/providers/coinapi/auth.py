"""CoinAPI authentication: a key in the header ``X-CoinAPI-Key`` or the query ``apikey``."""

from uuid import UUID

from msgspec.structs import replace

from mockserver.model.http import Request, UnsignedRequest
from mockserver.model.provider import Keyring
from mockserver.model.query import first
from mockserver.model.reject import Reject
from mockserver.model.world import Credential, Quirks


class Key(Credential, frozen=True, kw_only=True):
    """An API key, and the account whose exchanges it sees."""

    api_key: str
    account: str

    def regenerate(self, entropy: bytes) -> "Key":
        """Returns the key with a new value, in the form that CoinAPI issues."""
        return replace(self, api_key=new_key(entropy))


def new_key(entropy: bytes) -> str:
    """Returns a key made from 16 bytes or more."""
    return str(UUID(bytes=entropy[:16])).upper()


def sign(request: UnsignedRequest, key: Key, now: int) -> UnsignedRequest:
    """Returns the request with the key in its header."""
    return replace(request, headers=(*request.headers, (b"X-CoinAPI-Key", key.api_key.encode())))


def authenticate(request: Request, keyring: Keyring, now: int, quirks: Quirks) -> tuple[Key, str]:
    """Finds the key in the header, or else in the query.

    Without authentication (a self-hosted gateway) every caller is the key ``main``. Returns the
    key and an empty journal note; raises Reject.
    """
    if quirks["auth"] == "none":  # fact: coinapi-self-hosted
        key = keyring.with_label("main")  # fact: coinapi-self-hosted-account
        if key is None:
            raise Reject("missing_credential")
        return key, ""
    # fact: coinapi-key-in-header, coinapi-key-in-query, coinapi-repeated-key
    # fact: coinapi-header-before-query, coinapi-empty-header
    presented = request.header(b"x-coinapi-key") or first(request.query, "apikey").encode()
    if not presented:
        raise Reject("missing_credential")
    return keyring.find(presented), ""
