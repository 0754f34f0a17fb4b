"""Who the client is behind a trusted proxy, and where a process is reached past a balancer."""

import pytest
import requests

from contract_tests.support.rows import each
from mockserver import MockServer
from mockserver.cli.main import main
from mockserver.errors import SettingError
from mockserver.http.exchange import create_exchange
from mockserver.http.proxied import client_address, parse_networks

FORWARDED = [
    ("no header", [], "10.0.0.1"),
    ("one client", ["192.0.2.1"], "192.0.2.1"),
    ("what the client claims stands in front", ["1.1.1.1, 192.0.2.1"], "192.0.2.1"),
    ("two proxies of ours", ["192.0.2.1, 10.0.0.2"], "192.0.2.1"),
    ("two headers", ["192.0.2.1", "10.0.0.2"], "192.0.2.1"),
    ("proxies alone", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
    ("IPv6", ["2001:db8::1"], "2001:db8::1"),
    ("no address", ["unknown"], "10.0.0.1"),
    ("not UTF-8", ["\xff"], "10.0.0.1"),
    ("empty", [""], "10.0.0.1"),
]


@each("values, client", FORWARDED)
def test_the_client_is_the_last_address_before_our_proxies(values: list[str], client: str) -> None:
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in values]
    networks = parse_networks(["10.0.0.0/8"])
    assert client_address(headers, "10.0.0.1", networks) == client


@pytest.mark.parametrize(
    ("trusted", "status"), [([], 403), (["127.0.0.0/8"], 200), (["10.0.0.0/8"], 403)]
)
def test_only_a_trusted_proxy_names_the_client(trusted: list[str], status: int) -> None:
    with MockServer() as server:
        server.app.trusted_proxies = parse_networks(trusted)
        url, auth = f"{server.cpg.base_url}/v1/balances", server.cpg.auth_as("ip_locked")
        headers = {"X-Forwarded-For": "203.0.113.7"}  # of the key's whitelist
        assert requests.get(url, auth=auth, headers=headers, timeout=30).status_code == status


def test_direct_urls_lead_past_the_balancer() -> None:
    exchange = create_exchange(advertise="http://10.0.0.5:8490/")
    assert exchange.direct_url("cdp", "box") == "http://10.0.0.5:8490/cdp/~box/platform"
    with MockServer() as server:
        sandbox = server.sandbox("box")
        assert sandbox.cdp.direct_url == sandbox.cdp.base_url
        server.app.direct_origins = {"cdp": "http://10.0.0.5:8491"}
        sandbox = server.sandbox("box")
        assert sandbox.cdp.direct_url == "http://10.0.0.5:8491/~box/platform"
        assert sandbox.cdp.base_url.startswith("http://127.0.0.1:")
        sandbox.cdp.fail(deliver={"reset": "before"})
        assert sandbox.cdp.base_url == sandbox.cdp.direct_url


WRONG = [
    (
        ["--trusted-proxy", "10.0.0.0/99"],
        "a trusted proxy is an address or a network, e.g. 10.0.0.0/8",
    ),
    (["--advertise", "10.0.0.5:8490"], "an advertised URL starts with http:// or https://"),
    (["--processes", "0"], "0 is not in the range 1<=x<=64"),
]


@pytest.mark.parametrize(("options", "message"), WRONG, ids=str)
def test_a_wrong_option_is_one_line(
    capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["serve", *options])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_a_wrong_network_is_named() -> None:
    with pytest.raises(SettingError, match=r"'10.0.0.300' does not appear"):
        parse_networks(["127.0.0.1", "10.0.0.300"])
