"""The client's address behind a trusted proxy, which names it in ``X-Forwarded-For``."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from mockserver.errors import SettingError

FORWARDED = b"x-forwarded-for"
CLIENTS_MAX = 4_096  # of which the address is remembered

Networks = Sequence[IPv4Network | IPv6Network]


def parse_networks(texts: Iterable[str]) -> Networks:
    """Parses addresses and networks such as 10.0.0.0/8; raises SettingError."""
    networks = []
    for text in texts:
        try:
            networks.append(ip_network(text.strip()))
        except ValueError as error:
            message = f"{error}: a trusted proxy is an address or a network, e.g. 10.0.0.0/8"
            raise SettingError(message) from None
    return tuple(networks)


def is_trusted(address: str, networks: Networks) -> bool:
    """Returns whether an address lies in one of the networks."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)


def client_address(headers: Iterable[tuple[bytes, bytes]], peer: str, networks: Networks) -> str:
    """Returns the last address before the trusted proxies, ``peer`` when none is named.

    What a client wrote into the header itself stands further to the front, and is not believed.
    """
    named = b",".join([value for name, value in headers if name == FORWARDED])
    return _last_client(named, peer, networks)


@lru_cache(CLIENTS_MAX)
def _last_client(named: bytes, peer: str, networks: Networks) -> str:
    for part in reversed(named.decode("latin-1").split(",")):
        address = part.strip()
        try:
            ip_address(address)
        except ValueError:
            return peer
        if not is_trusted(address, networks):
            return address
        peer = address
    return peer
