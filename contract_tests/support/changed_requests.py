"""Requests changed on their way, and the state that a refused one leaves alone."""

from collections.abc import Callable
from typing import Any

from mockserver import MockServer

Change = Callable[[bytes], bytes]


def state(server: MockServer) -> dict[str, Any]:
    """Returns every row and every record of the ledger."""
    with server.app.sandboxes.default.lock:
        return {
            name: (
                {account: dict(held.rows) for account, held in state.ledger.accounts.items()},
                {kind: dict(records) for kind, records in state.ledger.records.items()},
            )
            for name, state in server.app.sandboxes.default.states.items()
        }


def instead(old: bytes, new: bytes) -> Change:
    """Puts bytes in the place of others, once."""
    return lambda data: data.replace(old, new, 1)
