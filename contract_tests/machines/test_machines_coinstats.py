"""CoinStats: what calls cost, and when portfolios are synced, against two counts and a date."""

from contextlib import nullcontext
from typing import Any, NamedTuple

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from contract_tests.machines.bench import PLAN, SECOND, WAITS, Answer, Bench, Timed, mine, posted

LABELS = st.sampled_from(["main", "oauth"])  # two keys of one account
CALLERS = st.sampled_from(["", "", "", "main", "oauth"])  # empty is whose it is
EXCHANGES = {
    "binance": {"apiKey": "your_binance_api_key_here", "apiSecret": "your_binance_api_secret_here"},
    "coinbase": {"apiKey": "empty-key", "apiSecret": "empty-secret"},
}
PINNED = "618f0bb0f2cf07dce25bc5007750bf1646825509bb63519bd491ab6a56daa419"


def balance_call(exchange: str, **changed: str) -> bytes:
    """Writes the body of a balance call."""
    return posted({"connectionId": exchange, "connectionFields": EXCHANGES[exchange] | changed})


BALANCE, SUPPORT = "/v1/exchange/balance", "/v1/exchange/support"
STATUS, SYNC = "/v1/exchange/status?portfolioId={}", "/v1/exchange/sync?portfolioId={}"

# What answers well, and what it costs.
CALLS = (
    ("POST", BALANCE, balance_call("binance"), 10),
    ("POST", "/exchange/balance", balance_call("coinbase"), 10),
    ("GET", SUPPORT, b"", 1),
    ("GET", STATUS.format(PINNED), b"", 3),
    ("PATCH", SYNC.format(PINNED), b"", 20),
    ("GET", "/v1/usage/credits", b"", 0),
)
# What is refused anyhow, be there credits or not, and so costs nothing.
WRONG = (
    ("POST", BALANCE, b"{}", 400),
    ("POST", BALANCE, balance_call("binance", apiSecret="wrong"), 401),
    ("GET", STATUS.format("0"), b"", 404),
    ("PATCH", SYNC.format("0"), b"", 404),
    ("PATCH", SYNC.format(""), b"", 400),
    ("PUT", SUPPORT, b"", 405),
    ("GET", "/v1/exchange/nope", b"", 404),
)
NO_ROUTE = (("PUT", SUPPORT), ("GET", "/v1/exchange/nope"))
SHORT = "Insufficient credits for this request"


class Credits(RuleBasedStateMachine):
    """The model: how many credits there are in all, and how many each key has spent."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(quirks={"coinstats.credits": "60"})
        self.forget()

    def forget(self) -> None:
        self.total, self.spent = 60, {"main": 0, "oauth": 0}
        self.limited = False
        for label in self.spent:  # a portfolio, for calls that name one
            self.it_is_called(CALLS[0], label, 1)

    def ask(self, method: str, target: str, body: bytes, label: str) -> Answer:
        handle = self.bench.server.coinstats
        return self.bench.ask(handle, method, target, body, label)

    @rule(call=st.sampled_from(CALLS), label=LABELS, times=st.integers(1, 4))
    def it_is_called(self, call: tuple[str, str, bytes, int], label: str, times: int) -> None:
        method, target, body, cost = call
        for _ in range(times):
            answer = self.ask(method, target, body, label)
            if self.limited:
                assert (answer.status, answer.body["message"]) == (429, "Rate limit exceeded")
            elif cost and cost > self.total - self.spent[label]:
                assert (answer.status, answer.body["message"]) == (429, SHORT)
            else:
                assert answer.status == 200
                self.spent[label] += cost
            self.tells_what_is_left(label)

    def tells_what_is_left(self, label: str) -> None:
        if not self.limited:
            answer = self.ask("GET", "/v1/usage/credits", b"", label).body
            spent = self.spent[label]
            assert (answer["totalCredits"], answer["usedCredits"]) == (self.total, spent)
            # What is left of fewer than were spent, nothing says.
            assert spent > self.total or answer["remainingCredits"] == self.total - spent

    @rule(call=st.sampled_from(WRONG), label=LABELS)
    def it_is_called_wrongly(self, call: tuple[str, str, bytes, int], label: str) -> None:
        method, target, body, status = call
        limited = self.limited and (method, target) not in NO_ROUTE
        assert self.ask(method, target, body, label).status == (429 if limited else status)
        self.tells_what_is_left(label)

    @rule(total=st.sampled_from([0, 9, 10, 60, 61, 200]))
    def there_are_other_credits(self, total: int) -> None:
        self.bench.server.set_quirks({"coinstats.credits": str(total)})
        self.total = total

    @rule(limited=st.sampled_from([True, False, False]))
    def the_rate_is_limited(self, limited: bool) -> None:
        self.bench.server.set_limits({"coinstats.reads": "0/60s" if limited else "off"})
        self.limited = limited

    @rule(days=st.sampled_from([1, 31, 366]), label=LABELS)
    def time_passes_and_renews_nothing(self, days: int, label: str) -> None:
        self.bench.server.clock.advance(f"{24 * days}h")
        self.tells_what_is_left(label)

    @rule(chance=st.integers(0, 3))
    def everything_is_reset(self, chance: int) -> None:
        if chance == 0:
            self.bench.reset()
            self.forget()


class Portfolio(NamedTuple):
    """One key's portfolio: since when it syncs, how many polls were answer so, and by what it ended.

    The event that ends it is answer by id, and where the world fixes that, keys share it.
    """

    id: str
    since: int
    polls: int = 0
    ended: bool = False
    name: str | None = None


class Syncing(Timed):
    """The model: for each key and exchange, when it began and how often it was polled."""

    spans = (SECOND, 2 * SECOND)

    @initialize(
        after=st.sampled_from(["5s", "5s", "7s", "never", "never"]),
        polls=st.sampled_from([2, 2, 2, 0, 3]),
    )
    def a_sandbox_is_made(self, after: str, polls: int) -> None:
        quirks = {"coinstats.sync_after": after, "coinstats.sync_polls": str(polls)}
        default = quirks == {"coinstats.sync_after": "5s", "coinstats.sync_polls": "2"}
        self.bench = Bench(quirks={} if default else quirks)
        self.after = None if after == "never" else int(after[:-1]) * SECOND
        self.polls = polls
        self.forget()

    def forget(self) -> None:
        self.known: dict[tuple[str, str], Portfolio] = {}

    def edges(self) -> list[int]:
        return [p.since + (self.after or 0) for p in self.known.values()]

    def status(self, portfolio: Portfolio) -> str:
        aged = self.after is not None and self.bench.now - portfolio.since >= self.after
        return "synced" if portfolio.ended or aged or portfolio.polls >= self.polls else "syncing"

    def ask(self, method: str, target: str, label: str, body: bytes = b"") -> Answer:
        return self.bench.ask(self.bench.server.coinstats, method, target, body, label)

    @rule(
        label=LABELS,
        exchange=st.sampled_from(sorted(EXCHANGES)),
        name=st.sampled_from([None, None, "", "mine", "yours"]),
        wait=WAITS,
    )
    def balances_are_read(self, label: str, exchange: str, name: str | None, wait: int) -> None:
        self.bench.pass_time(wait)
        body = {"connectionId": exchange, "connectionFields": EXCHANGES[exchange]}
        named = {} if name is None else {"name": name}
        answer = self.ask("POST", BALANCE, label, posted(body | named)).body["portfolio"]
        known = self.known.get((label, exchange)) or Portfolio(answer["id"], self.bench.now)
        known = known if name is None else known._replace(name=name)
        self.known[label, exchange] = known
        assert answer.pop("name", None) == known.name
        assert answer == {"id": known.id, "connectionId": exchange, "status": self.status(known)}
        self.ids_are_apart()

    def ids_are_apart(self) -> None:
        """Checks that only what the world fixes is shared by keys."""
        own = [p.id for (_, exchange), p in self.known.items() if exchange != "binance"]
        assert len(set(own)) == len(own)
        fixed = {p.id for (_, exchange), p in self.known.items() if exchange == "binance"}
        assert fixed <= {PINNED}
        assert PINNED not in own

    @precondition(lambda self: self.known)
    @rule(place=mine(lambda m: m.places()), label=CALLERS, wait=WAITS, times=st.integers(1, 3))
    def the_status_is_polled(self, place: Any, label: str, wait: int, times: int) -> None:
        self.bench.pass_time(wait)
        for _ in range(times):
            caller, id, owned = self.lookup(place, label)
            answer = self.ask("GET", STATUS.format(id), caller)
            if owned is None:
                assert answer.status == 404
                return
            assert answer.body == {"status": self.status(self.known[owned])}
            if answer.body["status"] == "syncing":
                self.known[owned] = self.known[owned]._replace(polls=self.known[owned].polls + 1)

    @precondition(lambda self: self.known)
    @rule(place=mine(lambda m: m.places()), label=CALLERS, wait=WAITS)
    def it_is_synced_anew(self, place: Any, label: str, wait: int) -> None:
        self.bench.pass_time(wait)
        caller, id, owned = self.lookup(place, label)
        answer = self.ask("PATCH", SYNC.format(id), caller)
        if owned is None:
            assert answer.status == 404
            return
        assert answer.body == {"success": True}
        anew = self.known[owned]._replace(since=self.bench.now, polls=0, ended=False)
        self.known[owned] = anew

    @rule(place=mine(lambda m: m.places()), wait=WAITS)
    def an_event_ends_the_syncing(self, place: Any, wait: int) -> None:
        """Ends it for every key that has a portfolio with this id, if there is one that syncs."""
        self.bench.pass_time(wait)
        id = self.known[place].id if place else PINNED
        same = {place: p for place, p in self.known.items() if p.id == id}
        syncs = any(self.status(p) == "syncing" for p in same.values())
        with nullcontext() if syncs else pytest.raises(ValueError, match="portfolio"):
            self.bench.server.coinstats.event("portfolio_synced", id=id)
        if syncs:
            self.known |= {place: p._replace(ended=True) for place, p in same.items()}

    def places(self) -> list[Any]:
        """Returns whose portfolios there are; None is one that there may not be."""
        return [None, *sorted(self.known) * 3]

    def lookup(self, place: Any, label: str) -> tuple[str, str, Any]:
        """Returns who asks, for which id, and where that key finds its own with that id."""
        label = label or (place[0] if place else "main")
        id = self.known[place].id if place else PINNED
        own = [p for p in self.known if p[0] == label and self.known[p].id == id]
        return label, id, own[0] if own else None


def test_a_key_spends_what_its_calls_cost_and_no_more() -> None:
    run_state_machine_as_test(Credits, settings=PLAN)


def test_a_portfolio_syncs_for_so_long_and_so_many_polls() -> None:
    run_state_machine_as_test(Syncing, settings=PLAN)
