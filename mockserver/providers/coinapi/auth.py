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
        """Returns the key with a new value, in the form of those that CoinAPI hands out."""
        return replace(self, api_key=new_key(entropy))


def new_key(entropy: bytes) -> str:
    """Returns a key made from 16 bytes or more."""
    return str(UUID(bytes=entropy[:16])).upper()


def sign(draft: UnsignedRequest, key: Key, now: int) -> UnsignedRequest:
    """Returns the draft with the key in its header."""
    return replace(draft, headers=(*draft.headers, (b"X-CoinAPI-Key", key.api_key.encode())))


def authenticate(request: Request, keyring: Keyring, now: int, quirks: Quirks) -> tuple[Key, str]:
    """Finds the key; a header counts before the query. Raises Reject.

    Without authentication (a self-hosted gateway) everybody is ``main``.
    """
    if quirks["auth"] == "none":
        key = keyring.with_label("main")
        if key is None:
            raise Reject("missing_credential")
        return key, ""
    presented = request.header(b"x-coinapi-key") or first(request.query, "apikey").encode()
    if not presented:
        raise Reject("missing_credential")
    return keyring.find(presented), ""
