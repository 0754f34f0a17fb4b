"""Where a request comes from: loopback addresses, and the Origin of a web page."""

import re
from ipaddress import ip_address

_AUTHORITY = re.compile(r"(\[[^\[\]]*\]|[^\[\]:]*)(?::[0-9]{1,5})?")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(.+)", re.IGNORECASE)


def is_loopback(host: str) -> bool:
    """Returns whether a host name or address, IPv6 without brackets, is one of this machine."""
    try:
        return host.lower() == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def host_of(authority: str) -> str:
    """Returns the host of ``host`` or ``host:port``, in lower case; else nothing."""
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
