"""What a token must say: who calls, from when to when, and which request it is for.

``iss`` is ``cdp`` and ``sub`` the key id. The clock may be off by LEEWAY either way. An entry
of ``uris`` (or the older ``uri``) names the request: ``METHOD host[:port]/path``, without the
query. The host is a real one or the one in the Host header. Clients that sign what they dial
put this mock's ``/cdp`` or ``/~id`` before the path; the Python SDK takes ``localhost`` in
``localhost:8491/path`` for a scheme, and the port is all that is left of the host. Both are
accepted, and noted.
"""

from collections.abc import Mapping
from typing import Any

from mockserver.model.durations import SECOND
from mockserver.model.http import Request
from mockserver.model.reject import Reject
from mockserver.model.world import Quirks

HOST = "api.cdp.coinbase.com"
HOSTS = (HOST, "sandbox.cdp.coinbase.com")

ISSUER = "cdp"
LIFETIME = 120  # seconds
LEEWAY = 5 * SECOND
LATEST = 1 << 40  # seconds since the epoch; nobody means a later time

DIALLED = "signed the path as dialled"
MANGLED = "signed the port in place of the host, as the Python SDK does"

Claims = Mapping[str, Any]


def made(method: str, host: str, path: bytes, key_id: str, now: int) -> dict[str, Any]:
    """Returns the claims for a request; ``now`` in nanoseconds."""
    seconds = now // SECOND
    return {
        "sub": key_id,
        "iss": ISSUER,
        "nbf": seconds,
        "exp": seconds + LIFETIME,
        "uris": [f"{method.upper()} {host or HOST}{path.decode('latin-1')}"],
    }


def check(claims: Claims, key_id: str, request: Request, now: int, quirks: Quirks) -> str:
    """Judges the claims at ``now`` and returns a note for the journal; raises Reject."""
    if claims.get("iss") != ISSUER:
        raise Reject("bad_signature", claim="iss")
    if claims.get("sub") != key_id:
        raise Reject("bad_signature", claim="sub")
    _check_times(claims, now, quirks)
    entries = _entries(claims, quirks)
    if _plainly(entries, request, quirks):
        return ""
    notes = [_note(entry, request, quirks) for entry in entries]
    accepted = [note for note in notes if note is not None]
    if not accepted:
        raise Reject("bad_signature", claim="uris", hosts=_accepted(request, quirks))
    return min(accepted, key=len)


def _check_times(claims: Claims, now: int, quirks: Quirks) -> None:
    leeway = 0 if quirks["strict_claims"] == "true" else LEEWAY
    expires, begins, issued = [_time(claims, name) for name in ("exp", "nbf", "iat")]
    if expires is None:
        raise Reject("bad_signature", claim="exp")
    if now >= expires + leeway:
        raise Reject("expired", drift=(expires - now) // SECOND)
    latest = max(begins or 0, issued or 0)
    if latest > now + leeway:
        raise Reject("outside_window", drift=(latest - now) // SECOND)
    since = issued if issued is not None else begins if begins is not None else now
    if expires - since > quirks["max_token_lifetime"]:
        raise Reject("outside_window", claim="exp")


def _time(claims: Claims, name: str) -> int | None:
    """Returns a claim's time in nanoseconds; null is none."""
    seconds = claims.get(name)
    if seconds is None:
        return None
    if type(seconds) not in (int, float) or not 0 <= seconds < LATEST:
        raise Reject("bad_signature", claim=name)
    return int(seconds * SECOND)


def _entries(claims: Claims, quirks: Quirks) -> list[Any]:
    uris = claims.get("uris")
    entries = list(uris) if isinstance(uris, list) else []
    if quirks["strict_claims"] == "false":
        entries.append(claims.get("uri"))
    return entries


def _plainly(entries: list[Any], request: Request, quirks: Quirks) -> bool:
    """Tells at once of an entry that names the request in the plainest way, as most do."""
    received = request.header(b"host").decode("latin-1")
    path = request.path.decode("latin-1")
    if not received or "/" in received or f"{request.method} {received}{path}" not in entries:
        return False
    return received.lower() in _hosts(received.lower(), quirks)


def _note(entry: Any, request: Request, quirks: Quirks) -> str | None:
    """Returns with which leniencies an entry names the request, or None when it does not."""
    if not isinstance(entry, str):
        return None
    method, _, place = entry.partition(" ")
    host, slash, rest = place.partition("/")
    notes = _path_note(slash + rest, request, quirks), _host_note(host, request, quirks)
    if method != request.method or None in notes:
        return None
    return ", ".join(filter(None, notes))


def _path_note(path: str, request: Request, quirks: Quirks) -> str | None:
    raw = path.encode("latin-1", "replace")
    if raw == request.path:
        return ""
    return DIALLED if raw == request.raw_target_path and quirks["strict_host"] == "false" else None


def _host_note(host: str, request: Request, quirks: Quirks) -> str | None:
    received = request.header(b"host").decode("latin-1").lower()
    host = host.lower()
    if host and host in _hosts(received, quirks):
        return ""
    strict = "true" in (quirks["strict_host"], quirks["strict_claims"])
    return MANGLED if host == _port(received) and not strict else None


def _accepted(request: Request, quirks: Quirks) -> tuple[str, ...]:
    """Returns every host that an entry may name, and what may stand in the place of one."""
    received = request.header(b"host").decode("latin-1").lower()
    hosts = (*_hosts(received, quirks), _port(received) or "")
    return tuple(h for h in hosts if _host_note(h, request, quirks) is not None)


def _hosts(received: str, quirks: Quirks) -> tuple[str, ...]:
    hosts = (HOST,) if quirks["strict_claims"] == "true" else (*HOSTS, received)
    if quirks["strict_host"] == "true":
        return tuple(host for host in hosts if host == received)
    return hosts


def _port(host: str) -> str | None:
    port = host.rpartition(":")[2]
    return port if port.isdigit() and port != host else None
