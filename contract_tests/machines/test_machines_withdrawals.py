"""CPG's withdrawals against plain arithmetic in cents: totals, what is held, and statuses."""

import re
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test

from contract_tests.machines.bench import PLAN, SECOND, WAITS, Answer, Bench, Timed, mine, posted
from mockserver.files import worlds

ADDRESS = "0xrecipient0"
ACCOUNTS = {"main": "one", "second": "one", "other": "two"}  # by key
LABELS = st.sampled_from(sorted(ACCOUNTS))

Place = tuple[str, str, str]  # account, currency, network


def written(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02}"


@dataclass(frozen=True)
class Row:
    """A row of an account; ``own`` is what is held for other reasons than withdrawals."""

    total: int
    own: int
    fee: int
    minimum: int


ROWS: dict[Place, Row] = {
    ("one", "USDT", "ETH"): Row(10_000, 500, 150, 1_000),
    ("one", "USDT", "TRX"): Row(5_000, 0, 0, 1),
    ("one", "EURC", "ETH"): Row(300, 0, 1, 1),
    ("two", "USDT", "ETH"): Row(3_000, 0, 100, 500),
}


def in_a_world(account: str) -> list[dict[str, Any]]:
    return [
        {"asset": currency, "venue": network, "decimals": 2}
        | {"total": written(row.total), "held": written(row.own)}
        | {"fee": written(row.fee), "minimum": written(row.minimum)}
        for (owner, currency, network), row in ROWS.items()
        if owner == account
    ]


KEYS = {label: {"key_id": label, "secret": "s", "account": a} for label, a in ACCOUNTS.items()}
HOLDERS = {name: {"balances": in_a_world(name)} for name in ("one", "two")}
WORLD = worlds.from_data({"cpg": {"keys": KEYS, "accounts": HOLDERS}}, "withdrawals")


class Order(NamedTuple):
    """What a client may ask for; ``which`` amount is answer in words."""

    label: str
    currency: str
    network: str
    which: str
    reference: str | None
    quoted: bool

    @property
    def place(self) -> Place:
        return ACCOUNTS[self.label], self.currency.upper(), self.network


GOOD = [("USDT", "ETH"), ("USDT", "ETH"), ("usdt", "ETH"), ("USDT", "TRX"), ("EURC", "ETH")]
ORDERS = st.builds(
    lambda where, label, which, reference, quoted: Order(label, *where, which, reference, quoted),
    where=st.sampled_from([*GOOD * 2, ("USDT", "eth"), ("DOGE", "ETH")]),
    label=LABELS,
    which=st.sampled_from(["least"] * 5 + ["half", "half", "all", "above", "below", "fraction"]),
    reference=st.sampled_from([None, "a", "a", "b"]),
    quoted=st.booleans(),
)


@dataclass(frozen=True)
class Withdrawal:
    id: int
    place: Place
    amount: int
    fee: int
    requested: int
    due: int | None
    status: str = "broadcasted"
    confirmed: int | None = None
    error: str | None = None


def iso(now: int | None) -> str | None:
    if now is None:
        return None
    return datetime.fromtimestamp(now // SECOND, UTC).isoformat().replace("+00:00", "Z")


class Withdrawals(Timed):
    spans = (SECOND, 10 * SECOND, 60 * SECOND)

    @initialize(after=st.sampled_from(["60s", "60s", "60s", "1s", "0s", "off"]))
    def a_sandbox_is_made(self, after: str) -> None:
        quirks = {} if after == "60s" else {"cpg.confirm_after": after}
        self.bench = Bench(WORLD, limits="off", quirks=quirks)
        self.cpg = self.bench.server.cpg
        self.after = None if after == "off" else int(after[:-1]) * SECOND
        self.hashes: dict[int, str] = {}  # by the seed and the id, so a reset changes none
        self.forget()

    def forget(self) -> None:
        self.rows = dict(ROWS)
        self.known: dict[int, Withdrawal] = {}
        self.references: dict[tuple[str, str], int] = {}

    # The model

    def edges(self) -> list[int]:
        return [w.due for w in self.known.values() if w.due is not None]

    def pending(self) -> list[Withdrawal]:
        return [w for w in self.known.values() if w.status == "broadcasted"]

    def held(self, place: Place) -> int:
        holds = [w.amount + w.fee for w in self.pending() if w.place == place]
        return self.rows[place].own + sum(holds)

    def available(self, place: Place) -> int:
        return self.rows[place].total - self.held(place)

    def settle(self) -> None:
        """Lets happen what is due, each at its own time."""
        for w in self.pending():
            if w.due is not None and w.due <= self.bench.now:
                self.confirm(w, w.due)

    def confirm(self, w: Withdrawal, now: int) -> None:
        row = self.rows[w.place]
        self.rows[w.place] = replace(row, total=row.total - w.amount - w.fee)
        self.known[w.id] = replace(w, status="confirmed", confirmed=now)

    def refusal(self, place: Place, amount: Decimal) -> str:
        """Returns why an order is refused, in the order of the checks."""
        row = self.rows.get(place)
        if row is None:
            return "Unsupported currency or network"
        if amount != int(amount):
            return "Amount has too many decimal places"
        if amount < row.minimum:
            return "Amount is below the minimum"
        return "Insufficient balance" if amount + row.fee > self.available(place) else ""

    # What clients do

    @rule(orders=st.lists(ORDERS, min_size=1, max_size=3), wait=WAITS)
    def some_are_submitted(self, orders: list[Order], wait: int) -> None:
        self.bench.pass_time(wait)
        for order in orders:
            self.one_is_submitted(order)

    def one_is_submitted(self, order: Order) -> None:
        self.settle()
        place = order.place
        amount = self.chosen(order.which, place)
        answer = self.submit(order, amount)
        id = self.references.get((place[0], order.reference or ""))
        refusal = self.refusal(place, amount)
        if id is None and refusal:
            assert answer[0::2] == (400, {"success": False, "message": refusal})
            return
        if id is None:
            id = self.take(place, int(amount), order.reference)
        assert answer[0::2] == (200, enveloped(self.submitted(id, answer)))

    def chosen(self, which: str, place: Place) -> Decimal:
        """Returns an amount in cents: what a row just allows, and what lies beside that."""
        row = self.rows.get(place, Row(1000, 0, 0, 1))
        most = max(2, self.available(place) - row.fee) if place in self.rows else 1000
        return Decimal(
            {
                "least": row.minimum,
                "below": max(1, row.minimum - 1),
                "all": most,
                "above": most + 1,
                "half": most // 2,
                "fraction": Decimal(most) - Decimal("0.5"),
            }[which]
        )

    def submit(self, order: Order, amount: Decimal) -> Answer:
        fields = {"currency": order.currency, "network": order.network, "to_address": ADDRESS}
        if order.reference is not None:
            fields["client_reference"] = order.reference
        written = format(amount / 100, "f")
        written = f'"{written}"' if order.quoted else written  # a float would lose its zeros
        body = posted(fields)[:-1] + f', "amount": {written}}}'.encode()
        target = self.bench.once("/v1/withdrawals")
        return self.bench.ask(self.cpg, "POST", target, body, order.label)

    def take(self, place: Place, amount: int, reference: str | None) -> int:
        id, now = len(self.known) + 1, self.bench.now
        due = None if self.after is None else now + self.after
        self.known[id] = Withdrawal(id, place, amount, self.rows[place].fee, now, due)
        if reference is not None:
            self.references[place[0], reference] = id
        return id

    def submitted(self, id: int, answer: Answer) -> dict[str, Any]:
        w = self.known[id]
        return {
            "withdrawal_id": id,
            "status": w.status,
            "tx_hash": self.hash(id, answer.body["data"]["tx_hash"]),
            "network": w.place[2],
            "currency": w.place[1],
            "to_address": ADDRESS,
            "amount_decimal": written(w.amount),
            "fee_decimal": written(w.fee),
        }

    def hash(self, id: int, answer: str) -> str:
        """Returns a withdrawal's hash, which is learned from the first answer."""
        assert re.fullmatch("0x[0-9a-f]{64}", answer)
        self.hashes.setdefault(id, answer)
        assert len(set(self.hashes.values())) == len(self.hashes)
        return self.hashes[id]

    @rule(id=mine(lambda m: m.ids()), label=LABELS, wait=WAITS)
    def one_is_looked_at(self, id: int, label: str, wait: int) -> None:
        self.bench.pass_time(wait)
        self.settle()
        self.is_shown(id, label)

    def is_shown(self, id: int, label: str) -> None:
        """Checks what a key sees of a withdrawal, which is nothing unless its account has it."""
        target = self.bench.once(f"/v1/withdrawals/{id}")
        answer = self.bench.ask(self.cpg, "GET", target, label=label)
        w = self.known.get(id)
        if w is None or w.place[0] != ACCOUNTS[label]:
            assert answer[0::2] == (404, {"success": False, "message": "Withdrawal not found"})
            return
        assert answer.body == enveloped(
            {
                "id": id,
                "currency": w.place[1],
                "network": w.place[2],
                "to_address": ADDRESS,
                "amount": written(w.amount),
                "fee": written(w.fee),
                "status": w.status,
                "tx_hash": self.hash(id, answer.body["data"]["tx_hash"]),
                "error_message": w.error,
                "requested_at": iso(w.requested),
                "broadcast_at": iso(w.requested),
                "confirmed_at": iso(w.confirmed),
            }
        )

    def ids(self) -> list[int]:
        """Returns the ids that there are, and the next."""
        return [*self.known, len(self.known) + 1]

    # What happens on the other side

    @rule(id=mine(lambda m: m.ids()), confirmed=st.booleans(), wait=WAITS)
    def an_event_is_told(self, id: int, confirmed: bool, wait: int) -> None:
        """Confirms one or lets it fail, which happens only to one that is under way."""
        self.bench.pass_time(wait)
        self.settle()
        w = self.known.get(id)
        good = w is not None and w.status == "broadcasted"
        with nullcontext() if good else pytest.raises(ValueError, match=f"withdrawal {id}"):
            if confirmed:
                self.cpg.event("withdrawal_confirmed", id=id)
            else:
                self.cpg.event("withdrawal_failed", id=id, error_message=f"lost {id}")
        if good and confirmed:
            self.confirm(w, self.bench.now)
        elif good:
            self.known[id] = replace(w, status="failed", error=f"lost {id}")

    @rule(
        place=st.sampled_from(sorted(ROWS)),
        how=st.sampled_from(["credit", "debit", "hold", "release"]),
        share=st.sampled_from(["half", "all", "all", "above"]),
        order=ORDERS,
        wait=WAITS,
    )
    def control_moves_money(
        self, place: Place, how: str, share: str, order: Order, wait: int
    ) -> None:
        """Moves what there is, half of that, or too much; then somebody wants to withdraw."""
        self.bench.pass_time(wait)
        self.settle()
        row, free = self.rows[place], self.available(place)
        most = {"credit": 1000, "debit": free, "hold": free, "release": row.own}[how]
        beyond = self.held(place) if how == "release" else most
        cents = {"half": most // 2, "all": most, "above": beyond + 1}[share]
        good = share != "above" or how == "credit"
        account, currency, network = place
        if cents:
            with nullcontext() if good else pytest.raises(ValueError, match="must lie between"):
                getattr(self.cpg, how)(account, currency, written(cents), network)
        if good:
            signed = cents if how in {"credit", "hold"} else -cents
            member = "total" if how in {"credit", "debit"} else "own"
            self.rows[place] = replace(row, **{member: getattr(row, member) + signed})
        self.one_is_submitted(order)

    @invariant()
    def every_row_is_what_the_arithmetic_says(self) -> None:
        self.settle()
        for label in ("main", "other"):
            target = self.bench.once("/v1/balances")
            answer = self.bench.ask(self.cpg, "GET", target, label=label)
            rows = [self.expected_row(place) for place in ROWS if place[0] == ACCOUNTS[label]]
            assert answer.body == enveloped(rows) | {"data_count": len(rows)}

    @invariant()
    def every_withdrawal_is_where_it_should_be(self) -> None:
        self.settle()
        for w in self.known.values():
            self.is_shown(w.id, "other" if w.place[0] == "two" else "second")

    def expected_row(self, place: Place) -> dict[str, str]:
        return {
            "currency": place[1],
            "network": place[2],
            "balance": written(self.rows[place].total),
            "held": written(self.held(place)),
            "available": written(self.available(place)),
        }


def enveloped(data: Any) -> dict[str, Any]:
    return {"success": True, "message": "OK", "data": data}


def test_the_ledger_adds_up_whatever_becomes_of_withdrawals() -> None:
    run_state_machine_as_test(Withdrawals, settings=PLAN)
