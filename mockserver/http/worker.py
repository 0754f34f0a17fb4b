"""Responds to requests about large ledgers in another thread, so that no other request waits."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from mockserver.engine import pipeline
from mockserver.engine.pipeline import Outcome
from mockserver.engine.sandbox import Sandbox
from mockserver.faults.plan import delivery_script
from mockserver.http.delivery import Player
from mockserver.http.encoding import date_line, encode
from mockserver.http.parsing import Message
from mockserver.model.http import Request
from mockserver.model.times import SECOND

WORKERS = 2  # threads: few, since they share one interpreter with other requests


@cache
def _workers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(WORKERS, "mockserver-large")


async def respond(
    sandbox: Sandbox, provider: str, request: Request, *, on_socket: bool = True
) -> Outcome:
    """Responds as ``pipeline.respond`` does, in another thread."""

    def responded() -> Outcome:
        return pipeline.respond(sandbox, provider, request, on_socket=on_socket)

    return await asyncio.get_running_loop().run_in_executor(_workers(), responded)


class LargeResponse:
    """One request that another thread responds to, and the delivery of its response."""

    def __init__(
        self, connection: Any, sandbox: Sandbox, provider: str, request: Request, message: Message
    ) -> None:
        self._connection = connection
        self._sandbox = sandbox
        self._provider = provider
        self._request = request
        self._message = message
        self._player: Player | None = None

    def lost(self) -> bool:
        """Returns whether to cancel: a thread is not, so its outcome is only recorded."""
        return self._player is not None and self._player.lost()

    def half_closed(self) -> bool:
        """Returns whether to go on for a client that sends no more."""
        return self._player is None or self._player.half_closed()

    async def run(self) -> bool:
        """Responds and delivers; returns whether the connection may go on."""
        connection, sandbox, message = self._connection, self._sandbox, self._message
        outcome = await respond(sandbox, self._provider, self._request)
        if connection.transport.is_closing():
            return False
        skewed = sandbox.clock.skew
        common = (
            date_line(sandbox.clock.read()[1] // SECOND) if skewed else connection.context.common
        )
        steps = delivery_script(outcome.delivery, *encode(outcome.response, common, message))
        self._player = Player(connection, steps, sandbox, message.keep_alive)
        return await self._player.run()
