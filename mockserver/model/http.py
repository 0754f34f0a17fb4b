"""Requests as received, responses as sent.

Both are bytes exactly as on the wire, because signatures cover these bytes and clients encode
them in different ways.
"""

from collections.abc import Mapping
from typing import Self
from urllib.parse import quote, unquote_to_bytes

from msgspec import Struct

Headers = tuple[tuple[bytes, bytes], ...]

REQUEST_BODY_MAX = 1024 * 1024  # bytes of a request's body that a provider reads
PEER = "127.0.0.1"  # the client's address where a request came through no socket
PLAIN = ((b"content-type", b"text/plain; charset=utf-8"),)


def path_below(raw: bytes, root: str) -> bytes:
    """Returns a raw path below the ASGI root path under which an application is mounted."""
    if not root:
        return raw
    prefix = quote(root).encode()
    below = raw[len(prefix) :]
    return below or b"/" if raw.startswith(prefix) and below[:1] in (b"", b"/") else raw


def split_base_path(path: bytes, base_path: bytes) -> tuple[bytes, bytes]:
    """Splits a raw path behind the base path, which may have escapes in it.

    What lies below is empty where the path lies outside the base path.
    """
    length = len(base_path)
    if path[length : length + 1] == b"/" and path.startswith(base_path):
        return path[:length], path[length:]
    count = base_path.count(b"/") + 1
    segments = path.split(b"/", count)
    before = b"/".join(segments[:count])
    if len(segments) > count and unquote_to_bytes(before) == base_path:
        return before, path[len(before) :]
    return path, b""


class Request(Struct, frozen=True, gc=False):
    """One request as a provider sees it.

    ``path`` is the raw path below the provider's base path, ``before_path`` the base path as
    sent; of a path outside the base path, ``path`` is empty. ``raw_target_path`` is the raw path
    of the request line, which may have a prefix or ``/~id`` in front. ``query`` is raw, without
    ``?``. Header names are in lower case. ``oversize`` says that the body exceeded the maximum;
    ``body`` is then empty.
    """

    method: str
    path: bytes
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    peer: str
    raw_target_path: bytes
    oversize: bool = False
    before_path: bytes = b""

    @classmethod
    def of(
        cls,
        method: str,
        path: bytes,
        query: bytes,
        headers: list[tuple[bytes, bytes]],
        body: bytes,
        *,
        base_path: bytes,
        raw_target_path: bytes,
        peer: str = PEER,
    ) -> Self:
        """Returns the request that a client sent; every way to a provider builds it here.

        ``path`` is all that is the provider's, its ``base_path`` included. A body of more than
        REQUEST_BODY_MAX bytes is dropped, and ``oversize`` is set.
        """
        before_path = b""
        if base_path:
            before_path, path = split_base_path(path, base_path)
        oversize = len(body) > REQUEST_BODY_MAX
        if oversize:
            body = b""
        return cls(method, path, query, headers, body, peer, raw_target_path, oversize, before_path)

    @property
    def full_path(self) -> bytes:
        """The raw path with the provider's base path: what clients sign and errors repeat."""
        return self.before_path + self.path if self.before_path else self.path

    @property
    def paths(self) -> tuple[bytes, ...]:
        """The raw path with the base path, and below it where that is another."""
        return (self.full_path, self.path) if self.before_path else (self.path,)

    def header(self, name: bytes) -> bytes:
        """Returns the first value of a header, b"" without one; ``name`` is in lower case."""
        for key, value in self.headers:
            if key == name:
                return value
        return b""

    def first_headers(self) -> Mapping[bytes, bytes]:
        """Returns the first value of every header, for who reads several; names in lower case."""
        global _last  # noqa: PLW0603 - one assignment, so that threads see headers with their own
        headers, first = _last
        if headers is not self.headers:
            first = dict(reversed(self.headers))
            _last = self.headers, first
        return first


# The last headers that were asked for: one request is asked several times.
_last: tuple[list[tuple[bytes, bytes]], Mapping[bytes, bytes]] = ([], {})


class Response(Struct, frozen=True, gc=False):
    """One response: status, headers (without Content-Length) and body."""

    status: int
    headers: Headers
    body: bytes


class UnsignedRequest(Struct, frozen=True):
    """A request that a client is about to send, before or after signing.

    ``host`` is the Host header, empty when it is not known; ``path`` and ``query`` are raw, as
    they will be sent.
    """

    method: str
    host: str
    path: bytes
    query: bytes = b""
    headers: Headers = ()
    body: bytes = b""

    @property
    def target(self) -> bytes:
        """Path and query."""
        return self.path + b"?" + self.query if self.query else self.path
