"""A page of a ledger: where it begins, and what of the rows it holds."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from msgspec.structs import fields

from mockserver.control.routes import ControlError
from mockserver.engine.provider_state import ProviderState
from mockserver.engine.sandbox import Sandbox
from mockserver.model.amounts import Amount, minus, text
from mockserver.model.world import Row

PAGE = 1_000  # rows
AFTER = re.compile(r"([0-9]{1,9})\.([0-9]{1,9})\.([0-9]{1,9})")

Start = tuple[int, int, int]  # of a page: which provider, which of its accounts, which row


def page(sandbox: Sandbox, after: str, limit: int) -> dict[str, Any]:
    """Returns at most ``limit`` rows by provider and account, and where to go on.

    An account counts as one row more, or many without rows would make a page without end. Raises
    Refused.
    """
    start = AFTER.fullmatch(after)
    if start is None:
        raise ControlError(400, f"{after} is no place in a ledger", "?after", "give what next said")
    sandbox.run_due_events()
    at: Start = (int(start[1]), int(start[2]), int(start[3]))
    told: dict[str, Any] = {name: {} for name in sandbox.states}
    left = limit
    for place, state, id in _accounts(sandbox, at):
        if left <= 0:
            return {"next": _written(*place, 0)} | told
        first = at[2] if place == at[:2] else 0
        account, rows = taken(sandbox, state, id, first, left)
        shown_rows = [shown(row) for row in rows]
        told[state.provider.name][id] = {
            "account": id,
            "label": account.label or id,
            "balances": shown_rows,
        }
        if len(rows) == left and first + left < len(state.ledger.accounts[id].rows):
            return {"next": _written(*place, first + left)} | told
        left -= max(1, len(rows))
    return {"next": None} | told


def _written(provider: int, account: int, row: int) -> str:
    return f"{provider}.{account}.{row}"


def _accounts(sandbox: Sandbox, at: Start) -> Iterator[tuple[tuple[int, int], ProviderState, str]]:
    """Yields the accounts from a place on; there are never others in a ledger."""
    for n, state in islice(enumerate(sandbox.states.values()), at[0], None):
        first = at[1] if n == at[0] else 0
        for m, id in islice(enumerate(state.ledger.accounts), first, None):
            yield (n, m), state, id


def taken(
    sandbox: Sandbox, state: ProviderState, id: str, first: int = 0, most: int | None = None
) -> tuple[Any, list[Row]]:
    """Returns an account and its rows as they are now; the lock is held for a copy of the list.

    Rows that a recipe makes are made before that.
    """
    _ = state.ledger.accounts[id].rows
    with sandbox.lock:
        held = state.ledger.accounts[id]
        return held.account, [*islice(held.rows.values(), first, most and first + most)]


def shown(row: Row) -> dict[str, Any]:
    """Returns a row with its amounts as text, and what is available."""
    told = {f.name: getattr(row, f.name) for f in fields(row)}
    told["available"] = minus(row.total, row.held)
    return {k: text(v) if isinstance(v, Amount) else v for k, v in told.items()}
