"""The state of a sandbox as a value: nothing is forgotten, nothing copied, nothing shared by chance."""

import gc
import secrets
import tracemalloc
from collections import OrderedDict, deque
from collections.abc import Mapping
from typing import Any

import pytest

from contract_tests.machines.bench import SECOND, Bench, posted
from mockserver.client.provider import ProviderHandle
from mockserver.engine import ledger
from mockserver.engine.clock import Clock
from mockserver.engine.journal import Journal, RequestCounts
from mockserver.engine.ledger import Ledger
from mockserver.engine.limits import BanList, FixedWindow, RollingWindow
from mockserver.engine.provider_state import ProviderState
from mockserver.engine.replay import ReplayMemory
from mockserver.engine.rewind import rewind
from mockserver.engine.sandbox import Sandbox
from mockserver.engine.world import CredentialStore
from mockserver.errors import SettingError
from mockserver.faults.matching import ActiveRule, Rulebook
from mockserver.files import worlds

MIB = 1024 * 1024

# The classes of which a sandbox is made and whose instances change; what is in them is a value.
PARTS = (
    *(Sandbox, Clock, Journal, RequestCounts, Rulebook, ActiveRule, ProviderState),
    *(CredentialStore, Ledger, FixedWindow, RollingWindow, BanList, ReplayMemory),
)
# Members that are no state, each with the reason.
NOT_STATE = {
    "Sandbox.id": "a fork has its own",
    "Sandbox.lock": "guards one sandbox",
    "Sandbox.waiting": "deliveries under way",
    "Sandbox.explanation_budget": "the server's",
    "Sandbox.owner_of": "the server's",
    "Sandbox.ttl": "how long the sandbox may be idle",
    "Sandbox.last_used": "the same",
    "Sandbox.share": "counts memory",
    "Sandbox.history": "how the sandbox got there",
    "Sandbox.snapshots": "the states",
    "Sandbox._recording": "a change under way",
    "Sandbox._encoded": "derived from the credentials",
    "Sandbox.world": "compared by its parts below",
    "Sandbox.large": "derived from the world",
    "Clock.real": "a source of time",
    "Clock.monotonic": "a source of time",
    "Clock.auth": "a source of time",
    "Clock._anchor": "where the process's own time stood: compared by now()",
    "Journal.redactor": "the server's",
    "Journal.followers": "who listens",
    "Journal.streams": "who listens",
    "Journal._share": "counts memory",
    "Journal.resets": "shows that the numbers began anew",
    "Journal.totals": "the server's",
    "RequestCounts.totals": "the server's",
    "Rulebook._providers": "never changes",
    "Rulebook._seed": "initial_settings.seed",
    "Rulebook._index": "derived from the rules",
    "Rulebook._index_by_label": "derived from the rules",
    "Rulebook._criterion_counts": "derived from the rules",
    "Rulebook._next_begin": "derived from the rules",
    "ActiveRule.rule": "never changes",
    "ActiveRule.size": "derived from the rule",
    "ActiveRule.criteria": "derived from the rule",
    "ActiveRule.seed": "initial_settings.seed",
    "ActiveRule.position": "derived from the rules",
    "ProviderState.provider": "never changes",
    "ProviderState.router": "never changes",
    "ProviderState.answers": "responses that are made again",
    "ProviderState.waits": "what the journal notes about its own entries",
    "ProviderState._secrets": "derived from the credentials",
    "ProviderState.outer": "derived from the quirks",
    "ProviderState.gates": "derived from the quirks",
    "ProviderState.gzip": "derived from the quirks",
    "ProviderState.counts_reached": "derived from the quirks",
    "CredentialStore._provider": "never changes",
    "CredentialStore._copy": "what may be changed in place",
    "CredentialStore._labels": "derived from the credentials",
    "Ledger.version": "grows with every change",
    "Ledger._copied": "what may be changed in place",
    "Ledger._replaced": "counts memory",
    "Ledger._own_records": "what may be changed in place",
    "FixedWindow.limit": "compared by the settings",
    "RollingWindow.limit": "compared by the settings",
    "RollingWindow._shared": "what may be changed in place",
    "BanList.policy": "never changes",
}


def members(value: Any) -> dict[str, Any]:
    """Returns the members of an object that can change."""
    return dict(vars(value))


def walk(value: Any, members_by_name: dict[str, list[Any]]) -> Any:
    """Returns a value without our objects, whose members are added to ``found`` by name."""
    if isinstance(value, PARTS):
        kind = type(value).__name__
        for name, member in members(value).items():
            key = f"{kind}.{name}"
            plain = walk(member, members_by_name) if key not in NOT_STATE else ...
            inner = [*member.values()] if isinstance(member, Mapping) else [member]
            if not (inner and all(isinstance(one, PARTS) for one in inner)):
                members_by_name.setdefault(key, []).append(plain)
        return kind
    if isinstance(value, ledger.LedgerAccount):
        return [(key, row) for key, row in value.rows.items()]
    if isinstance(value, Mapping):
        pairs = [(walk(k, members_by_name), walk(v, members_by_name)) for k, v in value.items()]
        return pairs if isinstance(value, OrderedDict) else sorted(pairs, key=lambda p: repr(p[0]))
    if isinstance(value, list | tuple | deque) and not hasattr(value, "_fields"):
        return [walk(item, members_by_name) for item in value]
    return value


def walked(sandbox: Sandbox) -> dict[str, list[Any]]:
    members_by_name: dict[str, list[Any]] = {}
    walk(sandbox, members_by_name)
    members_by_name["now"] = [sandbox.clock.read()[:2]]
    return members_by_name


RULES = [
    {"name": "late", "match": {"provider": "*"}, "when": {"from": "1h"}, "mutate": {"bom": True}},
    {"name": "stale", "match": {"provider": "coinapi"}, "mutate": {"stale": True}},
    {
        "name": "third",
        "match": {"provider": "cdp"},
        "when": {"every": 3},
        "answer": {"reject": "rate_limited"},
    },
]


def read(bench: Bench, handle: ProviderHandle) -> None:
    """Sends a provider's main read."""
    plain = handle.example
    target = bench.once(handle.provider.base_path + plain.target.decode())
    bench.ask(handle, plain.method, target, plain.body)


def lived(bench: Bench) -> Sandbox:
    """Returns a sandbox in which every member has changed."""
    box = bench.server.sandbox("one", seed=7, scenario="rate-limit-storm", ttl="24h")
    bench.box = box
    box.clear_faults()
    box.set_quirks({"coinw.bans": "on", "cpg.cors": "on", "cpg.timestamp_window": 300})
    box.set_limits({"coinw.returnBalances": "1/60s", "coinapi.reads": "100/1h"})
    for rule in RULES:
        box._call("POST", "/faults", rule)  # noqa: SLF001
    for _ in range(3):
        for name in ("cdp", "coinapi", "coinstats", "coinw", "coinw", "cpg"):
            read(bench, getattr(box, name))
        bench.pass_time(400 * SECOND)
    order = {"currency": "USDT", "network": "ETH", "to_address": "0xrecipient0", "amount": "50"}
    bench.ask(box.cpg, "POST", "/v1/withdrawals", posted(order))
    box.coinapi.credit("main", "XBT", "1", venue="KRAKEN")
    box.cdp.event("key_revoked", key="es256")
    box.clear_journal()
    box.play("clock-skew")
    for _ in range(15):
        read(bench, box.coinw)
    bench.server.app.sandboxes.get("one").journal.fold()
    read(bench, box.coinapi)
    box.clock.rate(60)
    bench.pass_time(SECOND // 2)
    box.clock.freeze()
    return bench.server.app.sandboxes.get("one")


def test_a_state_holds_every_member_that_changes() -> None:
    bench, other = Bench(), Bench()
    fresh, sandbox = walked(other.server.app.sandboxes.default), lived(bench)
    dirty, copy = walked(sandbox), other.server.app.sandboxes.default
    other.real.now = bench.real.now
    copy.restore(sandbox.state(journal=True))
    restored = walked(copy)
    state_members = {name for name in dirty if name not in NOT_STATE}
    untouched = {name for name in state_members if dirty[name] == fresh.get(name)}
    assert untouched == set(), "lived() must change these, or NOT_STATE must say why they are none"
    forgotten = {name for name in state_members if restored.get(name) != dirty[name]}
    assert forgotten == set(), "a state must hold these"
    assert NOT_STATE.keys() <= dirty.keys(), "these are gone"


def test_a_state_never_changes() -> None:
    bench = Bench()
    sandbox = lived(bench)
    state = sandbox.state(journal=True)
    before = walked(sandbox)
    box = bench.box
    bench.real.now += SECOND
    box.stop_scenario()
    box.set_limits("off")
    for name in ("cdp", "coinapi", "coinstats", "coinw", "cpg"):
        handle = getattr(box, name)
        read(bench, handle)
        handle.set_balances("main", [])
    box.clock.advance("1h")
    box.cpg.event("key_revoked", key="main")
    bench.real.now -= SECOND
    sandbox.restore(state)
    assert {k: v for k, v in walked(sandbox).items() if k not in NOT_STATE} == {
        k: v for k, v in before.items() if k not in NOT_STATE
    }


def test_a_state_of_the_whale_and_its_return_copy_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(worlds.from_data({"cpg": worlds.data(worlds.find("whale"))["cpg"]}, "whale"))
    sandbox = bench.server.app.sandboxes.default
    asset, venue = next(iter(sandbox.states["cpg"].ledger.accounts["main"].rows))
    bench.server.cpg.credit("main", asset, "1", venue)
    copied: list[int] = []
    monkeypatch.setattr(ledger.LedgerAccount, "writable_copy", lambda self: copied.append(1))
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        state = sandbox.state()
        sandbox.restore(state)
        fork = sandbox_of(bench, state)
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert peak <= MIB
    assert copied == []
    for one in (sandbox, fork):
        rows = one.states["cpg"].ledger.accounts["main"].rows
        assert rows is state.providers["cpg"].ledger.accounts["main"].rows


def test_an_idle_sandbox_takes_less_than_40_kb() -> None:
    sandboxes, count = Bench(max_sandboxes=10_000).server.app.sandboxes, 40
    world, settings = sandboxes.default.world, sandboxes.default.initial_settings

    def make(id: str) -> None:
        fresh = world.with_fresh_keys(secrets.token_bytes)
        sandboxes.make(id, fresh, settings, 3600 * SECOND)

    make("first")
    gc.collect()
    tracemalloc.start()
    try:
        for n in range(count):
            make(f"box-{n}")
        gc.collect()
        size = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert size / count < 40_000


def sandbox_of(bench: Bench, state: Any) -> Sandbox:
    sandbox = Sandbox("fork", state.world, bench.real)
    sandbox.restore(state)
    return sandbox


def test_a_sandbox_goes_back_to_right_before_any_request() -> None:
    bench = Bench()
    sandbox = lived(bench)
    entries = [*sandbox.journal.entries]
    for n in (35, 30, 22, 5, 1):
        rewind(sandbox, n)
        assert sandbox.journal.count == n - 1
        assert [entry.n for entry in sandbox.journal.entries] == [e.n for e in entries if e.n < n]


def test_a_sandbox_goes_back_to_no_request_that_is_not_there() -> None:
    bench = Bench()
    sandbox = lived(bench)
    for n in (0, 36):
        with pytest.raises(SettingError, match=f"there is no request {n}: the last one is 35"):
            rewind(sandbox, n)
    sandbox.history.clear()
    with pytest.raises(SettingError, match="what led to request 3 was dropped: none is left"):
        rewind(sandbox, 3)
    read(bench, bench.server.cpg)
