"""CDP authentication: ``Authorization: Bearer`` and a JWT for this one request.

``kid`` names the key, and the key decides the algorithm. A token may be used again until it
expires: the Python SDK sends the same one when it tries again.
"""

from uuid import UUID

from msgspec.structs import replace

from mockserver.model import jwt
from mockserver.model.http import Request, UnsignedRequest
from mockserver.model.provider import Keyring
from mockserver.model.reject import Reject
from mockserver.model.signing import seeded
from mockserver.model.world import Credential, Quirks
from mockserver.providers.cdp import claims, keys

NONCE_DIGITS = 16


class Key(Credential, frozen=True, kw_only=True):
    """An API key: its id, its secret, and the owner whose accounts it sees."""

    key_id: str
    key_secret: str
    owner: str

    def __post_init__(self) -> None:
        keys.read(self.key_secret)

    @property
    def key_type(self) -> str:
        """``Ed25519`` or ``ES256``."""
        return keys.TYPES[keys.read(self.key_secret).algorithm]

    def regenerate(self, entropy: bytes) -> "Key":
        """Returns the key with a new id and a new secret of the same type."""
        made = keys.ed25519 if self.key_type == "Ed25519" else keys.es256
        return replace(self, key_id=new_id(entropy[32:]), key_secret=made(entropy[:32]))


class Caller(Key, frozen=True, kw_only=True):
    """A key with what it sees: account ids by label."""

    accounts: dict[str, str]


def new_id(entropy: bytes) -> str:
    """Returns a key id made from 32 bytes."""
    organization, key = (UUID(bytes=half, version=4) for half in (entropy[:16], entropy[16:32]))
    return f"organizations/{organization}/apiKeys/{key}"


def sign(draft: UnsignedRequest, key: Key, now: int) -> UnsignedRequest:
    """Returns the draft with its token; ``now`` in nanoseconds."""
    digest = seeded(now, draft.method, draft.host, draft.path, key.key_id, size=8)
    nonce = int.from_bytes(digest, "big") % 10**NONCE_DIGITS
    header = {"kid": key.key_id, "typ": "JWT", "nonce": f"{nonce:0{NONCE_DIGITS}}"}
    told = claims.made(draft.method, draft.host, draft.path, key.key_id, now)
    token = jwt.sign(header, told, keys.read(key.key_secret))
    return replace(draft, headers=(*draft.headers, (b"Authorization", b"Bearer " + token)))


def authenticate(request: Request, keyring: Keyring, now: int, quirks: Quirks) -> tuple[Key, str]:
    """Checks the token: its form, key, signature and claims, in this order. Raises Reject."""
    token = _token(request)
    key: Key = keyring.find(token.header["kid"].encode("utf-8", "surrogatepass"))
    if not jwt.genuine(token, keys.read(key.key_secret)):
        raise Reject("bad_signature", credential=key.label)
    try:
        return key, claims.check(token.claims, key.key_id, request, now, quirks)
    except Reject as reject:
        reject.facts["credential"] = key.label
        raise


def _token(request: Request) -> jwt.Token:
    try:
        token = jwt.read(_bearer(request))
    except ValueError:
        raise Reject("bad_signature") from None
    if not isinstance(token.header.get("kid"), str):
        raise Reject("bad_signature")
    return token


def _bearer(request: Request) -> bytes:
    scheme, _, token = request.header(b"authorization").partition(b" ")
    token = token.strip()
    if scheme.lower() != b"bearer" or not token:
        raise Reject("missing_credential")
    return token
