"""The application: provider traffic first, then what faces people.

``create_app()`` returns an ASGI application whose ``__call__`` hands provider traffic
straight to the pipeline, without router or middleware. Starlette serves the rest, and
is imported when somebody first asks for it: many a test run never does.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
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
from mockserver.files.watch import watch as watch_file
from mockserver.http.asgi import Receive, Scope, Send, serve
from mockserver.http.bounds import Bounds
from mockserver.http.log import follow
from mockserver.http.monotonic_clock import monotonic_for
from mockserver.http.routing import Routing, port_of
from mockserver.model.provider import Provider
from mockserver.providers import discover


class Application:
    """The fake exchange: its providers, its sandboxes, and where requests go."""

    def __init__(
        self, providers: Mapping[str, Provider], sandboxes: Sandboxes, bans_to_update: Path | None
    ) -> None:
        self.providers = providers
        self.sandboxes = sandboxes
        self.routing = Routing(providers)
        self.admin_token: str | None = None
        self.public_url: str | None = None
        self.origins: dict[str, str] = {}  # where a server serves each provider
        self.bounds = Bounds()
        self.bans_to_update = bans_to_update

    def base_url(self, provider: str, sandbox: str = DEFAULT, origin: str = "") -> str:
        """Returns what stands where a provider's real base URL stood.

        ``origin`` is the gateway as the caller sees it, for when no server of ours says
        where the provider's own port is.
        """
        here = self.origins.get(provider) or f"{origin}/{provider}"
        inside = "" if sandbox == DEFAULT else f"/~{sandbox}"
        return here + inside + self.providers[provider].base_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] == "http":
            path = scope.get("raw_path") or scope["path"].encode()
            destination = self.routing.find(port_of(scope), scope["headers"], path)
            if destination is not None:
                await serve(destination, self.sandboxes, path, scope, receive, send)
                return
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await self._people(scope, receive, send)

    def warm(self) -> None:
        """Imports what the pages need, which later could lack a file descriptor."""
        _ = self._people

    @cached_property
    def _people(self) -> Any:
        from mockserver.http.pages import compose

        return compose(self)

    async def _live(self, receive: Receive, send: Send) -> None:
        """Watches the world's file, where one is watched, from the start until the stop."""
        await receive()
        file = self.bans_to_update
        task = asyncio.create_task(watch_file(file, self.sandboxes.default)) if file else None
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if task:
            task.cancel()
        await send({"type": "lifespan.shutdown.complete"})


def check_public_url(url: str | None) -> None:
    """Raises ValueError for a public URL that no client can use."""
    if url is not None and not url.startswith(("http://", "https://")):
        raise SettingError(f"a public URL starts with http:// or https://, not {url!r}")


def create_app(  # noqa: PLR0913 -- settings by name
    world: str | World = "default",
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
    cors: bool = False,
    memory_budget: int | str = BUDGET,
    max_sandboxes: int = SANDBOXES_MAX,
) -> Application:
    """Builds the application.

    ``world`` is a shipped name, a path or a world; so is ``scenario``, or plain data; ``limits`` is
    ``default``, ``off`` or single limits by name; ``real`` gives real time in nanoseconds;
    ``explain_header`` tells in a header of each refusal why; ``cors`` sets every provider's
    quirk ``cors``; ``memory_budget`` bounds what all
    sandboxes keep together, in bytes or as ``256MiB``. Raises SettingError for
    a wrong setting; its kind FileError for a file.
    """
    providers = discover()
    check_public_url(public_url)
    if admin_token is not None and not (admin_token.isascii() and admin_token.isprintable()):
        raise SettingError("an admin token is printable ASCII: it goes into a header")
    if cors:
        known = (p.name for p in providers.values() if any(q.name == "cors" for q in p.quirks))
        quirks = {f"{name}.cors": "on" for name in known} | dict(quirks or {})
    settings = changed(
        Settings(seed=seed, explain_header=explain_header), providers, quirks, limits
    )
    file = worlds.find(world) if isinstance(world, str) else None
    loaded = world if isinstance(world, World) else worlds.load(world)
    plays = scenarios.resolve(scenario)
    budget = MemoryBudget(parse_size(memory_budget))
    sandbox = Sandbox(
        DEFAULT, loaded, real, settings, scenario=plays, monotonic=monotonic_for(real)
    )
    sandbox.journal.followers.append(follow)
    sandboxes = Sandboxes(sandbox, real, max_sandboxes, budget)
    app = Application(providers, sandboxes, file if watch else None)
    app.admin_token, app.public_url = admin_token, public_url
    if admin_token is not None:
        # As it is, and as HTTP libraries lower it in the name of a header.
        forms = {admin_token.encode(), admin_token.lower().encode()}
        sandbox.journal.redactor.put("the admin token", forms)
    return app
