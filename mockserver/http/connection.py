"""One connection: answers requests in order, and holds them while something takes time.

A request is answered at once, within the call that brought its last byte, unless it takes time
(a delivery, a page, the control API) or comes behind one that does.
"""

import asyncio
import contextlib
import logging
import socket
from collections import deque
from typing import Any

from mockserver.engine import pipeline
from mockserver.faults.plan import delivery_script
from mockserver.http.bridge import Bridge, scope_of
from mockserver.http.delivery import Player
from mockserver.http.encoding import BROKEN, CONTINUE, date_line, encode, refusal
from mockserver.http.parsing import BODY, IDLE, INVALID, Message, Parsing
from mockserver.http.proxied import client_address, is_trusted
from mockserver.http.routing import Destination, no_sandbox, split_target
from mockserver.http.worker import LargeResponse
from mockserver.model.http import PEER, REQUEST_BODY_MAX, Request, Response
from mockserver.model.times import SECOND

log = logging.getLogger("mockserver")

PARTS = ("", "head", "body")  # by stage
FRAGMENT = ord("#")  # `in` takes many more instructions for bytes than for an integer
SLICE = 16 * 1024  # bytes that are parsed before others get a turn
UNREAD_MAX = 64 * 1024  # bytes that wait to be parsed before no more are read
OUT_MAX = 64 * 1024  # bytes of responses that wait for the end of a packet
ANSWERS_MAX = 100  # responses before others get a turn
PROBE = 15  # seconds between signs of life that a client which sends no more is asked for


class Refusal:
    """The refusal of what could not be parsed, in its place behind requests."""

    def __init__(self, status: int, line: str) -> None:
        self.response = refusal(status, line)


class Connection(Parsing):
    """One connection; ``context`` is what the connections of a server share.

    ``held`` says whether a request has to wait its turn, ``work`` is what takes time.
    """

    held = half_closed = writing_paused = reading_paused = False
    work: Player | Bridge | LargeResponse | None = None
    task: asyncio.Task[bool] | None = None
    drained: asyncio.Future[None] | None = None
    find: Any = None  # a Finder; the server's own, where nothing else is set
    unread = b""
    answers = out_size = 0

    def __init__(self, context: Any) -> None:
        super().__init__()
        self.context = context
        self.waiting: deque[Message | Refusal] = deque()
        self.out: list[bytes] = []

    def connection_made(self, transport: Any) -> None:
        """Starts the connection."""
        self.transport = transport
        self.wire = transport.get_extra_info("wire") or transport  # below TLS
        if self.find is None:
            self.find = self.context.app.routing.find
        self.server = _address(transport.get_extra_info("sockname"))
        self.client = _address(transport.get_extra_info("peername"))
        self.scheme = "https" if transport.get_extra_info("sslcontext") else "http"
        self.port = self.server[1] if self.server else None
        self.peer = self.client[0] if self.client else PEER
        trusted = self.context.app.trusted_proxies
        self.proxied = bool(trusted) and is_trusted(self.peer, trusted)
        self.on_gateway = self.port not in self.context.app.routing.ports
        self.context.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends what works for the client."""
        self.context.connections.discard(self)
        self.ended, self.unread = True, b""
        self.waiting.clear()
        if self.work is not None and self.task is not None and self.work.lost():
            self.task.cancel()
        self.resume_writing()
        del self.parser  # which refers to this connection

    def eof_received(self) -> bool:
        """Returns whether the connection stays open, for responses to complete requests."""
        self.half_closed = True
        goes_on = self.work is None or self.work.half_closed()
        if not goes_on or not (self.work or self.waiting or self.unread):
            return False
        _probe(self.transport.get_extra_info("socket"))
        return True

    def shutdown(self) -> None:
        """Ends the connection when the responses that are under way are sent."""
        self.ended, self.unread = True, b""
        self.waiting.clear()
        if self.work is None:
            self._close()

    # What the client does not do in time

    def is_waiting(self) -> bool:
        """Returns whether the client is the one to act."""
        return not (self.held or self.waiting or self.transport.is_closing())

    def look(self, now: float) -> None:
        """Ends the connection when the client has not acted in its time."""
        limit = self.context.seconds[self.stage]
        if now - self.since < limit or not self.is_waiting():
            return
        if self.stage == IDLE:
            self._close()
        else:
            part = PARTS[self.stage]
            self.refuse(408, f"The {part} did not come in {limit:g} s (--{part}-timeout).\n")

    def pause_writing(self) -> None:
        """Holds requests until the client reads."""
        self.writing_paused = self.held = True

    def resume_writing(self) -> None:
        """Goes on when the client has read."""
        self.writing_paused = False
        if self.drained is not None and not self.drained.done():
            self.drained.set_result(None)
        elif self.held:
            self.context.loop.call_soon(self._go_on)  # a parser may be at work above

    async def drain(self) -> None:
        """Waits until the client has read most of what was written."""
        if self.writing_paused:
            self.drained = asyncio.get_running_loop().create_future()
            await self.drained

    # What comes

    def data_received(self, data: bytes) -> None:
        """Parses what came, and answers what is complete."""
        if self.ended:
            return
        self.answers = 0
        self.context.refresh()
        if self.unread or self.waiting or len(data) > SLICE:
            self.unread += data
            self._parse_unread()
        else:
            self.parse(data)
        if self.out:
            self._flush()

    def _parse_unread(self) -> None:
        """Parses in slices until a request has to wait; reads on unless too much is left."""
        while self.unread and not self.waiting and not self.ended:
            data, self.unread = self.unread[:SLICE], self.unread[SLICE:]
            self.parse(data)
        paused = len(self.unread) > UNREAD_MAX
        if paused is not self.reading_paused and not self.transport.is_closing():
            self.reading_paused = paused
            (self.transport.pause_reading if paused else self.transport.resume_reading)()

    def take(self, message: Message) -> None:
        """Answers a complete request, or lets it wait its turn."""
        if self.held:
            self.waiting.append(message)
        else:
            self._answer(message)

    def invite(self) -> None:
        """Asks the client for the body that it holds back, behind the responses before it."""
        if self.held:
            self.expecting = True
        else:
            self.out.append(CONTINUE)

    def refuse(self, status: int, line: str) -> None:
        """Refuses what comes, behind the responses before it, and ends the connection."""
        if self.ended:
            return
        log.warning(line.rstrip())
        app = self.context.app
        app.unread_requests, app.unread_request = app.unread_requests + 1, line.rstrip()
        self.ended, self.unread = True, b""
        if self.held:
            self.waiting.append(Refusal(status, line))
        else:
            self._end(refusal(status, line))

    def fail(self, error: BaseException) -> None:
        """Ends the connection by an error of ours."""
        log.error("internal error", exc_info=error)
        self._end(BROKEN)

    def _go_on(self) -> None:
        """Answers what waits, until something takes time again."""
        if self.work is not None:
            return
        self.held, self.answers = self.writing_paused, 0
        while self.waiting and not self.held:
            item = self.waiting.popleft()
            if isinstance(item, Refusal):
                self._end(item.response)
            else:
                self._answer(item)
        if not self.held:
            self._parse_unread()
        if not self.held:
            self._settle()
        self._flush()

    def _settle(self) -> None:
        """Waits for the client again, or ends a connection on which it sends no more."""
        self.since = self.context.now
        if (self.half_closed or self.ended) and not self.waiting:
            self._close()
        elif self.expecting and self.stage == BODY:
            self.expecting = False
            self.out.append(CONTINUE)

    # What goes

    def _answer(self, message: Message) -> None:
        """Answers a request, or starts what does."""
        target = message.target
        if target.startswith(b"/") and FRAGMENT not in target:
            path, _, query = target.partition(b"?")
        else:
            path, query = split_target(target)
            if not path:
                self._end(refusal(400, INVALID))
                return
        destination = self.find(self.port, message.headers, path)
        try:
            if destination is not None:
                self._respond(destination, message, path, query)
            else:
                self._start(Bridge(self, message, scope_of(message, path, query, self)))
        except Exception as error:
            self.fail(error)

    def _respond(
        self, destination: Destination, message: Message, path: bytes, query: bytes
    ) -> None:
        """Answers a request for a provider."""
        common, body, app = self.context.common, message.body, self.context.app
        sandbox = app.sandboxes.get(destination.sandbox)
        if sandbox is None:
            self._send(no_sandbox(destination.sandbox), message, common)
            return
        request = Request.of(
            message.method,
            destination.path,
            query,
            message.headers,
            body,
            base_path=app.routing.base_paths[destination.provider],
            raw_target_path=path,
            peer=self._client_of(message) if self.proxied else self.peer,
        )
        if len(body) > REQUEST_BODY_MAX:
            message.keep_alive = False
        if destination.provider in sandbox.large:
            self._start(LargeResponse(self, sandbox, destination.provider, request, message))
            return
        outcome = pipeline.respond(sandbox, destination.provider, request)
        if sandbox.clock.skew:
            common = date_line(sandbox.clock.read()[1] // SECOND)
        if outcome.delivery:
            steps = delivery_script(outcome.delivery, *encode(outcome.response, common, message))
            self._start(Player(self, steps, sandbox, message.keep_alive))
        else:
            self._send(outcome.response, message, common)

    def _client_of(self, message: Message) -> str:
        """Returns the client's address, as a trusted proxy names it."""
        return client_address(message.headers, self.peer, self.context.app.trusted_proxies)

    def _send(self, response: Response, message: Message, common: bytes) -> None:
        """Sends a response when everything that came together is answered."""
        self.out += encode(response, common, message)
        self.answers += 1
        self.out_size += len(response.body)
        if not message.keep_alive:
            self._close()
        elif self.out_size > OUT_MAX:
            self._flush()
        if self.answers >= ANSWERS_MAX and not self.held:
            self.held = True
            self.context.loop.call_soon(self._go_on)

    def _flush(self) -> None:
        data = b"".join(self.out)
        self.out.clear()
        self.out_size = 0
        if data and not self.transport.is_closing():
            self.transport.write(data)

    def _end(self, response: Response) -> None:
        """Sends a last response."""
        self.out += encode(response, self.context.common)
        self._close()

    def _close(self) -> None:
        self.ended, self.unread = True, b""
        self.waiting.clear()
        self._flush()
        self.transport.close()

    def _start(self, work: Player | Bridge | LargeResponse) -> None:
        """Starts what takes time; requests wait until it is done."""
        self.held, self.work = True, work
        self._flush()
        self.task = self.context.loop.create_task(work.run())
        self.context.tasks.add(self.task)
        self.task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[bool]) -> None:
        self.context.tasks.discard(task)
        self.work = self.task = None
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("internal error", exc_info=error)
        if error is not None or task.cancelled() or not task.result():
            self._close()
        else:
            self._go_on()


def _address(name: Any) -> tuple[str, int] | None:
    return (str(name[0]), int(name[1])) if isinstance(name, tuple) else None


def _probe(sock: Any) -> None:
    """Lets the system find out whether a client that sends no more has gone altogether."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_KEEPIDLE"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, PROBE)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, PROBE)
