"""What no good client sends, over a raw socket: never a 500, and nothing changes.

There are two lists. What the server's parser lets through is answered by the
provider, in its own shape; what it refuses is a 400 in plain text, and the
connection ends.
"""

import json
from functools import partial

import pytest

from contract_tests.clients.senders import by_hand, written
from contract_tests.support.changed_requests import instead, state
from contract_tests.support.raw_requests import (
    KIB,
    MIB,
    Ask,
    Edit,
    chunked,
    edited,
    last,
    order,
    post,
    raw,
    target,
    without,
)
from contract_tests.support.rows import each
from contract_tests.support.sockets import with_header
from mockserver import MockServer
from mockserver.client.provider import ProviderHandle
from mockserver.model.provider import ErrorContext
from mockserver.model.reject import Reject
from mockserver.providers import discover

# Requests: a good one, and what becomes of its bytes


def get(target: str = "/v1/balances", *edits: Edit, method: str = "GET") -> Ask:
    return partial(edited, method, target, b"", edits)


def before(line: bytes) -> Edit:
    """Adds a header before all others."""
    return lambda data: with_header(data, line)


def value(name: bytes, new: bytes) -> Edit:
    """Puts another value in a header."""

    def edit(data: bytes) -> bytes:
        head, before, rest = data.partition(b"\r\n" + name + b": ")
        return head + before + new + b"\r\n" + rest.partition(b"\r\n")[2]

    return edit


def trailer(line: bytes) -> Edit:
    """Adds a line behind the last chunk."""
    return lambda data: data.removesuffix(b"\r\n") + line + b"\r\n\r\n"


# What is answered: a status and a body


def refused(status: int, message: str) -> tuple[int, bytes]:
    """What the gateway answers."""
    body = {"success": False, "message": message}
    return status, json.dumps(body, separators=(",", ":")).encode()


def invalid(message: str) -> tuple[int, bytes]:
    """What it answers to an order, or an id, that it cannot read."""
    return refused(422, message)


def error(status: int, message: str) -> tuple[int, bytes]:
    """What CoinAPI answers."""
    return status, json.dumps({"error": message}, separators=(",", ":")).encode()


def unreachable(exchange: str) -> tuple[int, bytes]:
    """What CoinAPI answers about an exchange."""
    body = (
        '{"type":"MESSAGE_REJECT","reject_reason":"EXCHANGE_UNREACHABLE",'
        f'"exchange_id":"{exchange}","message":"Exchange is unreachable."}}'
    )
    return 490, body.encode()


GOOD = (200, None)  # with any body

NOT_FOUND = refused(404, "Not Found")
BAD_METHOD = refused(405, "Method Not Allowed")
TOO_LARGE = refused(413, "Request body too large")
MISSING = refused(401, "Missing authentication headers")
NO_KEY = refused(401, "Invalid API key")
WINDOW = refused(401, "Request timestamp is outside the allowed window")
SIGNATURE = refused(401, "Invalid signature")
NO_PAIR = refused(400, "Unsupported currency or network")
NO_JSON = invalid("body: JSON decode error")
NO_OBJECT = invalid("body: Input should be a valid dictionary")
NO_INTEGER = invalid("id: Input should be a valid integer")
NOT_ABOVE_0 = invalid("amount: Input should be greater than 0")
NO_DECIMAL = invalid("amount: Input should be a valid decimal")
NOT_FINITE = invalid("amount: Input should be a finite number")
TOO_LONG = invalid("amount: Decimal input should have no more than 80 digits in total")
NO_CURRENCY = invalid("currency: Input should be a valid string")
NO_REFERENCE = invalid("client_reference: Input should be a valid string")
NO_MEMBER = invalid("; ".join(f"{name}: Field required" for name in json.loads(order())))

# Bodies that are no order.
BODIES = [
    ("an empty body", b"", NO_JSON),
    ("half a document", b'{"currency":', NO_JSON),
    ("bytes that are no UTF-8", b'{"currency":"\xff\xfe"}', NO_JSON),
    ("a byte order mark", order().encode("utf-8-sig"), NO_JSON),
    ("a form", "currency=USDT&network=ETH&to_address=0xrecipient0&amount=50", NO_JSON),
    ("lists, 500,000 deep", "[" * 500_000, NO_JSON),
    ("lists, 500,000 deep, in a member", order(more="[" * 500_000), NO_JSON),
    ("a list", f"[{order()}]", NO_OBJECT),
    ("a number", "1" * 5000, NO_OBJECT),
    ("NaN", "NaN", NO_OBJECT),
    ("an empty object", "{}", NO_MEMBER),
]

# Members of an order, as JSON texts.
MEMBERS = [
    ("zero less nothing", {"amount": "-0.0"}, NOT_ABOVE_0),
    ("an enormous exponent", {"amount": "1e999999999"}, TOO_LONG),
    ("an exponent that no decimal has", {"amount": "1e9999999999999999999"}, NO_JSON),
    ("5000 digits in quotes", {"amount": f'"{"9" * 5000}"'}, NO_DECIMAL),
    ("81 digits", {"amount": "1" * 81}, TOO_LONG),
    ("80 digits", {"amount": "1" * 80}, refused(400, "Insufficient balance")),
    ("40 decimals", {"amount": "50." + "0" * 39 + "1"}, refused(400, "Amount has too many decimal places")),
    ("an exponent in quotes", {"amount": '"5e1"'}, NO_DECIMAL),
    ("NaN", {"amount": "NaN"}, NOT_FINITE),
    ("NaN in quotes", {"amount": '"NaN"'}, NO_DECIMAL),
    ("spaces round an amount", {"amount": '" 50.00 "'}, NO_DECIMAL),
    ("an underscore in an amount", {"amount": '"5_0"'}, NO_DECIMAL),
    ("a hexadecimal amount", {"amount": "0x32"}, NO_JSON),
    ("an empty amount", {"amount": '""'}, NO_DECIMAL),
    ("a high surrogate as currency", {"currency": r'"\ud800"'}, NO_CURRENCY),
    ("a pair of surrogates", {"currency": r'"\ud83d\ude00"'}, NO_PAIR),
    ("a sharp s that capitals make two", {"currency": '"\u00df"'}, NO_PAIR),
    ("a surrogate as address", {"to_address": r'"0xrecipient\ud800"'},
     invalid("to_address: Input should be a valid string")),
    ("a surrogate as reference", {"client_reference": r'"\udead"'},
     NO_REFERENCE),
    ("a surrogate as a member's name", {r"\ud800": "1", "amount": "0"}, NOT_ABOVE_0),
    ("all wrong at once", dict.fromkeys(json.loads(order()), "[]"),
     invalid("currency: Input should be a valid string; network: Input should be a valid string; "
             "to_address: Input should be a valid string; amount: Input should be a valid decimal")),
    ("a member twice: the last counts", {"more": '0,"amount":"x"'}, NO_DECIMAL),
]  # fmt: skip

ARABIC = "\u0661\u0667\u0664\u0667\u0664\u0664\u0664\u0668\u0660\u0660".encode()

# Headers of a good read: what becomes of them.
HEADERS = [
    ("a header of 64 KiB", last(b"A: " + b"a" * 64 * KIB), GOOD),
    ("a thousand headers", last(b"\r\n".join(b"A: b" for _ in range(1000))), GOOD),
    ("a header that is no UTF-8", last(b"User-Agent: \xff\xfe"), GOOD),
    ("an empty header", last(b"A:"), GOOD),
    ("header names in small letters", instead(b"X-CPG-K", b"x-cpg-k"), GOOD),
    ("an empty Host", value(b"Host", b""), GOOD),
    ("a Host that is no host", value(b"Host", b"[\xff"), GOOD),
    ("HTTP/1.0", instead(b"HTTP/1.1", b"HTTP/1.0"), GOOD),
    ("HTTP/1.0 without a Host",
     lambda data: without(b"Host")(instead(b"HTTP/1.1", b"HTTP/1.0")(data)), GOOD),
    ("blanks around a key", value(b"X-CPG-Key", b" \t cpg_test_key \t "), GOOD),
    ("a whole URL as target", target(b"http://elsewhere/v1/balances"), GOOD),
    ("a fragment behind the target", target(b"/v1/balances#a"), GOOD),
    ("a fragment in a query", target(b"/v1/balances?#a"), GOOD),
    ("a WebSocket", last(b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13"
                         b"\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), GOOD),
    ("HTTP/2 by upgrade", last(b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings"
                               b"\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"), GOOD),
    ("a body that it expects to send and does not have", last(b"Expect: 100-continue"), GOOD),
    ("no key", without(b"X-CPG-Key"), MISSING),
    ("an empty signature", value(b"X-CPG-Signature", b""), MISSING),
    ("an empty key before a good one", before(b"X-CPG-Key:"), MISSING),
    ("a wrong key before a good one", before(b"X-CPG-Key: nobody"), NO_KEY),
    ("a wrong key behind a good one", last(b"X-CPG-Key: nobody"), GOOD),
    ("a key of 64 KiB", value(b"X-CPG-Key", b"k" * 64 * KIB), NO_KEY),
    ("a key in capitals", value(b"X-CPG-Key", b"CPG_TEST_KEY"), NO_KEY),
    ("a timestamp of 64 KiB", value(b"X-CPG-Timestamp", b"1" * 64 * KIB), WINDOW),
    ("a timestamp of 16 digits", value(b"X-CPG-Timestamp", b"1" * 16), WINDOW),
    ("a timestamp in milliseconds", value(b"X-CPG-Timestamp", b"1747444800000"), WINDOW),
    ("a timestamp with a plus", value(b"X-CPG-Timestamp", b"+1747444800"), WINDOW),
    ("a timestamp with a point", value(b"X-CPG-Timestamp", b"1747444800.0"), WINDOW),
    ("a timestamp in Arabic digits", value(b"X-CPG-Timestamp", ARABIC), WINDOW),
    ("a timestamp that is no UTF-8", value(b"X-CPG-Timestamp", b"\xff\xfe"), WINDOW),
    ("a signature of 64 KiB", value(b"X-CPG-Signature", b"a" * 64 * KIB), SIGNATURE),
    ("a signature that is not hex", value(b"X-CPG-Signature", b"g" * 64), SIGNATURE),
]  # fmt: skip

# Targets, signed as they are.
TARGETS = [
    ("an unknown path", "/v1/nothing", NOT_FOUND),
    ("a path in capitals", "/V1/BALANCES", NOT_FOUND),
    ("a slash behind a path", "/v1/balances/", NOT_FOUND),
    ("two slashes before a path", "//v1/balances", NOT_FOUND),
    ("two dots in a path", "/v1/../v1/balances", NOT_FOUND),
    ("an escaped NUL behind a path", "/v1/balances%00", NOT_FOUND),
    ("escapes that are none", "/v1/balances%zz%", NOT_FOUND),
    ("escapes that are no UTF-8", "/v1/%ff%fe", NOT_FOUND),
    ("a path of 60,000 bytes", "/" + "a" * 60_000, NOT_FOUND),
    ("a backslash and signs that URLs escape", '/a\\b|c{d}^`"<>', NOT_FOUND),
    ("a path with every letter escaped", "/%76%31/%62%61%6c%61%6e%63%65%73", GOOD),
    ("an escaped slash in a path", "/v1%2Fbalances", NOT_FOUND),
    ("a query of marks", "/v1/balances?&=&&==&?", GOOD),
    ("a query of broken escapes", "/v1/balances?currency=%zz&%=%&%f", GOOD),
    ("a query of 60,000 bytes", "/v1/balances?a=" + "a" * 60_000, GOOD),
    ("a query of 20,000 parameters", "/v1/balances?" + "a&" * 20_000, GOOD),
    ("a parameter twice", "/v1/balances?currency=BTC&currency=USDT", GOOD),
    ("a currency that is no UTF-8", "/v1/balances?currency=%ff%fe", GOOD),
    ("an id that is none", "/v1/withdrawals/one", NO_INTEGER),
    ("an empty id", "/v1/withdrawals/", refused(404, "Not Found")),
    ("a negative id", "/v1/withdrawals/-1", NO_INTEGER),
    ("an id in Arabic digits", "/v1/withdrawals/%D9%A1", NO_INTEGER),
    ("an id with an escaped NUL", "/v1/withdrawals/1%00", NO_INTEGER),
    ("an id of 5000 digits", "/v1/withdrawals/" + "9" * 5000, NO_INTEGER),
    ("an id of 18 digits", "/v1/withdrawals/" + "9" * 18, refused(404, "Withdrawal not found")),
    ("an id with an escaped slash", "/v1/withdrawals/1%2F2", NO_INTEGER),
]

METHODS = [
    ("HEAD", "/v1/balances", (405, b"")),
    ("OPTIONS", "/v1/balances", BAD_METHOD),
    ("OPTIONS", "*", NOT_FOUND),
    ("TRACE", "/v1/balances", BAD_METHOD),
    ("PATCH", "/v1/withdrawals/1", BAD_METHOD),
    ("CONNECT", "/v1/balances", BAD_METHOD),
    ("GET", "/v1/withdrawals", BAD_METHOD),
]

FRAMES = [
    ("a MiB and a byte", post(b" " * (MIB + 1)), TOO_LARGE),
    ("a MiB and a byte in chunks", post(b" " * (MIB + 1), chunked(64 * KIB)), TOO_LARGE),
    ("chunks with an extension", post("{}", chunked(1, b";a=b")), NO_MEMBER),
    ("a body that is expected", post("{}", last(b"Expect: 100-continue")), NO_MEMBER),
    ("an expectation of something else", post("{}", last(b"Expect: tea")),
     (417, b"Expect takes 100-continue and nothing else.\n")),
    ("a trailer of a key", post("{}", chunked(7), trailer(b"X-CPG-KEY: other")), NO_MEMBER),
    ("an upgrade with a body", post("{}", last(b"Upgrade: h2c\r\nConnection: Upgrade")), NO_MEMBER),
    ("a compressed body", post(b"\x1f\x8b\x08", last(b"Content-Encoding: gzip")), NO_JSON),
    ("a good order that is not signed whole", post(order(), last(b"A: b"), instead(b"50.0", b"51.0")),
     SIGNATURE),
    ("a read with a body", partial(edited, "GET", "/v1/balances", b"[" * 500_000, ()), GOOD),
]  # fmt: skip

NO_API_KEY = error(401, "Invalid API key")

COINAPI = [
    ("an unknown path", get("/v1/nothing"), error(404, "Not Found")),
    ("HEAD", get(method="HEAD"), (405, b"")),
    ("a key of 64 KiB", get("/v1/balances", value(b"X-CoinAPI-Key", b"k" * 64 * KIB)), NO_API_KEY),
    ("no key", get("/v1/balances", without(b"X-CoinAPI-Key")), NO_API_KEY),
    ("a wrong key before a good one", get("/v1/balances", before(b"X-CoinAPI-Key: k")), NO_API_KEY),
    ("a wrong key behind a good one", get("/v1/balances", last(b"X-CoinAPI-Key: k")), GOOD),
    ("a parameter twice", get("/v1/balances?exchange_id=KRAKEN&exchange_id=NO"), GOOD),
    ("an empty exchange", get("/v1/balances?exchange_id="), GOOD),
    ("an exchange of quotes", get("/v1/balances?exchange_id=%22%5C"), unreachable(r"\"\\")),
    ("an exchange that is no UTF-8", get("/v1/balances?exchange_id=%ff"), unreachable("\ufffd")),
    ("an exchange of an escaped surrogate", get("/v1/balances?exchange_id=%ED%A0%80"),
     unreachable("\ufffd" * 3)),
    ("an exchange of 60,000 bytes", get("/v1/balances?exchange_id=" + "A" * 60_000),
     unreachable("A" * 60_000)),
    ("a body of a MiB and a byte", partial(edited, "GET", "/v1/balances", b" " * (MIB + 1), ()),
     error(413, "Payload Too Large")),
]  # fmt: skip

ANSWERED = [
    *(("cpg", f"a body: {about}", post(body), answer) for about, body, answer in BODIES),
    *(("cpg", f"an order: {about}", post(order(**m)), answer) for about, m, answer in MEMBERS),
    *(("cpg", about, get("/v1/balances", edit), answer) for about, edit, answer in HEADERS),
    *(("cpg", about, get(target), answer) for about, target, answer in TARGETS),
    *(("cpg", f"{m} {path}", get(path, method=m), answer) for m, path, answer in METHODS),
    *(("cpg", about, ask, answer) for about, ask, answer in FRAMES),
    *(("coinapi", about, ask, answer) for about, ask, answer in COINAPI),
]


@pytest.mark.parametrize(
    ("provider", "ask", "expected"),
    [(provider, ask, answer) for provider, _, ask, answer in ANSWERED],
    ids=[f"{provider}: {about}" for provider, about, _, _ in ANSWERED],
)
def test_the_provider_answers_in_its_own_shape_and_nothing_changes(
    server: MockServer, provider: str, ask: Ask, expected: tuple[int, bytes | None]
) -> None:
    handle: ProviderHandle = getattr(server, provider)
    before = state(server)
    answer = by_hand(handle.base_url, ask(handle.auth))
    status, body = expected
    assert answer.status == status, answer.body
    assert answer.body == (answer.body if body is None else body)
    assert state(server) == before


# Methods, targets ({} stands for the path of the provider's example), bodies and what
# becomes of them at every provider.
EVERYWHERE = [
    ("an unknown path", ("GET", "/no/such/path", b"", ()), "no_route"),
    ("a path of 60,000 bytes", ("GET", "/" + "a" * 60_000, b"", ()), "no_route"),
    ("a path that is no UTF-8", ("GET", "/%ff%fe", b"", ()), "no_route"),
    ("an escaped NUL behind a path", ("GET", "{}%00", b"", ()), "no_route"),
    ("a method of WebDAV", ("PROPFIND", "{}", b"", ()), "bad_method"),
    ("a MiB and a byte", ("", "{}", b" " * (MIB + 1), ()), "too_large"),
    ("the same in chunks", ("", "{}", b" " * (MIB + 1), (chunked(64 * KIB),)), "too_large"),
]


@pytest.mark.parametrize("provider", discover())
@each("row, reason", EVERYWHERE)
def test_every_provider_refuses_by_its_table_of_errors(
    server: MockServer, provider: str, row: tuple[str, str, bytes, tuple[Edit, ...]], reason: str
) -> None:
    handle: ProviderHandle = getattr(server, provider)
    example, (method, path, body, edits) = handle.example, row
    known = handle.provider.base_path + example.path.decode()
    query = "?" + example.query.decode() if path == "{}" else ""
    path = path.format(known) + query
    before = state(server)
    data = edited(method or example.method, path, body, edits, handle.auth)
    answer = by_hand(handle.base_url, data)
    expected = handle.provider.refuse(
        Reject(reason), ErrorContext(server.app.sandboxes.default.states[provider].quirks)
    )
    assert (server.journal[-1].reason, answer.status) == (reason, expected.status)
    assert json.loads(answer.body).keys() == json.loads(expected.body).keys()
    assert state(server) == before


# What the parser refuses


def length(*lines: bytes) -> Edit:
    """Puts other lines in the place of the body's length."""
    return lambda data: last(b"\r\n".join(lines))(without(b"Content-Length")(data))


REFUSED = [
    ("a NUL in a header", get("/v1/balances", last(b"A: \0"))),
    ("a header that goes on in the next line", get("/v1/balances", last(b"A: b\r\n c"))),
    ("a header without a colon", get("/v1/balances", last(b"A"))),
    ("a blank behind a header's name", get("/v1/balances", last(b"A : b"))),
    ("a header's name that is not ASCII", get("/v1/balances", last(b"\xff: b"))),
    ("a NUL in the target", get("/v1/balances", target(b"/v1/balances\0"))),
    ("a blank in the target", get("/v1/balances", target(b"/v1/ balances"))),
    ("a byte that is not ASCII in the path", get("/v1/balances", target(b"/v1/\xc3\xa9"))),
    ("a DEL in the target", get("/v1/balances", target(b"/v1/balances\x7f"))),
    ("a target without a slash", get("/v1/balances", target(b"v1/balances"))),
    ("no target", get("/v1/balances", target(b""))),
    ("an unknown method", get(method="FETCH")),
    ("CONNECT to an address", get("127.0.0.1:80", method="CONNECT")),
    ("HTTP/3.0", get("/v1/balances", instead(b"HTTP/1.1", b"HTTP/3.0"))),
    ("line ends alone", raw(b"GET /v1/balances HTTP/1.1\nHost: 127.0.0.1\n\n")),
    ("two lengths", post(order(), last(b"Content-Length: 5"))),
    ("a negative length", post("{}", value(b"Content-Length", b"-2"))),
    ("a length that no machine has", post("{}", value(b"Content-Length", b"9" * 30))),
    ("a length and chunks", post(order(), last(b"Transfer-Encoding: chunked"))),
    ("a coding that is not chunks", post("{}", length(b"Transfer-Encoding: gzip"))),
    ("a chunk's size that is none", post("zz\r\n{}\r\n0\r\n\r\n", length(b"Transfer-Encoding: chunked"))),
    ("a chunk that no machine has", post("f" * 17 + "\r\n{}", length(b"Transfer-Encoding: chunked"))),
    ("garbage", raw(b"\xde\xad\xbe\xef\r\n\r\n")),
    ("an answer", raw(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")),
    ("the preface of HTTP/2", raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")),
]  # fmt: skip


@each("ask", REFUSED)
def test_the_parser_refuses_and_the_server_goes_on(server: MockServer, ask: Ask) -> None:
    handle = server.cpg
    before, count = state(server), server.app.sandboxes.default.journal.count
    answer = by_hand(handle.base_url, ask(handle.auth))
    assert (answer.status, answer.body) == (400, b"Invalid HTTP request received.")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["connection"] == "close"
    assert (state(server), server.app.sandboxes.default.journal.count) == (before, count)
    assert by_hand(handle.base_url, written(handle.auth)).status == 200


# The gateway's own paths

FOREIGN_HOST = (403, "foreign host")
FOREIGN_ORIGIN = (403, "foreign origin")

STEERED = [
    ("an empty Host", value(b"Host", b""), FOREIGN_HOST),
    ("a Host of a wrong address", value(b"Host", b"[::g]"), FOREIGN_HOST),
    ("another Origin", last(b"Origin: http://elsewhere"), FOREIGN_ORIGIN),
    ("an Origin that is no URL", last(b"Origin: null"), FOREIGN_ORIGIN),
    ("an Origin of a wrong address", last(b"Origin: http://[::g]"), FOREIGN_ORIGIN),
]


@each("edit, expected", STEERED)
def test_the_control_api_refuses_foreign_hosts_and_origins(
    server: MockServer, edit: Edit, expected: tuple[int, str]
) -> None:
    answer = by_hand(server.url, get("/__admin/health", edit)(server.cpg.auth))
    assert answer.status == expected[0], answer.body
    assert json.loads(answer.body)["error"] == expected[1]
