"""The HTTP protocol on a connection: uvicorn's, mended where clients would notice.

An offer to upgrade (``Upgrade: h2c``, which Java's client makes by default) is
declined by going on with HTTP/1.1, body and all; llhttp stops at such an offer, so
the head is parsed once more without it. Heads are bounded in size, heads and bodies in time,
and connections in number. A client may close its sending side: it is answered all the same.
"""

import asyncio
import contextlib
import socket
from collections import deque
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from mockserver.http.bounds import RESERVE, Bounds

HEAD_MAX = 256 * 1024
WAITING_MAX = 64 * 1024  # bytes of answers; what is more leaves, or is held back, at once
FINAL = tuple(b"HTTP/1.1 %d" % hundred for hundred in (2, 3, 4, 5))
REFUSED = "Invalid HTTP request received."
URL_BOUND = 65_535  # bytes that httptools can parse
WITHOUT_HOST = ("0.9", "1.0")  # versions of HTTP that need no Host
HEAD, BODY = "head", "body"
PROBE = 15  # seconds between signs of life that a client which sends no more is asked for


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

    def write_batched(self, data: bytes) -> None:
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


class Malformed(Exception):
    """A request that is refused before it reaches an application: status and line."""

    def __init__(self, status: int, line: str) -> None:
        super().__init__(line)
        self.status = status
        self.line = line


class Protocol(HttpToolsProtocol):
    """One connection.

    ``stage`` is the part of a request that comes at present, and ``timer`` ends the wait for it.
    """

    pending = 0  # bytes received since a head or a part of a body was last complete
    declined = False  # whether the head that comes next was seen before
    hosts = 0  # Host headers in this head
    stage = HEAD
    timer: asyncio.TimerHandle | None = None
    half_closed = False  # whether the client sends no more

    def connection_made(self, transport: Any) -> None:
        """Starts the connection; nobody is told of its requests, which carry secrets."""
        super().connection_made(transport)
        self.access_log = False
        self.transport: Any = FewWrites(transport, self.loop)
        self.unanswered: deque[Any] = deque()
        self.bounds: Bounds = getattr(self.config.app, "bounds", Bounds())
        self._arm()
        self._make_room()

    def _make_room(self) -> None:
        """Refuses a connection too many; on the gateway, one that waits, if there is one.

        The gateway's reserve is thereby never used up by clients that are silent.
        """
        most, chosen = self.bounds.connections, self
        everyone: Any = self.connections
        if self._on_gateway():
            most += RESERVE
            if len(everyone) > most:
                waiting = [c for c in everyone if c is not self and c.waits_until()]
                chosen = min(waiting, key=Protocol.waits_until, default=self)
        if len(everyone) > most:
            bound = self.bounds.connections
            chosen.refuse(503, f"Too many connections: --max-connections is {bound}.\n")

    def _on_gateway(self) -> bool:
        routing = getattr(self.config.app, "routing", None)
        return routing is None or self.server is None or self.server[1] not in routing.ports

    def waits_until(self) -> float:
        """Returns until when a client of the gateway may be silent; 0 for one that is served."""
        timer = self.timer or self.timeout_keep_alive_task
        idle = timer is not None and not self.unanswered and not self.transport.is_closing()
        return timer.when() if timer is not None and idle and self._on_gateway() else 0

    def connection_lost(self, exc: Exception | None) -> None:
        """Tells every request that is not answered yet; uvicorn tells only the last."""
        self._disarm()
        super().connection_lost(exc)
        for cycle in self.unanswered:
            cycle.disconnected = True
            cycle.message_event.set()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Returns whether the connection stays open for responses to complete requests."""
        self.transport.flush()
        self._disarm()
        if self.stage == BODY and self.unanswered and self.unanswered[-1] is self.cycle:
            self._give_up(self.unanswered.pop())
        if any("endless" in cycle.scope for cycle in self.unanswered):
            return False
        for cycle in self.unanswered:
            cycle.half_closed = True
            cycle.message_event.set()
        self.half_closed = bool(self.unanswered)
        if self.half_closed:
            probe(self.transport.get_extra_info("socket"))
        return self.half_closed

    def _give_up(self, cycle: Any) -> None:
        """Ends a request whose body will never be complete."""
        if self.pipeline and self.pipeline[0][0] is cycle:
            self.pipeline.popleft()
        cycle.disconnected = True
        cycle.message_event.set()

    def on_response_complete(self) -> None:
        """Ends a response, one of a head alone too; no more is read while requests wait."""
        self.transport.flush()
        self.unanswered.popleft()
        super().on_response_complete()
        if self.unanswered:
            self.flow.pause_reading()
        elif self.half_closed:
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Feeds the parser."""
        self._unset_keepalive_if_required()
        self.pending += len(data)
        refusal = None
        try:
            self._feed(data)
            if self.pending > HEAD_MAX:
                refusal = Malformed(431, f"A head has at most {HEAD_MAX} bytes, this one more.\n")
        except httptools.HttpParserError as error:
            cause = error.__context__
            refusal = cause if isinstance(cause, Malformed) else Malformed(400, REFUSED)
        if refusal is not None:
            self.refuse(refusal.status, refusal.line)
        elif self.timer is None and (
            self.stage or (self.timeout_keep_alive_task is None and not self.unanswered)
        ):
            self._arm()

    def refuse(self, status: int, line: str) -> None:
        """Answers in plain text, and ends the connection."""
        if self.transport.is_closing():
            return
        self.logger.warning(line.rstrip())
        headers = [
            *self.server_state.default_headers,
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"%d" % len(line)),
            (b"connection", b"close"),
        ]
        lines = [name + b": " + value + b"\r\n" for name, value in headers]
        head = STATUS_LINE[status] + b"".join(lines)
        self.transport.write(head + b"\r\n" + line.encode("ascii"))
        self.transport.close()

    def _feed(self, data: bytes) -> None:
        """Feeds the parser, and goes on behind every offer to upgrade."""
        rest = memoryview(data)
        while rest:
            try:
                self.parser.feed_data(rest)
                rest = rest[:0]
            except httptools.HttpParserUpgrade as offer:
                if self.parser.get_method() == b"CONNECT" or self.transport.is_closing():
                    return
                rest = rest[offer.args[0] :]
                self._decline()

    def _decline(self) -> None:
        """Parses the head again without its offer."""
        version = self.scope["http_version"].encode()
        head = [self.parser.get_method() + b" " + self.url + b" HTTP/" + version]
        head += [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.declined = True
        self.cycle.more_body = True
        self.cycle.message_event.clear()
        self.parser.feed_data(b"\r\n".join([*head, b"", b""]))

    def on_message_begin(self) -> None:
        """Starts a head."""
        super().on_message_begin()
        self.stage = HEAD
        self.hosts = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Takes a header, without the blanks around its value."""
        name, value = name.lower(), value.strip(b" \t")
        if name == b"host":
            self.hosts += 1
        elif name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Takes a head."""
        self._check_head()
        self._begin()

    def _check_head(self) -> None:
        """Ends the wait for a head; raises Malformed for one that no application may see."""
        self.stage = BODY
        if self.timer is not None:
            self._disarm()
        if self.hosts != 1 and (self.hosts or self.parser.get_http_version() not in WITHOUT_HOST):
            raise Malformed(400, f"A request has one Host header, this one has {self.hosts}.\n")
        if len(self.url) > URL_BOUND:
            raise Malformed(
                414, f"A URL has at most {URL_BOUND} bytes, this one {len(self.url)}.\n"
            )

    def _begin(self) -> None:
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

    def on_message_complete(self) -> None:
        """Ends a request."""
        self._whole()
        super().on_message_complete()

    def _whole(self) -> None:
        self.stage = ""
        if self.timer is not None:
            self._disarm()

    def _arm(self) -> None:
        seconds = self.bounds.body if self.stage == BODY else self.bounds.head
        self.timer = self.loop.call_later(seconds, self._too_late)

    def _disarm(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def _too_late(self) -> None:
        """Ends a connection whose request does not come; answers before it go first."""
        self.timer = None
        part = self.stage if self.stage == BODY else HEAD
        owed = len(self.unanswered)
        if part == BODY and not self.cycle.response_complete:
            owed -= 1
        if owed:
            self._arm()
        elif part == BODY and self.cycle.response_started:
            self.transport.close()
        else:
            seconds = self.bounds.body if part == BODY else self.bounds.head
            self.refuse(408, f"The {part} did not come in {seconds:g} s (--{part}-timeout).\n")


def probe(sock: Any) -> None:
    """Lets the system find out whether a client that sends no more has gone altogether."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_KEEPIDLE"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, PROBE)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, PROBE)
