"""Pairs of which the large one may cost hardly more than the small one, counted in instructions.

A pair's ``small`` and ``large`` set something up, and do it ``with counting():``. The sizes are
a small part of those that ``cases`` measures in CPU: what grows shows in instructions at once.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from benchmarks.growth.asking import change, took
from benchmarks.growth.cases import GROWING, Case
from benchmarks.growth.ledgers import accounts, chosen, listed, pending, records, rows
from benchmarks.growth.requests import Asks, asks, request
from benchmarks.growth.rules import KINDS, ruled
from benchmarks.growth.traffic import addresses, callers, filled, gone, remembered
from benchmarks.growth.worlds import box, world
from mockserver.client.server import HandClock
from mockserver.engine import limits, pipeline
from mockserver.engine.limits import BanList, FixedWindow, RollingWindow
from mockserver.engine.sandbox import Sandbox
from mockserver.explain import Explanation
from mockserver.explain.time_budget import RESERVE, SHED, TimeBudget
from mockserver.model.http import Request, UnsignedRequest
from mockserver.model.provider import BanPolicy, Limit
from mockserver.model.times import SECOND
from mockserver.providers import discover

Counting = Callable[[], Any]  # makes a context: what happens inside is counted
Work = Callable[[Counting], None]

FLAT = 1.15
RULED = 1.5
FORGETTING = 2.0  # the new caller takes the place of an old one
LINEAR = 5.0  # for what is four times as long
REFUSAL = 3.0  # for a refusal beside a good request
TURN = 20


class Pair(NamedTuple):
    """``large`` may take at most ``most`` times the instructions of ``small``."""

    name: str
    most: float
    small: Work
    large: Work


CASES = [
    Case("accounts", "coinapi", accounts, 1, 2_000),
    Case("a page of all accounts", "cdp", listed, 21, 2_000),
    Case("a page of all rows", "cdp", rows, 21, 2_000),
    Case("one currency of all", "cpg", chosen, 20, 2_000),
    Case("a page, one row changed", "cdp", rows, 21, 2_000, changes=True),
    Case("a currency, one row changed", "cpg", chosen, 20, 2_000, changes=True),
    Case("callers, coinapi", "coinapi", callers, 1, 100),
    Case("callers, coinstats", "coinstats", callers, 1, 100),
    Case("callers, cpg", "cpg", callers, 1, 100),
    Case("addresses", "coinw", addresses, 1, 200),
    Case("a full journal", "coinapi", filled(1), 0, 1_000),
    Case("a large replay memory", "cpg", remembered, 0, 10_000),
    Case("pending events", "coinapi", pending, 0, 2_000),
    Case("withdrawals", "cpg", records, 1, 2_000),
    Case("a window that has passed", "cdp", gone, 0, 2_000),
]
RULES = [
    *[("coinapi", [kind]) for kind in KINDS],
    ("coinapi", [*KINDS]),
    *[(name, [*KINDS][2:]) for name in GROWING],
]


def pairs() -> Iterator[Pair]:
    """Yields all of them."""
    for case in CASES:
        yield _grown(case, FLAT)
    for name, kinds in RULES:
        kind = kinds[0] if len(kinds) == 1 else f"{len(kinds)} kinds"
        yield _grown(Case(f"rules for others, {name}: {kind}", name, ruled(kinds), 0, 250), RULED)
    first = partial(_first_requests, discover()["coinapi"])
    yield Pair("the first request of a caller", FLAT, partial(first, 20), partial(first, 400))
    for kind, make in MEETING.items():
        meet = partial(_meeting, make)
        yield Pair(f"a new caller, {kind}", FORGETTING, partial(meet, 0), partial(meet, CALLERS))
    yield Pair("a refusal that is not explained", REFUSAL, _good, _refused)
    for name, provider in discover().items():
        for shape, made in (PATHS | HUGE if name == PATHS_OF else HUGE).items():
            long = partial(_long, provider.name, made)
            yield Pair(f"{name}: {shape}", LINEAR, partial(long, LONG), partial(long, TIMES * LONG))


def _grown(case: Case, most: float) -> Pair:
    provider = discover()[case.provider]

    def work(size: int, counting: Counting) -> None:
        ask: Asks = case.build(provider, size)
        asked = [*ask(TURN)]
        if not case.changes:
            with counting():
                took(provider.name, asked)
            return
        for sandbox, one in asked:
            change(sandbox, provider.name, "0.000001")
            with counting():
                took(provider.name, [(sandbox, one)])

    return Pair(case.name, most, partial(work, case.small), partial(work, case.large))


def _first_requests(provider: Any, many: int, counting: Counting) -> None:
    ask = asks(box(world(provider, keys=many)), provider, callers=many)
    asked = ask(20)
    with counting():
        took(provider.name, asked)


# Callers that a limit meets for the first time, when it has forgotten others

CALLERS = 2_000
NEW = 300


def _spending(kind: type[FixedWindow | RollingWindow]) -> Callable[[str], None]:
    window = kind(Limit("reads", 1_000, 60 * SECOND))
    return lambda caller: window.charge(caller, SECOND)


def _offending() -> Callable[[str], None]:
    offenders = BanList(BanPolicy("ip", 80, SECOND, SECOND, SECOND, 10, SECOND))
    return lambda caller: offenders.count_offence(caller, SECOND)


MEETING: dict[str, Callable[[], Callable[[str], None]]] = {
    "fixed window": partial(_spending, FixedWindow),
    "rolling window": partial(_spending, RollingWindow),
    "penalties": _offending,
}


def _meeting(make: Callable[[], Callable[[str], None]], known: int, counting: Counting) -> None:
    limits.CALLERS_MAX = max(CALLERS // 2, 2 * NEW)
    meet, new = make(), map(str, range(10**9, 2 * 10**9))
    for caller in islice(new, known):
        meet(caller)
    some = [*islice(new, NEW)]
    with counting():
        for caller in some:
            meet(caller)


# What is refused beside what is good


def _cpg(sandbox: Sandbox, good: bool) -> list[Request]:
    provider = discover()["cpg"]
    found = [one for _, one in asks(sandbox, provider)(TURN)]
    if good:
        return found
    return [
        Request(r.method, r.path, r.query + b"x", r.headers, r.body, r.peer, r.path) for r in found
    ]


def _good(counting: Counting) -> None:
    sandbox = box(world(discover()["cpg"]))
    asked = _cpg(sandbox, good=True)
    with counting():
        took("cpg", [(sandbox, one) for one in asked])


def _refused(counting: Counting) -> None:
    sandbox = box(world(discover()["cpg"]))
    asked = _cpg(sandbox, good=False)
    sandbox.explanation_budget = _spent()
    with counting():
        took("cpg", [(sandbox, one) for one in asked])
    explained = {entry.explanation for entry in sandbox.journal.entries}
    if explained != {SHED}:
        raise RuntimeError(f"refusals were explained: {explained}")


def _spent() -> TimeBudget:
    """Returns an allowance that has been used up, on a clock that stands."""
    clock = HandClock(0)
    allowance = TimeBudget(clock)

    def explain() -> Explanation:
        clock.now += 2 * RESERVE
        return Explanation("", "", "", "")

    allowance.spend(explain)
    return allowance


# What is huge, four times as huge

LONG, TIMES = 5_000, 4


def _get(target: str, headers: dict[str, str], method: str = "GET") -> UnsignedRequest:
    path, _, query = target.partition("?")
    named = tuple((name.encode(), value.encode()) for name, value in headers.items())
    return UnsignedRequest(method, "127.0.0.1", path.encode(), query.encode(), named)


PATHS_OF = "coinapi"  # no provider explains a path by itself, so one of them will do
PATHS: dict[str, Callable[[int], UnsignedRequest]] = {
    "a path": lambda n: _get("/" + "a" * n, {}),
    "a path of slashes": lambda n: _get("/" * n, {}),
    "a path of parts": lambda n: _get("/a" * (n // 2), {}),
    "a path of escapes": lambda n: _get("/%41" * (n // 4), {}),
    "a path that is nearly one": lambda n: _get("/v1/balances" * (n // 12), {}),
    "a whole URL": lambda n: _get("/https://" + "h" * n + "/v1/balances", {}),
    "an account": lambda n: _get("/v2/accounts/" + "b" * n, {}),
}
HUGE: dict[str, Callable[[int], UnsignedRequest]] = {
    "a command": lambda n: _get("/api/v1/private?command=" + "r" * n, {}, "POST"),
    "a header": lambda n: _get("/v1/balances", {"X-Long": "a" * n}),
    "a bearer": lambda n: _get("/v1/balances", {"Authorization": "Bearer " + "a" * n}),
    "a token": lambda n: _get("/v1/balances", {"Authorization": "Bearer e30." + "a" * n + ".a"}),
    "a key": lambda n: _get("/v1/balances", {"X-CPG-Key": "a" * n, "X-CoinAPI-Key": "a" * n}),
    "many headers": lambda n: _get("/v1/balances", {f"X-{i}": "b" for i in range(n // 80)}),
    "a query": lambda n: _get("/v1/balances?a=" + "a" * n, {}),
    "many parameters": lambda n: _get("/v1/balances?" + "a=b&" * (n // 4), {}),
}


def _long(
    provider: str, made: Callable[[int], UnsignedRequest], size: int, counting: Counting
) -> None:
    asked = discover()[provider]
    sandbox = box(world(asked))
    first, second = (request(made(size + n), asked) for n in (1000, 0))
    pipeline.respond(sandbox, provider, first)
    with counting():
        pipeline.respond(sandbox, provider, second)
