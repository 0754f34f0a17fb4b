"""Why CoinW rejects a request, besides the table of mistakes."""

import base64
import gzip
import hmac
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlencode

import pytest

from contract_tests.providers.coinw.mistake_table import (
    ASKED,
    COMMAND,
    FORM,
    JSON,
    KEY,
    MAIN,
    OWN_KEY,
    PRIVATE,
    READ,
    READING,
    SIGN,
    Call,
    raw,
)
from contract_tests.support.mistake_table import NOW, SECRET, explained, fingerprint
from contract_tests.support.raw import exchange, get
from mockserver import MockServer

WANTED = "api_key and sign, each once, in the query or in a form"
BOTH_PLACES = "the parameters api_key and sign, none of them empty"


@pytest.fixture
def server(standing: MockServer) -> MockServer:
    standing.reset()
    return standing


def post(
    server: MockServer, target: str, headers: dict[str, str] | None = None, body: str = ""
) -> dict[str, str]:
    """Returns reason and explanation of what is posted as given."""
    return explained(server, "coinw", get(target, headers or {}, "POST", body.encode()))


def explanation_of(server: MockServer, wrong: Call) -> dict[str, str]:
    explanation = explained(server, "coinw", raw(wrong))
    assert explanation.pop("reason") == "bad_signature"
    return explanation


def test_both_strings_are_shown_with_what_differs_between_marks(server: MockServer) -> None:
    wrong = replace(ASKED, signed=tuple(sorted((*ASKED.signed, COMMAND))))
    rest = f"note=1+1&zone=a b/c,d&secret_key={MAIN}"
    assert explanation_of(server, wrong) == {
        "rule": "command signed",
        "expected": f"Market=btc&api_key={OWN_KEY}&>><<{rest}",
        "received": f"Market=btc&api_key={OWN_KEY}&>>command=returnBalances&<<{rest}",
        "fix": "Do not sign command: it only names the operation.",
    }


# What is missing

IN_HEADER = "Send api_key as a parameter, not as a header."
NO_FORM = "Send a form with Content-Type: application/x-www-form-urlencoded, or use the query; JSON is not read."
IS_FUTURES = "This is the scheme of the futures API: spot takes api_key and sign as parameters."
MULTIPART = (
    '--b\r\nContent-Disposition: form-data; name="api_key"\r\n\r\nmain-api-key\r\n'
    f'--b\r\nContent-Disposition: form-data; name="sign"\r\n\r\n{SIGN}\r\n--b--\r\n'
)
NO_KEY = [
    # about, target, headers, body, rule, received, fix
    ("an empty key", f"{READING}&api_key=&sign={SIGN}", {}, "", "empty api_key", "nothing in the parameter api_key", "Check that the variable that holds the key is set."),
    ("JSON", READING, dict([JSON]), f'{{"api_key":"main-api-key","sign":"{SIGN}"}}', "api_key in a body that is not a form", "the key main in the member api_key", NO_FORM),
    ("a form without its media type", READING, {}, f"api_key=main-api-key&sign={SIGN}", "api_key in a body that is not a form", "the key main in the member api_key", NO_FORM),
    ("a header", READING, {"X-COINW-APIKEY": "main-api-key"}, "", "api_key in a header", "the key main in the header x-coinw-apikey", IN_HEADER),
    ("headers, without a time", READING, {"api_key": "main-api-key", "sign": SIGN}, "", "api_key in a header", "the key main in the header api_key", IN_HEADER),
    ("the futures' headers", READING, {"api_key": "main-api-key", "sign": SIGN, "timestamp": str(NOW)}, "", "the futures' scheme", "the key main in the header api_key", IS_FUTURES),
    ("the futures' body", READING, {"X-COINW-APIKEY": "main-api-key", **dict([JSON])}, f'{{"timestamp":{NOW}000,"signature":"{SIGN}"}}', "api_key in a header", "the key main in the header x-coinw-apikey", IN_HEADER),
    ("another name", f"{READING}&apiKey=main-api-key&sign={SIGN}", {}, "", "api_key under another name", "the key main in the parameter apiKey", "Call the parameter api_key."),
    ("multipart", READING, {"Content-Type": "multipart/form-data; boundary=b"}, MULTIPART, "api_key in a body that is not a form", "the key main in the member api_key", NO_FORM),
    ("another name in the form", READING, dict([FORM]), f"API_KEY=main-api-key&sign={SIGN}", "api_key under another name", "the key main in the member API_KEY", "Call the parameter api_key."),
]  # fmt: skip


@pytest.mark.parametrize(
    ("about", "target", "headers", "body", "rule", "received", "fix"),
    NO_KEY,
    ids=[row[0] for row in NO_KEY],
)
def test_a_key_in_a_wrong_place_is_explained(  # noqa: PLR0917
    server: MockServer,
    about: str,
    target: str,
    headers: dict[str, str],
    body: str,
    rule: str,
    received: str,
    fix: str,
) -> None:
    assert post(server, target, headers, body) == {
        "reason": "missing_credential",
        "rule": rule,
        "expected": WANTED,
        "received": received,
        "fix": fix,
    }


def test_a_form_without_its_key_is_named(server: MockServer) -> None:
    assert post(server, READING, dict([FORM]), f"sign={SIGN}") == {
        "reason": "missing_credential",
        "rule": "missing api_key",
        "expected": BOTH_PLACES,
        "received": "sign",
        "fix": "Send api_key.",
    }


def test_a_form_in_gzip_is_named(server: MockServer) -> None:
    form = gzip.compress(f"api_key=main-api-key&sign={SIGN}".encode(), mtime=0)
    exchange(server.coinw.base_url, get(READING, dict([FORM]), "POST", form))
    explanation = server.journal[-1].explanation
    assert (explanation["rule"], explanation["received"]) == ("compressed body", "a body in gzip")


NO_SIGN = [
    (f"{READING}&api_key=main-api-key", {}, "", "missing sign", "api_key", "Send sign."),
    (f"{READING}&api_key=main-api-key&sign=", {}, "", "empty sign", "api_key", "Check that the client has a value for sign."),
    (f"{READING}&api_key=main-api-key&signature={SIGN}", {}, "", "missing sign", "api_key, the parameter signature", "Send sign, not the parameter signature."),
    (f"{READING}&api_key=main-api-key", {"Sign": SIGN}, "", "missing sign", "api_key, the header sign", "Send sign, not the header sign."),
    (f"{READING}&api_key=main-api-key", dict([JSON]), f'{{"sign":"{SIGN}"}}', "missing sign", "api_key, the member sign", "Send sign, not the member sign."),
]  # fmt: skip


@pytest.mark.parametrize(("target", "headers", "body", "rule", "received", "fix"), NO_SIGN)
def test_a_signature_in_a_wrong_place_is_explained(  # noqa: PLR0917
    server: MockServer,
    target: str,
    headers: dict[str, str],
    body: str,
    rule: str,
    received: str,
    fix: str,
) -> None:
    assert post(server, target, headers, body) == {
        "reason": "bad_signature",
        "rule": rule,
        "expected": BOTH_PLACES,
        "received": received,
        "fix": fix,
    }


def test_anothers_key_is_known_where_it_does_not_belong(server: MockServer) -> None:
    box = server.sandbox(world="default")
    foreign = box.cpg.credentials["key_id"]
    for target, headers in (
        (f"{READING}&api_key={foreign}&sign={SIGN}", {}),
        (READING, {"X-CPG-Key": foreign}),
    ):
        explanation = post(server, target, headers)
        assert explanation["rule"] == "foreign credential"
        assert "the cpg key main" in explanation["fix"]


ONCE = "once, in the query or in the form: two values contradict each other."
TWICE = [
    ("&note=1&note=2", "", "note", "1 and 2 in the query"),
    ("&note=1", "note=2", "note", "1 in the query, 2 in the form"),
    ("", "note=1&note=2&note=3&note=4", "note", "1 and 2 and 3 in the form"),
    ("", "command=returnCompleteBalances", "command", "returnBalances in the query, returnCompleteBalances in the form"),
    ("&api_key=other-api-key", "", "api_key", f"{fingerprint('main-api-key')} and {fingerprint('other-api-key')} in the query"),
    ("", "sign=AB", "sign", f"{fingerprint(SIGN)} in the query, {fingerprint('AB')} in the form"),
    ("&note=1", f"note={SECRET}", "note", f"1 in the query, {MAIN} in the form"),
    ("&secret_key=1", f"secret_key={SECRET}", "secret_key", f"{fingerprint('1')} in the query, {fingerprint(SECRET)} in the form"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "body", "name", "received"), TWICE)
def test_a_parameter_with_two_values_is_named_with_both(
    server: MockServer, query: str, body: str, name: str, received: str
) -> None:
    target = f"{READING}&api_key=main-api-key&sign={SIGN}{query}"
    assert post(server, target, dict([FORM]), body) == {
        "reason": "bad_request",
        "rule": f"{name} sent twice",
        "expected": f"one value of {name}",
        "received": received,
        "fix": f"Send {name} {ONCE}",
    }


# The futures' scheme as parameters


@pytest.mark.parametrize(
    ("tail", "write"),
    [
        ("?command=returnBalances&api_key=main-api-key", lambda d: base64.b64encode(d).decode()),
        ("?api_key=main-api-key&command=returnBalances", bytes.hex),
        ("?command=returnBalances", bytes.hex),
        ("", bytes.hex),
    ],
)
def test_the_scheme_of_the_futures_is_known(
    server: MockServer, tail: str, write: Callable[[bytes], str]
) -> None:
    signed = hmac.digest(SECRET.encode(), f"{NOW}000POST{PRIVATE}{tail}".encode(), "sha256")
    query = urlencode([COMMAND, KEY, ("sign", write(signed))])
    explanation = post(server, f"{PRIVATE}?{query}", {"timestamp": f"{NOW}000"})
    assert (explanation["rule"], explanation["fix"]) == ("the futures' scheme", IS_FUTURES)
    assert f"{NOW}000POST{PRIVATE}" in explanation["received"]
    explanation = post(server, f"{PRIVATE}?{query}", {"timestamp": f"{NOW}001"})
    assert explanation["rule"] == "bad signature"


# Quirks and sandboxes


def test_the_command_is_missed_where_a_quirk_wants_it(server: MockServer) -> None:
    server.set_quirks({"coinw.sign_covers_command": "true"})
    assert explanation_of(server, READ)["rule"] == "command not signed"
    covered = replace(READ, signed=(KEY, COMMAND))
    assert explanation_of(server, replace(covered, behind=False))["rule"] == "secret not signed"
    exchange(server.coinw.base_url, raw(covered))
    assert server.journal[-1].reason == ""


def test_a_sandboxs_own_keys_are_named(server: MockServer) -> None:
    box = server.sandbox()
    mine = box.coinw.credentials
    key = ("api_key", mine["api_key"])
    wrong = replace(READ, signed=(key,), secret=SECRET)
    query = urlencode([COMMAND, key, ("sign", wrong.signature())])
    request = get(f"/~{box.id}{PRIVATE}?{query}", {}, "POST")
    exchange(server.coinw.base_url, request)
    assert box.journal[-1].explanation["rule"] == "bad signature"
    wrong = replace(wrong, secret=mine["secret_key"] + " ")
    query = urlencode([COMMAND, key, ("sign", wrong.signature())])
    exchange(server.coinw.base_url, get(f"/~{box.id}{PRIVATE}?{query}", {}, "POST"))
    assert box.journal[-1].explanation["rule"] == "whitespace around the secret"
