"""Responds to a request as a sandbox would now, and leaves no trace in it."""

import copy

from msgspec.structs import replace

from mockserver.engine import pipeline
from mockserver.engine.journal import JournalEntry
from mockserver.engine.sandbox import Sandbox
from mockserver.model.http import Request

NO_CHECKPOINT = 1 << 62  # bytes: the copy needs no history


def dry_run(sandbox: Sandbox, provider: str, request: Request) -> JournalEntry:
    """Returns the journal entry that a request would get, as if no fault rule were set.

    It is answered by a copy of the sandbox: its keys, ledger, settings, limits and clocks.
    """
    with sandbox.lock:
        state, clock = replace(sandbox.state(), rules=()), copy.copy(sandbox.clock)
        scratch = Sandbox(
            sandbox.id,
            sandbox.world,
            clock.real,
            sandbox.initial_settings,
            monotonic=clock.monotonic,
        )
        scratch.history.left = NO_CHECKPOINT
        scratch.return_to(state)
    scratch.clock = clock
    scratch.owner_of = sandbox.owner_of
    pipeline.respond(scratch, provider, request)
    return scratch.journal.entries[-1]
