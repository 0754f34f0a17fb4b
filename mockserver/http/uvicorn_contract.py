"""What uvicorn passes to a protocol class, and what it expects of one: all of it is here.

uvicorn calls the class for each connection with ``config, server_state, app_state, _loop``. Of
these we use ``config.app``, ``config.timeout_keep_alive``, and ``server_state.connections``,
``.tasks`` and ``.default_headers``; uvicorn calls ``shutdown()`` of each connection when it
stops. A server's ``servers`` are its listeners, in the order of the sockets. ``make compat`` runs
the socket tests with the oldest and the newest uvicorn.
"""

import asyncio
from typing import Any

from mockserver.http.bounds import RESERVE, Bounds
from mockserver.http.connection import Connection
from mockserver.http.encoding import lines

SWEEP = 1.0  # seconds between two looks at how long connections have been waiting


class ServerContext:
    """What the connections of one server share.

    ``common`` are header lines of every response, ``now`` is the loop's time at the last sweep,
    ``seconds`` are the time limits by the stage of a connection.
    """

    def __init__(self, config: Any, state: Any, loop: asyncio.AbstractEventLoop) -> None:
        self.app = config.app
        self.bounds: Bounds = self.app.bounds
        self.connections: set[Connection] = state.connections
        self.tasks: set[asyncio.Task[Any]] = state.tasks
        self.loop = loop
        self.now = loop.time()
        self.common = b""
        self.seconds = (config.timeout_keep_alive, self.bounds.head, self.bounds.body)
        self.pause = min(SWEEP, *(limit / 4 for limit in self.seconds))
        self._state = state
        self._dated: Any = None
        self._sweeping = False

    def refresh(self) -> None:
        """Takes over uvicorn's headers, which change once per second."""
        headers = self._state.default_headers
        if headers is not self._dated:
            self._dated = headers
            self.common = lines(tuple(headers))

    def add(self, connection: Connection) -> None:
        """Adds a connection, and refuses one if there are too many."""
        self.refresh()
        self.now = self.loop.time()
        connection.since = self.now
        self.connections.add(connection)
        if not self._sweeping:
            self._sweeping = True
            self.loop.call_later(self.pause, self._sweep)
        if len(self.connections) > self.bounds.connections:
            self._make_room(connection)

    def _make_room(self, newest: Connection) -> None:
        """Refuses the newest connection; on the gateway, the one that has waited longest.

        The gateway's reserve is thereby never used up by clients that are silent.
        """
        chosen = newest
        if newest.on_gateway:
            if len(self.connections) <= self.bounds.connections + RESERVE:
                return
            others = [c for c in self.connections if c is not newest and c.on_gateway]
            idle = [connection for connection in others if connection.is_waiting()]
            chosen = min(idle, key=lambda connection: connection.since, default=newest)
        bound = self.bounds.connections
        chosen.refuse(503, f"Too many connections: --max-connections is {bound}.\n")

    def _sweep(self) -> None:
        """Ends connections that have waited too long, and looks again while there are any."""
        self.refresh()
        self.now = self.loop.time()
        for connection in list(self.connections):
            connection.look(self.now - self.pause)
        self._sweeping = bool(self.connections)
        if self._sweeping:
            self.loop.call_later(self.pause, self._sweep)


def protocol() -> Any:
    """Returns what uvicorn calls, as it would call a class, for each connection of one server."""
    contexts: list[ServerContext] = []

    def connect(
        config: Any,
        server_state: Any,
        app_state: Any,
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> Connection:
        if not contexts:
            loop = _loop or asyncio.get_running_loop()
            contexts.append(ServerContext(config, server_state, loop))
        return Connection(contexts[0])

    return connect
