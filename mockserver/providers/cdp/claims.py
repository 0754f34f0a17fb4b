"""The claims of a token: the caller, the time it is valid, and the request it is for.

``iss`` is ``cdp``, or ``coinbase-cloud`` as in Coinbase's own command-line client, and ``sub`` the
key id. The clocks may differ by the quirk ``leeway``. An entry of ``uris`` (or of the older
``uri``) names the request: ``METHOD host[:port]/path``, without the query. The host is one of the
real hosts or the one in the Host header. Two deviations are accepted and noted in the journal: a
client that signs the path exactly as it requests it puts this mock's ``/cdp`` or ``/~id`` before
the path; and the Python SDK parses ``localhost`` in ``localhost:8491/path`` as a scheme, which
leaves only the port in place of the host.
"""

from collections.abc import Mapping
from typing import Any

from mockserver.model.http import Request
from mockserver.model.reject import Reject
from mockserver.model.times import SECOND
from mockserver.model.world import Quirks

HOST = "api.cdp.coinbase.com"
HOSTS = (HOST, "sandbox.cdp.coinbase.com")  # fact: cdp-host-canonical, cdp-sandbox-host

BASE_PATH = "/platform"  # fact: cdp-base-url

ISSUER = "cdp"
ISSUERS = (ISSUER, "coinbase-cloud")  # fact: cdp-iss-cdpcurl
LIFETIME = 120  # seconds
TIME_MAX = 1 << 40  # seconds since the epoch; larger values are rejected

NOTE_FULL_PATH = "signed the path exactly as requested"
NOTE_PORT_FOR_HOST = "signed the port in place of the host, as the Python SDK does"

Claims = Mapping[str, Any]


def claims_for(method: str, host: str, path: bytes, key_id: str, now: int) -> dict[str, Any]:
    """Returns the claims for a request; ``now`` in nanoseconds since the epoch.

    An empty ``host`` stands for the real one.
    """
    seconds = now // SECOND
    return {
        "sub": key_id,
        "iss": ISSUER,
        "nbf": seconds,
        "exp": seconds + LIFETIME,
        "uris": [f"{method.upper()} {host or HOST}{path.decode('latin-1')}"],
    }


# fact: cdp-aud, cdp-aud-ignored
def check(claims: Claims, key_id: str, request: Request, now: int, quirks: Quirks) -> str:
    """Checks the claims and returns a note for the journal; raises Reject.

    ``now`` is the auth clock in nanoseconds since the epoch.
    """
    if claims.get("iss") not in accepted_issuers(quirks):
        raise Reject("bad_signature", claim="iss")  # fact: cdp-iss, cdp-iss-others
    if claims.get("sub") != key_id:
        raise Reject("bad_signature", claim="sub")  # fact: cdp-sub
    _check_times(claims, now, quirks)
    entries = claimed_entries(claims, quirks)
    if _has_exact_entry(entries, request, quirks):
        return ""
    notes = [_entry_note(entry, request, quirks) for entry in entries]
    accepted = [note for note in notes if note is not None]
    if not accepted:  # fact: cdp-uris, cdp-uris-missing
        raise Reject("bad_signature", claim="uris")
    return min(accepted, key=len)  # fact: cdp-uris-several


def accepted_issuers(quirks: Quirks) -> tuple[str, ...]:
    """Returns the issuers that are accepted, the usual one first."""
    return (ISSUER,) if quirks["strict_claims"] == "true" else ISSUERS  # fact: cdp-strict-claims


def leeway_of(quirks: Quirks) -> int:
    """Returns by how much the clocks may differ, in nanoseconds."""
    leeway: int = quirks["leeway"]  # fact: cdp-leeway
    return 0 if quirks["strict_claims"] == "true" else leeway


def _check_times(claims: Claims, now: int, quirks: Quirks) -> None:
    leeway = leeway_of(quirks)
    expires, begins, issued = [_read_time(claims, name) for name in ("exp", "nbf", "iat")]
    if expires is None:
        raise Reject("bad_signature", claim="exp")  # fact: cdp-exp-required
    if now >= expires + leeway:  # fact: cdp-lifetime, cdp-nonce-repeats
        raise Reject("expired", drift=(expires - now) // SECOND)
    latest = max(begins or 0, issued or 0)  # fact: cdp-no-iat
    if latest > now + leeway:
        raise Reject("outside_window", drift=(latest - now) // SECOND)
    # fact: cdp-lifetime-from
    since = issued if issued is not None else begins if begins is not None else now
    if expires - since > quirks["max_token_lifetime"]:  # fact: cdp-lifetime-cap
        raise Reject("outside_window", claim="exp")


def _read_time(claims: Claims, name: str) -> int | None:
    """Returns a claim's time in nanoseconds since the epoch, None for null; raises Reject."""
    seconds = claims.get(name)
    if seconds is None:
        return None  # fact: cdp-null-times
    if type(seconds) not in (int, float) or not 0 <= seconds < TIME_MAX:
        raise Reject("bad_signature", claim=name)
    return int(seconds * SECOND)


def claimed_entries(claims: Claims, quirks: Quirks) -> list[Any]:
    """Returns the claimed entries, of any JSON type."""
    uris = claims.get("uris")
    entries = list(uris) if isinstance(uris, list) else []
    if quirks["strict_claims"] == "false":
        entries.append(claims.get("uri"))  # fact: cdp-uri
    return entries


def _has_exact_entry(entries: list[Any], request: Request, quirks: Quirks) -> bool:
    """Returns whether an entry names the Host header and the path: the fast, common case."""
    received = request.header(b"host").decode("latin-1")
    path = request.full_path.decode("latin-1")
    if not received or "/" in received or f"{request.method} {received}{path}" not in entries:
        return False
    return received.lower() in allowed_hosts(received.lower(), quirks)


# fact: cdp-uris-form
def _entry_note(entry: Any, request: Request, quirks: Quirks) -> str | None:
    """Returns the deviations with which an entry names the request, or None if it does not."""
    if not isinstance(entry, str):
        return None
    method, _, location = entry.partition(" ")
    host, slash, rest = location.partition("/")
    notes = path_note(slash + rest, request, quirks), host_note(host, request, quirks)
    if method != request.method or None in notes:
        return None
    return ", ".join(filter(None, notes))


def path_note(path: str, request: Request, quirks: Quirks) -> str | None:
    """Returns the deviation with which a path names the request's, or None if it does not."""
    raw = path.encode("latin-1", "replace")
    if raw == request.full_path:  # fact: cdp-uris-query, cdp-uris-with-query
        return ""
    if raw == request.raw_target_path and quirks["strict_host"] == "false":
        return NOTE_FULL_PATH  # fact: cdp-path-as-dialled
    return None


def host_note(host: str, request: Request, quirks: Quirks) -> str | None:
    """Returns the deviation with which a host names the request's, or None if it does not."""
    received = received_host(request).lower()
    host = host.lower()
    if host and host in allowed_hosts(received, quirks):
        return ""
    strict = "true" in (quirks["strict_host"], quirks["strict_claims"])
    # fact: cdp-host-mangled
    return NOTE_PORT_FOR_HOST if host == _port(received) and not strict else None


def received_host(request: Request) -> str:
    """Returns the Host header."""
    return request.header(b"host").decode("latin-1")


def allowed_hosts(received: str, quirks: Quirks) -> tuple[str, ...]:
    """Returns the hosts that an entry may name; ``received`` is that of the request."""
    # fact: cdp-host-received, cdp-strict-claims
    hosts = (HOST,) if quirks["strict_claims"] == "true" else (*HOSTS, received)
    if quirks["strict_host"] == "true":
        return tuple(host for host in hosts if host == received)  # fact: cdp-strict-host
    return hosts


def _port(host: str) -> str | None:
    port = host.rpartition(":")[2]
    return port if port.isdigit() and port != host else None
