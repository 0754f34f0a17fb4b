"""CoinStats authentication: a key or an OAuth token, either of them in either of two headers.

``X-API-KEY`` comes first; ``Authorization: Bearer`` is read where it is absent or empty.
"""

from msgspec.structs import replace

from mockserver.model.http import Request, UnsignedRequest
from mockserver.model.key_placement import KeyPlacement, first_reader
from mockserver.model.provider import Keyring
from mockserver.model.reject import Reject
from mockserver.model.world import Credential, Quirks


class Key(Credential, frozen=True, kw_only=True):
    """An API key or an OAuth token, and the account whose exchanges it sees."""

    api_key: str
    account: str

    def regenerate(self, entropy: bytes) -> "Key":
        """Returns the key with a new value, made from 32 bytes or more."""
        return replace(self, api_key=entropy[:32].hex())


class ClientKey(Key, frozen=True, kw_only=True):
    """A key with an exchange to ask about, and the credentials there: all that a client needs."""

    connection_id: str
    connection_fields: dict[str, str]


# fact: coinstats-key-header-first, coinstats-empty-key-header
PLACES = (
    KeyPlacement("header", "X-API-KEY"),  # fact: coinstats-key-header
    # fact: coinstats-bearer, coinstats-bearer-case
    KeyPlacement("header", "Authorization", "Bearer"),
)
read_key = first_reader(PLACES)


def sign(request: UnsignedRequest, key: Key, now: int) -> UnsignedRequest:
    """Returns the request with the key in its header."""
    return PLACES[0].put(request, key.api_key.encode())


# fact: coinstats-token-in-key-header, coinstats-key-as-bearer
def authenticate(request: Request, keyring: Keyring, now: int, quirks: Quirks) -> tuple[Key, str]:
    """Returns the key and an empty note for the journal; raises Reject."""
    presented = read_key(request)
    if not presented:
        raise Reject("missing_credential")
    return keyring.find(presented), ""  # fact: coinstats-key-form
