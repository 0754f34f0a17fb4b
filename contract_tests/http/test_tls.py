"""TLS on a real socket: who is reached, who is trusted, what goes wrong, and how a connection ends."""

import base64
import contextlib
import logging
import os
import re
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from contract_tests.clients.senders import DEADLINE
from contract_tests.clients.senders import dial as dial_plain
from contract_tests.support import delivery_table
from contract_tests.support import tls_tables as tables
from contract_tests.support.raw import get
from contract_tests.support.tls import dial, probe_all
from mockserver import MockServer, errors
from mockserver.client.remote import RemoteServer
from mockserver.faults.tls import TLS_FAULTS
from mockserver.http.authority_folder import KEY, AuthorityFolder
from mockserver.http.certificates import Authority
from mockserver.http.tls import PLAIN

KEY_HEADER = {"X-CoinAPI-Key": "00000000-EMPTY-KEY"}
REAL = "global.ems.coinapi.net"
BALANCES = "/coinapi/v1/balances"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MockServer]:
    """A server with an HTTPS port and a proxy; what it writes is in the tests' folder."""
    with MockServer(tls=True, proxy_port=0, ca_dir=tmp_path_factory.mktemp("ca")) as server:
        yield server


def received(sock: socket.socket) -> tuple[bytes, str]:
    """Reads to the end: what came, and how it ended."""
    data = b""
    try:
        while part := sock.recv(65536):
            data += part
    except ssl.SSLEOFError:
        return data, "cut"
    except ConnectionResetError:
        return data, "reset"
    return data, "closed"


def ask(server: MockServer, target: str = BALANCES, **headers: str) -> bytes:
    return get(target, KEY_HEADER | {"Connection": "close"} | headers)


# Who is reached


NAMES = [  # of the SNI, Host, target, status
    (None, "127.0.0.1", BALANCES, 200),
    ("", "127.0.0.1", BALANCES, 200),
    (REAL, "127.0.0.1", "/v1/balances", 200),
    (REAL, REAL, "/v1/balances", 200),
    ("coinapi.localhost", "anything", "/~default/v1/balances", 200),
    ("", REAL, "/v1/balances", 200),
    ("localhost", "coinapi.localhost:1", "/v1/balances", 200),
    ("localhost", "localhost", "/v1/balances", 404),
    (REAL, "api.coinw.com", "/v1/balances", 404),
    (REAL, REAL, "/__admin/health", 403),
    (REAL, "127.0.0.1", "/healthz", 200),
    (REAL, "127.0.0.1", "/__admin/health", 200),
]


@pytest.mark.parametrize(("sni", "host", "target", "status"), NAMES)
def test_host_then_prefix_then_sni_select_the_provider(
    server: MockServer, sni: str | None, host: str, target: str, status: int
) -> None:
    with dial(server.trust.https, server.trust.path, sni) as sock:
        sock.sendall(ask(server, target, Host=host))
        data, end = received(sock)
    assert int(data.split()[1]) == status
    assert end == "closed"  # by close_notify


def test_a_client_that_offers_http_2_gets_1_1(server: MockServer) -> None:
    trust = server.trust
    with dial(trust.https, trust.path, set_alpn_protocols=["h2", "http/1.1"]) as sock:
        assert (sock.selected_alpn_protocol(), sock.version()) == ("http/1.1", "TLSv1.3")


def test_requests_and_records_may_come_in_any_pieces(server: MockServer) -> None:
    request = get(BALANCES, KEY_HEADER)
    with dial(server.trust.https, server.trust.path) as sock:
        for byte in request[:20]:
            sock.sendall(bytes([byte]))
        sock.sendall(request[20:] + request + ask(server))
        data, end = received(sock)
    assert data.count(b"HTTP/1.1 200") == 3
    assert end == "closed"


def test_large_bodies_pass_in_both_directions(server: MockServer) -> None:
    body = b"x" * 3_000_000
    with dial(server.trust.https, server.trust.path) as sock:
        sock.sendall(get("/__admin/sandboxes", {"Content-Type": "application/json"}, "POST", body))
        assert sock.recv(12) == b"HTTP/1.1 400"
    document = get("/__admin/openapi.json", {})
    with dial(server.trust.https, server.trust.path) as sock:
        sock.sendall(document * 59 + get("/__admin/openapi.json", {"Connection": "close"}))
        data, end = received(sock)
    assert (data.count(b"HTTP/1.1 200"), end) == (60, "closed")
    assert len(data) > 2_000_000


def test_a_client_that_sends_no_more_gets_its_answer(server: MockServer) -> None:
    server.coinapi.fail(deliver={"delay": "50ms"})
    with dial(server.trust.https, server.trust.path) as sock:
        sock.sendall(get(BALANCES, KEY_HEADER))
        with socket.socket(fileno=os.dup(sock.fileno())) as below:
            below.shutdown(socket.SHUT_WR)
        data, end = received(sock)
    assert (data[:12], end) == (b"HTTP/1.1 200", "closed")


def test_a_sandbox_has_an_https_url_and_a_signature_covers_its_path(server: MockServer) -> None:
    sandbox = server.sandbox()
    for handle in (sandbox.cdp, sandbox.cpg, RemoteServer(server.url).cpg):
        assert handle.https_url.startswith(server.trust.https)
        draft = handle.example
        with requests.Session() as session:
            session.trust_env = False
            url = handle.https_url + draft.target.decode().removeprefix(
                urlsplit(handle.base_url).path
            )
            answer = session.get(url, auth=handle.auth, verify=server.trust.path, timeout=DEADLINE)
        assert answer.status_code == 200, answer.text
    assert len(sandbox.journal) == 2


def test_a_gateway_can_be_reached_by_https(
    server: MockServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OSError, match="no gateway answers at https://"):
        RemoteServer(server.trust.https).check_connection()
    monkeypatch.setenv("SSL_CERT_FILE", server.trust.path)
    assert RemoteServer(server.trust.https).trust == server.trust


def test_without_tls_the_way_to_it_is_named() -> None:
    with MockServer() as server:
        with pytest.raises(errors.SettingError, match="tls=True, or --tls"):
            _ = server.cpg.https_url
        with pytest.raises(errors.ControlError, match="no HTTPS port"):
            _ = server.trust
        with pytest.raises(errors.InvalidCall, match="a server with --tls"):
            server.play({"tls_fault": "expired"})


# Ports taken for each other


def test_tls_on_a_plain_port_is_named(server: MockServer, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ssl.SSLError, match=r"WRONG_VERSION_NUMBER|wrong version number"):
        dial(server.url.replace("http:", "https:"), server.trust.path)
    assert "A TLS hello (https://) came to a port that speaks plain HTTP" in caplog.text


def test_plain_http_on_the_https_port_is_named(
    server: MockServer, caplog: pytest.LogCaptureFixture
) -> None:
    answer = requests.get(server.trust.https.replace("https:", "http:"), timeout=DEADLINE)
    assert (answer.status_code, answer.text) == (400, PLAIN)
    assert PLAIN.strip() in caplog.text


@pytest.mark.parametrize("data", [b"\x16", b"\x16\x03\x01\x00\x05hello", b"\x16" * 100_000])
def test_a_handshake_that_is_none_ends_the_connection(server: MockServer, data: bytes) -> None:
    with dial_plain(server.trust.https) as sock:
        with contextlib.suppress(OSError):
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
        assert received(sock)[1] in ("closed", "reset")


def test_a_handshake_has_the_time_of_a_head() -> None:
    with MockServer(tls=True, head_timeout=0.2) as server, dial_plain(server.trust.https) as sock:
        assert received(sock) == (b"", "closed")


# Who is trusted


def test_a_client_without_trust_is_named(
    server: MockServer, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    other = Authority.create(["localhost"])
    (tmp_path / "other.pem").write_bytes(other.pem)
    with pytest.raises(ssl.SSLCertVerificationError):
        dial(server.trust.https, str(tmp_path / "other.pem"))
    requests.get(server.url + "/healthz", timeout=DEADLINE)  # the server has read the alert
    assert "a client refused the connection" in caplog.text
    assert "see mockserver trust" in caplog.text


FOREIGN = ["example.com", "coinbase.com", "192.0.2.1", "evil-localhost"]


@pytest.mark.parametrize("name", FOREIGN)
def test_the_authority_is_believed_for_no_other_name(name: str, tmp_path: Path) -> None:
    authority = Authority.create([REAL, "cpg.localhost", "localhost", "127.0.0.1"])
    (tmp_path / "leaf.pem").write_bytes(authority.issue([name]))
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(tmp_path / "leaf.pem")
    client_side = ssl.create_default_context(cadata=authority.pem.decode())
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        shake_hands(client_side, server_side, name)


def shake_hands(client_side: ssl.SSLContext, server_side: ssl.SSLContext, name: str) -> None:
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_side.wrap_bio(back, there, server_hostname=name)
    server = server_side.wrap_bio(there, back, server_side=True)
    for side in (client, server, client):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()


def test_a_folder_keeps_the_authority_and_its_key_is_the_owners(tmp_path: Path) -> None:
    names = ["localhost", REAL]
    first = AuthorityFolder(names, tmp_path / "ca").trust
    key = tmp_path / "ca" / KEY
    assert key.stat().st_mode & 0o777 == 0o600
    assert {path.name for path in key.parent.iterdir()} == {KEY, "authority.pem", "authority.p12"}
    Path(first.path).unlink()
    assert AuthorityFolder(names[:1], tmp_path / "ca").trust == first
    with pytest.raises(errors.FileError, match=r"not for all of other\.test: remove it"):
        AuthorityFolder(["other.test"], tmp_path / "ca")
    key.chmod(0o644)
    with pytest.raises(errors.FileError, match="others can read this key: chmod 600"):
        AuthorityFolder(names, tmp_path / "ca")
    key.write_text("no key")
    key.chmod(0o600)
    with pytest.raises(errors.FileError, match="no authority's key"):
        AuthorityFolder(names, tmp_path / "ca")
    with pytest.raises(errors.FileError, match="choose another --ca-dir"):
        AuthorityFolder(names, key)


def test_without_a_folder_nothing_is_left_and_no_key_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with MockServer(tls=True) as server:
        assert Path(server.trust.path).parent.parent == tmp_path
        assert Path(server.trust.path).parent.stat().st_mode & 0o777 == 0o700
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert all(b"PRIVATE" not in path.read_bytes() for path in files)
        assert len(files) == 2
    assert list(tmp_path.iterdir()) == []


# Faults of the handshake


@pytest.fixture(scope="module")
def faults_met() -> tables.Rows:
    return tables.faults_met()


@pytest.mark.parametrize("client", tables.CLIENTS)
@pytest.mark.parametrize("fault", TLS_FAULTS)
def test_every_client_refuses_every_fault(faults_met: tables.Rows, fault: str, client: str) -> None:
    result = faults_met[client][TLS_FAULTS.index(fault)]
    assert "error" in result, result


SAYS = {
    "expired": "expired",
    "not_yet_valid": "not yet valid",
    "wrong_name": "(mis|not )match|no alternative",
    "unknown_issuer": "issuer|verify the first",
    "self_signed": "self-signed",
    "old_protocol": "protocol version|legacy|unsupported",
    "handshake_reset": "reset|RESET",
}


@pytest.mark.parametrize("fault", TLS_FAULTS)
def test_the_guide_has_what_clients_say(faults_met: tables.Rows, fault: str) -> None:
    page = delivery_table.section(tables.PAGE.read_text("utf-8"), "faults")
    row = next(line for line in page.splitlines() if line.startswith(f"| `{fault}`"))
    shown = row.strip("| ").split(" | ")[1:]
    assert len(shown) == len(tables.CLIENTS)
    met = [tables.words(faults_met[client][TLS_FAULTS.index(fault)]) for client in tables.CLIENTS]
    for words in (*shown, *met):
        assert re.search(SAYS[fault], words), words


@pytest.mark.parametrize("fault", TLS_FAULTS)
def test_a_scenario_of_the_server_has_the_same_faults(
    server: MockServer, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    server.play({"name": "broken", "tls_fault": fault})
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        dial(server.trust.https, server.trust.path).close()
    server.stop_scenario()
    dial(server.trust.https, server.trust.path).close()


def test_a_client_that_goes_on_in_spite_of_a_fault_is_named(
    server: MockServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.play({"tls_fault": "expired"})
    with requests.Session() as session:
        session.trust_env = False
        session.verify = False
        with pytest.warns(match="Unverified HTTPS request"):
            session.get(server.trust.https + BALANCES, headers=KEY_HEADER, timeout=DEADLINE)
    assert "a client went on with the fault expired" in caplog.text


def test_a_fault_of_tls_is_the_servers_alone(server: MockServer) -> None:
    sandbox = server.sandbox()
    with pytest.raises(errors.InvalidCall, match="play it in the sandbox default") as caught:
        sandbox.play({"tls_fault": "expired"})
    assert caught.value.at == "$.tls_fault"
    with pytest.raises(errors.InvalidCall, match="TLS fault") as caught:
        server.sandbox(scenario={"tls_fault": "expired"})
    assert caught.value.at == "$.scenario.tls_fault"
    with pytest.raises(errors.SettingError, match="did you mean expired"):
        MockServer(tls_fault="expird").start()


# Deliveries


SHORT = [
    line
    for line in delivery_table.DELIVERED
    if "600ms" not in line and "1h" not in line and "reset" not in line
]
CUT = ("close", "cut", "hang", "garbage", "malformed_chunk", "wrong_length")


@pytest.fixture(scope="module")
def played(running: MockServer) -> dict[str, tuple[tuple[bytes, str], tuple[bytes, str]]]:
    """Every short delivery, at once: as it comes by plain HTTP, and by TLS."""
    from concurrent.futures import ThreadPoolExecutor

    sandbox = running.sandbox()
    for n, line in enumerate(SHORT):
        sandbox.coinapi.fail(query={"row": str(n)}, deliver=dict([delivery_table.said(line)]))
    key = {"X-CoinAPI-Key": sandbox.coinapi.credentials["api_key"], "Connection": "close"}

    def play(url: str, n: int) -> tuple[bytes, str]:
        address = urlsplit(url)
        request = get(f"{address.path}/v1/balances?row={n}", key)
        if address.scheme == "https":
            sock: socket.socket = dial(url, running.trust.path)
        else:
            sock = dial_plain(url)
        with sock:
            sock.sendall(request)
            data, end = received(sock)
        return re.sub(rb"date: [^\r]*\r\n", b"", data), end

    urls = (sandbox.coinapi.base_url, sandbox.coinapi.https_url)
    with ThreadPoolExecutor(len(SHORT) * 2) as pool:
        jobs = [[pool.submit(play, url, n) for url in urls] for n in range(len(SHORT))]
        return {line: tuple(j.result() for j in row) for line, row in zip(SHORT, jobs, strict=True)}


@pytest.mark.parametrize("line", SHORT)
def test_a_delivery_has_the_same_bytes_under_tls(played: Any, line: str) -> None:
    plain, encrypted = played[line]
    if line.startswith("garbage"):
        plain, encrypted = ((b"%d" % len(data), end) for data, end in (plain, encrypted))
    assert encrypted[0] == plain[0]
    assert plain[1] == "closed"
    assert encrypted[1] == ("cut" if line.partition(":")[0] in CUT else "closed")


@pytest.mark.parametrize(("kind", "size"), [("before", 0), ("body", 100)])
def test_a_reset_is_a_tcp_reset_under_tls(server: MockServer, kind: str, size: int) -> None:
    server.coinapi.fail(deliver={"reset": kind})
    with dial(server.trust.https, server.trust.path) as sock:
        sock.sendall(ask(server))
        with socket.socket(
            fileno=os.dup(sock.fileno())
        ) as below:  # what TLS makes of it is no proof
            below.settimeout(DEADLINE)
            data, end = received(below)
    assert end == "reset"
    assert len(data) > size


def test_the_guide_has_what_clients_make_of_an_ending() -> None:
    page = delivery_table.section(tables.PAGE.read_text("utf-8"), "endings").splitlines()
    met = tables.endings_met()
    assert [line.split("`")[1] for line in page if "`" in line] == list(tables.ENDINGS)
    for n, line in enumerate(row for row in page if "`" in row):
        cells = line.strip("| ").split(" | ")[1:]
        assert len(cells) == len(tables.SIX)
        for client in tables.SIX:
            assert "error" in met[client][n], (client, line)


# Clients with fixed hosts


def test_clients_with_fixed_hosts_need_variables_alone(server: MockServer) -> None:
    sandbox = server.sandbox()
    fixed = [{"url": f"https://{REAL}/v1/balances", "headers": KEY_HEADER}]
    clients = ["curl", "requests", "httpx", "aiohttp"]
    ours = probe_all(clients, fixed, server.trust.variables)
    assert [row[0] for row in ours.values()] == [{"status": 200, "body": "[]"}] * 4
    assert len(server.journal) == 4
    theirs = probe_all(clients, fixed, sandbox.trust.variables)  # its keys are its own
    assert [row[0]["status"] for row in theirs.values()] == [401] * 4
    assert (len(server.journal), len(sandbox.journal)) == (4, 4)


def by_proxy(server: MockServer, request: bytes) -> bytes:
    with dial_plain(server.trust.proxy) as sock:
        sock.sendall(request)
        return received(sock)[0]


REFUSED = [
    ("CONNECT", "example.com:443", 403, b"not to example.com"),
    ("CONNECT", "127.0.0.1:22", 403, b"api.cdp.coinbase.com"),
    ("CONNECT", "[::1]:443", 403, b"not to ::1"),
    ("CONNECT", "api.cdp.coinbase.com.evil.test:443", 403, b"evil.test"),
    ("GET", "http://example.com/", 403, b"not to example.com"),
    ("GET", "https://example.com/", 403, b"not to example.com"),
    ("GET", "/healthz", 400, b"This port is a proxy"),
    ("CONNECT", "nonsense:port", 400, b"This port is a proxy"),
]


@pytest.mark.parametrize(("method", "target", "status", "says"), REFUSED)
def test_the_proxy_leads_to_the_providers_alone(
    server: MockServer,
    caplog: pytest.LogCaptureFixture,
    method: str,
    target: str,
    status: int,
    says: bytes,
) -> None:
    answer = by_proxy(server, get(target, {"Connection": "close"}, method))
    assert int(answer.split()[1]) == status
    assert says in answer
    assert says.decode() in caplog.text


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_the_proxy_takes_absolute_urls(server: MockServer, scheme: str) -> None:
    answer = by_proxy(server, ask(server, f"{scheme}://{REAL}/v1/balances", Host=REAL))
    assert answer.startswith(b"HTTP/1.1 200")
    assert server.journal[-1].target == "/v1/balances"


def test_a_tunnel_to_port_80_is_plain(server: MockServer) -> None:
    with dial_plain(server.trust.proxy) as sock:
        sock.sendall(get(f"{REAL}:80", {}, "CONNECT"))
        assert sock.recv(100).startswith(b"HTTP/1.1 200 ")
        sock.sendall(ask(server, "/v1/balances", Host=REAL))
        assert received(sock)[0].startswith(b"HTTP/1.1 200 OK")


def test_a_sandbox_that_is_not_there_is_named_by_the_proxy(server: MockServer) -> None:
    auth = "Basic " + base64.b64encode(b"nope:").decode()
    answer = by_proxy(server, get(f"{REAL}:443", {"Proxy-Authorization": auth}, "CONNECT"))
    assert b"403" in answer
    assert b"no sandbox nope" in answer


def test_a_stopped_server_ends_its_tunnels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    with MockServer(proxy_port=0) as server:
        sock = dial_plain(server.trust.proxy)
        sock.sendall(get(f"{REAL}:443", {}, "CONNECT"))
        assert sock.recv(100).startswith(b"HTTP/1.1 200 ")
    with sock:
        assert received(sock) == (b"", "closed")
    assert caplog.text == ""
