"""Responds to a request as a sandbox would now, and leaves no trace in it."""

import copy

from mockserver.engine import pipeline
from mockserver.engine.journal import JournalEntry
from mockserver.engine.sandbox import Sandbox
from mockserver.model.http import Request


def dry_run(sandbox: Sandbox, provider: str, request: Request) -> JournalEntry:
    """Returns the journal entry that a request would get, as if no fault rule were set.

    It is answered by a copy of the sandbox's keys, ledger, settings and clocks; its limits and
    its replay memory are empty.
    """
    with sandbox.lock:
        clock = sandbox.clock
        scratch = Sandbox(
            sandbox.id,
            sandbox.world,
            clock.real,
            sandbox.settings,
            monotonic=clock.monotonic,
        )
        scratch.clock = copy.copy(clock)
        scratch.owner_of = sandbox.owner_of
        state, own = scratch.states[provider], sandbox.states[provider]
        for key in own.keyring.credentials.values():
            if key != state.keyring.with_label(key.label):
                state.keyring.put(key)
        state.ledger.accounts = own.ledger.accounts
        state.ledger.records = {kind: dict(rows) for kind, rows in own.ledger.records.items()}
    pipeline.respond(scratch, provider, request)
    return scratch.journal.entries[-1]
