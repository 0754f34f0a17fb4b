"""What goes in and what comes out: one request as received, one response as sent.

Everything is kept as bytes, exactly as on the wire, because signatures cover
those bytes and every client encodes them in its own way.
"""

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

    ``path`` is the raw path below the provider's base path, ``before_path`` what stands before
    it: the base path as sent. Of a path outside the base path, ``path`` is empty and all of it
    in ``before_path``. ``raw_target_path`` is the raw path on the request line, which a prefix
    or ``/~id`` may begin.
    ``query`` is raw and without ``?``. Header names are in lower case.
    ``oversize`` is set when the body was larger than we read; ``body`` is then empty.
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

        ``path`` is all that is the provider's, its ``base_path`` included. ``body`` may be cut
        off behind REQUEST_BODY_MAX bytes and one more: it is too large then.
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
        """Returns the first value of a header, or nothing; ``name`` in lower case."""
        for key, value in self.headers:
            if key == name:
                return value
        return b""


class Response(Struct, frozen=True, gc=False):
    """One response: status, headers (without Content-Length) and body."""

    status: int
    headers: Headers
    body: bytes


class UnsignedRequest(Struct, frozen=True):
    """A request that a client is about to send, before or after signing.

    ``host`` is what the Host header will say, empty where it is not known; ``path`` and
    ``query`` are raw, as they will be transmitted.
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
