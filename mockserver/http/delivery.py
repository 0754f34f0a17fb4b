"""Carries out on the socket how an answer is to be sent.

uvicorn writes the answer, as it always does, into a tape; what is on it is then sent as the
script says. Only this answer is hurt: on a connection that stays open, the next request is
served as ever.
"""

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Iterable
from typing import Any

from mockserver.engine.sandbox import Sandbox
from mockserver.faults.matching import Rulebook
from mockserver.faults.plan import delivery_script
from mockserver.faults.script import CloseStep, Script, SendStep, WaitStep
from mockserver.model.http import Response
from mockserver.model.times import SECOND

NO_SOCKET = "a delivery (cut, reset, delay, ...) needs a real socket: run a server"
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: no goodbye
POLL_MAX = 60.0  # seconds after which whoever waits looks again at the clock and at the client
POLL_MANUAL_CLOCK = 0.02  # the same, where real time is wound by hand: that tells nobody
TCP_CLOSE = 7  # in the kernel's list of states
TICK = 0.001  # seconds; uvloop's timers know nothing shorter, and may be early by a part of it


class Tape:
    """Takes down what is written to a connection."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Takes down."""
        self.parts.append(data)


class ClientDisconnected(Exception):
    """The client went away meanwhile."""


class Wire:
    """One answer's way to the client, below uvicorn; ``cycle`` is uvicorn's exchange.

    Raises Gone, here and in what it does, when the client is not there any more.
    """

    def __init__(self, cycle: Any, receive: Any) -> None:
        self._cycle = cycle
        self._receive = receive
        self._transport = cycle.transport
        self._silent = False  # whether only the end is left
        self._still_there()
        # A small piece does not wait until the one before it was acknowledged.
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def _socket(self) -> Any:
        return self._transport.get_extra_info("socket")

    async def record(self, send: Any, start: dict[str, Any], body: bytes) -> tuple[bytes, bytes]:
        """Lets uvicorn write the answer, but for its end; returns head and body."""
        tape = Tape()
        self._cycle.transport = tape
        try:
            await send(start)
            await send({"type": "http.response.body", "body": body, "more_body": True})
        finally:
            self._cycle.transport = self._transport
        self._still_there()  # it may have left while an answer before this one was in the way
        return tape.parts[0], b"".join(tape.parts[1:])

    async def play(self, delivery_script: Script, sandbox: Sandbox) -> bool:
        """Carries out the steps; returns whether the connection may go on."""
        sends = [at for at, step in enumerate(delivery_script) if isinstance(step, SendStep)]
        last = sends[-1] if sends else -1
        ends = bool(delivery_script) and isinstance(delivery_script[-1], CloseStep)
        for at, step in enumerate(delivery_script):
            self._still_there()
            self._silent = ends and at > last
            match step:
                case SendStep(data):
                    await self._send(data)
                case WaitStep(duration, sandbox=False):
                    await self._wait(duration / SECOND)
                case WaitStep(duration):
                    await self._wait_for(sandbox, duration)
                case CloseStep(reset):
                    self._end(reset)
                    return False
        self._still_there()
        return True

    def _still_there(self) -> None:
        """Raises Gone when the client left; of several requests uvicorn tells only the last."""
        if self._cycle.disconnected or self._transport.is_closing() or _is_reset(self._socket):
            self._cycle.disconnected = True
            raise ClientDisconnected

    async def _send(self, data: bytes) -> None:
        self._transport.write(data)
        # A head that waits for its body would not be on its way.
        getattr(self._transport, "flush", lambda: None)()
        await self._cycle.flow.drain()

    async def _wait(self, seconds: float, until: asyncio.Event | None = None) -> None:
        """Waits for a time, no less, or for something earlier."""
        tasks: list[asyncio.Task[Any]] = [asyncio.create_task(self._left())]
        if until is not None:
            tasks.append(asyncio.create_task(until.wait()))
        end = time.monotonic() + seconds
        try:
            done = await _first(tasks, min(seconds, POLL_MAX))
            while not done and (left := end - time.monotonic()) > 0:
                self._still_there()
                done = await _first(tasks, min(max(left, TICK), POLL_MAX))
        finally:
            for task in tasks:
                task.cancel()
        if tasks[0] in done:
            self._transport.close()
            self._still_there()

    async def _left(self) -> None:
        """Returns when the client left, or waits for nothing and sends nothing either."""
        while not (self._silent and getattr(self._cycle, "half_closed", False)):
            if (await self._receive())["type"] == "http.disconnect":
                return

    async def _wait_for(self, sandbox: Sandbox, duration: int) -> None:
        """Waits on the sandbox clock, whoever moves it and from whichever thread.

        When the sandbox is reset or dropped the wait ends: the clock is gone, and so are the
        rules.
        """
        moved, loop = asyncio.Event(), asyncio.get_running_loop()

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the loop may have ended
                loop.call_soon_threadsafe(moved.set)

        with sandbox.lock:
            sandbox.waiting.add(tell)
            due, rulebook = sandbox.clock.now() + duration, sandbox.rulebook
        try:
            while (left := _time_left(sandbox, rulebook, due)) > 0:
                await self._wait(left, moved)
                moved.clear()
                self._still_there()
        finally:
            with sandbox.lock:
                sandbox.waiting.discard(tell)

    def _end(self, reset: bool) -> None:
        if reset:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self._transport.abort()
        else:
            self._transport.close()
        self._cycle.disconnected = True  # uvicorn need not wonder where the rest is


def _is_reset(sock: Any) -> bool:
    """Returns whether a connection is gone that is not read from any more."""
    if not hasattr(socket, "TCP_INFO"):
        return False
    with contextlib.suppress(OSError):
        return bool(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == TCP_CLOSE)
    return True


async def _first(tasks: Iterable[asyncio.Task[Any]], seconds: float) -> set[asyncio.Task[Any]]:
    """Returns the tasks that were done first, none after so many seconds."""
    done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    return done


def _time_left(sandbox: Sandbox, rulebook: Rulebook, due: int) -> float:
    """Returns for how many real seconds to wait before looking again; none after a reset."""
    with sandbox.lock:
        if sandbox.rulebook is not rulebook:
            return 0
        clock = sandbox.clock
        left = float((due - clock.now()) / SECOND / clock.rate)
        if left > 0 and clock.real is not time.time_ns:
            return POLL_MANUAL_CLOCK
        return POLL_MAX if clock.frozen and left > 0 else left


async def deliver(
    response: Response, start: dict[str, Any], sandbox: Sandbox, receive: Any, send: Any
) -> None:
    """Sends an answer as its deliveries say; raises RuntimeError where no socket is below."""
    cycle = getattr(send, "__self__", None)
    if not hasattr(cycle, "transport"):
        raise RuntimeError(NO_SOCKET)
    try:
        wire = Wire(cycle, receive)
        head, body = await wire.record(send, start, response.body)
        goes_on = await wire.play(delivery_script(response.deliveries, head, body), sandbox)
    except ClientDisconnected:
        return
    if goes_on:
        await send({"type": "http.response.body", "body": b""})
