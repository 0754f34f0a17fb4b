"""The fake exchange behind both doors: providers, sandboxes, routing, and what serves pages.

Starlette is imported when a page or the control API is first asked for, or when ``warm`` is
called.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from mockserver.engine.memory_budget import BUDGET, MemoryBudget, parse_size
from mockserver.engine.sandbox import Sandbox
from mockserver.engine.sandboxes import DEFAULT, SANDBOXES_MAX, Sandboxes
from mockserver.engine.settings import Settings, Value, changed
from mockserver.engine.world import World
from mockserver.errors import SettingError
from mockserver.faults.scenario import Scenario
from mockserver.files import scenarios, worlds
from mockserver.files.trust import Trust
from mockserver.files.watch import reload
from mockserver.files.watch import watch as watch_file
from mockserver.http.bounds import Bounds
from mockserver.http.log import follow
from mockserver.http.monotonic_clock import monotonic_for
from mockserver.http.proxied import Networks, parse_networks
from mockserver.http.refused_ports import RefusedPorts
from mockserver.http.routing import Routing
from mockserver.model.provider import Provider
from mockserver.providers import discover

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Exchange:
    """The fake exchange: its providers, its sandboxes, and where requests go."""

    def __init__(
        self, providers: Mapping[str, Provider], sandboxes: Sandboxes, watched_file: Path | None
    ) -> None:
        self.providers = providers
        self.sandboxes = sandboxes
        self.routing = Routing(providers)
        self.admin_token: str | None = None
        self.public_url: str | None = None
        self.origins: dict[str, str] = {}  # where a server serves each provider
        self.trust: Trust | None = None  # of the HTTPS port, if there is one
        self.direct_origins: dict[str, str] = {}  # the same, past any balancer
        self.trusted_proxies: Networks = ()  # whose X-Forwarded-For is believed
        self.bounds = Bounds()
        self.refused_ports: RefusedPorts | None = None  # of the server that runs
        self.watched_file = watched_file
        self.live_streams = 0  # that are open
        self.unread_requests = 0  # that were no HTTP, or beyond a bound of connections
        self.unread_request = ""  # why the last of them was refused, in a line
        self.world_file = watched_file
        self.stopping = False

    def base_url(self, provider: str, sandbox: str = DEFAULT, origin: str = "") -> str:
        """Returns what stands where a provider's real base URL stood.

        ``origin`` is the gateway as the caller sees it, for when no server of ours says
        where the provider's own port is.
        """
        here = self.origins.get(provider) or f"{origin}/{provider}"
        return here + self._below(provider, sandbox)

    def gateway_url(self, provider: str, sandbox: str = DEFAULT, origin: str = "") -> str:
        """Returns the base URL of a provider below the gateway's; ``origin`` as in base_url."""
        return f"{origin}/{provider}" + self._below(provider, sandbox)

    def direct_url(self, provider: str, sandbox: str = DEFAULT, origin: str = "") -> str:
        """Returns the base URL that leads to this process, past any balancer before it."""
        here = self.direct_origins.get(provider) or f"{origin}/{provider}"
        return here + self._below(provider, sandbox)

    def _below(self, provider: str, sandbox: str) -> str:
        inside = "" if sandbox == DEFAULT else f"/~{sandbox}"
        return inside + self.providers[provider].full_path()

    def https_url(self, provider: str, sandbox: str = DEFAULT) -> str:
        """Returns the base URL on the HTTPS port, "" where there is none."""
        if self.trust is None:
            return ""
        return f"{self.trust.https}/{provider}" + self._below(provider, sandbox)

    @cached_property
    def pages(self) -> Any:
        """The Starlette application: pages, the control API, and every provider."""
        from mockserver.http.app import compose

        return compose(self)

    def reload_world(self) -> None:
        """Loads the world's file into the sandbox ``default``, and logs the result."""
        if self.world_file is not None:
            reload(self.world_file, self.sandboxes.default)

    def warm(self) -> None:
        """Imports what serves the pages, which later could lack a file descriptor."""
        _ = self.pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves by ASGI: starts and stops without Starlette, everything else with it."""
        if scope["type"] == "lifespan":
            await receive()
            async with self.running():
                await send({"type": "lifespan.startup.complete"})
                await receive()
            await send({"type": "lifespan.shutdown.complete"})
        else:
            await self.pages(scope, receive, send)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Watches the world's file, where one is watched, for as long as the block runs."""
        file = self.watched_file
        task = asyncio.create_task(watch_file(file, self.sandboxes.default)) if file else None
        try:
            yield
        finally:
            if task:
                task.cancel()


def check_public_url(url: str | None, what: str = "a public URL") -> None:
    """Raises SettingError for a public URL that no client can use."""
    if url is not None and not url.startswith(("http://", "https://")):
        raise SettingError(f"{what} starts with http:// or https://, not {url!r}")


def create_exchange(  # noqa: PLR0913 - settings by name
    world: str | Path | Mapping[str, Any] | World = "default",
    *,
    seed: int = 490,
    quirks: Mapping[str, Value] | None = None,
    limits: str | Mapping[str, str] = "default",
    real: Callable[[], int] = time.time_ns,
    watch: bool = False,
    scenario: str | Path | Mapping[str, Any] | Scenario | None = None,
    explain_header: bool = False,
    admin_token: str | None = None,
    public_url: str | None = None,
    advertise: str | None = None,
    trusted_proxies: Iterable[str] = (),
    cors: bool = False,
    gzip: bool = False,
    memory_budget: int | str = BUDGET,
    max_sandboxes: int = SANDBOXES_MAX,
    fault_headers: bool = False,
) -> Exchange:
    """Builds an exchange.

    ``world`` is a shipped name, a path, plain data or a world; so is ``scenario``. ``limits``
    is ``default``, ``off`` or single limits by name. ``real`` returns real time in nanoseconds.
    ``advertise`` is the gateway's URL past a balancer, ``trusted_proxies`` are the networks whose
    ``X-Forwarded-For`` names the client. ``explain_header`` explains each refusal in a header;
    ``fault_headers`` lets requests force their fate by ``X-Mockserver-Reject`` and
    ``X-Mockserver-Deliver``; ``cors`` and ``gzip`` set every provider's quirk of this name;
    ``memory_budget`` bounds what all sandboxes keep together, in bytes or as ``256MiB``. Raises
    SettingError for a wrong setting, its kind FileError for a file.
    """
    providers = discover()
    check_public_url(public_url)
    check_public_url(advertise, "an advertised URL")
    if admin_token is not None and not (admin_token.isascii() and admin_token.isprintable()):
        raise SettingError("an admin token is printable ASCII: it goes into a header")
    switched = [name for name, on in (("cors", cors), ("gzip", gzip)) if on]
    named = {f"{p.name}.{q.name}": q.name for p in providers.values() for q in p.quirks}
    quirks = {n: "on" for n, quirk in named.items() if quirk in switched} | dict(quirks or {})
    settings = Settings(seed=seed, explain_header=explain_header, fault_headers=fault_headers)
    settings = changed(settings, providers, quirks, limits)
    file = worlds.find(str(world)) if isinstance(world, str | Path) else None
    loaded = worlds.resolve(world)
    budget = MemoryBudget(parse_size(memory_budget))
    sandbox = Sandbox(
        DEFAULT,
        loaded,
        real,
        settings,
        scenario=scenarios.resolve(scenario),
        monotonic=monotonic_for(real),
    )
    sandboxes = Sandboxes(sandbox, real, max_sandboxes, budget, [follow])
    exchange = Exchange(providers, sandboxes, file if watch else None)
    exchange.world_file = file
    exchange.admin_token, exchange.public_url = admin_token, public_url
    exchange.trusted_proxies = parse_networks(trusted_proxies)
    if advertise is not None:
        exchange.direct_origins = {n: f"{advertise.rstrip('/')}/{n}" for n in providers}
    if admin_token is not None:
        # As it is, and as HTTP libraries lower it in the name of a header.
        forms = {admin_token.encode(), admin_token.lower().encode()}
        sandbox.journal.redactor.put("the admin token", forms)
    return exchange
