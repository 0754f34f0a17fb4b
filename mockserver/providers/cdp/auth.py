"""CDP authentication: ``Authorization: Bearer`` and a JWT for this one request.

``kid`` names the key, and the key decides the algorithm. A token stays valid until it expires,
however often it is sent: the Python SDK retries with the same token.
"""

from uuid import UUID

from msgspec.structs import replace

from mockserver.model import jwt
from mockserver.model.http import Request, UnsignedRequest
from mockserver.model.key_placement import KeyPlacement
from mockserver.model.provider import Keyring
from mockserver.model.reject import Reject
from mockserver.model.signing import seeded
from mockserver.model.typed_data import at
from mockserver.model.world import Credential, Quirks
from mockserver.providers.cdp import claims, keys

NONCE_DIGITS = 16
TOKEN_AT = KeyPlacement("header", "Authorization", "Bearer")  # fact: cdp-two-headers
read_bearer = TOKEN_AT.reader()


class Key(Credential, frozen=True, kw_only=True):
    """An API key: its id, its secret, and the owner whose accounts, and customers', it sees."""

    key_id: str  # fact: cdp-key-id
    key_secret: str
    owner: str

    def __post_init__(self) -> None:
        with at("key_secret"):
            keys.parse(self.key_secret)

    @property
    def key_type(self) -> str:
        """``Ed25519`` or ``ES256``."""
        return keys.TYPES[keys.parse(self.key_secret).algorithm]

    # fact: cdp-environments
    def regenerate(self, entropy: bytes) -> "Key":
        """Returns the key with a new id and a new secret of the same type."""
        new_secret = keys.ed25519_secret if self.key_type == "Ed25519" else keys.es256_secret
        return replace(self, key_id=new_key_id(entropy[32:]), key_secret=new_secret(entropy[:32]))


class KeyWithAccounts(Key, frozen=True, kw_only=True):
    """A key and the accounts that it sees: ids by label."""

    accounts: dict[str, str]


def new_key_id(entropy: bytes) -> str:
    """Returns a key id made from 32 bytes."""
    organization, key = (UUID(bytes=half, version=4) for half in (entropy[:16], entropy[16:32]))
    return f"organizations/{organization}/apiKeys/{key}"


def sign(request: UnsignedRequest, key: Key, now: int) -> UnsignedRequest:
    """Returns the request with its token; ``now`` in nanoseconds since the epoch."""
    digest = seeded(now, request.method, request.host, request.path, key.key_id, size=8)
    nonce = int.from_bytes(digest, "big") % 10**NONCE_DIGITS
    # fact: cdp-token-header
    header = {"kid": key.key_id, "typ": "JWT", "nonce": f"{nonce:0{NONCE_DIGITS}}"}
    payload = claims.claims_for(request.method, request.host, request.path, key.key_id, now)
    token = jwt.sign(header, payload, keys.parse(key.key_secret))
    return TOKEN_AT.put(request, token)


def authenticate(request: Request, keyring: Keyring, now: int, quirks: Quirks) -> tuple[Key, str]:
    """Checks the token's form, key, signature and claims, in this order.

    ``now`` is the auth clock in nanoseconds since the epoch. Returns the key and a note for the
    journal; raises Reject.
    """
    token = _read_token(request)
    # fact: cdp-unknown-key, cdp-nonce-not-needed
    key: Key = keyring.find(token.header["kid"].encode("utf-8", "surrogatepass"))
    # fact: cdp-bearer, cdp-algorithms, cdp-algorithm-by-key
    if not jwt.genuine(token, keys.parse(key.key_secret)):
        raise Reject("bad_signature", credential=key.label)
    try:
        return key, claims.check(token.claims, key.key_id, request, now, quirks)
    except Reject as reject:
        reject.facts["credential"] = key.label
        raise


def _read_token(request: Request) -> jwt.Token:
    bearer = read_bearer(request)
    if not bearer:
        raise Reject("missing_credential")  # fact: cdp-missing-token
    try:
        # fact: cdp-token-form, cdp-member-twice, cdp-critical-header
        token = jwt.read(bearer)
    except ValueError:
        raise Reject("bad_signature") from None
    if not isinstance(token.header.get("kid"), str):
        raise Reject("bad_signature")
    return token
