"""Withdrawals: submission holds amount + fee, confirmation lowers the balance.

A withdrawal is broadcast at once; an event settles it, from the control API or from
the sandbox clock (quirk ``confirm_after``).
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mockserver.model.amounts import Amount, minus, plus, text
from mockserver.model.http import Request
from mockserver.model.provider import Answer
from mockserver.model.reject import Reject
from mockserver.model.signing import seeded
from mockserver.model.times import SECOND
from mockserver.model.world import ZERO, Change, Event, Move, PutRecord, Schedule, View
from mockserver.providers.cpg.addresses import is_possible
from mockserver.providers.cpg.balances import RowFilter, matching_rows, success
from mockserver.providers.cpg.orders import Order
from mockserver.providers.cpg.world import Balance, scale

KIND = "withdrawal"
REFERENCE = "withdrawal reference"


class Withdrawal(Struct, frozen=True, kw_only=True):
    """One withdrawal; times in nanoseconds since the epoch, on the sandbox clock."""

    id: int
    account: str
    currency: str
    network: str
    decimals: int
    to_address: str
    amount: Amount
    fee: Amount
    tx_hash: str
    requested_at: int
    status: str = "broadcasted"  # fact: cpg-withdrawal-states
    error_message: str | None = None
    confirmed_at: int | None = None

    @property
    def hold(self) -> Amount:
        """The amount that it holds: amount + fee."""
        return plus(self.amount, self.fee)


RECORDS = {KIND: dict[int, Withdrawal], REFERENCE: dict[tuple[str, str], int]}


def submit(view: View, order: Order) -> Answer:
    """Submits a withdrawal, or returns the one with the same reference; raises Reject."""
    account = view.credential.account
    reference = (account, order.reference)  # fact: cpg-withdrawal-reference-scope
    known_id = view.records.get(REFERENCE, {}).get(reference)
    if known_id is not None:  # fact: cpg-withdrawal-reference, cpg-withdrawal-reference-answer
        return Answer(_submission_body(view.records[KIND][known_id]))
    withdrawal = _new_withdrawal(view, account, _paying_row(view, account, order), order)
    changes: list[Change] = [
        _move(withdrawal, held=withdrawal.hold),  # fact: cpg-withdrawal-hold
        PutRecord(KIND, withdrawal.id, withdrawal),
    ]
    if order.reference is not None:
        changes.append(PutRecord(REFERENCE, reference, withdrawal.id))
    if view.quirks["confirm_after"] != "off":
        confirm_at = view.now + view.quirks["confirm_after"]
        changes.append(Schedule(confirm_at, WithdrawalConfirmed(withdrawal.id)))
    return Answer(_submission_body(withdrawal), tuple(changes))


# fact: cpg-business-rule-texts
def _paying_row(view: View, account: str, order: Order) -> Balance:
    """Returns the row that pays; raises Reject for a broken business rule."""
    row_filter = RowFilter(order.currency, order.network)  # fact: cpg-withdrawal-currency
    row = next(iter(matching_rows(view.accounts[account], row_filter)), None)
    if row is None:
        raise Reject("business_rule", message="Unsupported currency or network")
    # fact: cpg-address-check, cpg-address-rejected
    if view.quirks["address_check"] == "on" and not is_possible(order.to_address, row.venue):
        raise Reject("business_rule", message="Invalid destination address")
    if scale(order.amount) > row.decimals:
        raise Reject("business_rule", message="Amount has too many decimal places")
    if order.amount < row.minimum:  # fact: cpg-withdrawal-minimum
        raise Reject("business_rule", message="Amount is below the minimum")
    # fact: cpg-withdrawal-available
    if plus(order.amount, row.fee) > minus(row.total, row.held):
        raise Reject("business_rule", message="Insufficient balance")
    return row


def _new_withdrawal(view: View, account: str, row: Balance, order: Order) -> Withdrawal:
    id = len(view.records.get(KIND, {})) + 1  # fact: cpg-withdrawal-ids
    return Withdrawal(
        id=id,
        account=account,
        currency=row.asset,
        network=row.venue,
        decimals=row.decimals,
        to_address=order.to_address,
        amount=order.amount,
        fee=row.fee,
        tx_hash="0x" + seeded(view.seed, "cpg", "tx_hash", id).hex(),
        requested_at=view.now,
    )


def _move(withdrawal: Withdrawal, total: Amount = ZERO, held: Amount = ZERO) -> Move:
    return Move(withdrawal.account, withdrawal.currency, withdrawal.network, total, held)


def _submission_body(withdrawal: Withdrawal) -> dict[str, Any]:
    # fact: cpg-withdrawal-submitted
    return success(
        {
            "withdrawal_id": withdrawal.id,
            "status": withdrawal.status,
            "tx_hash": withdrawal.tx_hash,
            "network": withdrawal.network,
            "currency": withdrawal.currency,
            "to_address": withdrawal.to_address,
            "amount_decimal": text(withdrawal.amount, withdrawal.decimals),
            "fee_decimal": text(withdrawal.fee, withdrawal.decimals),
        }
    )


def parse_id(request: Request, path: Mapping[str, str]) -> int:
    """Returns the withdrawal's id; raises Reject unless it is 1 to 18 digits."""
    id = path["id"]
    if not (id.isascii() and id.isdigit() and len(id) <= 18):  # fact: cpg-withdrawal-bad-id
        raise Reject("bad_request", message="id: Input should be a valid integer")
    return int(id)


def show(view: View, id: int) -> Answer:
    """Returns one of the caller's withdrawals; raises Reject for any other id."""
    withdrawal: Withdrawal | None = view.records.get(KIND, {}).get(id)
    # fact: cpg-withdrawal-foreign
    if withdrawal is None or withdrawal.account != view.credential.account:
        raise Reject("not_found")
    requested = _iso(withdrawal.requested_at)
    # fact: cpg-withdrawal-shown
    return Answer(
        success(
            {
                "id": withdrawal.id,
                "currency": withdrawal.currency,
                "network": withdrawal.network,
                "to_address": withdrawal.to_address,
                "amount": text(withdrawal.amount, withdrawal.decimals),
                "fee": text(withdrawal.fee, withdrawal.decimals),
                "status": withdrawal.status,
                "tx_hash": withdrawal.tx_hash,
                "error_message": withdrawal.error_message,
                "requested_at": requested,
                "broadcast_at": requested,
                "confirmed_at": _iso(withdrawal.confirmed_at),
            }
        )
    )


def _iso(time: int | None) -> str | None:
    """Writes nanoseconds since the epoch as UTC, to the second."""
    if time is None:
        return None
    # fact: cpg-withdrawal-times
    return datetime.fromtimestamp(time // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class WithdrawalConfirmed(Event, frozen=True, tag="withdrawal_confirmed"):
    """The network confirms a withdrawal: the balance falls by what was held."""

    id: int

    def changes(self, view: View) -> tuple[Change, ...]:
        """Lowers total and held by amount + fee."""
        withdrawal = _pending(view, self.id)
        decrease = minus(ZERO, withdrawal.hold)
        settled = replace(withdrawal, status="confirmed", confirmed_at=view.now)
        # fact: cpg-withdrawal-confirmed
        return _move(withdrawal, decrease, decrease), PutRecord(KIND, self.id, settled)


class WithdrawalFailed(Event, frozen=True, tag="withdrawal_failed"):
    """A withdrawal fails: the hold is released."""

    id: int
    error_message: str = "Transaction failed"

    def changes(self, view: View) -> tuple[Change, ...]:
        """Lowers held by amount + fee."""
        withdrawal = _pending(view, self.id)
        settled = replace(withdrawal, status="failed", error_message=self.error_message)
        # fact: cpg-withdrawal-failed
        released = _move(withdrawal, held=minus(ZERO, withdrawal.hold))
        return released, PutRecord(KIND, self.id, settled)


def _pending(view: View, id: int) -> Withdrawal:
    """Returns a withdrawal that is not settled; raises ValueError."""
    withdrawal: Withdrawal | None = view.records.get(KIND, {}).get(id)
    if withdrawal is None:
        raise ValueError(f"no withdrawal {id}")
    if withdrawal.status != "broadcasted":
        raise ValueError(f"withdrawal {id} is {withdrawal.status} already")
    return withdrawal
