"""Requests put to the pipeline, and the CPU that they take."""

import time
from collections.abc import Sequence

from benchmarks.growth.requests import Ask, Asks
from mockserver.engine import pipeline
from mockserver.engine.sandbox import Sandbox
from mockserver.model.amounts import Amount
from mockserver.model.http import Request
from mockserver.model.provider import Provider
from mockserver.model.world import Move

PART = 500  # requests of a warm-up that are held at a time


def answered(sandbox: Sandbox, provider: str, asked: Request) -> bytes:
    """Returns the body of a good answer."""
    response = pipeline.respond(sandbox, provider, asked).response
    if response.status != 200:
        raise RuntimeError(f"{provider} answered {response.status}: {response.body[:200]!r}")
    return response.body


def took(provider: str, asked: Sequence[Ask]) -> float:
    """Returns the microseconds of CPU that each request took."""
    began = time.process_time()
    for sandbox, one in asked:
        pipeline.respond(sandbox, provider, one)
    return (time.process_time() - began) * 1e6 / max(len(asked), 1)


def took_changing(provider: str, asked: Sequence[Ask]) -> float:
    """Returns the same where a row of the ledger changes, uncounted, before each request."""
    total = 0.0
    for sandbox, one in asked:
        change(sandbox, provider, "0.000001")
        total += took(provider, [(sandbox, one)])
    return total / len(asked)


def change(sandbox: Sandbox, provider: str, amount: str) -> None:
    """Adds so much to the first row of the first account."""
    id, held = next(iter(sandbox.states[provider].ledger.accounts.items()))
    asset, venue = next(iter(held.rows))
    sandbox.change(provider, Move(id, asset, venue, total=Amount(amount)))


def warmed(provider: Provider, ask: Asks, count: int = 1) -> Asks:
    """Asks so many things twice, since what comes twice is remembered from then on.

    The journals are to forget it; what else is kept then stays.
    """
    for begun in range(0, 2 * count, PART):
        asked = ask(min(PART, 2 * count - begun))
        took(provider.name, asked)
        for sandbox, _ in asked:
            sandbox.journal.clear()
    return ask
