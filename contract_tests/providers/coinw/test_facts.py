"""CoinW spot: the facts that nothing else proves, signed apart from the package."""

from itertools import permutations

import pytest
from starlette.testclient import TestClient

from contract_tests.providers.coinw.calls import (
    AUTH,
    COMPLETE,
    FORM,
    HELD,
    PRIVATE,
    READ,
    SIGN,
    answered,
    md5,
    post,
    response_body,
    success,
)
from mockserver import MockServer, create_app
from mockserver.providers.coinw.provider import PROVIDER


def test_the_real_host_leads_to_the_spot_account() -> None:
    client = TestClient(create_app(), base_url="http://api.coinw.com")
    assert client.post(f"{READ}&{AUTH}").text == success(HELD)
    stranger = TestClient(create_app(), base_url="http://api.coinw.fm")
    assert stranger.post(f"{READ}&{AUTH}").status_code == 404


# What a request says


def test_parameters_come_in_every_order(server: MockServer) -> None:
    server.set_limits({"coinw.returnBalances": "off"})
    for order in permutations(["command=returnBalances", "api_key=test-key", f"sign={SIGN}"]):
        answered(server, "", post(server, f"{PRIVATE}?{'&'.join(order)}"))


TYPES = ["", "application/json", "application/x-www-form-urlencoded", "text/plain", "nonsense"]


@pytest.mark.parametrize("media_type", TYPES)
def test_an_empty_body_is_fine_under_any_content_type(server: MockServer, media_type: str) -> None:
    headers = {"Content-Type": media_type, "Content-Length": "0"}
    answered(server, "", post(server, f"{READ}&{AUTH}", headers))


COMMANDS = [
    # in the query, in the form
    ("returnBalances", "returnCompleteBalances", "bad_request"),
    ("returnBalances", "doTrade", "bad_request"),
    ("doTrade", "returnBalances", "no_route"),
]


@pytest.mark.parametrize(("query", "form", "reason"), COMMANDS)
def test_of_two_commands_the_one_in_the_query_chooses(
    server: MockServer, query: str, form: str, reason: str
) -> None:
    target = f"{PRIVATE}?command={query}&{AUTH}"
    answered(server, reason, post(server, target, FORM, f"command={form}"))
    assert server.journal[-1].operation == ("" if reason == "no_route" else query)


@pytest.mark.parametrize("name", ["api_key", "X-COINW-APIKEY"])
def test_headers_neither_help_nor_harm(server: MockServer, name: str) -> None:
    good = {name: "test-key", "sign": SIGN, "timestamp": "1747444800000"}
    answered(server, "missing_credential", post(server, READ, good))
    bad = {name: "nobody", "sign": "x", "timestamp": "1"}
    answered(server, "", post(server, f"{READ}&{AUTH}", bad))


def test_a_plus_is_signed_as_the_space_it_stands_for(server: MockServer) -> None:
    sign = md5("api_key=test-key&note=x y&secret_key=test-secret")
    parameters = f"note=x+y&api_key=test-key&sign={sign}"
    answered(server, "", post(server, f"{READ}&{parameters}"))
    answered(server, "", post(server, READ, FORM, parameters))
    answered(server, "bad_signature", post(server, f"{READ}&{parameters.replace('+', '%2B')}"))


# Refusals


@pytest.mark.parametrize("target", [READ, COMPLETE])
@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("", "missing_credential"),
        ("&api_key=", "missing_credential"),
        ("&api_key=nobody", "unknown_credential"),
        ("&api_key=test-key", "revoked_credential"),
    ],
)
def test_a_key_that_is_not_good_is_10006_whatever_is_wrong_with_it(
    server: MockServer, target: str, key: str, reason: str
) -> None:
    server.coinw.event("key_revoked", key="main")
    answer = response_body(post(server, f"{target}{key}&sign={SIGN}"))
    assert '"code":10006' in answer
    assert '"msg":"api_key error"' in answer
    assert server.journal[-1].reason == reason


def test_no_code_is_sent_but_those_that_a_read_can_meet(server: MockServer) -> None:
    codes = {
        response_body(post(server, f"{target}&api_key=reject-{reason}")).partition(",")[0]
        for reason in PROVIDER.errors
        for target in (READ, COMPLETE)
    }
    http = {404, 405, 413, 500}
    own = {10001, 10003, 10004, 10006, 10007, 29001}
    assert codes == {f'{{"code":{code}' for code in http | own}
