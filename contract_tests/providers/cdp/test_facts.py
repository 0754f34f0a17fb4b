"""Coinbase CDP: facts that no other test proves."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from contract_tests.providers.cdp.calls import (
    ABSENT,
    BAD,
    BALANCES,
    CANONICAL,
    GOOD,
    KEY_ID,
    LATE,
    MAIN,
    MANY,
    NOW,
    OUTSIDE,
    STRANGER,
    UNKNOWN,
    ask,
    claims,
    crafted,
    ids,
    outcome,
    paged,
    read,
    symbols,
    token,
)
from mockserver import HandClock, MockServer
from mockserver.errors import DataError
from mockserver.files import worlds
from mockserver.files.documents import openapi_document
from mockserver.model import jwt
from mockserver.providers.cdp import keys

REAL_HOST = "api.cdp.coinbase.com"
ACCOUNTS = "/platform/v2/accounts"


@pytest.fixture(scope="module")
def running() -> Iterator[MockServer]:
    with MockServer(real=HandClock(NOW * 10**9)) as server:
        yield server


# Address


@pytest.mark.parametrize("host", [REAL_HOST, "sandbox.cdp.coinbase.com"])
def test_a_real_host_has_its_paths_below_platform_and_nowhere_else(
    server: MockServer, host: str
) -> None:
    for path in (ACCOUNTS, ACCOUNTS.removeprefix("/platform")):
        ask(server, token(claims(f"GET {host}{path}")), path, host, server.url)
    seen = [(entry.provider, entry.status, entry.reason) for entry in server.journal]
    assert seen == [("cdp", 200, ""), ("cdp", 404, "no_route")]


def test_the_first_failing_check_decides(server: MockServer) -> None:
    path = f"/platform/v2/accounts/{UNKNOWN}/balances"
    good = token(claims(f"GET {REAL_HOST}{path}"))
    server.set_limits({"cdp.reads": "1/10s"})
    assert read(server, "/v2/accounts").status_code == 200, "the window is full"
    outcomes = []
    for target, bearer, wait in (
        (f"{path}s?pageSize=0", "a.b.c", "0s"),
        (f"{path}?pageSize=0", "a.b.c", "0s"),
        (f"{path}?pageSize=0", good, "0s"),
        (f"{path}?pageSize=0", good, "10s"),
        (path, good, "10s"),
    ):
        server.clock.advance(wait)
        outcomes.append(outcome(server, ask(server, bearer, target))[:2])
    assert outcomes == [
        (404, "no_route"),
        (401, BAD),
        (429, "rate_limited"),
        (400, "bad_request"),
        (404, "not_found"),
    ]


# Tokens

TIMES: dict[str, list[tuple[dict[str, Any], str]]] = {
    "five seconds of leeway": [
        ({"nbf": NOW - 124, "exp": NOW - 4}, ""),
        ({"nbf": NOW - 125, "exp": NOW - 5}, LATE),
        ({"nbf": NOW + 5, "exp": NOW + 125}, ""),
        ({"nbf": NOW + 6, "exp": NOW + 126}, OUTSIDE),
        ({"iat": NOW + 5}, ""),
        ({"iat": NOW + 6}, OUTSIDE),
    ],
    "a life from iat, else nbf, else now": [
        ({"iat": NOW - 1, "nbf": NOW, "exp": NOW + 119}, ""),
        ({"iat": NOW - 1, "nbf": NOW, "exp": NOW + 120}, OUTSIDE),
        ({"iat": NOW, "nbf": NOW - 1, "exp": NOW + 120}, ""),
        ({"nbf": NOW - 1, "exp": NOW + 119}, ""),
        ({"nbf": NOW - 1, "exp": NOW + 120}, OUTSIDE),
        ({"nbf": ABSENT, "exp": NOW + 120}, ""),
        ({"nbf": ABSENT, "exp": NOW + 121}, OUTSIDE),
    ],
    "null": [({"nbf": None}, ""), ({"iat": None}, ""), ({"exp": None}, BAD)],
}


@pytest.mark.parametrize("rows", TIMES.values(), ids=TIMES)
def test_the_times_of_a_token_are_checked(
    server: MockServer, rows: list[tuple[dict[str, Any], str]]
) -> None:
    for changes, reason in rows:
        answer = ask(server, token(claims(**changes)))
        assert outcome(server, answer) == (401 if reason else 200, reason, ""), changes


@pytest.mark.parametrize(("quirks", "longest"), [({}, 120), ({"max_token_lifetime": "121s"}, 121)])
def test_a_token_has_a_longest_lifetime(
    server: MockServer, quirks: dict[str, str], longest: int
) -> None:
    server.set_quirks({f"cdp.{name}": value for name, value in quirks.items()})
    lives = (longest, longest + 1)
    answers = [ask(server, token(claims(exp=NOW + life))).status_code for life in lives]
    assert answers == [200, 401]


def test_an_entry_with_the_query_of_the_request_is_refused(server: MockServer) -> None:
    query = "?pageSize=2"
    for entry, expected in ((CANONICAL, GOOD), (CANONICAL + query, (401, BAD, ""))):
        answer = ask(server, token(claims(entry)), BALANCES + query)
        assert outcome(server, answer) == expected


def test_every_failed_authentication_is_answered_alike(server: MockServer) -> None:
    server.cdp.event("key_revoked", key="es256")
    bearers = {
        "missing_credential": "",
        "unknown_credential": token(claims(), kid="nobody"),
        "revoked_credential": token(claims(label="es256"), "es256"),
        BAD: crafted(claims(), STRANGER.sign),
        LATE: token(claims(now=NOW - 200)),
        OUTSIDE: token(claims(now=NOW + 200)),
    }
    for reason, bearer in bearers.items():
        answer = ask(server, bearer)
        body = answer.json()
        assert outcome(server, answer) == (401, reason, "")
        assert (body["errorType"], body["errorMessage"], body["errorLink"].partition("#")[2]) == (
            "unauthorized",
            "Authentication required.",
            "unauthorized",
        )


def test_of_an_ed25519_secret_the_first_half_counts() -> None:
    secret = base64.b64encode(b"\x11" * 32 + b"\x33" * 32).decode()
    assert keys.parse(secret) == jwt.Key("EdDSA", b"\x11" * 32)
    for size in (32, 63, 65):
        with pytest.raises(ValueError, match=f"base64 of 64 bytes, not of {size}"):
            keys.parse(base64.b64encode(b"\x11" * size).decode())


SENT = [
    ("internal_error", 3),
    ("service_unavailable", 3),
    ("endpoint_unavailable", 3),
    ("rate_limited", 1),
]


@pytest.mark.parametrize(("reason", "times"), SENT)
def test_a_client_that_tries_again_as_the_python_sdk_does_is_refused_each_time(
    server: MockServer, reason: str, times: int
) -> None:
    # Were there a Retry-After, urllib3 would try a 429 again as well.
    retry = Retry(2, status_forcelist=range(500, 600), raise_on_status=False)
    url = f"{server.cdp.base_url}/v2/accounts"
    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(max_retries=retry))
        answer = session.get(url, auth=server.cdp.auth_as(f"reject-{reason}"), timeout=10)
    assert answer.status_code == server.cdp.provider.errors[reason].status
    assert [entry.reason for entry in server.journal] == [reason] * times


# Keys, owners and accounts, in a world of their own


def account(n: int) -> str:
    return f"account_00000000-0000-4000-8000-{n:012}"


SECRET = base64.b64encode(b"\x11" * 64).decode()
ENTITY = "entity_00000000-0000-4000-8000-00000000000a"
CUSTOMER = "customer_00000000-0000-4000-8000-00000000000b"
WORLD = {
    "keys": {
        "plain": {"key_id": KEY_ID[-35:] + "1", "key_secret": SECRET, "owner": ENTITY},
        "path": {"key_id": KEY_ID + "2", "key_secret": SECRET, "owner": CUSTOMER},
    },
    "accounts": {
        account(3): {"owner": ENTITY, "type": "business"},
        account(1): {"owner": ENTITY},
        account(2): {"owner": ENTITY, "type": "prime"},
        account(4): {"owner": CUSTOMER},
    },
}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MockServer]:
    world = tmp_path_factory.mktemp("world") / "small.yaml"
    world.write_text(json.dumps({"cdp": WORLD}))
    with MockServer(str(world)) as server:
        yield server


def listed(server: MockServer, label: str) -> requests.Response:
    url = f"{server.cdp.base_url}/v2/accounts"
    return requests.get(url, auth=server.cdp.auth_as(label), timeout=10)


@pytest.mark.parametrize(("label", "length"), [("plain", 36), ("path", 95)])
def test_a_key_id_of_either_form_is_known(small: MockServer, label: str, length: int) -> None:
    assert len(small.cdp.credential(label)["key_id"]) == length
    assert listed(small, label).status_code == 200
    assert small.journal[-1].credential == label


@pytest.mark.parametrize(("label", "owner"), [("plain", ENTITY), ("path", CUSTOMER)])
def test_an_owner_of_either_kind_is_shown_whole(small: MockServer, label: str, owner: str) -> None:
    assert {shown["owner"] for shown in listed(small, label).json()["accounts"]} == {owner}


def test_an_account_of_which_no_more_is_said(small: MockServer) -> None:
    url = f"{small.cdp.base_url}/v2/accounts/{account(1)}"
    assert requests.get(url, auth=small.cdp.auth_as("plain"), timeout=10).json() == {
        "accountId": account(1),
        "type": "cdp",
        "owner": ENTITY,
        "createdAt": "2023-10-08T14:30:00Z",
        "updatedAt": "2023-10-08T14:30:00Z",
    }


def test_accounts_of_one_age_come_by_id(small: MockServer) -> None:
    assert ids(listed(small, "plain")) == [account(1), account(2), account(3)]


def test_a_change_of_a_balance_leaves_its_account_as_it_is(server: MockServer) -> None:
    before = read(server, f"/v2/accounts/{MAIN}").text
    server.clock.advance("1h")
    server.cdp.set_balance("main", "btc", total="4")
    assert read(server, f"/v2/accounts/{MAIN}/balances/btc").json()["amount"]["btc"] == {
        "available": "4",
        "total": "4",
    }
    assert read(server, f"/v2/accounts/{MAIN}").text == before


# What there may be in a world, and so in an answer

ASSET = '{{owner: o, balances: [{{asset: {}, total: "1"}}]}}'
ASSET_TYPE = '{{owner: o, balances: [{{asset: btc, type: {}, total: "1"}}]}}'
ACCOUNT_TYPE = "{{owner: o, type: {}}}"
KINDS = {
    "symbols of 1 to 42 characters": (ASSET, ["b", "b" * 42], ['""', "b" * 43]),
    "symbols in lower case": (ASSET, ["btc"], ["BTC", "btC"]),
    "types of assets": (ASSET_TYPE, ["crypto", "fiat"], ["token", "Fiat", '""']),
    "types of accounts": (ACCOUNT_TYPE, ["prime", "business", "cdp"], ["spot", "Prime", '""']),
}


@pytest.mark.parametrize(("account", "good", "bad"), KINDS.values(), ids=KINDS)
def test_a_world_has_these_and_no_others(account: str, good: list[str], bad: list[str]) -> None:
    for value in good + bad:
        text = f"cdp:\n  accounts:\n    {MAIN}: {account.format(value)}\n"
        try:
            worlds.read(text, "kinds")
        except DataError:
            assert value in bad
        else:
            assert value in good


# Errors


def test_an_error_has_its_four_members_in_one_order(server: MockServer) -> None:
    url = f"{server.cdp.base_url}/v2/accounts/{MAIN}/balances"
    for reason in server.cdp.provider.errors:
        answer = requests.get(url, auth=server.cdp.auth_as(f"reject-{reason}"), timeout=10)
        members = ["errorType", "errorMessage", "correlationId", "errorLink"]
        assert list(answer.json()) == members, reason


def test_errors_of_other_endpoints_are_known_but_no_read_has_them(server: MockServer) -> None:
    data = openapi_document("cdp")
    types = {"timed_out", "client_closed_request", "bad_gateway"}
    assert types <= set(data["components"]["schemas"]["Error"]["properties"]["errorType"]["enum"])
    statuses = {status for item in data["paths"].values() for status in item["get"]["responses"]}
    assert {"200", "404"} < statuses
    assert not statuses & {"408", "499", "502", "504"}
    table = server.cdp.provider.errors.values()
    assert not types & {row.type for row in table}


# The rate


def test_a_write_is_no_read_and_uses_up_none(server: MockServer) -> None:
    server.set_limits({"cdp.reads": "1/10s"})
    statuses = []
    for method in ("POST", "GET", "GET", "POST"):
        bearer = token(claims(f"{method} {REAL_HOST}{ACCOUNTS}"))
        url = f"{server.cdp.base_url}/v2/accounts"
        headers = {"Authorization": f"Bearer {bearer}"}
        statuses.append(requests.request(method, url, headers=headers, timeout=10).status_code)
    assert statuses == [405, 200, 429, 405]


def test_reads_are_counted_per_key_on_the_sandbox_clock(server: MockServer) -> None:
    server.set_limits({"cdp.reads": "1/10s"})
    statuses = []
    for target, label, wait in (
        ("/v2/accounts", "main", "0s"),
        ("/v2/accounts", "main", "9999ms"),
        ("/v2/accounts", "es256", "0s"),
        ("/v2/accounts", "main", "1ms"),
    ):
        server.clock.advance(wait)
        statuses.append(read(server, target, label).status_code)
    assert statuses == [200, 429, 200, 200]


# Pages


def test_a_page_token_may_be_used_again(server: MockServer) -> None:
    first = paged(server, MANY, 20)
    after = [paged(server, MANY, 20, first.json()["nextPageToken"]) for _ in range(2)]
    assert after[0].text == after[1].text
    assert len(set(symbols(first) + symbols(after[0]))) == 40


def test_a_page_token_is_good_with_its_padding_escaped_or_not(server: MockServer) -> None:
    # Which page's token needs padding depends on the length of its last symbol.
    tokens = (paged(server, MANY, size).json()["nextPageToken"] for size in range(1, 20))
    padded = next(token for token in tokens if token.endswith("="))
    url = f"/v2/accounts/{MANY}/balances?pageToken="
    plain, escaped = read(server, url + padded), read(server, url + padded.replace("=", "%3D"))
    assert plain.status_code == 200
    assert plain.text == escaped.text
    assert escaped.request.url.endswith("%3D")
