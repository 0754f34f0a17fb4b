"""The providers' ports, each of which can refuse connections for a time.

A port that refuses is bound and not listened on, so that no other program can take it. The time is
real time: a port belongs to no sandbox.
"""

import asyncio
import socket
from collections.abc import Callable, Mapping
from typing import Any

SETTLE = 0.01  # seconds between two attempts to bind a port that is being closed
ATTEMPTS = 500
ANSWER_WITHIN = 10  # seconds for the loop to do what another thread asks


class RefusedPorts:
    """The ports of one running server, by provider; ``refuse`` is called in other threads.

    ``servers`` are the listeners in the order of ``sockets``, ``connect`` makes the protocol of a
    new connection, ``connections`` are the open ones.
    """

    def __init__(
        self,
        sockets: Mapping[str, socket.socket],
        servers: list[Any],
        connect: Callable[[], asyncio.Protocol],
        connections: set[Any],
        backlog: int,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._places = {name: place for place, name in enumerate(sockets)}
        self._addresses = {name: sock.getsockname() for name, sock in sockets.items()}
        self._families = {name: sock.family for name, sock in sockets.items()}
        self._servers = servers
        self._connect = connect
        self._connections = connections
        self._backlog = backlog
        self._refusing: dict[str, socket.socket] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def port(self, name: str) -> int:
        """Returns the number of a provider's port."""
        return int(self._addresses[name][1])

    def refuse(self, name: str, seconds: float) -> None:
        """Lets a port refuse connections from now on, for a time; 0 ends that.

        Waits until it does. Raises OSError when the port cannot be bound again.
        """
        asked = asyncio.run_coroutine_threadsafe(self._refuse(name, seconds), self._loop)
        asked.result(ANSWER_WITHIN)

    def close(self) -> None:
        """Frees the ports that refuse, when the server stops."""
        for timer in self._timers.values():
            timer.cancel()
        for sock in self._refusing.values():
            sock.close()
        self._refusing.clear()

    async def _refuse(self, name: str, seconds: float) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()
        if not seconds:
            await self._listen(name)
            return
        if name not in self._refusing:
            await self._stop_listening(name)
        self._timers[name] = self._loop.call_later(seconds, self._end, name)

    def _end(self, name: str) -> None:
        self._timers.pop(name, None)
        self._task = self._loop.create_task(self._listen(name))

    async def _stop_listening(self, name: str) -> None:
        """Closes the listener and idle connections of a port, and binds the port again."""
        self._servers[self._places[name]].close()
        self._refusing[name] = await self._bind(name)
        for connection in [c for c in self._connections if c.port == self.port(name)]:
            connection.shutdown()

    async def _bind(self, name: str) -> socket.socket:
        sock = socket.socket(self._families[name])
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for attempt in range(ATTEMPTS):
            try:
                sock.bind(self._addresses[name])
            except OSError:  # the listener closes in the loop's next rounds
                if attempt == ATTEMPTS - 1:
                    sock.close()
                    raise
                await asyncio.sleep(SETTLE)
            else:
                break
        return sock

    async def _listen(self, name: str) -> None:
        sock = self._refusing.pop(name, None)
        if sock is not None:
            sock.listen(self._backlog)
            sock.setblocking(False)
            listener = await self._loop.create_server(
                self._connect, sock=sock, backlog=self._backlog
            )
            self._servers[self._places[name]] = listener
