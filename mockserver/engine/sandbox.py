"""A sandbox bundles everything that changes, behind one lock."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from mockserver.engine.clock import Clock
from mockserver.engine.journal import Journal
from mockserver.engine.kept import Kept
from mockserver.engine.ledger import Book
from mockserver.engine.limits import window
from mockserver.engine.penalties import Offenders
from mockserver.engine.replay import ReplayMemory
from mockserver.engine.world import Part, Vault, World
from mockserver.wire.provider import Escalate, Limit, Provider, Quirk
from mockserver.wire.world import Change, Event, View


class Settings(Struct, frozen=True):
    """What a sandbox is made with; quirks and limits are named ``provider.name``.

    A limit is written ``N/DURATION`` or ``off``; ``limits_off`` switches off every one.
    """

    seed: int = 490
    quirks: Mapping[str, str] = {}
    limits: Mapping[str, str] = {}
    limits_off: bool = False


def check_settings(providers: Mapping[str, Provider], settings: Settings) -> None:
    """Raises ValueError for a quirk or limit that no provider has, or a value it lacks."""
    names = {f"{p.name}.{q.name}": q for p in providers.values() for q in p.quirks}
    for name, text in settings.quirks.items():
        quirk: Quirk = _known(names, name, "quirk")
        try:
            quirk.read(text)
        except ValueError as error:
            raise ValueError(f"quirk {name}: {error}") from None
    limits = {f"{p.name}.{li.name}": li for p in providers.values() for li in p.limits}
    for name, text in settings.limits.items():
        limit: Limit = _known(limits, name, "limit")
        try:
            limit.read(text)
        except ValueError as error:
            raise ValueError(f"limit {name}: {error}") from None


def _known(names: Mapping[str, Any], name: str, what: str) -> Any:
    if name not in names:
        raise ValueError(f"no {what} {name}: there are {', '.join(sorted(names))}")
    return names[name]


class Desk:
    """One provider in one sandbox: credentials, ledger, counters, replay memory, quirks."""

    def __init__(self, part: Part, sandbox: str, settings: Settings) -> None:
        provider = part.provider
        self.provider = provider
        self.router = part.router
        self.vault = Vault(part.credentials)
        self.book = Book(part.accounts, part.section)
        self.quirks = {
            q.name: q.read(settings.quirks.get(f"{provider.name}.{q.name}", q.default))
            for q in provider.quirks
        }
        self.counters = {li.name: window(_limit(provider, li, settings)) for li in provider.limits}
        self.offenders = {
            gate.penalty.name: Offenders(gate.penalty)
            for gate in (*provider.outer, *provider.gates)
            if isinstance(gate, Escalate) and self.quirks[gate.quirk] == "on"
        }
        self.replay = ReplayMemory()
        self.answers = Kept()
        self.derived = Kept()
        self.sandbox = sandbox
        self.seed = settings.seed
        self.count = 0  # requests since the start or the last reset

    def view(self, credential: Any, now: int, auth_now: int) -> View:
        """Returns what a handler called by ``credential`` may see."""
        return View(
            credential=credential,
            accounts=self.book.accounts,
            records=self.book.records,
            quirks=self.quirks,
            now=now,
            auth_now=auth_now,
            seed=self.seed,
            sandbox=self.sandbox,
            keep=self.keep,
        )

    def keep(self, key: Any, make: Callable[[], Any]) -> Any:
        """Returns what ``make`` returns, made once while the ledger stands."""
        found = self.derived.get(key, self.book.version)
        if found is None:
            found = make()
            self.derived.put(key, found)
        return found

    def settle(self, now: int, auth_now: int) -> None:
        """Lets happen what is due on the sandbox clock."""
        for at, event in self.book.due(now):
            try:
                self.book.apply(event.changes(self.view(None, at, auth_now)))
            except ValueError:
                continue  # control was faster: it happened already, or cannot any more


def _limit(provider: Provider, limit: Limit, settings: Settings) -> Limit:
    name = f"{provider.name}.{limit.name}"
    text = settings.limits.get(name)
    if text is None and settings.limits_off:
        text = "off"
    return limit if text is None else limit.read(text)


class Sandbox:
    """One isolated exchange: clocks, a desk for every provider, and the journal.

    ``real`` gives real time in nanoseconds. Every use takes ``lock``.
    """

    def __init__(
        self, id: str, world: World, real: Callable[[], int], settings: Settings | None = None
    ) -> None:
        self.id = id
        self.lock = threading.RLock()
        self.clock = Clock(real)
        self.settings = settings or Settings()
        self.journal = Journal()
        self.world = world
        self.desks: dict[str, Desk] = {}
        self.reset()

    def reset(self, world: World | None = None) -> None:
        """Returns to the world as made, or to another one; the clock goes on."""
        with self.lock:
            self.world = world or self.world
            parts, settings = self.world.parts, self.settings
            self.desks = {name: Desk(part, self.id, settings) for name, part in parts.items()}

    def happen(self, provider: str, event: Event) -> None:
        """Lets an event of a provider happen now; raises ValueError when it cannot."""
        with self.lock:
            desk, now, auth_now = self._now(provider)
            desk.book.apply(event.changes(desk.view(None, now, auth_now)))

    def change(self, provider: str, *changes: Change) -> None:
        """Applies changes asked for from outside; raises ValueError or KeyError, all or none."""
        with self.lock:
            self._now(provider)[0].book.apply(changes, by="control")

    def _now(self, provider: str) -> tuple[Desk, int, int]:
        desk, now, auth_now = self.desks[provider], self.clock.now(), self.clock.auth_now()
        desk.settle(now, auth_now)
        return desk, now, auth_now
