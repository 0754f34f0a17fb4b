"""Pages of a ledger: where a page begins, and which rows it holds."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from msgspec.structs import fields

from mockserver.engine.provider_state import ProviderState
from mockserver.engine.sandbox import Sandbox
from mockserver.errors import InvalidCall
from mockserver.model.amounts import Amount, minus, text
from mockserver.model.world import Row

PAGE_MAX = 1_000  # rows
CURSOR = re.compile(r"([0-9]{1,9})\.([0-9]{1,9})\.([0-9]{1,9})")

Cursor = tuple[int, int, int]  # the number of a provider, of its account, of the account's row


def page(sandbox: Sandbox, after: str, limit: int) -> dict[str, Any]:
    """Returns at most ``limit`` rows by provider and account, and ``next``, the next cursor.

    An account counts as one row at least, so that accounts without rows fill a page too. Raises
    InvalidCall.
    """
    start = _parse_cursor(after)
    sandbox.run_due_events()
    pages: dict[str, Any] = {name: {} for name in sandbox.states}
    left = limit
    for place, state, id in _accounts(sandbox, start):
        if left <= 0:
            return {"next": _cursor_text(*place, 0)} | pages
        first = start[2] if place == start[:2] else 0
        account, rows = rows_snapshot(sandbox, state, id, first, left)
        pages[state.provider.name][id] = {
            "account": id,
            "label": account.label or id,
            "balances": [row_document(row) for row in rows],
        }
        if len(rows) == left and first + left < len(state.ledger.accounts[id].rows):
            return {"next": _cursor_text(*place, first + left)} | pages
        left -= max(1, len(rows))
    return {"next": None} | pages


def _parse_cursor(after: str) -> Cursor:
    match = CURSOR.fullmatch(after)
    if match is None:
        raise InvalidCall(f"{after} is not a cursor", "?after", "give the next of a page")
    return int(match[1]), int(match[2]), int(match[3])


def _cursor_text(provider: int, account: int, row: int) -> str:
    return f"{provider}.{account}.{row}"


def _accounts(
    sandbox: Sandbox, start: Cursor
) -> Iterator[tuple[tuple[int, int], ProviderState, str]]:
    """Yields the accounts from a cursor on; a ledger's accounts never change."""
    for n, state in islice(enumerate(sandbox.states.values()), start[0], None):
        first = start[1] if n == start[0] else 0
        for m, id in islice(enumerate(state.ledger.accounts), first, None):
            yield (n, m), state, id


def rows_snapshot(
    sandbox: Sandbox, state: ProviderState, id: str, first: int = 0, limit: int | None = None
) -> tuple[Any, list[Row]]:
    """Returns an account and its rows; the lock is held only to copy the list.

    Generated rows are created before that.
    """
    _ = state.ledger.accounts[id].rows
    with sandbox.lock:
        account_rows = state.ledger.accounts[id]
        end = None if limit is None else first + limit
        return account_rows.account, [*islice(account_rows.rows.values(), first, end)]


def row_document(row: Row) -> dict[str, Any]:
    """Returns a row as JSON data: amounts as text, and what is available."""
    members = {f.name: getattr(row, f.name) for f in fields(row)}
    members["available"] = minus(row.total, row.held)
    return {k: text(v) if isinstance(v, Amount) else v for k, v in members.items()}
