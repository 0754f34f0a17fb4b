"""What grows beside a ledger: each makes sandboxes with so much of it, and what asks them."""

import itertools
import time
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from benchmarks.growth.asking import took, warmed
from benchmarks.growth.requests import Ask, Asks, asks
from benchmarks.growth.worlds import box, world
from mockserver.engine.limits import window
from mockserver.engine.sandboxes import Sandboxes
from mockserver.faults.parsing import RuleParser
from mockserver.model.provider import Provider
from mockserver.model.signing import seeded
from mockserver.model.times import SECOND
from mockserver.providers import discover

REFUSED_EACH = 50  # requests, one of which is refused
GONE = 2 * 3600 * SECOND  # longer ago than any window is long


def sandboxes(provider: Provider, size: int) -> Asks:
    """So many sandboxes, asked in turn."""
    first = world(provider)
    known = Sandboxes(box(first), time.time_ns)
    settings = known.default.initial_settings
    made = [known.make(f"box-{n}", first, settings, 3600 * SECOND) for n in range(size)]
    each = itertools.cycle([asks(sandbox, provider) for sandbox in made])
    return warmed(provider, lambda many: [next(each)(1)[0] for _ in range(many)], size)


def rules(operation: str) -> Callable[[Provider, int], Asks]:
    """Makes what sets so many rules, for an operation or for a header that no request has."""

    def build(provider: Provider, size: int) -> Asks:
        sandbox = box(world(provider))
        match = {"provider": provider.name}
        match |= {"operation": operation} if operation else {}
        parser = RuleParser(discover())
        made = [
            {
                "name": f"rule-{n}",
                "match": match if operation else match | {"header": {"x-rule": f"{n}"}},
                "answer": {"reject": "internal_error"},
            }
            for n in range(size)
        ]
        sandbox.rulebook.put([parser.parse(rule) for rule in made], sandbox.clock.now())
        return warmed(provider, asks(sandbox, provider))

    return build


def callers(provider: Provider, size: int) -> Asks:
    """So many callers with a key and an account each, who ask in turn."""
    sandbox = box(world(provider, keys=size))
    return warmed(provider, asks(sandbox, provider, callers=size), size)


def addresses(provider: Provider, size: int) -> Asks:
    """One caller who comes from so many addresses in turn."""
    return warmed(provider, asks(box(world(provider)), provider, peers=size), size)


def filled(rows: int) -> Callable[[Provider, int], Asks]:
    """Makes what fills a journal with so many entries, each with the answer of so many rows."""

    def build(provider: Provider, size: int) -> Asks:
        sandbox = box(world(provider, rows=rows))
        more = asks(sandbox, provider)
        took(provider.name, more(size))

        def ask(many: int) -> Sequence[Ask]:
            if not size:
                sandbox.journal.clear()
            return more(many)

        return ask

    return build


def remembered(provider: Provider, size: int) -> Asks:
    """So many digests in the replay memory."""
    sandbox = box(world(provider))
    memory = sandbox.states[provider.name].replay
    for n in range(size):
        memory.accept(seeded(n, size=61), time.time_ns(), GONE)
    return warmed(provider, asks(sandbox, provider))


def refused(provider: Provider, size: int) -> Asks:
    """One request that is refused, and explained while time for it is left, among 50; or none."""
    sandbox = box(world(provider))
    more = warmed(provider, asks(sandbox, provider))

    def ask(many: int) -> Sequence[Ask]:
        found = [*more(many)]
        for n in range(0, many - 1, REFUSED_EACH) if size else ():
            one = found[n][1]
            found[n] = sandbox, replace(one, query=one.query + b"&x=1")  # the signature covers it
        return found

    return ask


def gone(provider: Provider, size: int) -> Asks:
    """A caller who asks again after a pause, with so many requests in a window that has passed."""
    sandbox = box(world(provider))
    state = sandbox.states[provider.name]
    more = warmed(provider, asks(sandbox, provider))

    def ask(many: int) -> Sequence[Ask]:
        counter = state.counters["reads"] = window(state.counters["reads"].limit)
        before = time.time_ns() - GONE
        for _ in range(size):
            counter.charge("main", before)
        return more(many)

    return ask
