"""The Python face: a server for the length of a ``with`` block.

with MockServer() as server:
    requests.get(server.cpg.base_url + "/v1/balances", auth=server.cpg.auth)
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace, TracebackType
from typing import Any, Self

import msgspec

from mockserver.edge.app import Application, create_app
from mockserver.edge.auth import Auth
from mockserver.edge.server import GATEWAY, addresses, bind, in_thread
from mockserver.engine.clock import Clock
from mockserver.engine.journal import Entry
from mockserver.engine.sandbox import Sandbox
from mockserver.engine.world import World
from mockserver.wire.amount import Amount, decode_hook
from mockserver.wire.duration import nanoseconds
from mockserver.wire.message import Draft
from mockserver.wire.provider import Provider
from mockserver.wire.world import SetRow


class HandClock:
    """Real time wound by hand: give it as ``real`` and nothing passes until you say so."""

    def __init__(self, now: int | None = None) -> None:
        self.now = time.time_ns() if now is None else now

    def __call__(self) -> int:
        """Returns the time in nanoseconds since the epoch."""
        return self.now

    def advance(self, duration: str) -> None:
        """Moves on by a duration such as ``61s``."""
        self.now += nanoseconds(duration)


class Time:
    """A sandbox's clocks, with durations as people write them."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def advance(self, duration: str) -> None:
        """Moves the sandbox clock forward, by ``61s`` for example."""
        with self._clock() as clock:
            clock.advance(nanoseconds(duration))

    def freeze(self, frozen: bool = True) -> None:
        """Stops the sandbox clock, or lets it run on."""
        with self._clock() as clock:
            clock.freeze(frozen)

    def skew(self, duration: str) -> None:
        """Sets the auth clock off real time, by ``-400s`` for example."""
        with self._clock() as clock:
            clock.skew = nanoseconds(duration)

    @property
    def now(self) -> int:
        """The sandbox time, in nanoseconds since the epoch."""
        with self._clock() as clock:
            return clock.now()

    @contextlib.contextmanager
    def _clock(self) -> Iterator[Clock]:
        with self._sandbox.lock:
            yield self._sandbox.clock


class ProviderHandle:
    """One provider of a running server: where it is, who may call, what can happen."""

    def __init__(self, provider: Provider, sandbox: Sandbox, base_url: str) -> None:
        self.provider = provider
        self.base_url = base_url
        self._sandbox = sandbox

    @property
    def credentials(self) -> dict[str, Any]:
        """The credential ``main``."""
        return self.credential("main")

    @property
    def others(self) -> dict[str, dict[str, Any]]:
        """Every other credential by its label."""
        return {
            label: c
            for label, c in credentials(self._sandbox, self.provider).items()
            if label != "main"
        }

    def credential(self, label: str) -> dict[str, Any]:
        """Returns a credential by its label; raises KeyError."""
        found = credentials(self._sandbox, self.provider)
        if label not in found:
            raise KeyError(f"no credential {label}: there are {', '.join(found)}")
        return found[label]

    @property
    def auth(self) -> Auth:
        """Signs with ``main`` at the server's real time; for requests and httpx."""
        return self.auth_as("main")

    @property
    def example(self) -> Draft:
        """The main read for ``main``, unsigned; its path lies below the base URL."""
        return self.provider.example(SimpleNamespace(**self.credentials))

    def auth_as(self, label: str) -> Auth:
        """Signs with the credential of this label."""
        return Auth(self.provider, self.credential(label), now=self._sandbox.clock.real)

    def balances(self, account: str = "main") -> list[Any]:
        """Returns an account's rows as they stand in the ledger."""
        with self._sandbox.lock:
            return list(self._book.accounts[self._book.named(account)].rows.values())

    def set_balance(
        self, account: str, asset: str, venue: str = "", *, total: str, held: str = "0"
    ) -> None:
        """Puts a row in place; raises ValueError or KeyError and changes nothing."""
        given = {"total": Amount.parse(total), "held": Amount.parse(held)}
        with self._sandbox.lock:
            account = self._book.named(account)
            known = self._book.accounts[account].rows.get((asset, venue))
            if known is not None:
                row = msgspec.structs.replace(known, **given)
            else:
                row = self.provider.row(asset=asset, venue=venue, **given)
            self._sandbox.change(self.provider.name, SetRow(account, row))

    def event(self, event: str, **members: Any) -> None:
        """Lets an event happen, ``event("withdrawal_confirmed", id=1)``; raises ValueError."""
        kinds = {kind.__struct_config__.tag: kind for kind in self.provider.events}
        if event not in kinds:
            raise ValueError(f"no event {event}: there are {', '.join(sorted(map(str, kinds)))}")
        try:
            told = {"event": event} | members
            happening = msgspec.convert(told, kinds[event], dec_hook=decode_hook)
        except msgspec.ValidationError as error:
            raise ValueError(f"{event}: {error}") from None
        self._sandbox.happen(self.provider.name, happening)

    @property
    def _book(self) -> Any:
        return self._sandbox.desks[self.provider.name].book


def credentials(sandbox: Sandbox, provider: Provider) -> dict[str, dict[str, Any]]:
    """Returns a provider's credentials by label, each with what a client needs."""
    with sandbox.lock:
        found = sandbox.desks[provider.name].vault.credentials.values()
        return {c.label: {m: getattr(c, m) for m in provider.members} for c in found}


class MockServer:
    """A server on free ports, in a thread, sync or async; settings as ``create_app``.

    Each provider is an attribute: ``server.cpg.base_url``. ``real`` replaces real
    time, ``HandClock()`` for example; ``clock`` moves the sandbox clock.
    """

    def __init__(
        self,
        world: str | World = "default",
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        seed: int = 490,
        quirks: Mapping[str, str] | None = None,
        limits: str | Mapping[str, str] = "default",
        real: Callable[[], int] = time.time_ns,
    ) -> None:
        self.app: Application = create_app(
            world, seed=seed, quirks=quirks, limits=limits, real=real
        )
        self.sandbox = self.app.sandboxes["default"]
        self.clock = Time(self.sandbox)
        self._host, self._port = host, port
        self._stack = contextlib.ExitStack()
        self._handles: dict[str, ProviderHandle] = {}
        self.url = ""

    def start(self) -> None:
        """Binds the ports and serves; raises PortInUse."""
        sockets = bind(self._host, self._port, self.app.providers)
        urls = addresses(self.app, sockets)
        self.url = urls[GATEWAY]
        self._handles = {
            name: ProviderHandle(provider, self.sandbox, urls[name])
            for name, provider in self.app.providers.items()
        }
        self._stack.enter_context(in_thread(self.app, sockets))

    def stop(self) -> None:
        """Stops serving and frees the ports."""
        self._stack.close()

    def reset(self) -> None:
        """Returns ledger, limits and replay memory to the world as made."""
        self.sandbox.reset()

    @property
    def journal(self) -> list[Entry]:
        """What was asked, oldest first."""
        with self.sandbox.lock:
            return list(self.sandbox.journal.entries)

    def __getattr__(self, name: str) -> ProviderHandle:
        """Returns a provider by its name."""
        try:
            return self.__dict__["_handles"][name]  # type: ignore[no-any-return]
        except KeyError:
            known = ", ".join(self.app.providers) if "app" in self.__dict__ else ""
            hint = f"providers are {known}, once the server has started"
            raise AttributeError(f"MockServer has no {name}: {hint}") from None

    def __enter__(self) -> Self:
        """Starts."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        """Stops."""
        self.stop()

    async def __aenter__(self) -> Self:
        """Starts, without holding up the event loop."""
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        """Stops, without holding up the event loop."""
        await asyncio.to_thread(self.stop)
