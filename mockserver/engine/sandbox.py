"""A sandbox bundles everything that changes, behind one lock."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from mockserver.engine.bans import BanList
from mockserver.engine.cache import AnswerCache
from mockserver.engine.clock import Clock
from mockserver.engine.journal import Journal
from mockserver.engine.ledger import Ledger
from mockserver.engine.limits import Window, window
from mockserver.engine.memory_budget import MemoryShare
from mockserver.engine.redactor import JournalRedactor
from mockserver.engine.replay import ReplayMemory
from mockserver.engine.settings import Settings, changed, limit_of, over, restored
from mockserver.engine.world import CredentialStore, ProviderWorld, World
from mockserver.explain.time_budget import TimeBudget
from mockserver.faults.matching import Rulebook
from mockserver.faults.scenario import Scenario
from mockserver.model.provider import BanCheck, Provider, RateLimit, Route
from mockserver.model.redaction import redactor as named_secrets
from mockserver.model.redaction import written_forms
from mockserver.model.reject import Reject
from mockserver.model.world import Change, Event, SetKey, View

log = logging.getLogger("mockserver")

MAIN = "main"
# Secrets whose hex and base64 explanations look for, too. Where there are more, they look
# for those of the credentials ``main`` and of the caller.
CODED_MAX = 64


class ProviderState:
    """One provider in one sandbox: credentials, ledger, counters, replay memory, quirks."""

    def __init__(
        self,
        part: ProviderWorld,
        sandbox: str,
        settings: Settings,
        rulebook: Rulebook,
        share: MemoryShare,
    ) -> None:
        provider = part.provider
        self.provider = provider
        self.router = part.router
        self.keyring = CredentialStore(provider, part.credentials)
        self.ledger = Ledger(part.accounts, part.section)
        self.quirks: dict[str, Any] = {}
        self.counters: dict[str, Window] = {}
        self.offenders: dict[str, BanList] = {}
        self.configure(settings)
        self.replay = ReplayMemory()
        self.answers = AnswerCache(share)
        self.sandbox = sandbox
        self.rulebook = rulebook
        self.seed = settings.seed
        self._secrets: dict[str | None, set[bytes]] = {}
        self.count = 0  # requests since the start or the last reset

    def configure(self, settings: Settings) -> None:
        """Puts settings in force; a limit that stays as it is goes on counting."""
        provider = self.provider
        self.quirks = {
            q.name: q.read(settings.quirks.get(f"{provider.name}.{q.name}", q.default))
            for q in provider.quirks
        }
        self.cors = self.quirks.get("cors") == "on"
        limits = [limit_of(provider, limit, settings) for limit in provider.limits]
        self.counters = {
            limit.name: known
            if (known := self.counters.get(limit.name)) and known.limit == limit
            else window(limit)
            for limit in limits
        }
        self.offenders = {
            gate.penalty.name: self.offenders.get(gate.penalty.name) or BanList(gate.penalty)
            for gate in (*provider.outer, *provider.gates)
            if isinstance(gate, BanCheck) and self.quirks[gate.quirk] == "on"
        }
        self.ledger.version += 1  # answers that were kept hold for the old quirks

    def apply(self, changes: Sequence[Change], by: str = "exchange") -> None:
        """Applies all changes, or raises ValueError or KeyError and applies none."""
        self.ledger.apply(changes, by)
        for change in changes:
            if isinstance(change, SetKey):
                self.keyring.put(change.credential)

    def full(self, route: Route, now: int) -> Reject:
        """Returns the refusal of a caller who has used up the limit that is closest to them."""
        throttles = [
            g for g in (*self.provider.outer, *self.provider.gates) if type(g) is RateLimit
        ]
        names = [gate.limit or route.limit for gate in throttles]
        last = [name for name in names if name][-1:]
        return self.counters[last[0]].full(now) if last else Reject("rate_limited")

    def view(self, credential: Any, now: int, auth_now: int) -> View:
        """Returns what a handler called by ``credential`` may see."""
        return View(
            credential=credential,
            keys=self.keyring.labels if credential is None else {},
            accounts=self.ledger.accounts,
            records=self.ledger.records,
            quirks=self.quirks,
            now=now,
            auth_now=auth_now,
            seed=self.seed,
            sandbox=self.sandbox,
        )

    def secrets(self, label: str | None = None) -> set[bytes]:
        """Returns what must not be found in a journal, in every way to write it.

        That of the credential with a label, or of all.
        """
        known = self._secrets.get(label)
        if known is None:
            labels = self.keyring.labels
            keys = labels.values() if label is None else [labels[label]] if label in labels else []
            handed = {t for c in keys if not c.rejects for t in self.provider.secrets.of(c)}
            known = {form for secret in handed for form in written_forms(secret)}
            self._secrets[label] = known
        return known

    def settle(self, now: int, auth_now: int) -> None:
        """Lets happen what is due on the sandbox clock."""
        for at, event in self.ledger.due(now):
            try:
                self.apply(event.changes(self.view(None, at, auth_now)))
            except (ValueError, KeyError) as error:
                # Control was faster: it happened already, or cannot any more.
                log.warning("%s: %s did not happen: %s", self.provider.name, event.named(), error)


class Sandbox:
    """One isolated exchange: clocks, a desk for every provider, and the journal.

    ``real`` gives real time in nanoseconds, ``monotonic`` monotonic time. Every use takes ``lock``.
    ``ttl`` is for how long it may stay unused, in ``monotonic`` time, as ``used`` is; None is for
    ever. ``scenario`` plays from the start. ``waiting`` are called whenever the clock was moved.
    """

    def __init__(
        self,
        id: str,
        world: World,
        real: Callable[[], int],
        settings: Settings | None = None,
        ttl: int | None = None,
        scenario: Scenario | None = None,
        *,
        monotonic: Callable[[], int] | None = None,
        redactor: JournalRedactor | None = None,
    ) -> None:
        self.id = id
        self.lock = threading.RLock()
        self.waiting: set[Callable[[], None]] = set()
        self.clock = Clock(real, monotonic)
        self.made = self.settings = settings or Settings()
        self.initial_scenario = scenario
        self.allowance = TimeBudget(self.clock.monotonic)
        self.owner_of = self.own
        self.ttl = ttl
        self.used = self.clock.monotonic()
        self.share = MemoryShare(self.lock)
        names = tuple(part.provider.secrets for part in world.parts.values())
        redactor = redactor or JournalRedactor(named_secrets(names))
        self.journal = Journal(redactor, self.share)
        self.states: dict[str, ProviderState] = {}
        self._begin(world)

    def _begin(self, world: World) -> None:
        """Starts from nothing but what the sandbox was made with."""
        providers = {name: part.provider for name, part in world.parts.items()}
        self.rulebook = Rulebook(providers, self.made.seed)
        self.scenario: Scenario | None = None
        self.settings = self.made
        self.load(world)
        if self.initial_scenario is not None:
            self.play(self.initial_scenario)
            self._apply(over(self.made, self.initial_scenario))

    def load(self, world: World) -> None:
        """Puts a world in the place of the one there was; clocks, settings and journal go on."""
        with self.lock:
            self.world = world
            for state in self.states.values():
                state.answers.clear()
            self.states = {
                name: ProviderState(part, self.id, self.settings, self.rulebook, self.share)
                for name, part in world.parts.items()
            }
            states = self.states.values()
            self.share.stores = (*(state.answers for state in states), self.journal)
            keys = [c for state in states for c in state.keyring.labels.values() if not c.rejects]
            self.journal.redactor.put(self, {form for state in states for form in state.secrets()})
            label = None if len(keys) <= CODED_MAX else MAIN
            self._coded = {form for state in states for form in state.secrets(label)}

    def reset(self) -> None:
        """Returns to how the sandbox was made: ledger, keys, settings, clocks, empty journal."""
        with self.lock:
            self.put_clock(Clock(self.clock.real, self.clock.monotonic))
            self.journal.reset()
            self._begin(self.world)

    def end(self) -> None:
        """Closes the sandbox and wakes deliveries that wait on its clock."""
        with self.lock:
            self.journal.redactor.drop(self)
            self.rulebook = Rulebook(self.providers, self.made.seed)
            self.put_clock(self.clock)
            self.share.leave()

    def put_clock(self, clock: Clock) -> None:
        """Puts a clock that was moved in the place of the one there was."""
        with self.lock:
            self.clock = clock
            for tell in tuple(self.waiting):
                tell()

    def play(self, scenario: Scenario) -> None:
        """Starts a scenario in the place of the one that plays; raises ValueError, all or none."""
        with self.lock:
            others = self.rulebook.rules.keys() - set(self._played())
            clash = [rule.name for rule in scenario.rules if rule.name in others]
            if clash:
                raise ValueError(f"a rule {clash[0]} is there already: delete it first")
            size = sum(self.rulebook.rules[name].size for name in others)
            size += sum(rule.size for rule in scenario.rules)
            self.rulebook.check_room(len(others) + len(scenario.rules), size)
            settings = changed(self._unplayed(), self.providers, scenario.quirks, scenario.limits)
            self.stop()
            self._before = self.settings, self.clock.skew
            self._apply(settings)
            if scenario.skew is not None:
                self.clock.skew_by(scenario.skew)
            self.scenario = scenario
            self.rulebook.put(scenario.rules, self.clock.now(), scenario.name)

    def stop(self) -> None:
        """Ends the scenario that plays: its rules go, its settings are as they were before."""
        with self.lock:
            if self.scenario is None:
                return
            self.rulebook.drop(self._played())
            self._apply(self._unplayed())
            if self.scenario.skew is not None:
                self.clock.skew_by(self._before[1])
            self.scenario = None

    def own(self, presented: bytes) -> str:
        """Returns whose key a client presented, if it is one of this sandbox's; or nothing."""
        for name, state in self.states.items():
            key = state.keyring.credentials.get(presented)
            if key is not None:
                return f"the {name} key {key.label}"
        return ""

    def secrets(self, state: ProviderState, label: str) -> set[bytes]:
        """Returns what must not stand in an explanation, in hex and in base64 either."""
        return self._coded | state.secrets(label)

    def _played(self) -> list[str]:
        return self.rulebook.of_scenario(self.scenario.name) if self.scenario else []

    def _unplayed(self) -> Settings:
        """Returns the settings without those that the scenario brought."""
        if self.scenario is None:
            return self.settings
        now, before, scenario = self.settings, self._before[0], self.scenario
        quirks = restored(now.quirks, scenario.quirks, before.quirks)
        limits = restored(now.limits, scenario.limits, before.limits)
        return replace(now, quirks=quirks, limits=limits)

    @property
    def providers(self) -> dict[str, Provider]:
        """The providers by name."""
        return {name: state.provider for name, state in self.states.items()}

    def _apply(self, settings: Settings) -> None:
        self.settings = settings
        for state in self.states.values():
            state.configure(settings)

    def configure(
        self,
        quirks: Mapping[str, str | None] | None = None,
        limits: Mapping[str, str | None] | str | None = None,
    ) -> None:
        """Changes quirks and limits by name; None is the default, ``limits`` may be one word.

        Raises ValueError, and then nothing has changed.
        """
        with self.lock:
            self._apply(changed(self.settings, self.providers, quirks, limits))

    def settle(self) -> None:
        """Lets happen what is due at every provider."""
        with self.lock:
            for name in self.states:
                self._now(name)

    def happen(self, provider: str, event: Event) -> None:
        """Lets an event of a provider happen now; raises ValueError when it cannot."""
        with self.lock:
            state, now, auth_now = self._now(provider)
            state.apply(event.changes(state.view(None, now, auth_now)))

    def change(self, provider: str, *changes: Change) -> None:
        """Applies changes asked for from outside; raises ValueError or KeyError, all or none."""
        with self.lock:
            self._now(provider)[0].apply(changes, by="control")

    def _now(self, provider: str) -> tuple[ProviderState, int, int]:
        state, (now, auth_now, _) = self.states[provider], self.clock.read()
        state.settle(now, auth_now)
        return state, now, auth_now
