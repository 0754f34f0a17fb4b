"""What the connection does before a request is one: declined upgrades, bounded heads."""

import http.client
import json

import pytest

from contract_tests.clients.senders import DEADLINE, dial
from contract_tests.support.raw import exchange, get
from contract_tests.support.signer import sign
from mockserver import MockServer
from mockserver.http.parsing import DRAIN_MAX, HEAD_MAX

PATH = "/v1/withdrawals"
ORDER = json.dumps(
    {"currency": "USDT", "network": "ETH", "to_address": "0xrecipient0", "amount": "50.00"}
).encode()
OFFERS = [
    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA",
    "Connection: Upgrade\r\nUpgrade: websocket",
    "Upgrade: h2c\r\nConnection: keep-alive, Upgrade",
]


def offered(offer: str, *, chunked: bool) -> bytes:
    """Writes a signed withdrawal that offers to upgrade."""
    signed = "\r\n".join(f"{k}: {v}" for k, v in sign("POST", PATH, body=ORDER).items())
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(ORDER)}"
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(ORDER), ORDER) if chunked else ORDER
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\n{offer}\r\n{signed}\r\n{framing}\r\n\r\n"
    return head.encode() + body


def read(connection: object) -> http.client.HTTPResponse:
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    answer.body = answer.read()
    answer.close()
    return answer


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("offer", OFFERS)
@pytest.mark.parametrize("cut", [0, 10, 0.5, -len(ORDER), -10], ids=str)
def test_a_declined_upgrade_loses_nothing_however_it_is_cut(
    server: MockServer, offer: str, chunked: bool, cut: float
) -> None:
    data = offered(offer, chunked=chunked)
    at = int(len(data) * cut) if isinstance(cut, float) else cut % len(data)
    with dial(server.cpg.base_url) as connection:
        for part in (data[:at], data[at:]):
            connection.sendall(part)
        first = read(connection)
        assert (first.status, json.loads(first.body)["data"]["amount_decimal"]) == (
            200,
            "50.000000",
        )
        connection.sendall(get(PATH + "/1", sign("GET", PATH + "/1")))
        assert read(connection).status == 200, "the connection serves on"
    assert len(server.journal) == 2


def test_requests_behind_a_declined_upgrade_are_answered_in_order(server: MockServer) -> None:
    data = offered(OFFERS[0], chunked=False)
    data += get(PATH + "/1", sign("GET", PATH + "/1")) + get("/nope", {})
    with dial(server.cpg.base_url) as connection, connection.makefile("rb") as stream:
        connection.sendall(data)
        statuses = []
        for _ in range(3):
            statuses.append(stream.readline().split()[1])
            stream.read(int(http.client.parse_headers(stream)["content-length"]))
        assert statuses == [b"200", b"200", b"404"]


def test_a_head_is_bounded_and_the_server_lives_on(server: MockServer) -> None:
    with dial(server.cpg.base_url) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX: ")
        answered = b""
        for _ in range(HEAD_MAX // 65536 + 2):
            try:
                connection.sendall(b"a" * 65536)
            except OSError:
                break
        connection.settimeout(DEADLINE)
        try:
            answered = connection.recv(65536)
        except ConnectionResetError:
            answered = b"HTTP/1.1 431 "
    assert answered.startswith(b"HTTP/1.1 431 ")
    assert b" 200 " in exchange(server.cpg.base_url, get("/healthz", {}))


def test_a_large_body_is_no_large_head(server: MockServer) -> None:
    body = ORDER + b" " * (1024 * 1024 - len(ORDER))
    answer = exchange(server.cpg.base_url, get(PATH, sign("POST", PATH, body=body), "POST", body))
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_a_body_without_end_is_not_read_to_its_end(server: MockServer) -> None:
    with dial(server.cpg.base_url) as connection:
        connection.sendall(get("/v1/withdrawals", {"Content-Length": "99999999"}, "POST"))
        connection.sendall(b" " * (DRAIN_MAX + 1))
        answer = read(connection)
        assert (answer.status, answer.headers["connection"]) == (413, "close")
        assert json.loads(answer.body) == {"success": False, "message": "Request body too large"}


def test_a_client_that_goes_away_half_way_changes_nothing(server: MockServer) -> None:
    data = offered("X: none", chunked=False)
    with dial(server.cpg.base_url) as connection:
        connection.sendall(data[:-1])
    assert b" 200 " in exchange(server.cpg.base_url, get("/healthz", {}))
    assert server.journal == []
    assert str(server.cpg.balances()[0].held) == "200.000000"
