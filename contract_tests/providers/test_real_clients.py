"""Real clients, each with its own way to write a URL, against every provider.

What one of them sends is accepted as it is; with one signed byte changed on the
way, what it sends is refused, changes nothing, and the journal says why.
"""

import contextlib
import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from contract_tests.clients.senders import (
    DEADLINE,
    PROGRAMS,
    SENDERS,
    Sender,
    Sent,
    by_hand,
    dial,
    tool,
    written,
)
from contract_tests.support.changed_requests import Change, instead, state
from contract_tests.support.fixture_rows import masked
from contract_tests.support.request_rows import refusal
from contract_tests.support.rows import each
from mockserver import MockServer
from mockserver.client.provider import ProviderHandle
from mockserver.model.redaction import Redactor
from mockserver.providers import discover


def sender(client: str) -> Sender:
    """Returns a client's sender; one whose program is missing skips the test, on CI it fails."""
    if client in PROGRAMS:
        tool(client)
    return SENDERS[client]


@pytest.fixture(params=SENDERS)
def send(request: pytest.FixtureRequest) -> Sender:
    return sender(request.param)


def accept(server: MockServer, provider: str, sent: Sent) -> None:
    """Holds that the last request was accepted, from ``main``, with the target as transmitted."""
    entry = server.journal[-1]
    assert sent.status == 200, sent.body
    assert (entry.provider, entry.credential, entry.reason) == (provider, "main", "")
    path, mark, query = sent.target.encode().partition(b"?")
    redacted = Redactor([p.secrets for p in discover().values()]).query(query)
    assert entry.target.encode() == path + mark + redacted


# Behind the path of a provider's example; {} stands for its query.
QUERIES = (
    "?{}note=a%2Fb~c,d%20e%C3%A9&currency=USDT",  # written by clients in different ways
    "?{}note=%7E%2C%41%2d&small=%c3%a9%2f",  # escapes that no client needs
    "?{}a=x+y&b=&c&a=x+y",  # a plus, an empty value, a name alone, a name twice
    "?{}a=1;2&b=:@!$'()*/?",  # marks that a URL allows
)


@pytest.mark.parametrize("provider", discover())
def test_every_client_is_accepted_at_every_provider(
    server: MockServer, send: Sender, provider: str
) -> None:
    handle: ProviderHandle = getattr(server, provider)
    example = handle.example
    own = example.query.decode() + "&" if example.query else ""
    path = example.path.decode()
    escaped = f"{path[:-1]}%{example.path[-1]:02x}?{example.query.decode()}"
    server.set_limits("off")
    for target in (*(path + query.format(own) for query in QUERIES), escaped.rstrip("?")):
        sent = send(handle.base_url, example.method, target, example.body, handle)
        accept(server, provider, sent)


def test_clients_do_write_one_url_in_different_ways(server: MockServer) -> None:
    target = "/v1/balances?note=%7E%2Cz"
    transmitted = {
        client: SENDERS[client](server.coinapi.base_url, "GET", target, b"", server.coinapi).target
        for client in ("requests", "httpx", "aiohttp")
    }
    assert transmitted == {
        "requests": "/v1/balances?note=~%2Cz",
        "httpx": "/v1/balances?note=%7E%2Cz",
        "aiohttp": "/v1/balances?note=~,z",
    }


ORDER = b'{"currency":"USDT","network":"ETH","to_address":"0xrecipient0","amount":"50.00"}'
FOREIGN = ORDER.replace(b"0xrecipient0", "empfänger €".encode())


def test_a_body_is_signed_as_every_client_sends_it(server: MockServer, send: Sender) -> None:
    sent = send(server.cpg.base_url, "POST", "/v1/withdrawals", FOREIGN, server.cpg)
    accept(server, "cpg", sent)
    (withdrawal,) = server.app.sandboxes.default.states["cpg"].ledger.records["withdrawal"].values()
    assert withdrawal.to_address == "empfänger €"


# What changes on the way


def one_message(connection: socket.socket) -> bytes:
    """Reads one request or answer."""
    received = b""
    while not (head := received.partition(b"\r\n\r\n"))[1]:
        received += _part(connection)
    length = re.search(rb"\r\ncontent-length: *([0-9]+)", head[0], re.IGNORECASE)
    whole = len(head[0]) + 4 + int(length[1] if length else 0)
    while len(received) < whole:
        received += _part(connection)
    return received


def _part(connection: socket.socket) -> bytes:
    part = connection.recv(65536)
    if not part:
        raise EOFError("the message is not whole")
    return part


def relay(listener: socket.socket, base_url: str, change: Change) -> None:
    """Takes one request, changes it, passes it on, and passes the answer back."""
    client, _ = listener.accept()
    client.settimeout(DEADLINE)
    with client, dial(base_url) as server:
        request = one_message(client)
        changed = change(request)
        assert changed != request, "nothing was changed"
        server.sendall(changed)
        client.sendall(one_message(server))


@contextlib.contextmanager
def changed_on_the_way(base_url: str, change: Change) -> Iterator[str]:
    """Yields a base URL behind which a request is changed before it arrives."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        listener.settimeout(DEADLINE)
        relayed = pool.submit(relay, listener, base_url, change)
        host, port = listener.getsockname()
        yield urlsplit(base_url)._replace(netloc=f"{host}:{port}").geturl()
        relayed.result()


def other_digit(behind: bytes) -> Change:
    """Changes the hex digit behind a pattern to its neighbour."""
    form = re.compile(b"(" + behind + b")([0-9a-f])", re.IGNORECASE)
    return lambda data: form.sub(lambda m: m[1] + b"%x" % (int(m[2], 16) ^ 1), data, count=1)


@pytest.mark.parametrize("provider", discover())
def test_a_header_that_is_not_signed_may_change_on_the_way(
    server: MockServer, provider: str
) -> None:
    handle: ProviderHandle = getattr(server, provider)
    ask = handle.example
    target = f"{ask.path.decode()}?{ask.query.decode()}"
    with changed_on_the_way(handle.base_url, instead(b"\r\n\r\n", b"\r\nA: b\r\n\r\n")) as base_url:
        sent = SENDERS["requests"](base_url, ask.method, target, ask.body, handle)
    assert (sent.status, server.journal[-1].reason) == (200, "")


def other_letter(part: int) -> Change:
    """Changes a letter within one part of a JWT."""
    form = re.compile(rb"(Bearer (?:[\w-]+\.){%d}[\w-]{20})([\w-])" % part, re.IGNORECASE)
    return lambda data: form.sub(lambda m: m[1] + (b"B" if m[2] == b"A" else b"A"), data, count=1)


SHOW, SUBMIT = "/v1/withdrawals/1", "/v1/withdrawals"
LIST = ("cpg", "GET", "/v1/balances?currency=USDT", b"")
ORDERS = ("cpg", "POST", SUBMIT, ORDER)
SUPPORT = ("coinstats", "GET", "/v1/exchange/support", b"")
WORTH = ("cdp", "GET", "/v2/accounts/account_af2937b0-9846-4fe7-bfe9-ccc22d935114/balances", b"")
SPOT = ("coinw", "POST", "/api/v1/private?command=returnBalances&note=1%2C2", b"")
WRONG, NOBODY = "bad_signature", "unknown_credential"

# A request, what becomes of it on the way, and why it is refused.
TAMPERINGS = [
    ("cpg timestamp", LIST, other_digit(rb"X-CPG-Timestamp: [0-9]{9}"), WRONG),
    ("cpg signature", LIST, other_digit(rb"X-CPG-Signature: "), WRONG),
    ("cpg query", LIST, instead(b"currency=USDT", b"currency=USDC"), WRONG),
    ("cpg spelling of the query", LIST, instead(b"currency=U", b"currency=%55"), WRONG),
    ("cpg path", ("cpg", "GET", SHOW, b""), instead(b"/withdrawals/1", b"/withdrawals/2"), WRONG),
    ("cpg spelling of the path", LIST, instead(b"/balances", b"/%62alances"), WRONG),
    ("cpg method", ("cpg", "GET", SUBMIT, b""), instead(b"GET ", b"POST "), WRONG),
    ("cpg body", ORDERS, instead(b'"50.00"', b'"51.00"'), WRONG),
    ("cpg spelling of the body", ORDERS, instead(b'"50.00"', b" 50.00 "), WRONG),
    ("cpg key", ORDERS, instead(b"cpg_test_key", b"cpg_test_kez"), NOBODY),
    ("coinapi key", ("coinapi", "GET", "/v1/balances", b""), instead(b"SAMPLE-KEY", b"SAMPLE-KEZ"), NOBODY),
    ("coinstats key", SUPPORT, instead(b"coinstats-test-key", b"coinstats-test-kez"), NOBODY),
    ("coinstats name of the header", SUPPORT, instead(b": coinstats-test-key", b"x: coinstats-test-key"), "missing_credential"),
    ("cdp claim", WORTH, other_letter(1), WRONG),
    ("cdp signature", WORTH, other_letter(2), WRONG),
    ("cdp path", WORTH, instead(b"935114/", b"935115/"), WRONG),
    ("cdp spelling of the path", WORTH, instead(b"/balances", b"/%62alances"), WRONG),
    ("cdp operation", WORTH, instead(b"/balances ", b" "), WRONG),
    ("coinw signature", SPOT, other_digit(rb"sign="), WRONG),
    ("coinw parameter", SPOT, instead(b"note=1", b"note=2"), WRONG),
    ("coinw name of a parameter", SPOT, instead(b"note=1", b"nite=1"), WRONG),
    ("coinw one parameter more", SPOT, instead(b" HTTP/1", b"&a HTTP/1"), WRONG),
    ("coinw key", SPOT, instead(b"=test-key", b"=test-kez"), NOBODY),
]  # fmt: skip
# Each row with the next client: the check is the server's, and the same for all.
CLIENTS = [list(SENDERS)[n % len(SENDERS)] for n in range(len(TAMPERINGS))]


@each(
    "request_, change, reason, client",
    [(*row, c) for row, c in zip(TAMPERINGS, CLIENTS, strict=True)],
)
def test_one_signed_byte_changed_is_refused_and_changes_nothing(
    server: MockServer,
    request_: tuple[str, str, str, bytes],
    change: Change,
    reason: str,
    client: str,
) -> None:
    provider, method, target, body = request_
    handle: ProviderHandle = getattr(server, provider)
    before = state(server)
    with changed_on_the_way(handle.base_url, change) as base_url:
        sent = sender(client)(base_url, method, target, body, handle)
    path = {"path": target} if provider == "coinstats" else {}
    expected = refusal(provider, reason, path)
    assert expected.startswith(f"HTTP/1.1 {sent.status}\n")
    assert expected.endswith(f"\n\n{masked(sent.body.decode())}")
    assert server.journal[-1].reason == reason
    assert state(server) == before


@pytest.mark.parametrize(("method", "target", "body"), [LIST[1:], ORDERS[1:]], ids=["GET", "POST"])
def test_of_the_same_bytes_eight_times_at_once_one_is_good(
    server: MockServer, method: str, target: str, body: bytes
) -> None:
    data = written(server.cpg.auth, method, target, body)
    together = threading.Barrier(8)

    def send(_: int) -> Sent:
        together.wait(DEADLINE)
        return by_hand(server.cpg.base_url, data)

    with ThreadPoolExecutor(8) as pool:
        answers = sorted(pool.map(send, range(8)))
    assert [a.status for a in answers] == [200] + [401] * 7
    used = refusal("cpg", "replayed").partition("\n\n")[2].encode()
    assert {a.body for a in answers[1:]} == {used}
    assert sorted(entry.reason for entry in server.journal[-8:]) == [""] + ["replayed"] * 7
    assert len(state(server)["cpg"][1].get("withdrawal", {})) == (method == "POST")
