"""Which bytes a delivery sends, how it ends, and which responses it leaves alone."""

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from contract_tests.clients.senders import dial, typed
from contract_tests.support.delivery_sockets import (
    BALANCES,
    BLANK,
    CLOSED,
    OPEN,
    RESET,
    RULE,
    ask,
    listen,
    once,
    parts,
    reads,
)
from contract_tests.support.raw import get
from contract_tests.support.sockets import dateless, read_response
from mockserver import HandClock, MockServer
from mockserver.client.provider import ProviderHandle
from mockserver.engine.pipeline import NO_SOCKET
from mockserver.faults import kinds
from mockserver.faults.chance import Chance

WITHDRAWALS = "/v1/withdrawals"
ORDER = b'{"currency":"USDT","network":"ETH","to_address":"0xrecipient0","amount":"50.00"}'


# What each delivery sends


class Row(NamedTuple):
    """A delivery: as a rule says it, as the journal says it, what it sends, and the end."""

    deliver: dict[str, Any]
    logged: str
    sent: Callable[[bytes, bytes], bytes]
    end: str


def announced(off: int) -> Callable[[bytes, bytes], bytes]:
    """Makes what is sent when the announced length is off by so many bytes."""
    return lambda head, body: (
        head.replace(b"length: %d" % len(body), b"length: %d" % max(len(body) + off, 0)) + body
    )


def chunked(head: bytes, body: bytes) -> bytes:
    head = re.sub(rb"content-length: [0-9]+", b"transfer-encoding: chunked", head)
    half = len(body) // 2
    return head + b"%x\r\n%b\r\nzz\r\n%b\r\n" % (half, body[:half], body[half:])


def noise(size: int) -> bytes:
    """Returns the noise of the first time that the rule fires under the default seed."""
    return b"\0" + Chance(490, RULE, 1).noise(size, "garbage")[1:]


def all_of_it(head: bytes, body: bytes) -> bytes:
    return head + body


def nothing(head: bytes, body: bytes) -> bytes:
    return b""


ROWS = [
    Row({"bandwidth": 100_000}, "bandwidth: 100000", all_of_it, OPEN),
    Row({"close": True}, "close: true", nothing, CLOSED),
    Row({"cut": 0.5}, "cut: 0.5", lambda head, body: head + body[: len(body) // 2], CLOSED),
    Row({"cut": 0}, "cut: 0", lambda head, body: head, CLOSED),
    Row({"delay": "5ms"}, 'delay: "5ms"', all_of_it, OPEN),
    Row({"dribble": {"bytes": 300, "every": "1ms"}}, 'dribble: {"bytes":300,"every":"1ms"}', all_of_it, OPEN),
    Row({"garbage": 1}, "garbage: 1", lambda head, body: b"\0", CLOSED),
    Row({"garbage": 3000}, "garbage: 3000", lambda head, body: noise(3000), CLOSED),
    Row({"hang": "5ms"}, 'hang: "5ms"', nothing, CLOSED),
    Row({"malformed_chunk": True}, "malformed_chunk: true", chunked, CLOSED),
    Row({"reset": "before"}, 'reset: "before"', nothing, RESET),
    Row({"reset": "body"}, 'reset: "body"', lambda head, body: head + body[: len(body) // 2], RESET),
    Row({"slow_headers": "5ms"}, 'slow_headers: "5ms"', all_of_it, OPEN),
    Row({"wrong_length": 7}, "wrong_length: 7", announced(+7), CLOSED),
    Row({"wrong_length": "-7"}, 'wrong_length: "-7"', announced(-7), CLOSED),
]  # fmt: skip

each_row = pytest.mark.parametrize("row", ROWS, ids=[row.logged for row in ROWS])


def test_no_delivery_is_left_out() -> None:
    assert {name for row in ROWS for name in row.deliver} == set(kinds.kinds(kinds.DELIVERIES))


CLOSING = "a wish to close"
OLD = "HTTP/1.0"

ASKS: dict[str, Callable[[ProviderHandle], bytes]] = {
    "a read": ask,
    CLOSING: lambda handle: ask(handle, BALANCES, "GET", b"", (b"Connection", b"close")),
    OLD: lambda handle: ask(handle).replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1),
    "a body": lambda handle: ask(handle, WITHDRAWALS, "POST", ORDER),
    "a body that waits to be asked for": lambda handle: ask(
        handle, WITHDRAWALS, "POST", ORDER, (b"Expect", b"100-continue")
    ),
    "a refusal": lambda handle: get(urlsplit(handle.base_url).path + BALANCES, {}),
}


@pytest.fixture(scope="module")
def timeless() -> Iterator[MockServer]:
    """A server for which time stands still, so that answers repeat."""
    with MockServer(real=HandClock()) as server:
        yield server


@pytest.fixture
def served(timeless: MockServer) -> MockServer:
    timeless.reset()
    return timeless


@pytest.mark.parametrize(
    ("row", "request_kind"),
    [*((row, "a read") for row in ROWS), *((row, name) for row in ROWS[::5] for name in ASKS)],
    ids=lambda value: value.logged if isinstance(value, Row) else value,
)
def test_a_delivery_sends_exactly_what_it_says(
    served: MockServer, row: Row, request_kind: str
) -> None:
    data = ASKS[request_kind](served.cpg)
    before, head, body = parts(once(served.cpg, data))
    served.reset()
    served.cpg.fail(RULE, deliver=row.deliver)
    expected = before + row.sent(head, body)
    end = CLOSED if row.end == OPEN and request_kind in (CLOSING, OLD) else row.end
    with dial(served.cpg.base_url) as connection:
        connection.sendall(data)
        heard = listen(connection, len(expected) + (end != OPEN))
    assert (dateless(heard.data), heard.end) == (expected, end)
    (entry,) = served.journal
    assert (entry.fault, entry.delivery, entry.reason != "") == (
        RULE,
        row.logged,
        request_kind == "a refusal",
    )


# The same on bodies small enough to be looked at


HEAD = b"HTTP/1.1 418 I'm a Teapot\r\ndate: %b\r\ncontent-length: %%d\r\n\r\n" % (b"-" * 29)
TEN = "0123456789"
CHUNKS = HEAD.replace(b"content-length: %d", b"transfer-encoding: chunked")

SMALL = [
    ("cut", 0.1, TEN, HEAD % 10 + b"0"),
    ("cut", 0.99, TEN, HEAD % 10 + b"012345678"),
    ("cut", 0.5, "", HEAD % 0),
    ("wrong_length", "+1", TEN, HEAD % 11 + b"0123456789"),
    ("wrong_length", "-1", TEN, HEAD % 9 + b"0123456789"),
    ("wrong_length", -11, TEN, HEAD % 0 + b"0123456789"),
    ("malformed_chunk", True, TEN, CHUNKS + b"5\r\n01234\r\nzz\r\n56789\r\n"),
    ("malformed_chunk", True, "", HEAD % 0),
]


@pytest.mark.parametrize(("name", "value", "body", "sent"), SMALL, ids=str)
def test_a_small_body_is_delivered_to_the_byte(
    server: MockServer, name: str, value: Any, body: str, sent: bytes
) -> None:
    server.cpg.fail(RULE, status=418, body=body, deliver={name: value})
    with dial(server.cpg.base_url) as connection:
        connection.sendall(ask(server.cpg))
        heard = listen(connection, len(sent) + 1)
    assert (dateless(heard.data), heard.end) == (sent, CLOSED)


BODILESS = [
    (b"HEAD", {"status": 418, "body": TEN}, HEAD % 10),
    (b"GET", {"status": 304}, None),
    (b"GET", {"status": 204}, None),
]


@pytest.mark.parametrize(("method", "answer", "sent"), BODILESS, ids=str)
def test_where_no_body_follows_no_chunk_does(
    served: MockServer, method: bytes, answer: dict[str, Any], sent: bytes | None
) -> None:
    served.cpg.fail("raw", **answer)
    data = ask(served.cpg).replace(b"GET ", method + b" ", 1)
    with dial(served.cpg.base_url) as connection:
        connection.sendall(data)
        whole_head = b""
        while not whole_head.endswith(BLANK):
            whole_head += connection.recv(1)
    served.cpg.fail(RULE, deliver={"malformed_chunk": True})
    with dial(served.cpg.base_url) as connection:
        connection.sendall(data)
        heard = listen(connection, 1 << 20)
    assert heard.end == CLOSED
    assert dateless(heard.data) == dateless(whole_head)
    assert b"chunked" not in heard.data
    assert sent is None or b"content-length: 10\r\n" in heard.data.lower()


def test_garbage_is_no_http_and_hangs_on_the_seed(server: MockServer) -> None:
    noises = []
    for sandbox in (server, server.sandbox(seed=490), server.sandbox(seed=491)):
        sandbox.cpg.fail(RULE, deliver={"garbage": 64})
        with dial(sandbox.cpg.base_url) as connection:
            connection.sendall(ask(sandbox.cpg))
            noises.append(listen(connection, 65).data)
    assert [len(data) for data in noises] == [64] * 3
    assert noises[0] == noises[1] != noises[2]
    assert all(data[:1] == b"\0" and len(set(data)) > 32 for data in noises)


COMBINED = [
    ([{"cut": 0.5, "wrong_length": 1}], HEAD % 11 + b"01234", CLOSED),
    ([{"dribble": {"bytes": 3, "every": 0}}, {"cut": 0.5}], HEAD % 10 + b"01234", CLOSED),
    ([{"slow_headers": 0}, {"bandwidth": 10**6, "reset": "body"}], HEAD % 10 + b"01234", RESET),
    ([{"delay": 0}, {"close": True}], b"", CLOSED),
    ([{"close": True}, {"reset": "before"}], b"", RESET),
    ([{"cut": 0.5}, {"cut": 0.4}], HEAD % 10 + b"01", CLOSED),
    ([{"dribble": {"bytes": 3, "every": 0}, "delay": 0, "slow_headers": 0}], HEAD % 10 + b"0123456789", OPEN),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "sent", "end"), COMBINED, ids=str)
def test_deliveries_apply_in_order_and_the_slow_ones_last(
    server: MockServer, rules: list[dict[str, Any]], sent: bytes, end: str
) -> None:
    server.cpg.fail("raw", status=418, body=TEN)
    for n, delivery in enumerate(rules):
        server.cpg.fail(f"rule{n}", deliver=delivery)
    with dial(server.cpg.base_url) as connection:
        connection.sendall(ask(server.cpg))
        heard = listen(connection, len(sent) + (end != OPEN))
    assert (dateless(heard.data), heard.end) == (sent, end)
    assert server.journal[-1].fault == ", ".join(["raw", *(f"rule{n}" for n in range(len(rules)))])


# Whom it leaves alone


@each_row
def test_a_delivery_changes_no_other_response_on_its_connection(
    served: MockServer, row: Row
) -> None:
    served.cpg.fail(RULE, query={"n": "2"}, deliver=row.deliver)
    first, second, third = reads(served.cpg, 1, 2, 3)
    plain = once(served.cpg, ask(served.cpg))
    expected = row.sent(*parts(plain)[1:])
    with dial(served.cpg.base_url) as connection:
        connection.sendall(first)
        assert dateless(read_response(connection)) == plain
        connection.sendall(second)
        heard = listen(connection, len(expected) + (row.end != OPEN))
        assert (dateless(heard.data), heard.end) == (expected, row.end)
        if row.end == OPEN:
            connection.sendall(third)
            assert dateless(read_response(connection)) == plain


@each_row
def test_a_delivery_among_three_requests_sent_at_once_changes_that_response_alone(
    served: MockServer, row: Row
) -> None:
    served.cpg.fail(RULE, query={"n": "2"}, deliver=row.deliver)
    plain = once(served.cpg, ask(served.cpg))
    expected = plain + row.sent(*parts(plain)[1:])
    expected += plain if row.end == OPEN else b""
    with dial(served.cpg.base_url) as connection:
        connection.sendall(b"".join(reads(served.cpg, 1, 2, 3)))
        heard = listen(connection, len(expected) + (row.end != OPEN))
        assert (dateless(heard.data), heard.end) == (expected, row.end)
    targets = [entry.target for entry in served.journal[1:]]
    assert [target[-1] for target in targets] == ["1", "2", "3"][: 3 if row.end == OPEN else 2]


# Where there is no socket


def test_without_a_socket_a_delivery_is_a_clear_error_and_takes_effect(server: MockServer) -> None:
    server.cpg.fail(deliver={"cut": 0.5})
    with (
        server.cpg.client(transport=server.transport) as client,
        pytest.raises(RuntimeError, match=re.escape(NO_SOCKET)),
    ):
        client.post(WITHDRAWALS, content=ORDER, headers=typed(ORDER))
    assert [entry.delivery for entry in server.journal] == ["cut: 0.5"]
    assert server.cpg.balances()[0].held == Decimal("251.5")
