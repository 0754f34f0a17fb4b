"""Explanations that hold for every provider: each rejected request has one, no other has.

Explanations never change the response: it has the same bytes with them and without.
"""

import base64
import contextlib
import itertools
import json
import logging
import random
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import requests
from msgspec.structs import replace

from contract_tests.support.counting import calls_of_at_most
from contract_tests.support.processes import SOON, serving
from contract_tests.support.raw import exchange, get
from contract_tests.support.secret_members import secret_members
from contract_tests.support.signer import sign
from mockserver import HandClock, MockServer
from mockserver.client.httpx_transport import Transport
from mockserver.client.provider import ProviderHandle
from mockserver.engine import pipeline
from mockserver.explain import SHOWN_MAX, Explanation, RejectedRequest, general
from mockserver.explain.addresses import explain_address
from mockserver.explain.general import redact
from mockserver.explain.missing import explain_missing
from mockserver.explain.time_budget import RESERVE, SHARE, SHED, TimeBudget
from mockserver.http import log
from mockserver.model import jwt
from mockserver.model.http import Request, UnsignedRequest
from mockserver.model.provider import Provider
from mockserver.model.secret_index import SecretIndex
from mockserver.model.times import SECOND
from mockserver.providers import discover

pytest_plugins = ["contract_tests.support.inner_session"]

PROVIDERS = discover()
HEADER = "x-mockserver-explanation"
REASONS = [(name, reason) for name, p in PROVIDERS.items() for reason in p.errors]
MEMBERS = {"rule", "expected", "received", "fix"}


def ask(handle: ProviderHandle, path: str = "", method: str = "", **more: Any) -> requests.Response:
    """Sends an unsigned request; the main read where no path is given."""
    example = handle.example
    target = path or handle.provider.base_path + example.target.decode()
    url = urlsplit(handle.base_url)
    headers = {k.decode(): v.decode() for k, v in example.headers} | more.pop("headers", {})
    session = requests.Session()
    unprepared = requests.Request(
        method or example.method,
        f"http://{url.netloc}/",
        headers=headers,
        data=example.body,
        **more,
    )
    prepared = session.prepare_request(unprepared)
    prepared.url = f"http://{url.netloc}{target}"
    return session.send(prepared, timeout=SOON, allow_redirects=False)


def good(handle: ProviderHandle, label: str = "main", auth: Any = None) -> requests.Response:
    """Sends the main read, signed by the credential of a label, or by ``auth``."""
    example = handle.example
    url = handle.base_url + example.target.decode()
    headers = {k.decode(): v.decode() for k, v in example.headers}
    signed = auth or handle.auth_as(label)
    return requests.request(
        example.method, url, headers=headers, data=example.body, auth=signed, timeout=SOON
    )


def last(server: Any) -> dict[str, str]:
    """Returns the explanation of the last request."""
    explanation = server.journal[-1].explanation
    assert explanation is not None, server.journal[-1]
    assert explanation.keys() == MEMBERS
    return explanation


# Every rejected request is explained


@pytest.mark.parametrize(("provider", "reason"), REASONS)
def test_a_reject_key_is_named(server: MockServer, provider: str, reason: str) -> None:
    good(getattr(server, provider), f"reject-{reason}")
    assert server.journal[-1].reason == reason
    assert last(server) == {
        "rule": "refusing key",
        "expected": "a key that the server does not always refuse",
        "received": f"the key reject-{reason}",
        "fix": f"This key is always refused with {reason}: use another key.",
    }


@pytest.mark.parametrize(("provider", "reason"), REASONS)
def test_a_rejecting_rule_is_named(server: MockServer, provider: str, reason: str) -> None:
    handle = getattr(server, provider)
    handle.fail("my-rule", reject=reason)
    good(handle)
    assert server.journal[-1].reason == reason
    assert last(server) == {
        "rule": "fault",
        "expected": "",
        "received": "rule my-rule",
        "fix": "Nothing is wrong with the request: the rule my-rule fired.",
    }


@pytest.mark.parametrize(("provider", "reason"), REASONS)
def test_every_reason_has_a_default_rule_and_fix(
    server: MockServer, provider: str, reason: str
) -> None:
    sandbox = server.app.sandboxes.default
    state = sandbox.states[provider]
    request = Request("GET", b"/", b"", [], b"", "127.0.0.1", b"/")
    rejected = RejectedRequest(request, reason, {}, state.keyring, state.quirks, time.time_ns())
    alone = replace(state.provider, mistakes="")
    explanation = general.explain(
        rejected, general.RejectContext(alone, sandbox.providers, [], 1, sandbox.owner_of)
    )
    assert explanation.rule
    assert explanation.fix


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_credential_that_is_sent_is_not_called_missing(server: MockServer, provider: str) -> None:
    sandbox = server.app.sandboxes.default
    state = sandbox.states[provider]
    main, now = state.keyring.labels["main"], time.time_ns()
    signed = state.provider.sign(UnsignedRequest("GET", "", b"/"), main, now)
    headers = [(name.lower(), value) for name, value in signed.headers]
    request = Request("GET", b"/", signed.query, headers, b"", "127.0.0.1", b"/")
    rejected = RejectedRequest(request, "missing_credential", {}, state.keyring, state.quirks, now)
    explanation = explain_missing(rejected, state.provider)
    assert explanation.rule.endswith(" not accepted")
    assert explanation.fix.endswith("it was sent, but not accepted.")


def test_a_quirk_that_a_provider_lacks_is_not_advised() -> None:
    assert "set the quirk cpg.cors=on, or --cors" in general.how_to_allow(PROVIDERS["cpg"])
    without = general.how_to_allow(replace(PROVIDERS["cpg"], quirks=()))
    assert without == "A web page sent this; cpg has no quirk cors: call it from a server."


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_accepted_request_has_no_explanation(server: MockServer, provider: str) -> None:
    assert good(getattr(server, provider)).ok
    assert server.journal[-1].explanation is None


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_good_request_after_a_wrong_one_is_still_good(server: MockServer, provider: str) -> None:
    handle = getattr(server, provider)
    ask(handle)
    assert last(server)["fix"]
    assert good(handle).ok


# Wrong addresses


def address(server: MockServer, provider: str, target: str, method: str = "GET") -> dict[str, str]:
    handle = getattr(server, provider)
    exchange(handle.base_url, get(target, {}, method))
    return last(server)


CDP = "/platform/v2/accounts"
DROP = "Drop the slash at the end of the base URL: the path begins with one."
WHOLE = "A whole URL follows the base URL: give the client one or the other."
ROUTES = [
    # provider, what came, rule, expected, fix
    ("cpg", "GET /v1/balance", "unknown path", "GET /v1/balances", "Did you mean GET /v1/balances?"),
    ("cpg", "GET /v1/blances", "unknown path", "GET /v1/balances", "Did you mean GET /v1/balances?"),
    ("cpg", "GET /balances", "unknown path", "GET /v1/balances", "Did you mean GET /v1/balances?"),
    ("cpg", "GET /cpg/v1/balances", "unknown path", "GET /v1/balances", "Did you mean GET /v1/balances?"),
    ("cpg", "POST /v1/withdraw", "unknown path", "POST /v1/withdrawals", "Did you mean POST /v1/withdrawals?"),
    ("cpg", "GET /v1/withdrawal/7", "unknown path", "GET /v1/withdrawals/{id}", "Did you mean GET /v1/withdrawals/{id}?"),
    ("cdp", f"GET {CDP}/account_af2937b0-9846-4fe7-bfe9-ccc22d935114/balance", "unknown path",
     f"GET {CDP}/{{accountId}}/balances", f"Did you mean GET {CDP}/{{accountId}}/balances?"),
    ("coinstats", "POST /v1/exchange/balances", "unknown path", "POST /v1/exchange/balance", "Did you mean POST /v1/exchange/balance?"),
    ("coinapi", "GET /zzzzzzzzzzzz", "unknown path", "GET /v1/balances", "Use one of the documented paths."),
    ("cpg", "GET //v1/balances", "double slash", "/v1/balances", DROP),
    ("cpg", "GET ///v1//balances", "double slash", "/v1/balances", DROP),
    ("cdp", "GET /platform//v2/accounts", "double slash", CDP, DROP),
    ("cpg", "GET /v1//balances", "double slash", "/v1/balances",
     "Send one slash instead of two: a segment of the path is empty or ends in a slash."),
    ("cdp", "GET /v2/accounts", "base path missing", CDP, "The base URL ends in /platform: it is missing here."),
    ("cdp", "GET /v2/accounts/x/balances/btc", "base path missing", CDP + "/x/balances/btc", "The base URL ends in /platform: it is missing here."),
    ("cdp", "GET /platform/platform/v2/accounts", "base path twice", CDP,
     "The base URL ends in /platform already: do not repeat it in the path."),
    ("cpg", "GET /http://127.0.0.1:8495/v1/balances", "whole URL in the path", "/v1/balances", WHOLE),
    ("cpg", "GET /https:/cpg.example/v1/balances", "whole URL in the path", "/v1/balances", WHOLE),
    ("cpg", "GET /https%3A%2F%2Fcpg.example%2Fv1%2Fbalances", "whole URL in the path", "/v1/balances", WHOLE),
    ("cpg", "GET /https://cpg.example", "whole URL in the path", "/", WHOLE),
    ("cdp", "GET /platform/https://api.cdp.coinbase.com/platform/v2/accounts", "whole URL in the path", CDP, WHOLE),
    ("cpg", "GET /v1/balances/", "trailing slash", "/v1/balances", "Drop the slash at the end of the path."),
    ("cdp", f"GET {CDP}/x/balances/", "trailing slash", f"{CDP}/x/balances", "Drop the slash at the end of the path."),
    ("cpg", "GET /V1/Balances", "path in another case", "/v1/balances", "Write the path in lower case as documented."),
    ("cdp", "GET /Platform/v2/Accounts/AbC/balances", "path in another case", f"{CDP}/AbC/balances", "Write the path in lower case as documented."),
    ("cpg", "GET /platform/v2/accounts", "another provider's path", "a path of cpg", "This is an operation of cdp: use its base URL."),
    ("cpg", "GET /v2/accounts", "another provider's path", "a path of cpg", "This is an operation of cdp: use its base URL."),
    ("coinapi", "POST /api/v1/private", "another provider's path", "a path of coinapi", "This is an operation of coinw: use its base URL."),
    ("coinw", "GET /exchange/support", "another provider's path", "a path of coinw", "This is an operation of coinstats: use its base URL."),
    ("coinw", "POST /api/v1/private", "unknown operation", "command=returnBalances, returnCompleteBalances",
     "Send the parameter command with one of: returnBalances, returnCompleteBalances."),
    ("coinw", "POST /api/v1/private?command=returnBalance", "unknown operation", "command=returnBalances, returnCompleteBalances",
     "Send the parameter command with one of: returnBalances, returnCompleteBalances. Did you mean returnBalances?"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("provider", "request_line", "rule", "expected", "fix"),
    ROUTES,
    ids=[f"{r[0]} {r[1]}" for r in ROUTES],
)
def test_a_wrong_path_is_explained_by_the_intended_one(
    server: MockServer, provider: str, request_line: str, rule: str, expected: str, fix: str
) -> None:
    method, _, target = request_line.partition(" ")
    explanation = address(server, provider, target, method)
    assert server.journal[-1].reason == "no_route"
    assert (explanation["rule"], explanation["expected"], explanation["fix"]) == (
        rule,
        expected,
        fix,
    )
    if rule != "unknown operation":
        assert explanation["received"] == f"{method} {target}"


COMMANDS = [
    ("", "no command, or an empty one"),
    ("?command=", "no command, or an empty one"),
    ("?Command=returnBalances", "no command, or an empty one"),
    ("?command=returnbalances", "command=returnbalances"),
    ("?command=%0A", r"command=\n"),
    ("?command=" + 80 * "a" + "b", "command=" + 80 * "a"),
]


@pytest.mark.parametrize(("query", "received"), COMMANDS)
def test_the_received_command_is_shown(server: MockServer, query: str, received: str) -> None:
    explanation = address(server, "coinw", "/api/v1/private" + query, "POST")
    assert (explanation["rule"], explanation["received"]) == ("unknown operation", received)


METHODS = [
    (p.name, p.base_path + r.path.partition("?")[0].replace("{", "").replace("}", ""), r)
    for p in PROVIDERS.values()
    for r in p.routes
]


@pytest.mark.parametrize(
    ("provider", "path", "route"), METHODS, ids=[f"{m[0]} {m[1]} {m[2].id}" for m in METHODS]
)
def test_a_wrong_method_is_explained_by_the_allowed_ones(
    server: MockServer, provider: str, path: str, route: Any
) -> None:
    explanation = address(server, provider, path, "DELETE")
    assert server.journal[-1].reason == "bad_method"
    assert explanation == {
        "rule": "wrong method",
        "expected": f"{route.method} {path}",
        "received": f"DELETE {path}",
        "fix": f"Use {route.method}.",
    }


# Limits

NUMBERS = itertools.count()  # makes equal requests differ
ANCHOR = 1_800_000_000 * SECOND  # begins a fixed window of each size


@pytest.fixture
def wound() -> Iterator[MockServer]:
    """A server with a fixed real time."""
    with MockServer(real=HandClock(ANCHOR + 7 * SECOND)) as server:
        yield server


def transported(handle: ProviderHandle, server: MockServer, times: int = 1) -> list[int]:
    """Sends the main read ``times`` times in process, each with other bytes."""
    with handle.client(transport=Transport(server.app)) as client:
        example = handle.example
        headers = {k.decode(): v.decode() for k, v in example.headers}
        mark = "&" if example.query else "?"
        targets = (
            f"{handle.base_url}{example.target.decode()}{mark}n={next(NUMBERS)}"
            for _ in range(times)
        )
        return [
            client.request(example.method, t, content=example.body, headers=headers).status_code
            for t in targets
        ]


FULL = [
    # limit, as it is set, what is expected, since, seconds, until
    ("cpg.key", "3/60s", "at most 3 requests in each 60s", "2027-01-15T08:00:00Z", 53, "2027-01-15T08:01:00Z"),
    ("cpg.ip", "2/20s", "at most 2 requests in each 20s", "2027-01-15T08:00:00Z", 13, "2027-01-15T08:00:20Z"),
    ("cdp.reads", "1/10s", "at most 1 request in any 10s", "2027-01-15T08:00:07Z", 10, "2027-01-15T08:00:17Z"),
    ("coinw.returnBalances", "3/1s", "at most 3 requests in any 1s", "2027-01-15T08:00:07Z", 1, "2027-01-15T08:00:08Z"),
    ("coinw.ip", "2/1500ms", "at most 2 requests in any 1500ms", "2027-01-15T08:00:07Z", 2, "2027-01-15T08:00:08.5Z"),
    ("coinapi.reads", "1/5s", "at most 1 request in each 5s", "2027-01-15T08:00:05Z", 3, "2027-01-15T08:00:10Z"),
]  # fmt: skip


@pytest.mark.parametrize("row", FULL, ids=[f"{row[0]} {row[1]}" for row in FULL])
def test_a_full_limit_is_explained(wound: MockServer, row: tuple[Any, ...]) -> None:
    limit, text, expected, since, wait, until = row
    wound.set_limits({limit: text})
    handle = getattr(wound, limit.partition(".")[0])
    count = int(text.partition("/")[0])
    transported(handle, wound, count)
    assert [e.reason for e in wound.journal] == [""] * count
    transported(handle, wound)
    assert wound.journal[-1].reason == "rate_limited"
    assert last(wound) == {
        "rule": f"limit {limit}",
        "expected": expected,
        "received": f"one request more than {count} since {since}",
        "fix": f"Wait {wait} s, until {until} on the sandbox clock, and spread the requests out.",
    }


def test_a_limit_of_zero_is_explained(wound: MockServer) -> None:
    wound.set_limits({"coinw.returnBalances": "0/1s"})
    transported(wound.coinw, wound)
    assert last(wound)["fix"] == "Raise the limit: it allows no requests."


def test_a_warned_caller_sees_its_share_and_a_banned_one_the_ban(
    wound: MockServer,
) -> None:
    wound.set_quirks({"coinw.bans": "on"})
    wound.set_limits({"coinw.returnBalances": "4/1s", "coinw.ip": "off"})
    transported(wound.coinw, wound, 4 + 59)
    assert last(wound)["expected"] == "at most 4 requests in any 1s"
    transported(wound.coinw, wound, 2)
    assert (
        last(wound)["expected"]
        == "at most 2 requests in any 1s, 1/2 of 4 while the caller is warned"
    )
    assert last(wound)["received"].startswith("one request more than 2 since ")
    transported(wound.coinw, wound, 60)
    assert last(wound) == {
        "rule": "ban coinw.uid",
        "expected": "fewer than 60 rate-limited requests within 10 s",
        "received": "a client that kept sending while it was rate-limited, banned until 2027-01-15T08:00:37Z",
        "fix": "Wait 30 s, until 2027-01-15T08:00:37Z on the sandbox clock, and spread the requests out.",
    }


# Credentials that belong elsewhere


def bearer(kid: Any) -> str:
    token = jwt.sign({"kid": kid}, {"sub": "x"}, jwt.Key("EdDSA", bytes(32)))
    return f"Bearer {token.decode()}"


KID = "organizations/00000000-0000-4000-8000-000000000490/apiKeys/00000000-0000-4000-8000-000000000001"
COINAPI = "73034021-THIS-IS-SAMPLE-KEY"
FOREIGN = [
    # provider, headers, query, whose
    ("coinapi", {"X-CoinAPI-Key": "cpg_test_key"}, "", "the cpg key main", "the header x-coinapi-key"),
    ("coinapi", {"Authorization": "cpg_test_key"}, "", "the cpg key main", "the header authorization"),
    ("coinapi", {"Authorization": "Bearer cpg_test_key"}, "", "the cpg key main", "the header authorization"),
    ("coinapi", {}, "apikey=cpg_ip_locked", "the cpg key ip_locked", "the parameter apikey"),
    ("coinstats", {"X-API-KEY": COINAPI}, "", "the coinapi key main", "the header x-api-key"),
    ("cpg", {"X-CPG-Key": "coinstats-test-key"}, "", "the coinstats key main", "the header x-cpg-key"),
    ("coinw", {}, f"command=returnBalances&api_key={COINAPI}&sign=A", "the coinapi key main", "the parameter api_key"),
    ("cdp", {"X-API-KEY": COINAPI}, "", "the coinapi key main", "the header x-api-key"),
    ("cpg", {"Authorization": bearer(KID)}, "", "the cdp key main", "the kid of the token in the header authorization"),
    ("coinapi", {"X-Token": bearer(KID).partition(" ")[2]}, "", "the cdp key main", "the kid of the token in the header x-token"),
    ("coinapi", {"X-Any": quote(KID)}, f"key={quote(KID, safe='')}", "the cdp key main", "the parameter key"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("provider", "headers", "query", "owner", "place"),
    FOREIGN,
    ids=[f"{r[3]} at {r[0]} in {r[4]}" for r in FOREIGN],
)
def test_a_foreign_key_is_explained_with_its_owner(
    server: MockServer, provider: str, headers: dict[str, str], query: str, owner: str, place: str
) -> None:
    handle = getattr(server, provider)
    path = handle.provider.base_path + handle.example.path.decode()
    ask(handle, f"{path}?{query}", headers=headers)
    explanation = last(server)
    assert explanation["rule"] == "foreign credential"
    assert re.fullmatch(
        rf"value:[0-9a-f]{{8}} in {place}, which is {owner} of the sandbox default",
        explanation["received"],
    )
    assert (
        explanation["fix"]
        == f"Send a key of this sandbox: this one is {owner} of the sandbox default."
    )


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_key_of_another_sandbox_is_explained_by_label_and_sandbox(
    server: MockServer, provider: str
) -> None:
    other = server.sandbox("other")
    handle, foreign = getattr(server, provider), getattr(other, provider)
    good(handle, auth=foreign.auth)
    assert server.journal[-1].reason in ("unknown_credential", "missing_credential")
    explanation = last(server)
    assert explanation["rule"] == "foreign credential"
    assert explanation["received"].endswith(
        f"which is the {provider} key main of the sandbox other"
    )
    assert foreign.credentials[handle.provider.key] not in json.dumps(explanation)


ODD_TOKENS = ["..", "a.b.c", "Bearer ..", "Bearer " + "." * 9000, "Bearer " + bearer(1)[7:], bearer(None), bearer({"a": []}),
              "Bearer " + base64.urlsafe_b64encode(b"[" * 3000).decode().rstrip("=") + ".e30.x",
              "Bearer " + base64.urlsafe_b64encode(b'{"kid":"\xff"}').decode().rstrip("=") + ".e30.x"]  # fmt: skip


@pytest.mark.parametrize("token", ODD_TOKENS, ids=range(len(ODD_TOKENS)))
@pytest.mark.parametrize("provider", PROVIDERS)
def test_malformed_tokens_do_not_break_explanations(
    server: MockServer, caplog: pytest.LogCaptureFixture, provider: str, token: str
) -> None:
    ask(getattr(server, provider), headers={"Authorization": token})
    assert last(server)["rule"] not in ("", "foreign credential")
    assert "an explanation failed" not in caplog.text


# Where explanations appear


def wrong_path(server: Any) -> dict[str, str]:
    """Sends a request that is rejected, and returns its explanation."""
    requests.get(server.cpg.base_url + "/v1/balance", timeout=SOON)
    return {
        "rule": "unknown path",
        "expected": "GET /v1/balances",
        "received": "GET /v1/balance",
        "fix": "Did you mean GET /v1/balances?",
    }


def test_the_control_api_has_it_in_list_entry_and_stream(server: MockServer) -> None:
    url = f"{server.url}/__admin/sandboxes/default/requests"
    with requests.get(url + "/stream", stream=True, timeout=SOON) as answer:
        lines = answer.iter_lines()
        assert next(lines) == b": following"
        why = wrong_path(server)
        good(server.cpg)
        events = (line[6:] for line in lines if line.startswith(b"data: "))
        data = list(itertools.islice(events, 2))
    streamed = [json.loads(line) for line in data]
    listed = requests.get(url, timeout=SOON).json()["requests"]
    alone = [requests.get(f"{url}/{n}", timeout=SOON).json() for n in (1, 2)]
    for entries in (streamed, listed, alone):
        assert [entry["explanation"] for entry in entries] == [why, None]


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_log_has_it(tmp_path: Path, form: str) -> None:
    with serving("--log-format", form, cwd=tmp_path) as (process, ready):
        requests.get(ready["providers"]["cpg"]["base_url"] + "/v1/balance", timeout=SOON)
        line = process.stderr.readline()
    short = "cpg GET /v1/balance -> 404 no_route: unknown path. Did you mean GET /v1/balances?"
    if form == "text":
        assert line.endswith(f"ms {short}\n")
        return
    read = json.loads(line)
    assert read["message"] == short
    assert read["explanation"] == {
        "rule": "unknown path",
        "expected": "GET /v1/balances",
        "received": "GET /v1/balance",
        "fix": "Did you mean GET /v1/balances?",
    }


PROJECT = """
import requests

def test_fails(sandbox):
    requests.get(sandbox.cpg.base_url + "/v1/balance")
    assert requests.get(sandbox.cpg.base_url + "/v1/balances", auth=sandbox.cpg.auth).ok
    assert False
"""


def test_the_report_of_a_failing_test_has_it(
    run_in_process: Callable[..., pytest.RunResult], pytester: pytest.Pytester
) -> None:
    pytester.makeini("[pytest]\naddopts = -p no:cacheprovider\n")
    pytester.makepyfile(test_project=PROJECT)
    result = run_in_process()
    result.assert_outcomes(failed=1)
    text = result.stdout.str()
    assert re.search(
        r"1 cpg GET /~[^/]+/v1/balance -> 404 no_route\n"
        r"    unknown path: Did you mean GET /v1/balances\?\n"
        r"    expected GET /v1/balances\n"
        r"    received GET /v1/balance\n"
        r"2 cpg GET /~[^/]+/v1/balances -> 200 \(key main\)[^\n]*\n=",
        text,
    )


# Responses never show it, unless the header is switched on


def explanation_header(answer: requests.Response) -> str | None:
    return answer.headers.get(HEADER)


def test_no_header_has_it_unless_switched_on(server: MockServer) -> None:
    for name in PROVIDERS:
        assert explanation_header(ask(getattr(server, name))) is None


def toml(path: Path) -> Path:
    (path / "mockserver.toml").write_text("explain_header = true\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("way", ["option", "file", "neither"])
def test_the_header_is_switched_on_by_an_option_or_a_file(tmp_path: Path, way: str) -> None:
    args = ("--explain-header",) if way == "option" else ()
    folder = toml(tmp_path) if way == "file" else tmp_path
    with serving(*args, cwd=folder) as (_, ready):
        answer = requests.get(ready["providers"]["cpg"]["base_url"] + "/v1/balance", timeout=SOON)
    expected = None if way == "neither" else "unknown path: Did you mean GET /v1/balances?"
    assert explanation_header(answer) == expected


def plain(answer: requests.Response) -> tuple[int, dict[str, str], bytes]:
    headers = {k: v for k, v in answer.headers.items() if k.lower() not in ("date", HEADER)}
    return answer.status_code, headers, answer.content


@contextlib.contextmanager
def three() -> Iterator[list[MockServer]]:
    """Servers that differ only in explanations: the default, with the header, without any."""
    now = time.time_ns()
    with contextlib.ExitStack() as stack:
        servers = [
            stack.enter_context(MockServer(explain_header=on, real=HandClock(now)))
            for on in (False, True, True)
        ]
        servers[2].app.sandboxes.default.explanation_budget.spend = lambda explain: (
            1 / 0
        )  # no explanation is made
        yield servers


@pytest.fixture(scope="module")
def trio() -> Iterator[list[MockServer]]:
    with three() as servers:
        yield servers


WRONG: dict[str, Callable[[ProviderHandle], requests.Response]] = {
    "no credential": ask,
    "a wrong path": lambda h: ask(h, "/nowhere"),
    "a double slash": lambda h: ask(h, "//"),
    "a wrong method": lambda h: ask(h, method="DELETE"),
    "a foreign key": lambda h: ask(h, headers={"X-CPG-Key": COINAPI, "Authorization": bearer(KID)}),
    "accepted": good,
    **{f"reject-{r}": lambda h, r=r: good(h, f"reject-{r}") for _, r in REASONS},
}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_answer_is_the_same_with_explanations_and_without(
    trio: list[MockServer], provider: str
) -> None:
    for server in trio:
        server.reset()
    explained = 0
    for what, send in WRONG.items():
        if what.startswith("reject-") and what[7:] not in PROVIDERS[provider].errors:
            continue
        answers = [send(getattr(server, provider)) for server in trio]
        usual, with_header, without_any = map(plain, answers)
        assert usual == with_header == without_any, what
        headers = list(map(explanation_header, answers))
        why = trio[1].journal[-1].explanation
        assert headers[0] is headers[2] is None
        assert headers[1] == (f"{why['rule']}: {why['fix']}" if why else None), what
        assert (why is None) == (what == "accepted")
        assert trio[2].journal[-1].explanation is None
        explained += why is not None
    assert explained >= 5 + len(PROVIDERS[provider].errors)


def test_a_header_is_one_line_of_ascii_whatever_the_explanation() -> None:
    response = pipeline.Response(401, (), b"")
    odd = Explanation("é\r\nSet-Cookie: a", "", "", "\x00\x7f€" + "a" * 5000)
    ((name, line),) = pipeline._with_header(response, odd).headers  # noqa: SLF001
    assert name == HEADER.encode()
    assert line.startswith(rb"\xe9\r\nSet-Cookie: a: \x00\x7f\u20ac")
    assert re.fullmatch(rb"[ -~]+", line)
    assert len(line) < 2 * SHOWN_MAX


# Failures and cost


def test_an_explanation_that_fails_leaves_the_answer_as_it_is_and_is_logged(
    server: MockServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    before = plain(ask(server.cpg))

    def fails(*_: object) -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(pipeline, "explain", fails)
    with caplog.at_level(logging.ERROR, "mockserver"):
        assert plain(ask(server.cpg)) == before
    assert server.journal[-1].explanation is None
    assert server.journal[-1].reason == "missing_credential"
    assert [r.getMessage() for r in caplog.records if r.exc_info] == ["an explanation failed"]


FINE = Explanation("fine", "", "", "")


class Costly:
    """An explanation that takes ``cost`` nanoseconds on a manual clock."""

    def __init__(self, clock: HandClock, cost: int) -> None:
        self.clock, self.cost = clock, cost

    def __call__(self) -> Explanation:
        self.clock.now += self.cost
        return FINE


def test_the_reserve_is_spent_and_then_explanations_are_shed() -> None:
    clock = HandClock(0)
    budget = TimeBudget(clock)
    assert budget.spend(Costly(clock, RESERVE)) is FINE
    clock.now -= RESERVE  # so that nothing is earned meanwhile
    assert budget.spend(Costly(clock, 0)) is SHED


def test_explanations_use_at_most_a_tenth_of_real_time() -> None:
    clock = HandClock(0)
    budget = TimeBudget(clock)
    cost, span = SECOND // 1000, 20 * SECOND
    explained = 0
    while clock.now < span:
        if budget.spend(Costly(clock, cost)) is FINE:
            explained += 1
        else:
            clock.now += cost
    least = span // SHARE
    assert least <= explained * cost <= least + RESERVE + 2 * cost


def test_at_most_the_reserve_is_saved_up() -> None:
    clock = HandClock(0)
    budget = TimeBudget(clock)
    clock.now = 3600 * SECOND
    assert budget.spend(Costly(clock, RESERVE + SHARE)) is FINE
    assert budget.spend(Costly(clock, 0)) is FINE, "a tenth of the time it took was earned"
    spent = TimeBudget(clock)
    assert spent.spend(Costly(clock, 2 * RESERVE)) is FINE
    assert spent.spend(Costly(clock, 0)) is SHED
    clock.now += 9 * RESERVE
    assert spent.spend(Costly(clock, 0)) is FINE


def test_a_clock_that_stands_still_or_goes_back_never_sheds() -> None:
    clock = HandClock(ANCHOR)
    budget = TimeBudget(clock)
    assert all(budget.spend(Costly(clock, 0)) is FINE for _ in range(10_000))
    clock.now -= 3600 * SECOND
    assert budget.spend(Costly(clock, 0)) is FINE
    assert budget.spend(Costly(clock, -SECOND)) is FINE
    assert budget.spend(Costly(clock, RESERVE)) is FINE
    clock.now -= RESERVE
    assert budget.spend(Costly(clock, 0)) is SHED


def test_a_failing_explanation_is_charged_too() -> None:
    clock = HandClock(0)
    budget = TimeBudget(clock)

    def fails() -> Explanation:
        clock.now += 2 * RESERVE
        raise RuntimeError

    with pytest.raises(RuntimeError):
        budget.spend(fails)
    assert budget.spend(Costly(clock, 0)) is SHED


def test_all_sandboxes_share_one_allowance(server: MockServer) -> None:
    other = server.sandbox("other")
    boxes = server.app.sandboxes
    assert boxes.get("other").explanation_budget is boxes.default.explanation_budget
    assert other.journal == []


# Bounded

LONG = 60_000
HUGE = {
    "a path": lambda n: get("/" + "a" * n, {}),
    "a path of slashes": lambda n: get("/" * n, {}),
    "a path of parts": lambda n: get("/a" * (n // 2), {}),
    "a path of escapes": lambda n: get("/%41" * (n // 4), {}),
    "a path that is nearly one": lambda n: get("/v1/balances" + "/v1/balances" * (n // 12), {}),
    "a whole URL": lambda n: get("/https://" + "h" * n + "/v1/balances", {}),
    "a double slash": lambda n: get("//v1/" + "b" * n, {}),
    "an account": lambda n: get("/v2/accounts/" + "b" * n, {}),
    "a command": lambda n: get("/api/v1/private?command=" + "r" * n, {}, "POST"),
    "a header": lambda n: get("/v1/balances", {"X-Long": "a" * n}),
    "a bearer": lambda n: get("/v1/balances", {"Authorization": "Bearer " + "a" * n}),
    "a token": lambda n: get("/v1/balances", {"Authorization": "Bearer e30." + "a" * n + ".a"}),
    "a key": lambda n: get("/v1/balances", {"X-CPG-Key": "a" * n, "X-CoinAPI-Key": "a" * n}),
    "many headers": lambda n: get("/v1/balances", {f"X-{i}": "b" for i in range(n // 80)}),
    "a query": lambda n: get("/v1/balances?a=" + "a" * n, {}),
    "many parameters": lambda n: get("/v1/balances?" + "a=b&" * (n // 4), {}),
}


@pytest.mark.parametrize("write", HUGE.values(), ids=HUGE)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_huge_requests_get_short_explanations(
    provider: str, write: Callable[[int], bytes], server: MockServer
) -> None:
    handle = getattr(server, provider)
    exchange(handle.base_url, write(LONG))
    explanation = last(server)
    assert explanation["rule"]
    assert sum(map(len, explanation.values())) < 6 * SHOWN_MAX


CALLS = 10_000  # of functions, for one explanation: some 3,000 are had


def test_ten_thousand_paths_take_few_calls_each(server: MockServer) -> None:
    chance = random.Random(490)
    known = [p.base_path + r.path.partition("?")[0] for p in PROVIDERS.values() for r in p.routes]
    states = server.app.sandboxes.default.states
    for n in range(10_000):
        path = bytearray(chance.choice(known).encode())
        for _ in range(chance.randrange(4)):
            path[chance.randrange(len(path))] = chance.randrange(33, 127)
        state = states[list(states)[n % len(states)]]
        request = asked("GET", bytes(path), b"", [], state.provider)
        rejected = RejectedRequest(request, "no_route", {}, state.keyring, state.quirks, 0)
        with calls_of_at_most(CALLS) if n % 10 == 0 else contextlib.nullcontext():
            explanation = explain_address(rejected, state.provider, PROVIDERS)
        assert explanation.rule
        assert explanation.fix


# Nothing secret


def forms(secret: str) -> set[str]:
    """Returns the encodings of a secret."""
    raw = secret.encode()
    coded = base64.b64encode(raw).decode().rstrip("=")
    url = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    every = "".join(f"%{byte:02x}" for byte in raw)
    return {
        secret,
        quote(secret),
        quote(secret, safe=""),
        raw.hex(),
        raw.hex().upper(),
        coded,
        url,
        every,
    }


def secrets_of(server: MockServer) -> dict[str, str]:
    names = {}
    for name in PROVIDERS:
        handle: ProviderHandle = getattr(server, name)
        for credential in (handle.credentials, *handle.others.values()):
            for what, secret in secret_members(name, credential):
                lines = secret.splitlines()
                names |= {li: what for li in lines if len(li) >= 6 and not li.startswith("-----")}
    return names


PLACES: dict[str, Callable[[str], tuple[str, str, dict[str, str]]]] = {
    "the path": lambda s: ("/v1/" + s, "", {}),
    "the path behind a double slash": lambda s: ("//" + s, "", {}),
    "a whole URL": lambda s: ("/https://h/" + s, "", {}),
    "an account": lambda s: ("/platform/v2/accounts/" + s + "/nothing", "", {}),
    "the command": lambda s: ("/api/v1/private", "command=" + s, {}),
    "a parameter": lambda s: ("/v1/balances", "x=" + s, {}),
    "the name of a parameter": lambda s: ("/v1/balances", s + "=x", {}),
    "a header": lambda s: ("/v1/balances", "", {"X-Any": s}),
    "the credential's headers": lambda s: ("/v1/balances", "", dict.fromkeys(("X-CPG-Key", "X-CoinAPI-Key", "X-API-KEY", "Authorization"), s)),
    "the signature": lambda s: ("/v1/balances", "", {"X-CPG-Key": "cpg_test_key", "X-CPG-Timestamp": s, "X-CPG-Signature": s}),
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_no_secret_is_in_any_explanation_log_line_or_header(
    trio: list[MockServer], caplog: pytest.LogCaptureFixture, place: Callable[..., Any]
) -> None:
    server = trio[1]
    server.reset()
    known = secrets_of(server)
    texts = []
    with caplog.at_level(logging.INFO, "mockserver"):
        for name, secret in itertools.product(PROVIDERS, known):
            handle = getattr(server, name)
            for form in forms(secret):
                path, query, headers = place(form)
                target = quote(path, safe="/%:") + ("?" + quote(query, safe="=%") if query else "")
                method = handle.example.method
                scope = [(k.lower().encode(), v.encode()) for k, v in headers.items()]
                request = asked(method, *raw_target(target), scope, handle.provider)
                answer = pipeline.respond(server.app.sandboxes.default, name, request).response
                entry = server.app.sandboxes.default.journal.entries[-1]
                texts.append(repr(entry.explanation))
                texts += [v.decode("latin-1") for k, v in answer.headers if k == HEADER.encode()]
    assert len(texts) > len(known) * len(PROVIDERS)
    text = "\n".join(texts)
    lines = "\n".join(log.line_of(r.entry, "").why for r in caplog.records if hasattr(r, "entry"))
    leaked = {known[s] for s in known for form in forms(s) if form in text or form in lines}
    assert leaked == set()


def asked(
    method: str,
    path: bytes,
    query: bytes,
    headers: list[tuple[bytes, bytes]],
    provider: Provider,
) -> Request:
    base_path = provider.base_path.encode()
    return Request.of(method, path, query, headers, b"", base_path=base_path, raw_target_path=path)


def raw_target(target: str) -> tuple[bytes, bytes]:
    path, _, query = target.partition("?")
    return path.encode(), query.encode()


def test_an_unknown_credential_is_shown_only_as_a_fingerprint(
    server: MockServer,
) -> None:
    unknown = "zq-an-unknown-key-93217"
    places = {
        "cdp": {"Authorization": f"Bearer {unknown}"},
        "coinapi": {"X-CoinAPI-Key": unknown},
        "coinstats": {"X-API-KEY": unknown},
        "cpg": sign("GET", "/v1/balances", key_id=unknown, secret=unknown + "s"),
    }
    for name, headers in places.items():
        ask(getattr(server, name), headers=headers)
        shown = json.dumps(last(server))
        assert not [form for form in forms(unknown) if form in shown], name
    query = f"command=returnBalances&api_key={unknown}&sign={'A' * 32}"
    ask(server.coinw, f"/api/v1/private?{query}")
    assert unknown not in json.dumps(last(server))


def test_a_text_without_secrets_is_left_as_it_is_and_a_long_one_is_cut() -> None:
    plain_text = Explanation("rule", "a%20b", "é€", "fix")
    secret = b"secret-value"
    index = SecretIndex([secret])
    assert redact(plain_text, index, [secret]) == plain_text
    long = Explanation("r", "a" * 10**6, "", "f")
    assert len(redact(long, index, []).expected) == 4 * SHOWN_MAX
    rule = secret.hex()
    redacted = redact(Explanation(rule, "x secret-value y", "%73ecret-value", "f"), index, [secret])
    assert re.fullmatch(r"redacted:[0-9a-f]{8}", redacted.rule)
    assert re.fullmatch(r"x redacted:[0-9a-f]{8} y", redacted.expected)
    assert re.fullmatch(r"redacted:[0-9a-f]{8}", redacted.received)
