"""What happens in one sandbox happens in no other one, however many there are and at once."""

import contextlib
import json
import random
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from http.client import HTTPResponse
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx
import pytest
import requests
from msgspec.structs import replace

from contract_tests.clients.senders import by_hand, dial, typed
from contract_tests.support.raw import wire
from contract_tests.support.rows import each
from mockserver import Auth, MockServer
from mockserver.client.sandbox import ProviderHandle, Sandbox
from mockserver.engine.settings import Settings
from mockserver.model import times
from mockserver.providers import discover

DEADLINE = 30  # seconds, for all threads
SEED = 490


@pytest.fixture(scope="module")
def server() -> Iterator[MockServer]:
    with MockServer() as server:
        yield server


# Fifty at once

SANDBOXES = 50
OPERATIONS = 40  # of each
SECOND = 10**9
MINUTE = 60 * SECOND
START = times.parse_instant("2090-01-01T00:00:00Z")

FEE = Decimal("1.5")
LIMITS = {
    "cpg.key": "off",
    "cpg.ip": "off",
    "coinapi.reads": "9/60s",
}


class Model:
    """Drives one sandbox by chance, and models the state that it must have."""

    def __init__(self, server: MockServer, clients: list[httpx.Client], n: int) -> None:
        self.chance = random.Random(SEED + n)
        self.n = n
        self.asked = 0
        self.initial_limits = LIMITS | {"coinapi.reads": f"{n % 5 + 2}/60s"}
        self.sandbox = server.sandbox(limits=self.initial_limits, seed=n)
        self.clients = clients
        self.begin()

    def begin(self) -> None:
        """Stops and sets the clock of a sandbox as new."""
        self.now = START + self.n * MINUTE * 1440
        self.sandbox.clock.freeze()
        self.sandbox.clock.set(times.instant_text(self.now))
        self.limit = int(self.initial_limits["coinapi.reads"].partition("/")[0])
        self.used: Counter[int] = Counter()
        self.journal: Counter[tuple[str, int, str]] = Counter()
        self.usdt = [Decimal(1500), Decimal(200)]
        self.pending: dict[int, tuple[int, Decimal]] = {}
        self.withdrawals = 0

    def ask(self, provider: str, method: str, target: str, body: bytes = b"") -> tuple[int, Any]:
        """Sends a request over a socket or in process; returns status and body."""
        self.asked += 1
        numbered = f"{target}{'&' if '?' in target else '?'}n={self.asked}"
        handle, client = getattr(self.sandbox, provider), self.chance.choice(self.clients)
        url, headers = handle.base_url + numbered, typed(body)
        response = client.request(method, url, content=body, headers=headers, auth=handle.auth)
        return response.status_code, response.json()

    def settle(self) -> None:
        """Confirms what is due."""
        for id, (at, hold) in list(self.pending.items()):
            if at <= self.now:
                del self.pending[id]
                self.usdt = [part - hold for part in self.usdt]

    def read_coinapi(self) -> None:
        window = self.now // MINUTE
        full = self.used[window] >= self.limit
        self.used[window] += not full
        status, _ = self.ask("coinapi", "GET", "/v1/balances")
        assert status == (429 if full else 200)
        self.journal["coinapi", status, "rate_limited" if full else ""] += 1

    def read_cpg(self) -> None:
        status, body = self.ask("cpg", "GET", "/v1/balances?currency=USDT&network=ETH")
        (row,) = body["data"]
        assert [Decimal(row["balance"]), Decimal(row["held"])] == self.usdt
        self.journal["cpg", status, ""] += 1

    def withdraw(self) -> None:
        amount = Decimal(self.chance.randrange(10, 200))
        order = {
            "currency": "USDT",
            "network": "ETH",
            "to_address": f"0xrecipient{self.n}",
            "amount": str(amount),
        }
        status, body = self.ask("cpg", "POST", "/v1/withdrawals", json.dumps(order).encode())
        if amount + FEE > self.usdt[0] - self.usdt[1]:
            assert (status, body["message"]) == (400, "Insufficient balance")
            self.journal["cpg", 400, "business_rule"] += 1
            return
        self.withdrawals += 1
        assert (status, body["data"]["withdrawal_id"]) == (200, self.withdrawals)
        self.usdt[1] += amount + FEE
        self.pending[self.withdrawals] = (self.now + MINUTE, amount + FEE)
        self.journal["cpg", 200, ""] += 1

    def fail_a_withdrawal(self) -> None:
        if self.pending:
            id = self.chance.choice(list(self.pending))
            self.sandbox.cpg.event("withdrawal_failed", id=id)
            self.usdt[1] -= self.pending.pop(id)[1]
        else:
            with pytest.raises(ValueError, match=r"no withdrawal 0"):
                self.sandbox.cpg.event("withdrawal_failed", id=0)

    def credit_usdt(self) -> None:
        amount = self.amount()
        self.sandbox.cpg.credit("main", "USDT", str(amount), "ETH")
        self.usdt[0] += amount

    def amount(self) -> Decimal:
        return Decimal(self.chance.randrange(1, 10_000)).scaleb(-4)

    def advance(self) -> None:
        seconds = self.chance.randrange(1, 40)
        self.sandbox.clock.advance(f"{seconds}s")
        self.now += seconds * SECOND
        self.settle()

    def set_a_limit(self) -> None:
        limit = self.chance.randrange(1, 9)
        if limit != self.limit:
            self.used.clear()
        self.limit = limit
        self.sandbox.set_limits({"coinapi.reads": f"{limit}/60s"})

    def reset(self) -> None:
        self.sandbox.reset()
        self.begin()

    def run(self, together: threading.Barrier) -> None:
        """Carries out so many operations."""
        together.wait(DEADLINE)
        for act in self.chance.choices(*zip(*OFTEN.items(), strict=True), k=OPERATIONS):
            act(self)

    def check(self) -> None:
        """Compares everything with the model."""
        sandbox = self.sandbox
        usdt = next(r for r in sandbox.cpg.balances() if (r.asset, r.venue) == ("USDT", "ETH"))
        assert [usdt.total, usdt.held] == self.usdt
        assert Counter((e.provider, e.status, e.reason) for e in sandbox.journal) == self.journal
        assert sandbox.clock.now_ns == self.now
        limits = {k: v for k, v in sandbox.limits.items() if k in LIMITS}
        assert limits == self.initial_limits | {"coinapi.reads": f"{self.limit}/60s"}


# How often each is done, of a hundred.
OFTEN: dict[Callable[[Model], None], int] = {
    Model.read_cpg: 18,
    Model.read_coinapi: 18,
    Model.withdraw: 12,
    Model.fail_a_withdrawal: 3,
    Model.credit_usdt: 7,
    Model.advance: 8,
    Model.set_a_limit: 3,
    Model.reset: 1,
}


def test_fifty_sandboxes_at_once_each_keep_their_own_state(server: MockServer) -> None:
    default = len(server.journal)
    with (
        contextlib.ExitStack() as clients,
        httpx.Client(transport=server.transport) as in_process,
        ThreadPoolExecutor(SANDBOXES) as pool,
    ):
        # A client each: one that fifty threads shared was seen to read from a closed socket.
        by_socket = [
            clients.enter_context(httpx.Client(trust_env=False, verify=False, timeout=DEADLINE))
            for _ in range(SANDBOXES)
        ]
        models = [Model(server, [own, in_process], n) for n, own in enumerate(by_socket)]
        together = threading.Barrier(SANDBOXES)
        for done in [pool.submit(model.run, together) for model in models]:
            done.result(DEADLINE)
        for model in models:
            model.check()
            server.drop(model.sandbox)
    assert len(server.journal) == default


# Two sandboxes side by side


class Pair(NamedTuple):
    """Two sandboxes of one world and one seed."""

    one: Sandbox
    other: Sandbox


@pytest.fixture
def pair(server: MockServer) -> Iterator[Pair]:
    sandboxes = Pair(server.sandbox(seed=SEED), server.sandbox(seed=SEED))
    yield sandboxes
    for sandbox in sandboxes:
        server.drop(sandbox)


# How each provider speaks to a key that it does not know.
STRANGER = {
    "cdp": (401, b'{"errorType":"unauthorized","errorMessage":"Authentication required."'),
    "coinapi": (401, b'{"error":"Invalid API key"}'),
    "coinstats": (401, b'{"statusCode":401,"message":"Unauthorized"'),
    "coinw": (200, b'{"code":10006,"data":null,"msg":"api_key error"'),
    "cpg": (401, b'{"success":false,"message":"Invalid API key"}'),
}


def below(handle: ProviderHandle) -> bytes:
    """Returns the main read's path as a client dials it; without ``/~id`` it is signed."""
    return urlsplit(handle.base_url).path.encode() + handle.example.path


def read(handle: ProviderHandle, credential: dict[str, Any] | None = None) -> tuple[int, bytes]:
    """Sends the main read, with ``main`` or a credential that is given."""
    signed = Auth(handle.provider, credential or handle.credentials).example(handle.base_url)
    sent = by_hand(handle.base_url, wire(replace(signed, path=below(handle))))
    return sent.status, sent.body


@pytest.mark.parametrize("provider", discover())
def test_a_foreign_key_is_a_strangers_and_only_in_the_journal_it_came_to(
    server: MockServer, pair: Pair, provider: str
) -> None:
    at_home, abroad = (getattr(sandbox, provider) for sandbox in pair)
    before = len(server.journal)
    for stranger in (at_home.credentials, getattr(server, provider).credentials):
        status, body = read(abroad, stranger)
        assert (status, body[: len(STRANGER[provider][1])]) == STRANGER[provider]
    assert read(abroad)[0] == 200
    seen = [(e.provider, e.reason, e.credential) for e in pair.other.journal]
    assert seen == [(provider, "unknown_credential", "")] * 2 + [(provider, "", "main")]
    assert (pair.one.journal, len(server.journal)) == ([], before)


# What of a credential is of the world, and the same in every sandbox.
OF_THE_WORLD = {"key_type", "accounts", "connection_id", "connection_fields"}


@pytest.mark.parametrize("provider", discover())
def test_two_of_one_seed_have_the_same_accounts_and_labels_but_other_keys(
    server: MockServer, pair: Pair, provider: str
) -> None:
    handles = [getattr(sandbox, provider) for sandbox in (*pair, server)]
    labels = [["main", *handle.others] for handle in handles]
    assert labels[0] == labels[1] == labels[2]
    for label in labels[0]:
        if not label.startswith("reject-"):
            for name, values in members(handles, label):
                assert len(set(values)) == (1 if name in OF_THE_WORLD else 3), (label, name)
    accounts = [list(server.app.sandboxes.get(s.id).states[provider].ledger.accounts) for s in pair]
    assert accounts[0] == accounts[1]
    for account in accounts[0]:
        assert repr(handles[0].balances(account)) == repr(handles[1].balances(account))


def members(handles: list[ProviderHandle], label: str) -> Iterator[tuple[str, list[str]]]:
    """Yields each member of a credential with its values."""
    for name in handles[0].provider.members:
        yield name, [json.dumps(handle.credential(label)[name]) for handle in handles]


def page(handle: ProviderHandle, query: str) -> tuple[int, Any]:
    account = handle.credentials["accounts"]["main"]
    url = f"{handle.base_url}/v2/accounts/{account}/balances?{query}"
    answer = requests.get(url, auth=handle.auth, timeout=DEADLINE)
    return answer.status_code, answer.json()


def test_a_page_token_is_good_in_its_own_sandbox_only(server: MockServer, pair: Pair) -> None:
    token = page(pair.one.cdp, "pageSize=2")[1]["nextPageToken"]
    assert page(pair.one.cdp, f"pageToken={token}")[0] == 200
    for sandbox in (pair.other, server):
        status, body = page(sandbox.cdp, f"pageToken={token}")
        assert (status, body["errorType"]) == (400, "invalid_request")
        assert sandbox.journal[-1].reason == "bad_page_token"


def test_each_sandbox_remembers_its_own_signatures(server: MockServer) -> None:
    world = server.app.sandboxes.default.world  # twins with one key, which no caller can ask for
    for id in ("twin-1", "twin-2"):
        server.app.sandboxes.make(id, world, Settings(), ttl=3600 * SECOND)
    draft = server.cpg.auth.sign("GET", "/v1/balances?of=twins")
    statuses = defaultdict(list)
    for id in ("twin-1", "twin-2", "twin-1", "twin-2"):
        url = f"{server.cpg.base_url}/~{id}{draft.target.decode()}"
        headers = {k.decode(): v.decode() for k, v in draft.headers}
        statuses[id].append(requests.get(url, headers=headers, timeout=DEADLINE).status_code)
    assert statuses == {"twin-1": [200, 401], "twin-2": [200, 401]}


SETTINGS = [
    ("quirk", lambda s: s.set_quirks({"coinw.empty": "null"}), lambda s: s.quirks),
    ("limit", lambda s: s.set_limits({"coinapi.reads": "0/60s"}), lambda s: s.limits),
    ("clock", lambda s: s.clock.advance("24h"), lambda s: s.clock.now_ns // (3600 * SECOND)),
    ("row", lambda s: s.coinw.credit("main", "BTC", "1"), lambda s: s.coinw.balances()),
    ("account", lambda s: s.cdp.set_balances("main", []), lambda s: repr(s.cdp.balances())),
    (
        "revoked key",
        lambda s: s.coinapi.event("key_revoked", key="main"),
        lambda s: read(s.coinapi)[0],
    ),
    ("request", lambda s: read(s.coinapi), lambda s: (len(s.journal), s.coverage())),
]


@each("change, look", SETTINGS)
def test_what_is_set_in_one_does_not_show_in_another(
    server: MockServer, pair: Pair, change: Callable[[Any], Any], look: Callable[[Any], Any]
) -> None:
    before = [look(pair.one), look(pair.other), look(server)]
    change(pair.one)
    assert look(pair.one) != before[0]
    assert [look(pair.other), look(server)] == before[1:]
    pair.other.reset()
    assert look(pair.one) != before[0], "nor does a reset reach further"


@pytest.mark.parametrize("provider", discover())
def test_an_unknown_sandbox_is_a_404(server: MockServer, pair: Pair, provider: str) -> None:
    journals = [len(sandbox.journal) for sandbox in (*pair, server)]
    handle: ProviderHandle = getattr(server, provider)
    draft = handle.auth.example(handle.base_url)
    headers = {k.decode(): v.decode() for k, v in draft.headers}
    for base in (f"http://{urlsplit(handle.base_url).netloc}", f"{server.url}/{provider}"):
        url = f"{base}/~{pair.one.id}x{draft.target.decode()}"
        answer = requests.request(
            draft.method, url, headers=headers, data=draft.body, timeout=DEADLINE
        )
        assert (answer.status_code, answer.text) == (404, f"There is no sandbox {pair.one.id}x.\n")
    assert [len(sandbox.journal) for sandbox in (*pair, server)] == journals


# Control while requests come

READERS, READS = 4, 150


def moved(n: int) -> list[dict[str, Any]]:
    """Returns an account's rows, of which the sum is always the same, and so is the number."""
    part = n % 1000
    common = {"decimals": 6, "venue": "ETH"}
    return [
        {"asset": f"A{n % 7}", "total": f"{part}", "held": f"{part // 2}", **common},
        {"asset": "B", "total": f"{1000 - part}", "held": f"{500 - part // 2}", **common},
    ]


def test_control_during_requests_loses_nothing_and_is_never_seen_half_made(
    server: MockServer,
) -> None:
    sandbox = server.sandbox(limits="off")
    sandbox.cpg.set_balances("main", moved(0))

    def check(n: int) -> int:
        with dial(sandbox.cpg.base_url) as connection:
            for i in range(READS):
                target = f"/~{sandbox.id}/v1/balances?n={n}-{i}"
                connection.sendall(wire(sandbox.cpg.auth.sign("GET", target, b"", "127.0.0.1")))
                answer = HTTPResponse(connection)
                answer.begin()
                rows = json.loads(answer.read())["data"]
                assert sum(Decimal(row["balance"]) for row in rows) == 1000, rows
                assert sum(Decimal(row["held"]) for row in rows) == 500, rows
                assert len(rows) == 2
        return READS

    def credit(readers: list[Any]) -> int:
        count = 0
        while not all(reader.done() for reader in readers):
            sandbox.coinw.credit("main", "BTC", "0.0001")
            count += 1
        return count

    with ThreadPoolExecutor(READERS + 1) as pool:
        readers = [pool.submit(check, n) for n in range(READERS)]
        other = pool.submit(credit, readers)
        changes, before = 0, sandbox.clock.now_ns
        while not all(reader.done() for reader in readers):
            changes += 1
            steer(sandbox, changes)
        assert sum(reader.result(DEADLINE) for reader in readers) == READERS * READS
        credits = changes + other.result(DEADLINE)
    row = next(row for row in sandbox.coinw.balances() if row.asset == "BTC")
    assert row.total == Decimal("0.0012") + credits * Decimal("0.0001")
    assert sandbox.clock.now_ns - before >= changes * SECOND
    assert [e.n for e in sandbox.journal] == list(range(1, READERS * READS + 1))
    assert min(changes, credits - changes) > 10, "there was something to lose"
    server.drop(sandbox)


def steer(sandbox: Sandbox, n: int) -> None:
    """Uses verbs of every kind; each must find what the one before has left."""
    sandbox.cpg.set_balances("main", moved(n))
    assert sum(row.total for row in sandbox.cpg.balances()) == 1000
    sandbox.coinw.credit("main", "BTC", "0.0001")
    sandbox.clock.advance("1s")
    sandbox.set_limits({"cpg.key": f"{10**6 + n}/60s"})
    assert sandbox.limits["cpg.key"] == f"{10**6 + n}/60s"
    sandbox.set_quirks({"cpg.timestamp_window": f"{300 + n % 100}s"})
    assert sandbox.quirks["cpg.timestamp_window"] == f"{300 + n % 100}s"
    if n % 10 == 0:
        count = sandbox.coverage()["cpg"]["operations"]["listBalances"]
        assert sandbox.verify(provider="cpg", status=200, at_least=count) >= count
