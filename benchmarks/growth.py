"""What a request costs when there is much of something, beside what it costs when there is little.

``python -m benchmarks.growth`` prints every figure; ``--quick`` sees that it runs. Each case has
a process of its own, in which requests for the small and for the large sandbox take turns; what
counts is the least CPU of several turns, so that a neighbour on the core is not in it. No socket
is in it either: it is the pipeline that may grow.
"""

import argparse
import gc
import itertools
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from benchmarks.subject import ENDLESS, ROOT, raised
from mockserver.edge import worlds
from mockserver.edge.auth import Auth
from mockserver.edge.control.sandboxes import credentials
from mockserver.engine import journal, pipeline, replay
from mockserver.engine.faults.reading import Reader
from mockserver.engine.limits import window
from mockserver.engine.sandbox import Sandbox
from mockserver.engine.sandboxes import DEFAULT, Sandboxes
from mockserver.engine.settings import Settings
from mockserver.engine.world import World
from mockserver.providers import discover
from mockserver.wire.amount import Amount
from mockserver.wire.duration import SECOND
from mockserver.wire.message import Draft, Request
from mockserver.wire.provider import Once, Person, Provider
from mockserver.wire.signing import seeded
from mockserver.wire.world import KeyRevoked, Move, Put, Schedule

HOST = "http://127.0.0.1"
TURNS = 9
PER_TURN = 500
QUICK = 20  # times less of everything, where that is asked for
ROWS = 20
GONE = 2 * 3600 * SECOND  # longer ago than any window is long

Ask = tuple[Sandbox, Request]
Asks = Callable[[int], Sequence[Ask]]  # makes so many requests that the sandbox will accept


class Figure(Struct, frozen=True):
    """CPU per request in microseconds, small and large, and what one more of it takes."""

    name: str
    small: float
    large: float
    ratio: float
    memory: str


class Case(NamedTuple):
    """What grows: ``build`` makes a sandbox with so many, and what asks it.

    Memory is told for each ``unit``; before every request one row ``changes``, if it says so.
    """

    name: str
    provider: str
    build: Callable[[Provider, int], Asks]
    small: int
    large: int
    unit: str = ""
    changes: bool = False
    turn: int = PER_TURN


# Worlds


def world(provider: Provider, accounts: int = 1, keys: int = 1, rows: int = ROWS) -> World:
    """Makes one provider's world: an account with rows for each key, and more without either."""
    made = [provider.holder(_person(n)) for n in range(keys)]  # type: ignore[misc]
    recipe = {"generate": {"rows": rows, "seed": 1}}
    section = {
        "keys": {_person(n).label: key for n, (key, _, _) in enumerate(made)},
        "accounts": {id: account | recipe for _, id, account in made},
    }
    first = made[0][2]
    for n in range(keys, accounts):
        section["accounts"][f"account_{n:036x}"] = first | {"label": f"more-{n}"}
    return worlds.from_data({provider.name: section}, "grown")


def _person(n: int) -> Person:
    label = f"caller-{n}" if n else "main"
    return Person(label, label, seeded(1, "growth", n, size=64))


def box(world: World, id: str = DEFAULT) -> Sandbox:
    """Makes a sandbox whose limits are on and out of reach."""
    settings = Settings(limits=raised(discover()), quirks=ENDLESS)
    return Sandbox(id, world, time.time_ns, settings)


# Requests


def request(draft: Draft, peer: str = "127.0.0.1") -> Request:
    """Returns a request as the server would receive it."""
    headers = [(b"host", b"127.0.0.1"), (b"user-agent", b"python-requests/2.32")]
    headers += [(name.lower(), value) for name, value in draft.headers]
    return Request(draft.method, draft.path, draft.query, headers, draft.body, peer, draft.path)


def main_read(auth: Auth, n: int) -> Draft:
    """Returns the provider's main read, the n-th of its kind."""
    once = any(isinstance(gate, Once) for gate in auth.provider.gates)
    return auth.example(HOST, f"n={n:08d}" if once else "")


def asks(
    sandbox: Sandbox,
    provider: Provider,
    draft: Callable[[Auth, int], Draft] = main_read,
    callers: int = 1,
    peers: int = 1,
) -> Asks:
    """Returns what makes requests: the callers take turns, and so do the addresses."""
    known = credentials(sandbox, provider)
    auths = [Auth(provider, known[_person(n).label]) for n in range(callers)]
    numbers = itertools.count()
    once = any(isinstance(gate, Once) for gate in provider.gates)
    made: dict[int, Draft] = {}

    def one(n: int) -> Ask:
        auth = auths[n % callers]
        signed = draft(auth, n) if once else made.get(n % callers) or draft(auth, n)
        made[n % callers] = signed
        return sandbox, request(signed, f"10.0.{n % peers // 256}.{n % peers % 256}")

    return lambda many: [one(n) for n in itertools.islice(numbers, many)]


def get(target: str) -> Callable[[Auth, int], Draft]:
    """Returns what signs a GET of one target, numbered where a signature works once."""

    def draft(auth: Auth, n: int) -> Draft:
        once = any(isinstance(gate, Once) for gate in auth.provider.gates)
        joint = "&" if "?" in target else "?"
        return auth.sign("GET", f"{target}{joint}n={n:08d}" if once else target, host="127.0.0.1")

    return draft


def warmed(provider: Provider, ask: Asks, count: int = 1) -> Asks:
    """Asks so many times, and lets the journals forget it: what else is kept then stays."""
    for begun in range(0, count, PER_TURN):
        asked = ask(min(PER_TURN, count - begun))
        took(provider.name, asked)
        for sandbox, _ in asked:
            sandbox.journal.clear()
    return ask


# What grows


def accounts(provider: Provider, size: int) -> Asks:
    """So many accounts; one of them is asked for."""
    return warmed(provider, asks(box(world(provider, accounts=size)), provider))


def listed(provider: Provider, size: int) -> Asks:
    """So many accounts, listed: the first page."""
    sandbox = box(world(provider, accounts=size))
    return warmed(provider, asks(sandbox, provider, get(f"{provider.base_path}/v2/accounts")))


def rows(provider: Provider, size: int) -> Asks:
    """So many rows; the first 20 are asked for."""
    return warmed(provider, asks(box(world(provider, rows=size)), provider))


def middle(provider: Provider, size: int) -> Asks:
    """So many rows; 20 out of their middle are asked for by a token."""
    sandbox = box(world(provider, rows=size))
    id = next(iter(sandbox.desks[provider.name].book.accounts))
    path = f"{provider.base_path}/v2/accounts/{id}/balances"

    def page(query: str) -> dict[str, Any]:
        ((_, asked),) = asks(sandbox, provider, get(path + query))(1)
        found: dict[str, Any] = msgspec.json.decode(answered(sandbox, provider.name, asked))
        return found

    token = page(f"?pageSize={min(size // 2, 100)}")["nextPageToken"]
    for _ in range(size // 200 - 1):
        token = page(f"?pageSize=100&pageToken={token}")["nextPageToken"]
    return asks(sandbox, provider, get(f"{path}?pageSize=10&pageToken={token}"))


def chosen(provider: Provider, size: int) -> Asks:
    """So many rows; 20 currencies out of all of them are asked for in turn."""
    sandbox = box(world(provider, rows=size))

    def draft(auth: Auth, n: int) -> Draft:
        return get(f"/v1/balances?currency=t{n % ROWS * (size // ROWS):06d}")(auth, n)

    return warmed(provider, asks(sandbox, provider, draft), ROWS)


def sandboxes(provider: Provider, size: int) -> Asks:
    """So many sandboxes, asked in turn."""
    first = world(provider)
    known = Sandboxes(box(first), time.time_ns)
    settings = known.default.made
    made = [known.make(f"box-{n}", first, settings, 3600 * SECOND) for n in range(size)]
    each = itertools.cycle([asks(sandbox, provider) for sandbox in made])
    return warmed(provider, lambda many: [next(each)(1)[0] for _ in range(many)], size)


def rules(operation: str) -> Callable[[Provider, int], Asks]:
    """Makes what sets so many rules, for an operation or for a header that no request has."""

    def build(provider: Provider, size: int) -> Asks:
        sandbox = box(world(provider))
        match = {"provider": provider.name}
        match |= {"operation": operation} if operation else {}
        reader = Reader("", discover())
        made = [
            {
                "name": f"rule-{n}",
                "match": match if operation else match | {"header": {"x-rule": f"{n}"}},
                "answer": {"reject": "internal_error"},
            }
            for n in range(size)
        ]
        sandbox.rulebook.put([reader.read(rule, ()) for rule in made], sandbox.clock.now())
        return asks(sandbox, provider)

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
    memory = sandbox.desks[provider.name].replay
    for n in range(size):
        memory.accept(seeded(n, size=61), time.time_ns(), GONE)
    return asks(sandbox, provider)


def pending(provider: Provider, size: int) -> Asks:
    """So many events that are not due yet."""
    sandbox = box(world(provider))
    later = time.time_ns() + GONE
    sandbox.change(provider.name, *(Schedule(later + n, KeyRevoked("main")) for n in range(size)))
    return asks(sandbox, provider)


def records(provider: Provider, size: int) -> Asks:
    """So many withdrawals, one of which is asked for."""
    sandbox = box(world(provider))
    main = next(iter(credentials(sandbox, provider).values()))
    row = {"currency": "T000000", "network": "ETH", "to_address": "0x" + 40 * "0", "amount": "1"}
    draft = Auth(provider, main).sign("POST", "/v1/withdrawals", msgspec.json.encode(row))
    answered(sandbox, provider.name, request(draft))
    kind, known = next(iter(sandbox.desks[provider.name].book.records.items()))
    made = [Put(kind, n, replace(known[1], id=n)) for n in range(2, size + 1)]
    sandbox.change(provider.name, *made)
    return asks(sandbox, provider, get("/v1/withdrawals/1"))


def gone(provider: Provider, size: int) -> Asks:
    """A caller who asks again after a pause, with so many requests in a window that has passed."""
    sandbox = box(world(provider))
    desk = sandbox.desks[provider.name]
    more = asks(sandbox, provider)

    def ask(many: int) -> Sequence[Ask]:
        counter = desk.counters["reads"] = window(desk.counters["reads"].limit)
        before = time.time_ns() - GONE
        for _ in range(size):
            counter.spend("main", before)
        return more(many)

    return ask


THREE = ("cdp", "coinapi", "cpg")

CASES = (
    *(Case("accounts", name, accounts, 1, 1_000, "account") for name in ("cdp", "cpg")),
    *(Case("accounts", name, accounts, 1, 100_000, "account") for name in THREE),
    Case("accounts, a page of them", "cdp", listed, 20, 100_000, "account"),
    Case("rows, the first 20", "cdp", rows, 20, 100_000, "row"),
    Case("rows, 10 of the middle", "cdp", middle, 20, 100_000),
    Case("rows, one currency", "cpg", chosen, 20, 100_000, "row"),
    Case("rows, one changed: the first 20", "cdp", rows, 20, 100_000, changes=True, turn=50),
    Case("rows, one changed: a currency", "cpg", chosen, 20, 100_000, changes=True, turn=50),
    *(Case("sandboxes", name, sandboxes, 1, 1_000, "sandbox") for name in THREE),
    Case("rules for another operation", "cpg", rules("ping"), 0, 1_000, "rule"),
    *(Case("rules for headers", name, rules(""), 0, 1_000, "rule") for name in ("cpg", "coinapi")),
    *(Case("callers", name, callers, 1, 10_000, "caller") for name in discover()),
    *(Case("addresses", name, addresses, 1, 10_000, "address") for name in ("coinw", "cpg")),
    Case("addresses, more than are counted", "cpg", addresses, 1, 70_000, turn=5_000),
    Case("journal, full of entries", "coinapi", filled(1), 0, journal.ENTRIES_MAX, "entry"),
    Case("journal, full of bytes", "coinapi", filled(60), 0, 4_000, "entry"),
    Case("replay memory", "cpg", remembered, 0, 2 * replay.GENERATION_MAX - 50_000, "digest"),
    Case("pending events", "coinapi", pending, 0, 100_000, "event"),
    Case("withdrawals", "cpg", records, 1, 100_000, "withdrawal"),
    Case("a window that has passed", "cdp", gone, 0, 200_000, turn=100),
)


# Measuring


def answered(sandbox: Sandbox, provider: str, asked: Request) -> bytes:
    """Returns the body of a good answer."""
    response = pipeline.answer(sandbox, provider, asked)
    if response.status != 200:
        raise RuntimeError(f"{provider} answered {response.status}: {response.body[:200]!r}")
    return response.body


def took(provider: str, asked: Sequence[Ask]) -> float:
    """Returns the microseconds of CPU that each request took."""
    began = time.process_time()
    for sandbox, one in asked:
        pipeline.answer(sandbox, provider, one)
    return (time.process_time() - began) * 1e6 / max(len(asked), 1)


def took_changing(provider: str, asked: Sequence[Ask]) -> float:
    """Returns the same where a row of the ledger changes, uncounted, before each request."""
    total = 0.0
    for sandbox, one in asked:
        id, held = next(iter(sandbox.desks[provider].book.accounts.items()))
        asset, venue = next(iter(held.rows))
        sandbox.change(provider, Move(id, asset, venue, total=Amount("0.000001")))
        total += took(provider, [(sandbox, one)])
    return total / len(asked)


def compare(case: Case, few: Asks, many: Asks, turns: int = TURNS) -> tuple[float, float]:
    """Returns the least microseconds per request, small and large, over turns of each."""
    measure = took_changing if case.changes else took
    small, large = [], []
    for _ in range(turns):
        asked = few(case.turn), many(case.turn)
        small.append(measure(case.provider, asked[0][:-1]))
        large.append(measure(case.provider, asked[1][:-1]))
        for sandbox, one in (asked[0][-1], asked[1][-1]):
            answered(sandbox, case.provider, one)
    return min(small), min(large)


def measured(case: Case) -> Figure:
    """Measures a case in this process."""
    provider = discover()[case.provider]
    few = case.build(provider, case.small)
    gc.collect()
    before = _resident()
    many = case.build(provider, case.large)
    gc.collect()
    grown = (_resident() - before) / case.large
    small, large = compare(case, few, many)
    memory = f"{grown / 1000:.1f} kB per {case.unit}" if case.unit else ""
    name = f"{case.provider}: {case.name}, {case.small:,} to {case.large:,}"
    return Figure(name, small, large, large / small, memory)


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def figures(quick: bool) -> Iterator[Figure]:
    """Measures every case in a process of its own, so that memory is its own too.

    ``quick`` does a twentieth of everything, here.
    """
    for n, case in enumerate(CASES):
        if quick:
            yield measured(case._replace(large=max(case.large // QUICK, 2 * case.small), turn=50))
            continue
        command = [sys.executable, "-m", "benchmarks.growth", "--case", str(n)]
        told = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
        yield msgspec.json.decode(told, type=Figure)


def main() -> None:
    """Prints the figures, or one of them as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less of everything: does it run?")
    parser.add_argument("--case", type=int, help="the number of one case, told as JSON")
    given = parser.parse_args()
    if given.case is not None:
        sys.stdout.buffer.write(msgspec.json.encode(measured(CASES[given.case])))
        return
    print(f"{'CPU us per request':<60}{'small':>8}{'large':>8}{'ratio':>7}  memory")
    for f in figures(given.quick):
        print(f"{f.name:<60}{f.small:8.1f}{f.large:8.1f}{f.ratio:7.2f}  {f.memory}", flush=True)


if __name__ == "__main__":
    main()
