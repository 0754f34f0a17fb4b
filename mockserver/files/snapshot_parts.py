"""The parts of a snapshot's document: how each is written, and how it is read."""

import json
from collections.abc import Mapping
from fractions import Fraction
from operator import attrgetter
from typing import Any, Union, get_args

import msgspec
from msgspec import Struct

from mockserver.engine.clock import END, RATE_MAX, ClockState
from mockserver.engine.journal import CountsState, JournalEntry, JournalState
from mockserver.engine.ledger import LedgerAccount, LedgerAccounts, LedgerState
from mockserver.engine.limits import BanRecord, WindowState
from mockserver.engine.provider_state import ProviderStateValue
from mockserver.engine.replay import ReplayState
from mockserver.engine.settings import Settings, changed
from mockserver.engine.snapshot import SandboxState
from mockserver.engine.world import ProviderWorld, reject_key
from mockserver.errors import DataError
from mockserver.faults import scenario as scenarios
from mockserver.faults.matching import RuleState
from mockserver.faults.parsing import RuleParser
from mockserver.faults.response_body import number
from mockserver.faults.scenario import Scenario
from mockserver.files import worlds
from mockserver.files.plain import pairs, plain
from mockserver.files.world_export import initial_data
from mockserver.model.provider import Provider
from mockserver.model.times import CENTURY, duration_text
from mockserver.model.typed_data import at, convert

Providers = Mapping[str, Provider]


class RowChanges(Struct, frozen=True, forbid_unknown_fields=True):
    """How the rows of an account differ from the world's: keys removed, rows changed and added."""

    removed: list[tuple[str, str]] = []
    changed: list[Any] = []
    added: list[Any] = []


class PartDocument(Struct, frozen=True, forbid_unknown_fields=True):
    """One provider's part."""

    sandbox: str
    count: int
    keys: list[dict[str, Any]]
    accounts: dict[str, RowChanges]
    records: dict[str, list[Any]]
    schedule: list[tuple[int, int, dict[str, Any]]]
    scheduled: int
    windows: dict[str, WindowState]
    bans: dict[str, dict[str, BanRecord]]
    replay: ReplayState


class RuleDocument(Struct, frozen=True, forbid_unknown_fields=True):
    """A rule in force."""

    rule: dict[str, Any]
    since: int
    scenario: str
    matched: int
    fired: int
    memory: list[tuple[str, list[tuple[Any, dict[str, str]]]]]


class JournalDocument(Struct, frozen=True, forbid_unknown_fields=True):
    """A journal; counts by their keys."""

    entries: list[JournalEntry]
    count: int
    cleared: int
    exact: list[tuple[tuple[str, str, int, str, str], int]]
    rest: list[tuple[tuple[str, str, str], int]]
    earlier: list[tuple[tuple[str, str, str], int]]
    applied_rules: list[tuple[str, int]]


class StateDocument(Struct, frozen=True, forbid_unknown_fields=True):
    """A sandbox."""

    world: dict[str, Any]
    initial_settings: Settings
    initial_scenario: dict[str, Any] | None
    settings: Settings
    scenario: dict[str, Any] | None
    before: tuple[Settings, int]
    clock: ClockState
    rules: list[RuleDocument]
    providers: dict[str, PartDocument]
    journal: JournalDocument | None


def document(state: SandboxState) -> dict[str, Any]:
    """Returns a state as plain data."""
    return {
        "world": initial_data(state.world),
        "initial_settings": plain(state.initial_settings),
        "initial_scenario": _scenario_document(state.initial_scenario),
        "settings": plain(state.settings),
        "scenario": _scenario_document(state.scenario),
        "before": plain(state.before),
        "clock": plain(state.clock),
        "rules": [_rule_document(rule) for rule in state.rules],
        "providers": {
            name: _part_document(state.world.parts[name], part)
            for name, part in state.providers.items()
        },
        "journal": _journal_document(state.journal),
    }


def read(data: Mapping[str, Any], providers: Providers) -> SandboxState:
    """Returns the state in plain data; raises DataError."""
    spec: StateDocument = convert(data, StateDocument)
    with at("world"):
        world = worlds.from_data(spec.world, "snapshot", providers)
    for member in ("initial_settings", "settings"):
        with at(member):
            changed(getattr(spec, member), providers)
    with at("clock"):
        _check_clock(spec.clock)
    if spec.providers.keys() != world.parts.keys():
        raise DataError("one part for each provider", ("providers",))
    parts = {}
    for name, part in spec.providers.items():
        with at("providers", name):
            parts[name] = _part(world.parts[name], part)
    with at("rules"):
        rules = tuple(_rule(rule, RuleParser(providers)) for rule in spec.rules)
    return SandboxState(
        world,
        spec.initial_settings,
        _scenario(spec.initial_scenario, providers),
        spec.settings,
        _scenario(spec.scenario, providers),
        spec.before,
        spec.clock,
        rules,
        parts,
        _journal(spec.journal),
    )


def _check_clock(clock: ClockState) -> None:
    rate = Fraction(clock.rate)
    if not (0 < rate <= RATE_MAX and 0 <= clock.then <= END and abs(clock.skew) <= CENTURY):
        raise ValueError("no such clock")


# Scenarios and rules


def _scenario_document(scenario: Scenario | None) -> dict[str, Any] | None:
    if scenario is None:
        return None
    members = {"name": scenario.name, "about": scenario.about, "client": scenario.client}
    rules = [dict(rule.source) for rule in scenario.rules]
    settings = {"quirks": dict(scenario.quirks), "limits": dict(scenario.limits)}
    skew = None if scenario.skew is None else duration_text(scenario.skew)
    return {**members, "rules": rules, **settings, "skew": skew}


def _scenario(data: dict[str, Any] | None, providers: Providers) -> Scenario | None:
    return None if data is None else scenarios.parse(data, "", providers)


def _rule_document(state: RuleState) -> dict[str, Any]:
    memory = [
        [kind, [[plain(key), _memory_value(value)] for key, value in values.items()]]
        for kind, values in state.memory.items()
    ]
    counts = {"matched": state.matched, "fired": state.fired, "memory": memory}
    rule = {"rule": dict(state.rule.source), "since": state.since, "scenario": state.scenario}
    return {**rule, **counts}


def _memory_value(value: Any) -> dict[str, str]:
    """Writes what a rule remembers: a body, or a row whose numbers keep their digits."""
    if isinstance(value, bytes):
        return {"body": plain(value)}
    return {"json": msgspec.json.encode(value).decode()}


def _rule(data: RuleDocument, parser: RuleParser) -> RuleState:
    memory = {kind: dict(map(_memory_pair, values)) for kind, values in data.memory}
    rule = parser.parse(data.rule)
    return RuleState(rule, data.since, data.scenario, data.matched, data.fired, memory)


def _memory_pair(pair: tuple[Any, dict[str, str]]) -> tuple[Any, Any]:
    key, value = pair
    if "json" in value:
        tree = json.loads(value["json"], parse_int=number, parse_float=number)
        return key, tree
    caller, digest = convert(key, tuple[str, bytes])
    return (caller, digest), convert(value["body"], bytes)


# Providers


def _part_document(world: ProviderWorld, state: ProviderStateValue) -> dict[str, Any]:
    ledger = state.ledger
    for kind in ledger.records:
        if kind not in world.provider.records:
            raise DataError(f"{world.provider.name} does not declare its records {kind!r}")
    keys = [
        plain(key)
        for text, key in state.credentials.items()
        if key is not world.credentials.get(text)
    ]
    accounts = {
        id: plain(_row_changes(world.accounts[id], account))
        for id, account in ledger.accounts.items()
        if account is not world.accounts[id]
    }
    return {
        "sandbox": state.sandbox,
        "count": state.count,
        "keys": keys,
        "accounts": accounts,
        "records": {kind: pairs(records) for kind, records in ledger.records.items()},
        "schedule": [[time, n, plain(event)] for time, n, event in ledger.schedule],
        "scheduled": ledger.scheduled,
        "windows": plain(state.windows),
        "bans": plain(state.bans),
        "replay": _replay_document(state.replay),
    }


def _replay_document(state: ReplayState) -> dict[str, Any]:
    fresh = [*state.fresh][: state.count]
    return {
        "fresh": plain(fresh),
        "count": state.count,
        "stale": plain([*state.stale]),
        "since": state.since,
        "window": state.window,
    }


def _row_changes(before: LedgerAccount, now: LedgerAccount) -> RowChanges:
    """Compares rows: those that stayed in order, and those behind them."""
    positions = {key: n for n, key in enumerate(before.rows)}
    changed: list[Any] = []
    added: list[Any] = []
    last = -1
    kept: set[Any] = set()
    for key, row in now.rows.items():
        if not added and positions.get(key, -1) > last:
            last = positions[key]
            kept.add(key)
            if row is not before.rows[key]:
                changed.append(row)
        else:
            added.append(row)
    return RowChanges([key for key in before.rows if key not in kept], changed, added)


def _part(world: ProviderWorld, data: PartDocument) -> ProviderStateValue:
    credentials: Mapping[bytes, Any] = world.credentials
    if data.keys:
        changed_keys = [_key(world, n, members) for n, members in enumerate(data.keys)]
        texts = attrgetter(world.provider.key)
        credentials = {**credentials, **{texts(key).encode(): key for key in changed_keys}}
    records = {}
    for kind, values in data.records.items():
        with at("records", kind):
            if kind not in world.provider.records:
                raise ValueError("there is no such kind of record")
            types = get_args(world.provider.records[kind])
            records[kind] = dict(convert(values, list[tuple[types[0], types[1]]]))  # type: ignore[valid-type]
    with at("schedule"):
        kinds: Any = Union[tuple(world.provider.all_events)]  # noqa: UP007 made at run time
        schedule = tuple((time, n, convert(event, kinds)) for time, n, event in data.schedule)
    ledger = LedgerState(_accounts(world, data.accounts), records, schedule, data.scheduled)
    return ProviderStateValue(
        data.sandbox, data.count, credentials, ledger, data.windows, data.bans, data.replay
    )


def _key(world: ProviderWorld, n: int, members: Mapping[str, Any]) -> Any:
    label = str(members.get("label"))
    known = world.keys.get(label) or reject_key(world.provider, world.keys.get("main"), label)
    with at("keys", n):
        if known is None:
            raise ValueError(f"the world has no key {label}")
        return convert(members, type(known))


def _accounts(world: ProviderWorld, changes: Mapping[str, RowChanges]) -> LedgerAccounts:
    if not changes:
        return world.accounts
    accounts = LedgerAccounts(world.accounts)
    for id, change in changes.items():
        with at("accounts", id):
            if id not in accounts:
                raise ValueError("the world has no such account")
            accounts[id] = _account(world, accounts[id], change)
    return accounts


def _account(world: ProviderWorld, before: LedgerAccount, change: RowChanges) -> LedgerAccount:
    kind = list[world.provider.row]  # type: ignore[name-defined]
    rows = dict(before.rows)
    for asset, venue in change.removed:
        if rows.pop((asset, venue), None) is None:
            raise ValueError(f"the world has no row {asset} {venue}".rstrip())
    for row in (*convert(change.changed, kind), *convert(change.added, kind)):
        rows[row.asset, row.venue] = row
    return LedgerAccount(before.account, before.make_rows, rows)


# The journal


def _journal_document(state: JournalState | None) -> dict[str, Any] | None:
    if state is None:
        return None
    counts = state.counts
    return {
        "entries": [plain(entry) for entry in state.entries],
        "count": state.count,
        "cleared": state.cleared,
        "exact": pairs(counts.exact),
        "rest": pairs(counts.rest),
        "earlier": pairs(counts.earlier),
        "applied_rules": pairs(counts.applied_rules),
    }


def _journal(data: JournalDocument | None) -> JournalState | None:
    if data is None:
        return None
    counts = CountsState(
        dict(data.exact), dict(data.rest), dict(data.earlier), dict(data.applied_rules)
    )
    return JournalState(tuple(data.entries), data.count, data.cleared, counts)
