"""Plays a delivery: sends a response in steps, and waits between them on either clock.

Only this response is affected: on a connection that stays open, the next request is served as
usual.
"""

import asyncio
import contextlib
import socket
import struct
import time
from typing import Any

from mockserver.engine.sandbox import Sandbox
from mockserver.faults.matching import Rulebook
from mockserver.faults.script import CloseStep, Script, SendStep, WaitStep
from mockserver.model.times import SECOND

RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: closing sends a TCP RST
# Seconds after which a wait looks again at the clock and at the client: at most POLL_MAX; for
# a client that closed its sending side, POLL_HALF_CLOSED; where a test moves real time by hand,
# which wakes no wait, POLL_MANUAL_CLOCK.
POLL_MAX, POLL_HALF_CLOSED, POLL_MANUAL_CLOCK = 60.0, 15.0, 0.02
TICK = 0.001  # seconds; uvloop's timers know nothing shorter, and may be early by a part of it
TCP_CLOSE = 7  # in the kernel's list of states
PART = 1024 * 1024  # bytes that are written at once


class Pause:
    """Waits for real time, or for time on a sandbox clock; ``wake`` makes a wait look again."""

    _wake: asyncio.Future[None] | None = None

    @property
    def longest(self) -> float:
        """The seconds after which a wait looks again."""
        return POLL_MAX

    def check(self) -> None:
        """Raises CancelledError where it is pointless to wait on."""

    def wake(self) -> None:
        """Ends a sleep early."""
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def sleep(self, seconds: float) -> None:
        """Sleeps for a time, which may be shortened."""
        loop = asyncio.get_running_loop()
        self._wake = loop.create_future()
        timer = loop.call_later(seconds, self.wake)
        try:
            await self._wake
        finally:
            timer.cancel()
            self._wake = None

    async def real(self, seconds: float) -> None:
        """Waits for a time, no less."""
        end = time.monotonic() + seconds
        left = seconds
        while left > 0:
            await self.sleep(min(max(left, TICK), self.longest))
            self.check()
            left = end - time.monotonic()

    async def on_clock_of(self, sandbox: Sandbox, duration: int) -> None:
        """Waits on the sandbox clock, whichever thread moves it.

        When the sandbox is reset or dropped the wait ends: the clock is gone, and so are the
        rules.
        """
        loop = asyncio.get_running_loop()

        def moved() -> None:
            with contextlib.suppress(RuntimeError):  # the loop may have ended
                loop.call_soon_threadsafe(self.wake)

        with sandbox.lock:
            sandbox.waiting.add(moved)
            due, rulebook = sandbox.clock.now() + duration, sandbox.rulebook
        try:
            while (left := _time_left(sandbox, rulebook, due)) > 0:
                await self.sleep(min(max(left, TICK), self.longest))
                self.check()
        finally:
            with sandbox.lock:
                sandbox.waiting.discard(moved)

    async def wait(self, step: WaitStep, sandbox: Sandbox) -> None:
        """Waits as a step says."""
        if step.sandbox:
            await self.on_clock_of(sandbox, step.duration)
        else:
            await self.real(step.duration / SECOND)


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


class Player(Pause):
    """Plays the steps of one response on a connection."""

    def __init__(self, connection: Any, steps: Script, sandbox: Sandbox, keep_alive: bool) -> None:
        self._connection = connection
        self._transport = connection.transport
        self._wire = connection.wire
        self._steps = steps
        self._sandbox = sandbox
        self._keep_alive = keep_alive
        self._sends = sum(isinstance(step, SendStep) for step in steps)
        self._ends = any(isinstance(step, CloseStep) for step in steps)

    @property
    def longest(self) -> float:
        """The seconds after which a wait looks again."""
        return min(POLL_HALF_CLOSED, POLL_MAX) if self._connection.half_closed else POLL_MAX

    @property
    def _socket(self) -> Any:
        return self._transport.get_extra_info("socket")

    def lost(self) -> bool:
        """Returns whether to cancel: the client has gone."""
        return True

    def half_closed(self) -> bool:
        """Returns whether to go on for a client that sends no more."""
        self.wake()
        return not self._is_silent()

    def check(self) -> None:
        """Raises CancelledError when the client has gone, or nothing is left to send."""
        silent = self._connection.half_closed and self._is_silent()
        if silent or self._transport.is_closing() or _is_reset(self._socket):
            self._transport.abort()
            raise asyncio.CancelledError

    def _is_silent(self) -> bool:
        """Returns whether nothing more is sent, by this response or one behind it."""
        return self._ends and not self._sends

    async def run(self) -> bool:
        """Carries out the steps; returns whether the connection may go on."""
        self.check()
        # A small piece does not wait until the one before it was acknowledged.
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for step in self._steps:
            match step:
                case SendStep(data):
                    self._sends -= 1
                    await self.send(data)
                case WaitStep():
                    await self.wait(step, self._sandbox)
                case CloseStep(reset):
                    await self._close_or_reset(reset)
                    return False
        return self._keep_alive

    async def send(self, data: bytes) -> None:
        """Sends bytes in parts, and waits while the client reads too slowly."""
        view = memoryview(data)
        for at in range(0, len(data), PART):
            self._transport.write(view[at : at + PART])
            await self._connection.drain()

    async def _close_or_reset(self, reset: bool) -> None:
        """Closes the connection, or resets it by a TCP RST once everything is written.

        Under TLS both end it without close_notify.
        """
        if not reset:
            self._wire.close()
            return
        while self._wire.get_write_buffer_size():
            await self.sleep(TICK)
            self.check()
        reset_connection(self._wire)


def reset_connection(transport: Any) -> None:
    """Ends a connection by a TCP RST."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    transport.abort()


def _is_reset(sock: Any) -> bool:
    """Returns whether a connection is gone that is not read from any more."""
    if not hasattr(socket, "TCP_INFO"):
        return False
    with contextlib.suppress(OSError):
        return bool(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == TCP_CLOSE)
    return True
