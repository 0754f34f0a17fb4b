"""A sandbox: one isolated exchange with all its state, behind one lock."""

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from mockserver.engine.clock import Clock
from mockserver.engine.history import CALL_SIZE, History, RecordedCall, recorded
from mockserver.engine.journal import Journal
from mockserver.engine.ledger import ROW_SIZE, LedgerAccount
from mockserver.engine.memory_budget import MemoryShare
from mockserver.engine.provider_state import ProviderState
from mockserver.engine.redactor import JournalRedactor
from mockserver.engine.settings import Settings, changed, over, restored
from mockserver.engine.snapshot import SandboxState
from mockserver.engine.snapshot_shelf import NamedSnapshot, SnapshotShelf
from mockserver.engine.totals import Totals
from mockserver.engine.world import MAIN, World
from mockserver.explain.time_budget import TimeBudget
from mockserver.faults.matching import Rulebook
from mockserver.faults.rules import Rule
from mockserver.faults.scenario import Scenario
from mockserver.model.provider import Provider
from mockserver.model.redaction import Redactor
from mockserver.model.world import Change, Event

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
        totals: Totals | None = None,
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
        self.journal = Journal(redactor, self.share, totals)
        self.history = History(self.share)
        self.snapshots = SnapshotShelf(self.share)
        self._recording: tuple[int, int, int] | None = None  # the times of the change under way
        self.states: dict[str, ProviderState] = {}
        self._begin(world)

    def _begin(self, world: World) -> None:
        """Sets the state that the sandbox has at the start."""
        providers = {name: part.provider for name, part in world.parts.items()}
        self.rulebook = Rulebook(providers, self.initial_settings.seed)
        self.scenario: Scenario | None = None
        self.settings = self.initial_settings
        self._before = self.settings, 0
        self._load(world)
        if self.initial_scenario is not None:
            self._play(self.initial_scenario)
            self._apply(over(self.initial_settings, self.initial_scenario))

    def record(self, method: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Calls a method that changes the sandbox, and records the call unless in one."""
        with self.lock:
            if self._recording is not None:
                return method(self, *args, **kwargs)
            if self.history.left <= 0:
                self.checkpoint()
            self._recording = _, auth_now, monotonic = self.clock.read()
            call, size = RecordedCall(method, args, kwargs), CALL_SIZE
            try:
                return method(self, *args, **kwargs)
            finally:
                self._recording = None
                size += sum(map(_size, (*args, *kwargs.values())))
                self.history.add(call, auth_now, monotonic, size)

    def checkpoint(self) -> None:
        """Adds a state to the history, from which the next items can be carried out again."""
        counts = self.journal.state(entries=False)
        self.history.begin(self.clock, replace(self.state(), journal=counts))

    @recorded
    def load(self, world: World) -> None:
        """Replaces the world; clocks, settings and journal stay."""
        self._load(world)

    def _load(self, world: World) -> None:
        self.world = world
        for state in self.states.values():
            state.answers.clear()
        self.states = {
            name: ProviderState(part, self.id, self.settings, self.rulebook, self.share)
            for name, part in world.parts.items()
        }
        self.large = frozenset(name for name, part in world.parts.items() if part.large)
        states = self.states.values()
        self.share.stores = (*(state.answers for state in states), self.history, self.journal)
        self.journal.redactor.put(self, {form for state in states for form in state.secrets()})
        self._encoded: set[bytes] = set()  # derived when the first explanation needs it

    def state(self, *, journal: bool = False) -> SandboxState:
        """Returns the state of this moment; it shares rows and records with the sandbox."""
        with self.lock:
            return SandboxState(
                self.world,
                self.initial_settings,
                self.initial_scenario,
                self.settings,
                self.scenario,
                self._before,
                self.clock.state(),
                self.rulebook.state(),
                {name: state.state() for name, state in self.states.items()},
                self.journal.state() if journal else None,
            )

    def snapshot(self, name: str = "", *, journal: bool = False) -> NamedSnapshot:
        """Takes a named snapshot and returns it; raises SettingError for too many."""
        with self.lock:
            name = name or self.snapshots.next_name()
            state, now = self.state(journal=journal), self.clock.now()
            taken = NamedSnapshot(name, state, now, self.journal.count)
            self.snapshots.put(taken)
            return taken

    @recorded
    def restore(self, state: SandboxState) -> None:
        """Returns to a state; id, time to live and, unless the state has one, journal stay."""
        if state.journal is not None:
            self.history.clear()  # the numbers of requests go on elsewhere
        self.return_to(state)

    def return_to(self, state: SandboxState) -> None:
        """Does what ``restore`` does, and leaves the history alone; called under the lock."""
        self.initial_settings, self.initial_scenario = (
            state.initial_settings,
            state.initial_scenario,
        )
        self.rulebook = Rulebook(self.providers, self.initial_settings.seed)
        self.settings, self.scenario, self._before = state.settings, state.scenario, state.before
        self._load(state.world)
        for name, part in state.providers.items():
            self.states[name].restore(part)
        clock = Clock(self.clock.real, self.clock.monotonic, self.clock.auth)
        clock.restore(state.clock)
        self.rulebook.restore(state.rules, clock.now())
        if state.journal is not None:
            self.journal.restore(state.journal)
        self._set_clock(clock)

    def reset(self) -> None:
        """Returns to the state at the start: ledger, keys, settings, clocks, an empty journal."""
        with self.lock:
            self._set_clock(Clock(self.clock.real, self.clock.monotonic, self.clock.auth))
            self.history.clear()
            self.journal.reset()
            self._begin(self.world)

    def end(self) -> None:
        """Closes the sandbox and wakes deliveries that wait on its clock."""
        with self.lock:
            self.journal.counts.reset()
            self.journal.redactor.drop(self)
            self.rulebook = Rulebook(self.providers, self.initial_settings.seed)
            self._set_clock(self.clock)
            self.share.leave()

    @recorded
    def replace_clock(self, clock: Clock) -> None:
        """Replaces the clock by one that was moved, and wakes deliveries that wait on it."""
        self._set_clock(clock)

    def _set_clock(self, clock: Clock) -> None:
        self.clock = clock
        for wake in tuple(self.waiting):
            wake()

    @recorded
    def put_rules(self, rules: Iterable[Rule]) -> None:
        """Sets rules, replacing those of the same names; raises ValueError for too many."""
        self.rulebook.put(rules, self._read()[0])

    @recorded
    def drop_rules(self, names: Iterable[str]) -> None:
        """Removes rules."""
        self.rulebook.drop(names)

    @recorded
    def put_account(self, provider: str, id: str, account: LedgerAccount) -> None:
        """Replaces an account by one that was built before."""
        self._current(provider)[0].ledger.put(id, account)

    @recorded
    def clear_journal(self) -> None:
        """Removes the entries of the journal and the counts of verify."""
        self.journal.clear()

    @recorded
    def play(self, scenario: Scenario) -> None:
        """Starts a scenario and ends the one that plays; raises ValueError and changes nothing."""
        self._play(scenario)

    def _play(self, scenario: Scenario) -> None:
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
            self._stop()
            self._before = self.settings, self.clock.skew
            self._apply(settings)
            if scenario.skew is not None:
                self.clock = self.clock.skewed(scenario.skew)
            self.scenario = scenario
            self.rulebook.put(scenario.rules, self._read()[0], scenario.name)

    @recorded
    def stop(self) -> None:
        """Ends the scenario that plays: removes its rules and restores the settings it changed."""
        self._stop()

    def _stop(self) -> None:
        with self.lock:
            if self.scenario is None:
                return
            self.rulebook.drop(self._scenario_rules())
            self._apply(self._own_settings())
            if self.scenario.skew is not None:
                self.clock = self.clock.skewed(self._before[1])
            self.scenario = None

    def owner_here(self, presented: bytes) -> str:
        """Returns whose key a client presented, "" when it is none of this sandbox."""
        for name, state in self.states.items():
            key = state.keyring.presented(presented)
            if key is not None:
                return f"the {name} key {key.label}"
        return ""

    def secrets(self, state: ProviderState, label: str) -> set[bytes]:
        """Returns the secrets of which an explanation contains no hex and no base64 either."""
        if not self._encoded:
            count = sum(len(state.keyring.credentials) for state in self.states.values())
            of = None if count <= ENCODED_MAX else MAIN
            self._encoded = {form for part in self.states.values() for form in part.secrets(of)}
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

    @recorded
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

    @recorded
    def apply_event(self, provider: str, event: Event) -> None:
        """Applies an event now; raises ValueError when that is impossible."""
        with self.lock:
            state, now, auth_now = self._current(provider)
            state.apply(event.changes(state.view(None, now, auth_now)))

    @recorded
    def change(self, provider: str, *changes: Change) -> None:
        """Applies a control call's changes; raises ValueError or KeyError and applies none."""
        with self.lock:
            self._current(provider)[0].apply(changes, by="control")

    def _read(self) -> tuple[int, int, int]:
        """Returns the times of the change under way, or else of now."""
        return self._recording or self.clock.read()

    def _current(self, provider: str) -> tuple[ProviderState, int, int]:
        """Returns a provider's state after the due events, and the clocks."""
        state, (now, auth_now, _) = self.states[provider], self._read()
        state.run_due_events(now, auth_now)
        return state, now, auth_now


def _size(value: Any) -> int:
    """Returns about how many bytes an argument of a recorded call takes."""
    if isinstance(value, LedgerAccount):
        return len(value.rows) * ROW_SIZE
    if isinstance(value, Scenario | list | tuple):
        rules = value.rules if isinstance(value, Scenario) else value
        return sum(rule.size for rule in rules if isinstance(rule, Rule))
    return 0
