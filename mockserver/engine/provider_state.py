"""What one provider has in one sandbox: credentials, ledger, limits, replay memory, quirks."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

from msgspec import Struct

from mockserver.engine.answer_cache import AnswerCache
from mockserver.engine.fault_headers import FaultHeaders
from mockserver.engine.ledger import Ledger, LedgerState
from mockserver.engine.limits import BanList, BanRecord, Window, WindowState, window
from mockserver.engine.memory_budget import MemoryShare
from mockserver.engine.replay import ReplayMemory, ReplayState
from mockserver.engine.retries import Waits
from mockserver.engine.settings import Settings, limit_of
from mockserver.engine.world import MAIN, CredentialStore, ProviderWorld
from mockserver.faults.matching import Rulebook
from mockserver.model.provider import BanCheck, Gate, Quirk, RateLimit, Route
from mockserver.model.redaction import written_forms
from mockserver.model.reject import Reject
from mockserver.model.world import Change, SetKey, View

log = logging.getLogger("mockserver")


class ProviderStateValue(Struct, frozen=True):
    """The state of one provider at one moment: nothing in it changes any more.

    ``sandbox`` is the id of the sandbox that made the page tokens.
    """

    sandbox: str
    count: int
    credentials: Mapping[bytes, Any]
    ledger: LedgerState
    windows: dict[str, WindowState]
    bans: dict[str, dict[str, BanRecord]]
    replay: ReplayState


class ProviderState:
    """The state of one provider; ``count`` counts its requests since the start or last reset."""

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
        self.keyring = CredentialStore(provider, part.credentials, part.keys.get(MAIN))
        self.ledger = Ledger(part.accounts, part.section)
        self.quirks: Mapping[str, Any] = {}
        self.counters: dict[str, Window] = {}
        self.ban_lists: dict[str, BanList] = {}
        self.outer: tuple[Gate | FaultHeaders, ...] = ()  # without the ban checks that are off
        self.gates: tuple[tuple[int, Gate], ...] = ()  # the same, with their positions
        self.configure(settings)
        self.replay = ReplayMemory()
        self.waits = Waits()
        self.answers = AnswerCache(share)
        self.sandbox = sandbox
        self.rulebook = rulebook
        self.seed = settings.seed
        self._secrets: dict[str, set[bytes]] = {}
        self.count = 0

    def state(self) -> ProviderStateValue:
        """Returns the state now."""
        return ProviderStateValue(
            self.sandbox,
            self.count,
            self.keyring.state(),
            self.ledger.state(),
            {name: counter.state() for name, counter in self.counters.items()},
            {name: bans.state() for name, bans in self.ban_lists.items()},
            self.replay.state(),
        )

    def restore(self, state: ProviderStateValue) -> None:
        """Returns to a state; limits and bans that are off now stay empty."""
        self.sandbox, self.count = state.sandbox, state.count
        self.keyring.restore(state.credentials)
        self.ledger.restore(state.ledger)
        for name in self.counters.keys() & state.windows.keys():
            self.counters[name].restore(state.windows[name])
        for name in self.ban_lists.keys() & state.bans.keys():
            self.ban_lists[name].restore(state.bans[name])
        self.replay.restore(state.replay)
        self.waits.clear()
        self.answers.clear()

    def configure(self, settings: Settings) -> None:
        """Applies settings; limits that stay the same keep their counts."""
        provider = self.provider
        texts = [
            settings.quirks.get(f"{provider.name}.{q.name}", q.default) for q in provider.quirks
        ]
        self.quirks = _quirk_values(provider.quirks, tuple(texts))
        self.cors = self.quirks.get("cors") == "on"
        self.gzip = self.quirks.get("gzip") == "on"
        self.counts_reached = self.quirks.get("counts") != "successful"
        limits = [limit_of(provider, limit, settings) for limit in provider.limits]
        self.counters = {
            limit.name: known
            if (known := self.counters.get(limit.name)) and known.limit == limit
            else window(limit)
            for limit in limits
        }
        self.ban_lists = {
            gate.penalty.name: self.ban_lists.get(gate.penalty.name) or BanList(gate.penalty)
            for gate in (*provider.outer, *provider.gates)
            if isinstance(gate, BanCheck) and self.quirks[gate.quirk] != "off"
        }
        every = (*provider.outer, *provider.gates)
        off = frozenset([gate for gate in every if not self._is_on(gate)])
        self.outer = tuple([gate for _, gate in _numbered(provider.outer, off)])
        if settings.fault_headers:
            self.outer = (FaultHeaders(), *self.outer)
        self.gates = _numbered(provider.gates, off)
        self.ledger.version += 1  # cached answers depend on the quirks, too

    def _is_on(self, gate: Gate) -> bool:
        if isinstance(gate, RateLimit) and gate.only is not None:
            quirk, value = gate.only
            return bool(self.quirks[quirk] == value)
        return not isinstance(gate, BanCheck) or gate.penalty.name in self.ban_lists

    def apply(self, changes: Sequence[Change], by: str = "exchange") -> None:
        """Applies all changes, or raises ValueError or KeyError and applies none."""
        self.ledger.apply(changes, by)
        for change in changes:
            if isinstance(change, SetKey):
                self.keyring.put(change.credential)

    def rate_limited(self, route: Route, now: int) -> Reject:
        """Returns the reject of a caller who reached the last limit that is checked on a route."""
        gates = (*self.provider.outer, *self.provider.gates)
        names = [gate.limit or route.limit for gate in gates if type(gate) is RateLimit]
        last = [name for name in names if name][-1:]
        return self.counters[last[0]].reject(now) if last else Reject("rate_limited")

    def view(self, credential: Any, now: int, auth_now: int) -> View:
        """Returns what a handler may see; ``credential`` is None for events."""
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
        """Returns the secrets of the credential with this label, or of all, in every plain form."""
        if label is None:
            return self._forms(self.keyring.credentials.values())
        forms = self._secrets.get(label)
        if forms is None:
            key = self.keyring.with_label(label)
            forms = self._secrets[label] = self._forms([] if key is None else [key])
        return forms

    def _forms(self, keys: Iterable[Any]) -> set[bytes]:
        texts = {t for c in keys if not c.rejects for t in self.provider.secrets.of(c)}
        return {form for text in texts for form in written_forms(text)}

    def run_due_events(self, now: int, auth_now: int) -> None:
        """Applies the events that are scheduled up to ``now``; one that fails is logged."""
        for at, event in self.ledger.due(now):
            try:
                self.apply(event.changes(self.view(None, at, auth_now)))
            except (ValueError, KeyError) as error:
                # A control call came first: it was applied already, or is no longer possible.
                log.warning("%s: %s was not applied: %s", self.provider.name, event.named(), error)


@lru_cache(1024)
def _quirk_values(quirks: tuple[Quirk, ...], texts: tuple[str, ...]) -> Mapping[str, Any]:
    """Returns the values of quirks by name; sandboxes share it."""
    return {quirk.name: quirk.read(text) for quirk, text in zip(quirks, texts, strict=True)}


@cache
def _numbered(gates: tuple[Gate, ...], off: frozenset[Gate]) -> tuple[tuple[int, Gate], ...]:
    """Returns gates with their positions, without those that are off; sandboxes share it."""
    return tuple((n, gate) for n, gate in enumerate(gates) if gate not in off)
