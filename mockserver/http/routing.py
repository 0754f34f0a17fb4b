"""Where a request goes: port, then Host, then prefix; then ``/~id``.

Nothing is re-encoded: what is cut from the front is bytes, the rest stays as sent.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from mockserver.engine.sandboxes import DEFAULT
from mockserver.model.http import PLAIN, Response
from mockserver.model.provider import Provider

# Paths that are ours on a provider's own port.
OWN = (b"/healthz", b"/openapi.json")
ADMIN = b"/__admin"

Pairs = Sequence[tuple[bytes, bytes]]
Finder = Callable[[int | None, Pairs, bytes], "Destination | None"]


class Destination(Struct, frozen=True, gc=False):
    """Which provider and sandbox a request is for, and its path as the provider sees it."""

    provider: str
    sandbox: str
    path: bytes


class Routing:
    """The ports, hosts and prefixes that lead to providers."""

    def __init__(self, providers: Mapping[str, Provider]) -> None:
        self.ports: dict[int | None, str] = {}
        self.base_paths = {name: p.base_path.encode() for name, p in providers.items()}
        self._prefixes = {name.encode(): name for name in providers}
        self._hosts = {f"{name}.localhost".encode(): name for name in providers}
        for name, provider in providers.items():
            self._hosts.update({host.encode(): name for host in provider.hosts})

    def find(self, port: int | None, headers: Pairs, path: bytes) -> Destination | None:
        """Returns where the request goes, or None when it is for the gateway itself."""
        provider = self.ports.get(port)
        if provider is not None:
            if path in OWN:
                return None
            if path.startswith(b"/~"):
                return destination(provider, path)
            return Destination(provider, DEFAULT, path)
        if path.startswith(ADMIN) and path[len(ADMIN) :][:1] in (b"", b"/"):
            return None
        provider = self._by_host(headers)
        if provider is not None:
            return None if path in OWN else destination(provider, path)
        first, slash, rest = path[1:].partition(b"/")
        provider = self._prefixes.get(first)
        return None if provider is None else destination(provider, slash + rest or b"/")

    def knows(self, host: str) -> bool:
        """Returns whether a host is a provider's."""
        return host.lower().encode("ascii", "replace") in self._hosts

    @property
    def hosts(self) -> list[str]:
        """The names of the providers: the real ones, and those below localhost."""
        return [host.decode() for host in self._hosts]

    def seen_through(self, host: str, sandbox: str = DEFAULT) -> Finder:
        """Returns ``find`` for a connection that a name led here, by SNI or through the proxy.

        The name selects the provider where the request selects none, and ``sandbox`` is used
        where the request has none.
        """
        provider = self._hosts.get(host.lower().encode("ascii", "replace"))

        def find(port: int | None, headers: Pairs, path: bytes) -> Destination | None:
            found = self.find(port, headers, path)
            if found is None and provider and path not in OWN and not path.startswith(ADMIN):
                found = destination(provider, path)
            if found is None or sandbox == DEFAULT or found.sandbox != DEFAULT:
                return found
            return Destination(found.provider, sandbox, found.path)

        return find

    def provider_at(self, scope: Mapping[str, Any]) -> str | None:
        """Returns the provider whose own port or host this is."""
        return self.ports.get(port_of(scope)) or self._by_host(scope["headers"])

    def _by_host(self, headers: Pairs) -> str | None:
        for name, value in headers:
            if name == b"host":
                return self._hosts.get(value.partition(b":")[0].lower())
        return None


def port_of(scope: Mapping[str, Any]) -> int | None:
    """Returns the port on which a request came, if it came through a socket."""
    server = scope.get("server")
    return server[1] if server else None


def split_target(target: bytes) -> tuple[bytes, bytes]:
    """Returns path and query of any request target; the path of an address alone is empty."""
    target = target.partition(b"#")[0]
    if not target.startswith((b"/", b"*")):
        _, found, rest = target.partition(b"://")
        if not found:
            return b"", b""
        start = min(at for at in (rest.find(b"/"), rest.find(b"?"), len(rest)) if at >= 0)
        target = rest[start:] if rest[start : start + 1] == b"/" else b"/" + rest[start:]
    path, _, query = target.partition(b"?")
    return path, query


def no_sandbox(id: str) -> Response:
    """Returns the answer to a request for a sandbox that is not there."""
    shown = id if id.isascii() and id.isprintable() and len(id) <= 64 else "with this id"
    return Response(404, PLAIN, f"There is no sandbox {shown}.\n".encode())


def destination(provider: str, path: bytes) -> Destination:
    """Returns where a path of a provider leads: to a sandbox, and to a path below it."""
    if path.startswith(b"/~"):
        sandbox, slash, rest = path[2:].partition(b"/")
        return Destination(provider, sandbox.decode("latin-1"), slash + rest or b"/")
    return Destination(provider, DEFAULT, path)
