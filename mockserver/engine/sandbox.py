"""A sandbox: one isolated exchange with all its state, behind one lock."""

import threading
from collections.abc import Callable, Mapping

from msgspec.structs import replace

from mockserver.engine.clock import Clock
from mockserver.engine.journal import Journal
from mockserver.engine.memory_budget import MemoryShare
from mockserver.engine.provider_state import ProviderState
from mockserver.engine.redactor import JournalRedactor
from mockserver.engine.settings import Settings, changed, over, restored
from mockserver.engine.world import World
from mockserver.explain.time_budget import TimeBudget
from mockserver.faults.matching import Rulebook
from mockserver.faults.scenario import Scenario
from mockserver.model.provider import Provider
from mockserver.model.redaction import Redactor
from mockserver.model.world import Change, Event

MAIN = "main"
# Credentials up to which explanations are redacted of the hex and base64 of every secret.
# With more, only the secrets of the credential ``main`` and of the caller are looked for so.
ENCODED_MAX = 64


class Sandbox:
    """One isolated exchange: clocks, the state of every provider, and the journal.

    Callers hold ``lock`` while they use it. ``real`` returns real time and ``monotonic`` monotonic
    time, both in nanoseconds. ``ttl`` is how long it may stay unused, in nanoseconds, None for
    ever; ``last_used`` is monotonic time. ``scenario`` plays from the start. The functions in
    ``waiting`` are called whenever the clock was moved. ``large`` names the providers whose
    requests may take long, since an account has more than ROWS_LARGE rows.
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
        self.initial_settings = self.settings = settings or Settings()
        self.initial_scenario = scenario
        self.explanation_budget = TimeBudget(self.clock.monotonic)
        self.owner_of = self.owner_here
        self.ttl = ttl
        self.last_used = self.clock.monotonic()
        self.share = MemoryShare(self.lock)
        if redactor is None:
            secrets = [part.provider.secrets for part in world.parts.values()]
            redactor = JournalRedactor(Redactor(secrets))
        self.journal = Journal(redactor, self.share)
        self.states: dict[str, ProviderState] = {}
        self._begin(world)

    def _begin(self, world: World) -> None:
        """Sets the state that the sandbox has at the start."""
        providers = {name: part.provider for name, part in world.parts.items()}
        self.rulebook = Rulebook(providers, self.initial_settings.seed)
        self.scenario: Scenario | None = None
        self.settings = self.initial_settings
        self.load(world)
        if self.initial_scenario is not None:
            self.play(self.initial_scenario)
            self._apply(over(self.initial_settings, self.initial_scenario))

    def load(self, world: World) -> None:
        """Replaces the world; clocks, settings and journal stay."""
        with self.lock:
            self.world = world
            for state in self.states.values():
                state.answers.clear()
            self.states = {
                name: ProviderState(part, self.id, self.settings, self.rulebook, self.share)
                for name, part in world.parts.items()
            }
            self.large = frozenset(name for name, part in world.parts.items() if part.large)
            states = self.states.values()
            self.share.stores = (*(state.answers for state in states), self.journal)
            keys = [c for state in states for c in state.keyring.labels.values() if not c.rejects]
            self.journal.redactor.put(self, {form for state in states for form in state.secrets()})
            label = None if len(keys) <= ENCODED_MAX else MAIN
            self._encoded = {form for state in states for form in state.secrets(label)}

    def reset(self) -> None:
        """Returns to the state at the start: ledger, keys, settings, clocks, an empty journal."""
        with self.lock:
            self.replace_clock(Clock(self.clock.real, self.clock.monotonic))
            self.journal.reset()
            self._begin(self.world)

    def end(self) -> None:
        """Closes the sandbox and wakes deliveries that wait on its clock."""
        with self.lock:
            self.journal.redactor.drop(self)
            self.rulebook = Rulebook(self.providers, self.initial_settings.seed)
            self.replace_clock(self.clock)
            self.share.leave()

    def replace_clock(self, clock: Clock) -> None:
        """Replaces the clock by one that was moved, and wakes deliveries that wait on it."""
        with self.lock:
            self.clock = clock
            for wake in tuple(self.waiting):
                wake()

    def play(self, scenario: Scenario) -> None:
        """Starts a scenario and ends the one that plays; raises ValueError and changes nothing."""
        with self.lock:
            others = self.rulebook.rules.keys() - set(self._scenario_rules())
            clash = [rule.name for rule in scenario.rules if rule.name in others]
            if clash:
                raise ValueError(f"a rule {clash[0]} is there already: delete it first")
            size = sum(self.rulebook.rules[name].size for name in others)
            size += sum(rule.size for rule in scenario.rules)
            self.rulebook.check_room(len(others) + len(scenario.rules), size)
            settings = changed(
                self._own_settings(), self.providers, scenario.quirks, scenario.limits
            )
            self.stop()
            self._before = self.settings, self.clock.skew
            self._apply(settings)
            if scenario.skew is not None:
                self.clock.skew_by(scenario.skew)
            self.scenario = scenario
            self.rulebook.put(scenario.rules, self.clock.now(), scenario.name)

    def stop(self) -> None:
        """Ends the scenario that plays: removes its rules and restores the settings it changed."""
        with self.lock:
            if self.scenario is None:
                return
            self.rulebook.drop(self._scenario_rules())
            self._apply(self._own_settings())
            if self.scenario.skew is not None:
                self.clock.skew_by(self._before[1])
            self.scenario = None

    def owner_here(self, presented: bytes) -> str:
        """Returns whose key a client presented, "" when it is none of this sandbox."""
        for name, state in self.states.items():
            key = state.keyring.credentials.get(presented)
            if key is not None:
                return f"the {name} key {key.label}"
        return ""

    def secrets(self, state: ProviderState, label: str) -> set[bytes]:
        """Returns the secrets of which an explanation contains no hex and no base64 either."""
        return self._encoded | state.secrets(label)

    def _scenario_rules(self) -> list[str]:
        return self.rulebook.of_scenario(self.scenario.name) if self.scenario else []

    def _own_settings(self) -> Settings:
        """Returns the settings without the changes of the scenario."""
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
        """Changes quirks and limits by name; None is the default.

        ``limits`` may also be ``default`` or ``off``. Raises ValueError and changes nothing.
        """
        with self.lock:
            self._apply(changed(self.settings, self.providers, quirks, limits))

    def run_due_events(self) -> None:
        """Applies the events of every provider that are due."""
        with self.lock:
            for name in self.states:
                self._current(name)

    def apply_event(self, provider: str, event: Event) -> None:
        """Applies an event now; raises ValueError when that is impossible."""
        with self.lock:
            state, now, auth_now = self._current(provider)
            state.apply(event.changes(state.view(None, now, auth_now)))

    def change(self, provider: str, *changes: Change) -> None:
        """Applies a control call's changes; raises ValueError or KeyError and applies none."""
        with self.lock:
            self._current(provider)[0].apply(changes, by="control")

    def _current(self, provider: str) -> tuple[ProviderState, int, int]:
        """Returns a provider's state after the due events, and the clocks."""
        state, (now, auth_now, _) = self.states[provider], self.clock.read()
        state.run_due_events(now, auth_now)
        return state, now, auth_now
