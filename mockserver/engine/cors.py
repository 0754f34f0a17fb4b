"""Requests that a web page of another origin sends: with a body they are refused.

The provider's quirk ``cors`` allows them. The explanation of a refusal is in
``explain/general``.
"""

import re
from ipaddress import ip_address

from msgspec.structs import replace

from mockserver.explain.general import how_to_allow, origin_of
from mockserver.faults.plan import RawAnswer
from mockserver.model.http import Request, Response
from mockserver.model.provider import Provider
from mockserver.model.reject import Reject

FOREIGN = "foreign_origin"
ALLOW_ORIGIN = b"access-control-allow-origin"
PLAIN = ((b"content-type", b"text/plain; charset=utf-8"),)
PREFLIGHT = Response(
    204,
    (
        (b"access-control-allow-methods", b"GET,HEAD,PUT,PATCH,POST,DELETE"),
        (b"access-control-allow-headers", b"*, authorization"),  # * does not include authorization
    ),
    b"",
)


_AUTHORITY = re.compile(r"(\[[^\[\]]*\]|[^\[\]:]*)(?::[0-9]{1,5})?")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(.+)", re.IGNORECASE)


def check_origin(request: Request, allow_pages: bool) -> None:
    """Refuses a body with a foreign Origin unless the quirk ``cors`` allows web pages.

    Raises Reject; where pages are allowed, RawAnswer with the response to a preflight request.
    """
    if not allow_pages:
        if (request.body or request.oversize) and _is_foreign(request):
            raise Reject(FOREIGN)
    elif request.method == "OPTIONS" and _is_preflight(request):
        raise RawAnswer(PREFLIGHT)


def _is_foreign(request: Request) -> bool:
    origin, host = request.header(b"origin"), request.header(b"host")
    return bool(origin) and is_foreign(origin.decode("latin-1"), host.decode("latin-1"))


def _is_preflight(request: Request) -> bool:
    return bool(request.header(b"origin") and request.header(b"access-control-request-method"))


def with_allow_origin(request: Request, response: Response) -> Response:
    """Returns the response with the header by which a browser lets a page read it."""
    names = [name for name, _ in response.headers]
    if not request.header(b"origin") or ALLOW_ORIGIN in names:
        return response
    return replace(response, headers=(*response.headers, (ALLOW_ORIGIN, b"*")))


def refuse(request: Request, provider: Provider) -> Response:
    """Returns the response to a refused page, in plain text."""
    text = f"foreign origin {origin_of(request)}: {how_to_allow(provider)}\n"
    return Response(403, PLAIN, text.encode())


def is_loopback(host: str) -> bool:
    """Returns whether a host name or address, IPv6 without brackets, is a loopback one."""
    try:
        return host.lower() == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def host_of(authority: str) -> str:
    """Returns the host of ``host`` or ``host:port`` in lower case, "" for another text."""
    match = _AUTHORITY.fullmatch(authority)
    return match[1].strip("[]").lower() if match else ""


def is_foreign(origin: str, host: str) -> bool:
    """Returns whether an Origin is neither loopback nor the server's own.

    ``host`` is the Host header; names below ``localhost`` are loopback for every browser.
    """
    match = _ORIGIN.fullmatch(origin)
    if match is None:
        return True
    name = host_of(match[1])
    own = match[1].lower() == host.lower()
    return not (own or is_loopback(name) or name.endswith(".localhost"))
