"""Bytes sent, and what must come back: heads, half-closed clients, time limits, crowds, pages.

Everything here goes over a raw socket and knows nothing of how the server is made.
"""

import contextlib
import json
import re
import resource
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from contract_tests.clients.senders import DEADLINE
from contract_tests.support.raw import get
from contract_tests.support.rows import each
from contract_tests.support.sockets import (
    HEALTH,
    HOST,
    answers,
    converse,
    dial,
    main_read,
    read_to_end,
    statuses,
    with_header,
)
from mockserver import MockServer
from mockserver.cli import config
from mockserver.cli.main import main
from mockserver.client.provider import ProviderHandle
from mockserver.engine.cors import FOREIGN, host_of, is_foreign, is_loopback
from mockserver.errors import FileError
from mockserver.http.bounds import CONNECTIONS_MIN, FILES, RESERVE, bounds_for
from mockserver.providers import discover

BALANCES = "/v1/balances"
URL_BOUND = 65_535
HEAD_BOUND = 256 * 1024
PROVIDERS = list(discover())


def edited(data: bytes, old: bytes, new: bytes) -> bytes:
    changed = re.sub(old, new, data, count=1, flags=re.IGNORECASE)
    assert changed != data
    return changed


# Heads: what is sent, what comes back

HEADS: list[tuple[str, Callable[[bytes], bytes], int, bytes]] = [
    ("one Host", lambda d: d, 200, b""),
    ("tabs behind each value", lambda d: d.replace(b"\r\n", b"\t \t\r\n").replace(b"1.1\t \t\r", b"1.1\r").replace(b"\r\n\t \t\r\n", b"\r\n\r\n"), 200, b""),
    ("no Host", lambda d: edited(d, rb"\r\nHost: [^\r]*", b""), 400, b"A request has one Host header, this one has 0."),
    ("two Hosts", lambda d: with_header(d, b"Host: 127.0.0.1"), 400, b"A request has one Host header, this one has 2."),
    ("HTTP/1.0 without Host", lambda d: edited(d, rb"\r\nHost: [^\r]*", b"").replace(b"HTTP/1.1", b"HTTP/1.0"), 200, b""),
    ("an empty Host", lambda d: edited(d, rb"\r\nHost: [^\r]*", b"\r\nHost:"), 200, b""),
    ("no Host and a URL with one", lambda d: edited(d, rb"\r\nHost: [^\r]*", b"").replace(b" /", b" http://127.0.0.1/", 1), 400, b"A request has one Host header, this one has 0."),
]  # fmt: skip


@each("edit, status, line", HEADS)
def test_a_head_is_accepted_or_refused_in_one_line(
    server: MockServer, edit: Callable[[bytes], bytes], status: int, line: bytes
) -> None:
    ((got, head, body),) = answers(converse(server.cpg.base_url, edit(main_read(server.cpg))))
    assert got == status
    if line:
        assert body == line + b"\n"
        assert b"\r\nconnection: close" in head
        assert server.journal == []


def test_the_gateways_pages_refuse_such_heads_too(server: MockServer) -> None:
    two = HEALTH.replace(HOST, HOST + HOST)
    old = HEALTH.replace(HOST, b"").replace(b"1.1", b"1.0")
    rows = [(HEALTH, 200), (HEALTH.replace(HOST, b""), 400), (two, 400), (old, 200)]
    assert [statuses(converse(server.url, data)) for data, _ in rows] == [[s] for _, s in rows]


LENGTHS = [(URL_BOUND, "/", 404), (URL_BOUND + 1, "/", 414), (70_000, "/?a=", 414)]


@pytest.mark.parametrize(("size", "start", "status"), LENGTHS)
def test_a_url_that_is_too_long_is_refused_with_both_lengths(
    server: MockServer, size: int, start: str, status: int
) -> None:
    ((got, _, body),) = answers(converse(server.cpg.base_url, get(start.ljust(size, "a"), {})))
    assert got == status
    if status == 414:
        assert body == f"A URL has at most {URL_BOUND} bytes, this one {size}.\n".encode()


def test_a_head_that_is_too_large_is_refused_with_the_bound(server: MockServer) -> None:
    received = converse(server.url, (HEALTH[:-2] + b"X: ").ljust(HEAD_BOUND + 1, b"a"))
    assert received.startswith(b"HTTP/1.1 431 ")
    assert b"%d bytes" % HEAD_BOUND in received


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_bearer_is_the_same_in_any_case(server: MockServer, scheme: str) -> None:
    word = scheme.encode() + b" "
    cdp = main_read(server.cdp).replace(b" Bearer ", b" " + word)
    assert word in cdp
    key = server.coinstats.credentials["api_key"].encode()
    coinstats = edited(
        main_read(server.coinstats), rb"X-API-KEY: [^\r]*", b"Authorization: " + word + key
    )
    server.app.admin_token = "open"
    try:
        control = with_header(get("/__admin/health", {}), b"Authorization: " + word + b"open \t")
        rows = [
            (server.cdp.base_url, cdp),
            (server.coinstats.base_url, coinstats),
            (server.url, control),
        ]
        assert [statuses(converse(url, data)) for url, data in rows] == [[200]] * 3
    finally:
        server.app.admin_token = None


BODILESS = [(200, b"content-length: 0"), (204, None), (304, None), (205, b"content-length: 0")]


@pytest.mark.parametrize(("status", "length"), BODILESS)
@pytest.mark.parametrize(
    "deliver", [None, {"delay": "1ms"}, {"dribble": {"bytes": 10, "every": "0s"}}]
)
def test_a_raw_answer_that_has_no_body_names_no_length(
    server: MockServer, status: int, length: bytes | None, deliver: dict[str, Any] | None
) -> None:
    server.cpg.fail(query={"n": "1"}, status=status, **({"deliver": deliver} if deliver else {}))
    received = converse(
        server.cpg.base_url, main_read(server.cpg, "n=1") + main_read(server.cpg, "n=2")
    )
    (got, head, body), (second, _, _) = answers(received)
    assert (got, body, second) == (status, b"", 200)
    assert b"transfer-encoding" not in head
    assert (length in head) if length else (b"content-length" not in head)


@pytest.mark.parametrize("status", [100, 101, 103, 199])
def test_no_rule_gives_an_interim_answer(server: MockServer, status: int) -> None:
    with pytest.raises(ValueError, match="from 200 to 599"):
        server.cpg.fail(status=status)


# A client that closes its sending side

SLOW: list[tuple[str, dict[str, Any]]] = [
    ("at once", {}),
    ("a delay", {"deliver": {"delay": "100ms"}}),
    ("a delay on the sandbox clock", {"deliver": {"delay": "100ms", "clock": "sandbox"}}),
    ("a dribble", {"deliver": {"dribble": {"bytes": 50, "every": "20ms"}}}),
    ("slow headers", {"deliver": {"slow_headers": "100ms"}}),
    ("a bandwidth", {"deliver": {"bandwidth": 20_000}}),
    ("a refusal and a delay", {"reject": "rate_limited", "deliver": {"delay": "100ms"}}),
]


@each("rule", SLOW)
def test_a_client_that_closes_its_sending_side_is_answered_however_long_it_takes(
    server: MockServer, rule: dict[str, Any]
) -> None:
    many = 3
    server.set_limits("off")
    if rule:
        server.coinapi.fail(**rule)
    status = 429 if "reject" in rule else 200
    data = b"".join(main_read(server.coinapi, f"n={n}") for n in range(many))
    assert statuses(converse(server.coinapi.base_url, data)) == [status] * many


def call(method: str, path: str, body: Any = None) -> bytes:
    raw = b"" if body is None else json.dumps(body).encode()
    return get(f"/__admin{path}", {"Content-Type": "application/json"}, method, raw)


CALLS = [
    (call("PUT", "/sandboxes/half-closed", {}), 201),
    (call("GET", "/sandboxes/default/ledger"), 200),
    (call("GET", "/sandboxes/default/requests.har"), 200),
    (call("POST", "/sandboxes/default/clock", {"advance": "1s"}), 200),
    (HEALTH, 200),
]


@pytest.mark.parametrize(
    ("data", "status"), CALLS, ids=[row[0].split()[1].decode() for row in CALLS]
)
def test_a_client_that_closes_its_sending_side_is_answered_by_the_control_api(
    server: MockServer, data: bytes, status: int
) -> None:
    assert statuses(converse(server.url, data)) == [status]
    assert statuses(converse(server.url, HEALTH + data + HEALTH)) == [200, status, 200]


def test_a_hang_ends_when_the_client_sends_no_more(
    server: MockServer,
) -> None:
    server.cpg.fail(deliver={"hang": "1h"})
    assert converse(server.cpg.base_url, main_read(server.cpg)) == b""


def test_a_stream_without_end_ends_when_the_client_sends_no_more(server: MockServer) -> None:
    with dial(server.url) as connection:
        connection.sendall(get("/__admin/sandboxes/default/requests/stream", {}))
        assert connection.recv(12) == b"HTTP/1.1 200"
        connection.shutdown(socket.SHUT_WR)
        read_to_end(connection)


# Time limits


@pytest.fixture(scope="module")
def hasty() -> Iterator[MockServer]:
    """A server that waits for nobody longer than a fifth of a second."""
    with MockServer(head_timeout=0.2, body_timeout=0.2) as server:
        yield server


POST = get("/v1/withdrawals", {}, "POST", b"{}")
EXPECTING = with_header(POST, b"Expect: 100-continue")
CHUNKED = POST.replace(
    b"Content-Length: 2\r\n\r\n{}", b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"
)
NO_HEAD = b"The head did not come in 0.2 s (--head-timeout).\n"
NO_BODY = b"The body did not come in 0.2 s (--body-timeout).\n"

LATE: list[tuple[str, bytes, bytes]] = [
    ("nothing", b"", NO_HEAD),
    ("a byte", b"G", NO_HEAD),
    ("half a head", HEALTH[:-2], NO_HEAD),
    ("a head and no body", POST[:-2], NO_BODY),
    ("half a chunk", CHUNKED[:-4], NO_BODY),
    ("chunks and no end", CHUNKED, NO_BODY),
]


@pytest.mark.parametrize(
    ("place", "before"), [("cpg", b""), ("gateway", HEALTH), ("control", HEALTH * 3)], ids=str
)
@each("data, line", LATE)
def test_a_request_that_does_not_come_in_time_is_a_408(
    hasty: MockServer, place: str, data: bytes, line: bytes, before: bytes
) -> None:
    url = hasty.cpg.base_url if place == "cpg" else hasty.url
    path = {"cpg": b"/v1/", "gateway": b"/cpg/v1/", "control": b"/__admin/"}[place]
    if before and data in (b"", b"\r\n"):
        before = b""  # an idle connection closes without a word
    with dial(url) as connection:
        connection.sendall(before + data.replace(b"/v1/", path))
        *first, (status, head, body) = answers(read_to_end(connection))
    assert [s for s, _, _ in first] == [200] * before.count(b"GET")
    assert (status, body) == (408, line)
    assert b"\r\nconnection: close" in head


def test_a_body_that_was_asked_for_and_does_not_come_is_a_408(hasty: MockServer) -> None:
    with dial(hasty.cpg.base_url) as connection:
        connection.sendall(EXPECTING[:-2])
        received = read_to_end(connection)
    interim, _, rest = received.partition(b"\r\n\r\n")
    assert interim == b"HTTP/1.1 100 Continue"
    assert [(status, body) for status, _, body in answers(rest)] == [(408, NO_BODY)]


def test_bytes_that_trickle_in_do_not_extend_the_time(hasty: MockServer) -> None:
    with dial(hasty.url) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        connection.settimeout(0.02)
        received = b""
        for _ in range(DEADLINE * 50):
            with contextlib.suppress(TimeoutError):
                received = connection.recv(1 << 16)
                break
            connection.sendall(b"a: b\r\n")
    assert [(status, body) for status, _, body in answers(received)] == [(408, NO_HEAD)]


@pytest.mark.parametrize("rest", [HEALTH[:9], POST[:-1]], ids=["a head", "a body"])
def test_an_answer_that_takes_its_time_is_sent_before_a_408(hasty: MockServer, rest: bytes) -> None:
    hasty.reset()
    hasty.cpg.fail(path=BALANCES, deliver={"delay": "1s"})
    with dial(hasty.cpg.base_url) as connection:
        connection.sendall(main_read(hasty.cpg) + rest)
        assert statuses(read_to_end(connection)) == [200, 408]
    hasty.clear_faults()


def test_an_answer_may_take_longer_than_a_request_and_the_connection_serves_on(
    hasty: MockServer,
) -> None:
    hasty.reset()
    hasty.cpg.fail(query={"n": "0"}, deliver={"delay": "700ms"})
    first, second = (main_read(hasty.cpg, f"n={n}") for n in range(2))
    with dial(hasty.cpg.base_url) as connection:
        connection.sendall(first)
        received = connection.recv(1 << 16)
        connection.sendall(second[:40])
        connection.sendall(second[40:])
        connection.shutdown(socket.SHUT_WR)
        assert statuses(received + read_to_end(connection)) == [200, 200]


# Crowds


@contextlib.contextmanager
def crowd(*urls: str, each: int) -> Iterator[list[socket.socket]]:
    """Holds connections open that say nothing."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(dial(url)) for _ in range(each) for url in urls]


def full(bound: int) -> bytes:
    return f"Too many connections: --max-connections is {bound}.\n".encode()


def test_a_connection_too_many_is_refused_and_the_gateway_answers() -> None:
    with MockServer(max_connections=10) as server:
        url = server.cpg.base_url
        with crowd(url, each=10) as silent:
            for data in (b"", main_read(server.cpg)):
                with dial(url) as connection:
                    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                        connection.sendall(data)
                    ((status, head, body),) = answers(read_to_end(connection))
                assert (status, body) == (503, full(10))
                assert b"\r\nconnection: close" in head
            assert statuses(converse(server.url, HEALTH)) == [200]
            assert statuses(converse(server.url, call("GET", "/health"))) == [200]
            silent[0].sendall(main_read(server.cpg))
            silent[0].shutdown(socket.SHUT_WR)
            assert statuses(read_to_end(silent[0])) == [200], "who was there first is served"
            assert statuses(converse(url, main_read(server.cpg, "n=1"))) == [200], (
                "there is room again"
            )


def test_silent_clients_of_the_gateway_do_not_keep_others_from_it() -> None:
    with MockServer(max_connections=10) as server, crowd(server.url, each=40) as silent:
        assert statuses(converse(server.url, HEALTH)) == [200]
        assert statuses(converse(server.url, call("GET", "/sandboxes/default"))) == [200]
        ((status, _, body),) = answers(read_to_end(silent[0]))
        assert (status, body) == (503, full(10)), "the oldest made room"


@pytest.mark.parametrize("places", ["gateway", "all"])
def test_with_64_descriptors_120_silent_clients_lock_no_other_client_out(
    tmp_path: Path, places: str
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "mockserver", "serve", "--port", "0", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)),  # noqa: PLW1509
    )
    try:
        started = json.loads(process.stdout.readline())
        origins = [p["base_url"] for p in started["providers"].values()]
        urls = {"providers": origins, "gateway": [started["gateway"]]}
        chosen = urls.get(places, [*origins, started["gateway"]])
        with crowd(*chosen, each=120 // len(chosen)):
            for _ in range(3):
                assert statuses(converse(started["gateway"], HEALTH)) == [200]
            request = call("PUT", "/sandboxes/crowded", {"world": "empty"})
            assert statuses(converse(started["gateway"], request)) == [201], (
                "a file was opened for it"
            )
            assert statuses(converse(started["gateway"], get("/coinapi/nowhere", {}))) == [404]
    finally:
        process.kill()
        _, errors = process.communicate()
    assert "Traceback" not in errors


BOUNDS = [
    ({"head_timeout": 0}, "--head-timeout takes seconds, above 0 and up to 86400, not 0"),
    ({"body_timeout": -1}, "--body-timeout takes seconds, .* not -1"),
    ({"head_timeout": float("nan")}, "--head-timeout takes seconds, .* not nan"),
    ({"max_connections": 0}, "--max-connections takes 1 to [0-9]+, not 0: [0-9]+ file descriptors"),
    ({"max_connections": 10**9}, "--max-connections takes 1 to [0-9]+, not 1000000000"),
]


@pytest.mark.parametrize(("options", "line"), BOUNDS, ids=str)
def test_a_bound_that_cannot_be_kept_is_refused_in_one_line(
    options: dict[str, Any], line: str
) -> None:
    with pytest.raises(ValueError, match=line):
        bounds_for(**options)


DEFAULTS = [(64, 64 - FILES - RESERVE), (1024, 1024 - FILES - RESERVE), (20, CONNECTIONS_MIN)]


@pytest.mark.parametrize(("files", "expected"), DEFAULTS)
def test_the_bound_on_connections_leaves_descriptors_for_all_else(
    monkeypatch: pytest.MonkeyPatch, files: int, expected: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    assert bounds_for().connections == expected


def test_wrong_bounds_on_the_command_line_are_one_line_and_exit_status_2(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--head-timeout", "0"])
    error = capsys.readouterr().err
    assert (ended.value.code, error.count("\n")) == (2, 1)
    assert "--head-timeout takes seconds" in error


FILES_READ = [
    ("head_timeout = 1\nbody_timeout = 1.5\nmax_connections = 9\ncors = true", ""),
    ("head_timeout = true", "head_timeout takes a number, not True"),
    ("max_connections = 1.5", "max_connections takes a whole number, not 1.5"),
    ("cors = 1", "cors takes true or false, not 1"),
]


@pytest.mark.parametrize(("text", "line"), FILES_READ)
def test_the_file_of_options_takes_them_too(tmp_path: Path, text: str, line: str) -> None:
    file = tmp_path / config.NAME
    file.write_text(text, encoding="utf-8")
    with pytest.raises(FileError, match=line) if line else contextlib.nullcontext():
        assert len(config.read(file)) == 4


# Loopback is a network

LOOPBACK = ["localhost", "LOCALHOST", "127.0.0.1", "127.0.0.2", "127.255.255.255", "::1"]
ELSEWHERE = ["", "128.0.0.1", "0.0.0.0", "::2", "evil.test", "localhost.evil.test", "127.1", "x:y"]


def test_loopback_is_a_network_and_a_name() -> None:
    assert [host for host in LOOPBACK + ELSEWHERE if is_loopback(host)] == LOOPBACK


HOSTS = [
    ("127.0.0.1:80", "127.0.0.1"),
    ("LocalHost", "localhost"),
    ("[::1]:80", "::1"),
    ("[::1]", "::1"),
    ("::1", ""),
    ("127.0.0.1:x", ""),
    ("[::1", ""),
    ("a@b:1", "a@b"),
]


@pytest.mark.parametrize(("authority", "host"), HOSTS)
def test_a_host_is_read_without_its_port(authority: str, host: str) -> None:
    assert host_of(authority) == host


def test_served_on_another_address_of_loopback_the_admin_url_works() -> None:
    with MockServer(host="127.0.0.2") as server:
        host = urlsplit(server.url).netloc
        assert host.startswith("127.0.0.2:")
        data = get("/__admin/health", {"Host": host})
        assert statuses(converse(server.url, data)) == [200]
        page = get("/__admin/health", {"Host": host, "Origin": f"http://{host}"})
        assert statuses(converse(server.url, page)) == [200]


# Web pages

EVIL = "http://evil.test"
FOREIGN_ORIGINS = [
    EVIL,
    "https://evil.test:8495",
    "null",
    "http://127.0.0.1.evil.test",
    "http://localhost.evil.test",
    "http://evil.test/127.0.0.1",
    "http://127.0.0.1@evil.test",
    "http://",
    "127.0.0.1",
    "http://[::1",
    "file://",
    "\xff",
]
HOME_ORIGINS = [
    "http://127.0.0.1:3000",
    "http://localhost:5173",
    "https://localhost",
    "http://127.0.0.2",
    "http://[::1]:3000",
    "http://app.localhost:3000",
    "http://mock.test:8495",
]


def test_an_origin_is_foreign_unless_it_is_loopback_or_the_servers_own() -> None:
    both = FOREIGN_ORIGINS + HOME_ORIGINS
    assert [o for o in both if is_foreign(o, "mock.test:8495")] == FOREIGN_ORIGINS


def from_page(
    handle: ProviderHandle, origin: str, method: str = "", body: bytes | None = None
) -> bytes:
    """Writes what a page of an origin sends: the provider's main read, or another request."""
    data = main_read(handle) if body is None else get(BALANCES, {}, method, body)
    return with_header(data, b"Origin: " + origin.encode("latin-1"))


GUARDED = [name for name in PROVIDERS if name != "coinstats"]


@pytest.mark.parametrize("provider", GUARDED)
def test_a_web_page_cannot_send_a_body_to_a_provider(server: MockServer, provider: str) -> None:
    server.fail("all", status=418)
    handle = getattr(server, provider)
    received = converse(handle.base_url, from_page(handle, EVIL, "POST", b"{}"))
    ((status, head, body),) = answers(received)
    assert status == 403
    assert b"\r\ncontent-type: text/plain" in head
    assert b"access-control" not in head
    assert body.count(b"\n") == 1
    assert f"{provider}.cors=on".encode() in body
    (entry,) = server.journal
    assert (entry.status, entry.reason, entry.fault) == (403, FOREIGN, None)
    assert entry.explanation["rule"] == "foreign origin"
    assert server.faults[0]["matched"] == 0


def test_a_web_page_cannot_send_a_body_through_the_gateway(server: MockServer) -> None:
    data = with_header(get("/cpg/v1/withdrawals", {}, "POST", b"{}"), b"Origin: http://evil.test")
    assert statuses(converse(server.url, data)) == [403]


@pytest.mark.parametrize("origin", [HOME_ORIGINS[0], EVIL])
def test_a_request_without_a_body_passes_from_every_page(server: MockServer, origin: str) -> None:
    assert statuses(converse(server.cpg.base_url, from_page(server.cpg, origin))) == [200]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_browser_may_call_a_provider_whose_quirk_cors_is_on(
    server: MockServer, provider: str
) -> None:
    if provider != "coinstats":
        server.set_quirks({f"{provider}.cors": "on"})
    handle = getattr(server, provider)
    headers = {
        "Origin": EVIL,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-api-key",
    }
    preflight = get(BALANCES, headers, "OPTIONS")
    received = converse(
        handle.base_url, preflight + from_page(handle, EVIL) + main_read(handle, "n=1")
    )
    first, second, third = answers(received)
    assert [first.status, second.status, third.status] == [204, 200, 200]
    assert first.head.count(b"\r\naccess-control-allow-origin: *") == 1
    assert b"\r\naccess-control-allow-methods: " in first.head
    assert b"\r\naccess-control-allow-headers: " in first.head
    assert b"content-length" not in first.head
    assert second.head.count(b"\r\naccess-control-allow-origin: *") == 1
    assert b"access-control" not in third.head, "nobody asked"
    assert server.journal[0].method == "OPTIONS"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_refusal_can_be_read_by_a_page_that_may_call(server: MockServer, provider: str) -> None:
    server.set_quirks({f"{provider}.cors": "on"})
    handle = getattr(server, provider)
    received = converse(
        handle.base_url, with_header(get("/nowhere", {}), b"Origin: http://evil.test")
    )
    ((status, head, _),) = answers(received)
    assert status == 404
    assert b"\r\naccess-control-allow-origin: *" in head


def test_options_without_a_preflight_is_a_405(server: MockServer) -> None:
    data = get("/v1/exchange/balance", {"Origin": EVIL}, "OPTIONS")
    assert statuses(converse(server.coinstats.base_url, data)) == [405]


def test_one_option_sets_the_quirk_of_every_provider() -> None:
    with MockServer(cors=True, quirks={"cpg.cors": "off"}) as server:
        quirks = {name: server.quirks[f"{name}.cors"] for name in PROVIDERS}
    assert quirks == dict.fromkeys(PROVIDERS, "on") | {"cpg": "off"}


@pytest.mark.parametrize(
    ("origin", "status"), [(EVIL, 403), ("null", 403), ("http://127.0.0.3:1", 200)]
)
def test_the_control_api_has_the_same_notion_of_a_foreign_page(
    server: MockServer, origin: str, status: int
) -> None:
    data = with_header(call("GET", "/health"), b"Origin: " + origin.encode())
    assert statuses(converse(server.url, data)) == [status]
