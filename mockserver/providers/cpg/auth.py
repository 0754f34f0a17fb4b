"""X-CPG authentication: HMAC-SHA256 over the request as transmitted.

The canonical string is timestamp, METHOD, raw path, raw query and the hex
SHA-256 of the raw body, joined by single newlines. The HMAC key is the secret's text.
"""

from ipaddress import ip_address, ip_network

from msgspec.structs import replace

from mockserver.errors import DataError
from mockserver.model.http import Request
from mockserver.model.key_placement import KeyPlacement
from mockserver.model.provider import Keyring, Route
from mockserver.model.reject import Reject
from mockserver.model.signing_recipe import Hashed, SigningRecipe, signer, verifier
from mockserver.model.suggestions import did_you_mean
from mockserver.model.times import SECOND
from mockserver.model.typed_data import at
from mockserver.model.world import Credential, Quirks

# fact: cpg-permissions
PERMISSIONS = (
    "request_deposit_address",
    "request_withdrawal_funding_address",
    "withdraw",
    "read_balance",
    "read_deposit_status",
    "read_withdrawal_status",
    "list_transactions",
    "list_currencies",
)


class Key(Credential, frozen=True, kw_only=True):
    """An API key: its public id, its secret, its account, permissions and IP whitelist."""

    key_id: str
    secret: str
    account: str
    permissions: tuple[str, ...] = PERMISSIONS
    ip_whitelist: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for n, name in enumerate(self.permissions):
            if name not in PERMISSIONS:
                known = f"{', '.join(PERMISSIONS)}{did_you_mean(name, PERMISSIONS)}"
                message = f"no permission {name!r}: there are {known}"
                raise DataError(message, ("permissions", n))
        for n, network in enumerate(self.ip_whitelist):
            with at("ip_whitelist", n):
                ip_network(network)

    def regenerate(self, entropy: bytes) -> "Key":
        """Returns the key with a new id and secret, made from 40 bytes or more."""
        return replace(self, key_id=f"cpg_{entropy[:8].hex()}", secret=entropy[8:40].hex())


# fact: cpg-canonical-order, cpg-signature-form
RECIPE = SigningRecipe(
    key="key_id",
    secret="secret",  # noqa: S106 a member's name  # fact: cpg-secret-as-text
    key_at=KeyPlacement("header", "X-CPG-Key"),
    timestamp_at=KeyPlacement("header", "X-CPG-Timestamp"),
    signature_at=KeyPlacement("header", "X-CPG-Signature"),
    parts=(
        "timestamp",
        "method",
        "path",
        "query",  # fact: cpg-query-as-sent, cpg-empty-query
        Hashed(("body",)),  # fact: cpg-body-hash, cpg-body-hash-case, cpg-empty-body
    ),
    joiner=b"\n",
    placement="HMAC key",
    algorithm="sha256",
    written="hex",
)
sign, verify = signer(RECIPE), verifier(RECIPE)  # fact: cpg-path-as-dialled


def authenticate(request: Request, keyring: Keyring, now: int, quirks: Quirks) -> tuple[Key, str]:
    """Checks headers, key, timestamp and signature, in this order.

    ``now`` is the auth clock in nanoseconds since the epoch. A signature over the raw path of
    the request line (with a prefix or ``/~id``) is accepted too. Returns the key and a note for
    the journal; raises Reject.
    """
    # fact: cpg-three-headers
    headers = request.first_headers()
    presented = headers.get(b"x-cpg-key")
    timestamp = headers.get(b"x-cpg-timestamp")
    signature = headers.get(b"x-cpg-signature")
    # fact: cpg-missing-headers, cpg-empty-header
    if not (presented and timestamp and signature):
        raise Reject("missing_credential")
    key: Key = keyring.find(presented)
    _check_timestamp(timestamp, now, quirks["timestamp_window"])  # fact: cpg-timestamp-clock
    if quirks["signature_case"] == "any":  # fact: cpg-signature-case
        signature = signature.lower()
    return key, verify(request, key, timestamp, signature)


def _check_timestamp(timestamp: bytes, now: int, window: int) -> None:
    """Raises Reject for a timestamp outside the window; ``now`` and ``window`` in nanoseconds."""
    if not (timestamp.isdigit() and len(timestamp) <= 15):  # fact: cpg-bad-timestamp
        raise Reject("outside_window")
    drift = int(timestamp) - now // SECOND
    if abs(drift) * SECOND > window:  # fact: cpg-timestamp-window, cpg-timestamp-edge
        raise Reject("outside_window", drift=drift)


def replay_digest(request: Request) -> bytes:
    """Returns the key id and half of the signature: the name of a signature in the replay memory.

    Call it only for an accepted signature, which is hex.
    """
    # fact: cpg-replay-per-key, cpg-replay-within-a-second
    headers = request.first_headers()
    signature = bytes.fromhex(headers[b"x-cpg-signature"].decode())
    return headers[b"x-cpg-key"] + signature[:16]


def replay_window(quirks: Quirks) -> int:
    """Returns the nanoseconds for which a signature could pass again; 0 turns the check off."""
    # Drift counts whole seconds, which adds one.
    # fact: cpg-replay-quirk, cpg-replay-span
    return 0 if quirks["replay"] == "off" else 2 * int(quirks["timestamp_window"]) + SECOND


def check_address(request: Request, route: Route, key: Key) -> None:
    """Raises Reject for a source address that is not on the key's whitelist."""
    # fact: cpg-address-whitelist, cpg-empty-whitelist
    if key.ip_whitelist and not _in_networks(request.peer, key.ip_whitelist):
        raise Reject("ip_not_allowed")


def _in_networks(peer: str, networks: tuple[str, ...]) -> bool:
    try:
        address = ip_address(peer)
    except ValueError:  # an in-process client has a name instead
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    # fact: cpg-whitelist-entries
    return any(address in ip_network(network) for network in networks)


def check_permission(request: Request, route: Route, key: Key) -> None:
    """Raises Reject for a key without the route's permission."""
    # fact: cpg-missing-permission
    if route.permission and route.permission not in key.permissions:
        raise Reject("forbidden", permission=route.permission)
