"""Carries out on the socket how an answer is to be sent.

uvicorn writes the answer, as it always does, into a tape; what is on it is then sent as the
script says. Only this answer is hurt: on a connection that stays open, the next request is
served as ever.
"""

import asyncio
import contextlib
import socket
import struct
from typing import Any

from mockserver.engine.faults.plan import script
from mockserver.engine.faults.script import End, Script, Send, Wait
from mockserver.engine.sandbox import Sandbox
from mockserver.wire.duration import SECOND
from mockserver.wire.message import Response

NO_SOCKET = "a delivery (cut, reset, delay, ...) needs a real socket: run a server"
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: no goodbye
REST = 60.0  # seconds after which a clock that stands still is looked at again


class Tape:
    """Takes down what is written to a connection."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Takes down."""
        self.parts.append(data)


class Gone(Exception):
    """The client went away meanwhile."""


class Wire:
    """One answer's way to the client, below uvicorn; ``cycle`` is uvicorn's exchange."""

    def __init__(self, cycle: Any, receive: Any) -> None:
        self._cycle = cycle
        self._receive = receive
        self._transport = cycle.transport

    async def record(self, send: Any, start: dict[str, Any], body: bytes) -> tuple[bytes, bytes]:
        """Lets uvicorn write the answer, but for its end; returns head and body."""
        tape = Tape()
        self._cycle.transport = tape
        try:
            await send(start)
            await send({"type": "http.response.body", "body": body, "more_body": True})
        finally:
            self._cycle.transport = self._transport
        return tape.parts[0], b"".join(tape.parts[1:])

    async def play(self, script: Script, sandbox: Sandbox) -> bool:
        """Carries out the steps; returns whether the connection may go on. Raises Gone."""
        for step in script:
            match step:
                case Send(data):
                    await self._send(data)
                case Wait(duration, sandbox=False):
                    await self._wait(duration / SECOND)
                case Wait(duration):
                    await self._wait_for(sandbox, duration)
                case End(reset):
                    self._end(reset)
                    return False
        return True

    async def _send(self, data: bytes) -> None:
        if self._cycle.disconnected:
            raise Gone
        self._transport.write(data)
        # A head that waits for its body would not be on its way.
        getattr(self._transport, "flush", lambda: None)()
        await self._cycle.flow.drain()

    async def _wait(self, seconds: float, until: asyncio.Event | None = None) -> None:
        """Waits for a time, or for something earlier; raises Gone when the client goes."""
        tasks: list[asyncio.Task[Any]] = [asyncio.create_task(self._left())]
        if until is not None:
            tasks.append(asyncio.create_task(until.wait()))
        try:
            done, _ = await asyncio.wait(
                tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for task in tasks:
                task.cancel()
        if tasks[0] in done:
            raise Gone

    async def _left(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _wait_for(self, sandbox: Sandbox, duration: int) -> None:
        """Waits on the sandbox clock, whoever moves it and from whichever thread."""
        moved, loop = asyncio.Event(), asyncio.get_running_loop()

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the loop may have ended
                loop.call_soon_threadsafe(moved.set)

        with sandbox.lock:
            sandbox.waiting.add(tell)
            due = sandbox.clock.now() + duration
        try:
            while (left := _left(sandbox, due)) > 0:
                await self._wait(left, moved)
                moved.clear()
        finally:
            with sandbox.lock:
                sandbox.waiting.discard(tell)

    def _end(self, reset: bool) -> None:
        if reset:
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self._transport.abort()
        else:
            self._transport.close()
        self._cycle.disconnected = True  # uvicorn need not wonder where the rest is


def _left(sandbox: Sandbox, due: int) -> float:
    """Returns for how many real seconds to wait at the most."""
    with sandbox.lock:
        clock = sandbox.clock
        left = due - clock.now()
        return REST if clock.frozen and left > 0 else float(left / SECOND / clock.rate)


async def deliver(
    response: Response, start: dict[str, Any], sandbox: Sandbox, receive: Any, send: Any
) -> None:
    """Sends an answer as its deliveries say; raises RuntimeError where no socket is below."""
    cycle = getattr(send, "__self__", None)
    if not hasattr(cycle, "transport"):
        raise RuntimeError(NO_SOCKET)
    wire = Wire(cycle, receive)
    head, body = await wire.record(send, start, response.body)
    try:
        goes_on = await wire.play(script(response.deliveries, head, body), sandbox)
    except Gone:
        return
    if goes_on:
        await send({"type": "http.response.body", "body": b""})
