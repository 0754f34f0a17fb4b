"""CoinAPI authentication: a key in the header ``X-CoinAPI-Key`` or the query ``apikey``."""

from collections.abc import Mapping
from uuid import UUID

from msgspec.structs import replace

from mockserver.model.http import Request, UnsignedRequest
from mockserver.model.key_placement import KeyPlacement, first_reader
from mockserver.model.provider import Keyring
from mockserver.model.reject import Reject
from mockserver.model.world import Credential, Quirks


class Key(Credential, frozen=True, kw_only=True):
    """An API key, and the account whose exchanges it sees.

    ``rejected_message`` is what the reject quotes that a key with ``rejects`` meets.
    """

    api_key: str
    account: str
    rejected_message: str = ""

    def regenerate(self, entropy: bytes) -> "Key":
        """Returns the key with a new value, in the form that CoinAPI issues."""
        return replace(self, api_key=new_key(entropy))

    def reject_facts(self) -> Mapping[str, str]:
        """Returns the message that the reject quotes."""
        return {"rejected_message": self.rejected_message} if self.rejected_message else {}


def new_key(entropy: bytes) -> str:
    """Returns a key made from 16 bytes or more."""
    return str(UUID(bytes=entropy[:16])).upper()


# fact: coinapi-header-before-query, coinapi-empty-header
PLACES = (
    KeyPlacement("header", "X-CoinAPI-Key"),  # fact: coinapi-key-in-header, coinapi-repeated-key
    KeyPlacement("query", "apikey"),  # fact: coinapi-key-in-query
)
read_key = first_reader(PLACES)


def sign(request: UnsignedRequest, key: Key, now: int) -> UnsignedRequest:
    """Returns the request with the key in its header."""
    return PLACES[0].put(request, key.api_key.encode())


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
    presented = read_key(request)
    if not presented:
        raise Reject("missing_credential")
    return keyring.find(presented), ""
