"""Control calls that take a while keep no request waiting, and work in bounded steps.

Each is stopped in the middle of its work, and requests must be answered all the same: so it holds
neither the event loop nor the sandbox's lock there. No time is measured.
"""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import httpx
import pytest

from mockserver import MockServer, control
from mockserver.control import api, faults, sandboxes, verification
from mockserver.control import journal as entries
from mockserver.control import ledger as ledgers
from mockserver.control import ledger_pages as pages
from mockserver.control.chunks import ITEMS_MAX, chunks, plain
from mockserver.files import worlds

WAIT = 30  # seconds, so that a hang fails
ROWS = [{"asset": f"A{n:05d}", "total": "1"} for n in range(300)]
D = "/sandboxes/default"
ACCOUNT = D + "/ledger/coinw/main"
LINES = {"accept": "application/x-ndjson"}
RULE = {"name": "one", "match": {"provider": "cpg"}, "answer": {"status": 500}}


class Large(NamedTuple):
    """A call, and what it is stopped in."""

    method: str
    path: str
    inside: tuple[Any, str]
    body: Any = None
    headers: dict[str, str] = {}


LARGE = {
    "a page of the ledger": Large("GET", D + "/ledger", (pages, "row_document")),
    "the ledger as lines": Large("GET", D + "/ledger", (ledgers, "row_document"), headers=LINES),
    "rows of an account": Large("GET", ACCOUNT, (ledgers, "row_document")),
    "rows put": Large("PUT", ACCOUNT, (ledgers, "_convert_row"), {"balances": ROWS}),
    "rows put, the answer": Large("PUT", ACCOUNT, (ledgers, "row_document"), {"balances": ROWS}),
    "the journal": Large("GET", D + "/requests?limit=1000", (entries, "entry_document")),
    "the archive": Large("GET", D + "/requests.har", (entries, "entry_document")),
    "verify": Large("POST", D + "/requests/verify", (verification, "differences"), {"match": {"method": "GET"}, "at_least": 1}),
    "coverage": Large("GET", D + "/coverage", (entries, "_provider_coverage")),
    "a rule": Large("POST", D + "/faults", (faults, "RuleParser"), RULE),
    "a scenario": Large("PUT", D + "/scenario", (faults, "read_scenario"), {"name": "rate-limit-storm"}),
    "a sandbox": Large("POST", "/sandboxes", (sandboxes, "_world"), {"world": "empty"}),
    "an event": Large("POST", D + "/events/cpg", (ledgers, "convert"), {"event": "key_revoked", "key": "main"}),
}  # fmt: skip


@pytest.fixture(scope="module")
def running() -> Iterator[MockServer]:
    with MockServer(limits="off") as server:
        yield server


@pytest.fixture
def served(server: MockServer) -> MockServer:
    """The server with one entry in its journal."""
    balance(server)
    return server


def balance(server: MockServer) -> None:
    """Reads a balance of the sandbox ``default``."""
    handle = server.coinapi
    answer = httpx.get(f"{handle.base_url}/v1/balances", auth=handle.auth, timeout=WAIT)
    assert answer.status_code == 200


class Stop:
    """Stands in front of a function, which goes on when it is released."""

    def __init__(self, patch: pytest.MonkeyPatch, inside: tuple[Any, str]) -> None:
        self.reached, self.released = threading.Event(), threading.Event()
        self._goes_on = getattr(*inside)
        patch.setattr(*inside, self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.reached.set()
        assert self.released.wait(WAIT)
        return self._goes_on(*args, **kwargs)


@pytest.mark.parametrize("large", LARGE.values(), ids=LARGE)
def test_requests_are_answered_while_a_large_call_works(
    served: MockServer, monkeypatch: pytest.MonkeyPatch, large: Large
) -> None:
    other = served.sandbox()
    stop = Stop(monkeypatch, large.inside)
    url = f"{served.url}/__admin{large.path}"
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(
            httpx.request, large.method, url, json=large.body, headers=large.headers, timeout=WAIT
        )
        try:
            assert stop.reached.wait(WAIT)
            for handle in (served, other):
                target = f"{handle.coinapi.base_url}/v1/balances"
                answer = httpx.get(target, auth=handle.coinapi.auth, timeout=WAIT / 3)
                assert answer.status_code == 200
        finally:
            stop.released.set()
        assert call.result(WAIT).is_success


STEPS = [
    ("GET", ACCOUNT, (ledgers, "row_document")),
    ("GET", D + "/requests", (entries, "entry_document")),
    ("GET", D + "/requests.har", (entries, "entry_document")),
]


@pytest.mark.parametrize(("method", "path", "shows"), STEPS)
def test_a_large_answer_is_made_and_encoded_a_bounded_number_of_items_at_a_time(
    served: MockServer,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    path: str,
    shows: tuple[Any, str],
) -> None:
    control.call(served.app, "PUT", ACCOUNT, {"balances": ROWS})
    journal = served.app.sandboxes.default.journal
    for n in range(300):
        journal.add(journal.entries[0].__class__(*[n + 2, *_rest(journal.entries[0])]))
    converted, convert, lock = [0], getattr(*shows), served.app.sandboxes.default.lock

    def counted(source: Any) -> Any:
        assert not lock._is_owned()  # noqa: SLF001 -- nothing is converted under it
        converted[0] += 1
        return convert(source)

    monkeypatch.setattr(*shows, counted)
    query = {"limit": "1000"} if path.endswith("/requests") else {}
    verb, parameters = api.find(method, path)
    _, answer = api.carry_out(served.app, verb, parameters, None, query, "http://x")
    pieces, total = [], 0
    assert converted == [0]
    for piece in chunks(answer):
        pieces.append(piece)
        assert converted[0] <= ITEMS_MAX
        total += converted[0]
        converted[0] = 0
    assert total >= 300
    assert json.loads(b"".join(pieces)) == json.loads(json.dumps(plain(answer)))


def _rest(entry: Any) -> list[Any]:
    return [getattr(entry, name) for name in entry.__struct_fields__[1:]]


def test_rows_are_put_in_one_step_under_the_lock(
    served: MockServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = served.app.sandboxes.default
    kind = type(sandbox.states["coinw"].ledger)
    put, rows_made = kind.put, []
    row = sandbox.states["coinw"].provider.row
    touched = row.touched

    def touch(self: Any, by: str) -> Any:
        rows_made.append(sandbox.lock._is_owned())  # noqa: SLF001
        return touched(self, by)

    puts: list[bool] = []

    def record(self: Any, account: str, held: Any) -> None:
        puts.append(sandbox.lock._is_owned())  # noqa: SLF001
        put(self, account, held)

    monkeypatch.setattr(row, "touched", touch)
    monkeypatch.setattr(kind, "put", record)
    control.call(served.app, "PUT", ACCOUNT, {"balances": ROWS})
    assert (puts, len(rows_made), any(rows_made)) == ([True], 300, False)
    account = control.call(served.app, "GET", ACCOUNT)[1]
    assert [r["asset"] for r in account["balances"]] == [r["asset"] for r in ROWS]


def test_a_large_ledger_is_read_in_pages_of_a_thousand_or_as_lines() -> None:
    world = "coinapi: {accounts: {main: {exchanges: [KRAKEN], generate: {rows: 40000}}}}"
    with MockServer(worlds.read(world, "many"), limits="off") as server:
        url = f"{server.url}/__admin{D}/ledger"
        page = httpx.get(url, timeout=WAIT).json()
        assert len(page["coinapi"]["main"]["balances"]) == 1000
        assert page["next"] == "1.0.1000"
        with httpx.stream("GET", url, headers=LINES, timeout=WAIT) as answer:
            for count, line in enumerate(answer.iter_lines()):
                assert json.loads(line)["provider"] == "coinapi"
                if count == 500:  # a client that leaves in the middle harms no other
                    break
        assert httpx.get(server.url + "/__admin/health", timeout=WAIT).is_success
