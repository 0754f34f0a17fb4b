"""The HTTP protocol on a connection: uvicorn's, mended where clients would notice.

An offer to upgrade (``Upgrade: h2c``, which Java's client makes by default) is
declined by going on with HTTP/1.1, body and all; llhttp stops at such an offer, so
the head is parsed once more without it. What is not yet a head is bounded.
"""

import asyncio
from collections import deque
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_MAX = 256 * 1024
WAITING_MAX = 64 * 1024  # bytes of answers; what is more leaves, or is held back, at once
FINAL = tuple(b"HTTP/1.1 %d" % hundred for hundred in (2, 3, 4, 5))
REFUSED = "Invalid HTTP request received."


class FewWrites:
    """A transport on which what is written waits for what follows it.

    Each write is a system call, and wakes the client. uvicorn writes head and body apart; and
    of requests that came together, the answers leave together.
    """

    def __init__(self, transport: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._waiting = b""
        self.abort = transport.abort
        self.is_closing = transport.is_closing
        self.get_extra_info = transport.get_extra_info

    def write(self, data: bytes) -> None:
        """Writes, or keeps a head for the next write."""
        if self._waiting:
            self._waiting += data
            self.flush()
        elif data.endswith(b"\r\n\r\n") and data.startswith(FINAL):
            self._waiting = data
        else:
            self._transport.write(data)

    def soon(self, data: bytes) -> None:
        """Writes when everything that came together, on whichever connection, is answered."""
        if not self._waiting:
            self._loop.call_soon(self.flush)
        self._waiting += data
        if len(self._waiting) > WAITING_MAX:
            self.flush()

    def flush(self) -> None:
        """Writes what waits."""
        data, self._waiting = self._waiting, b""
        if data and not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        """Closes, when everything is written."""
        self.flush()
        self._transport.close()


class Protocol(HttpToolsProtocol):
    """One connection."""

    pending = 0  # bytes received since a head or a part of a body was last complete
    declined = False  # whether the head that comes next was seen before

    def connection_made(self, transport: Any) -> None:
        """Starts the connection; nobody is told of its requests, which carry secrets."""
        super().connection_made(transport)
        self.access_log = False
        self.transport: Any = FewWrites(transport, self.loop)
        self.unanswered: deque[Any] = deque()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tells every request that is not answered yet; uvicorn tells only the last."""
        super().connection_lost(exc)
        for cycle in self.unanswered:
            cycle.disconnected = True
            cycle.message_event.set()

    def on_response_complete(self) -> None:
        """Ends a response, one of a head alone too; no more is read while requests wait."""
        self.transport.flush()
        self.unanswered.popleft()
        super().on_response_complete()
        if self.unanswered:
            self.flow.pause_reading()

    def data_received(self, data: bytes) -> None:
        """Feeds the parser."""
        self._unset_keepalive_if_required()
        self.pending += len(data)
        try:
            self._feed(data)
            refused = self.pending > HEAD_MAX
        except httptools.HttpParserError:
            refused = True
        if refused and not self.transport.is_closing():
            self.logger.warning(REFUSED)
            self.send_400_response(REFUSED)

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            if self.parser.get_method() != b"CONNECT" and not self.transport.is_closing():
                self._decline(data[offer.args[0] :])

    def _decline(self, rest: bytes) -> None:
        """Parses the head again without its offer, and goes on with what follows it."""
        version = self.scope["http_version"].encode()
        head = [self.parser.get_method() + b" " + self.url + b" HTTP/" + version]
        head += [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.declined = True
        self.cycle.more_body = True
        self.cycle.message_event.clear()
        self._feed(b"\r\n".join([*head, b"", b""]) + rest)

    def on_headers_complete(self) -> None:
        """Starts the request, unless it was started before its offer was declined."""
        self.pending = 0
        if self.declined:
            self.declined = False
        else:
            super().on_headers_complete()
            self.unanswered.append(self.cycle)

    def on_body(self, body: bytes) -> None:
        """Takes a part of the body."""
        self.pending = 0
        super().on_body(body)
