"""Explanations of rejected X-CPG requests, besides the table of mistakes."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
import requests

from contract_tests.providers.cpg.mistake_table import (
    ASKED,
    COMPACT,
    EMPTY,
    ORDER,
    POSTED,
    READ,
    Call,
    call,
    raw,
)
from contract_tests.support.mistake_table import NOW, explained
from contract_tests.support.raw import exchange, get
from mockserver import MockServer


@pytest.fixture
def server(standing: MockServer) -> MockServer:
    standing.reset()
    return standing


def send(server: MockServer, wrong: Call) -> bytes:
    return exchange(server.cpg.base_url, raw(wrong))


def explanation_of(
    server: MockServer, wrong: Call, reason: str = "bad_signature"
) -> dict[str, str]:
    explanation = explained(server, "cpg", raw(wrong))
    assert explanation.pop("reason") == reason
    return explanation


# Real clients, which write what they were given in their own way

MEMBERS = {"currency": "USDT", "network": "ETH", "to_address": "0xrecipient0", "amount": "50.00"}
FILTER = {"network": "ETH", "currency": "US DT"}
WITHDRAWALS, BALANCES = "/v1/withdrawals", "/v1/balances"


def posting(body: bytes) -> dict[str, str]:
    return call("POST", WITHDRAWALS, body=body).signed()


def reading(query: str) -> dict[str, str]:
    return call(path=BALANCES, query=query).signed()


COMPACT_ORDER, SPACED_ORDER = (json.dumps(MEMBERS, **how).encode() for how in (COMPACT, {}))
CLIENTS = [
    ("requests writes JSON with spaces", "compact JSON hashed", lambda url: requests.post(url + WITHDRAWALS, json=MEMBERS, headers=posting(COMPACT_ORDER), timeout=10)),
    ("httpx writes JSON without spaces", "spaced JSON hashed", lambda url: httpx.post(url + WITHDRAWALS, json=MEMBERS, headers=posting(SPACED_ORDER))),
    ("requests writes a space as a plus", "query decoded", lambda url: requests.get(url + BALANCES, params=FILTER, headers=reading("network=ETH&currency=US DT"), timeout=10)),
    ("requests keeps the order", "query sorted", lambda url: requests.get(url + BALANCES, params=FILTER, headers=reading("currency=US+DT&network=ETH"), timeout=10)),
    ("httpx writes a space as a plus", "query re-encoded", lambda url: httpx.get(url + BALANCES, params=FILTER, headers=reading("network=ETH&currency=US%20DT"))),
    ("requests sends a form for data=", "bad signature", lambda url: requests.post(url + WITHDRAWALS, data=MEMBERS, headers=posting(SPACED_ORDER), timeout=10)),
    ("requests sends nothing for an empty dictionary", "hash of {}", lambda url: requests.post(url + WITHDRAWALS, data={}, headers=posting(b"{}"), timeout=10)),
]  # fmt: skip


@pytest.mark.parametrize(("about", "rule", "ask"), CLIENTS, ids=[row[0] for row in CLIENTS])
def test_a_request_that_a_real_client_rewrites_is_explained(
    server: MockServer, about: str, rule: str, ask: Callable[[str], Any]
) -> None:
    ask(server.cpg.base_url)
    entry = server.journal[-1]
    assert entry.reason == "bad_signature"
    assert entry.explanation["rule"] == rule


# What people read


def test_both_strings_are_shown_with_what_differs_between_marks(server: MockServer) -> None:
    assert explanation_of(server, replace(ASKED, query=b"")) == {
        "rule": "query not signed",
        "expected": rf"{NOW}\nGET\n/v1/balances\n>>network=ETH&currency=USDT%20%2F<<\n{EMPTY}",
        "received": rf"{NOW}\nGET\n/v1/balances\n>><<\n{EMPTY}",
        "fix": "Sign the query exactly as it is sent, in its order and encoding, without the ?.",
    }


def test_of_two_mistakes_each_has_its_sentence(server: MockServer) -> None:
    explanation = explanation_of(
        server, replace(READ, method=b"get", write=lambda d: d.hex().upper())
    )
    assert explanation == {
        "rule": "upper-case hex + lower-case method",
        "expected": rf"{NOW}\n>>GET<<\n/v1/balances\n\n{EMPTY}; in 64 digits of lower-case hex",
        "received": rf"{NOW}\n>>get<<\n/v1/balances\n\n{EMPTY}; upper-case hex",
        "fix": "Write the hex in lower case. Sign the method that is sent, in upper case.",
    }


def test_what_differs_inside_a_redacted_value_is_said_in_words(server: MockServer) -> None:
    wrong = replace(call(query="secret=abcdef%2Fghi"), query=b"secret=abcdef/ghi")
    explanation = explanation_of(server, wrong)
    assert explanation["rule"] == "query decoded"
    assert explanation["expected"].endswith("; exactly as sent")
    assert explanation["received"].endswith("; query decoded")
    for name in ("expected", "received"):
        assert "abcdef" not in explanation[name]


def test_a_body_that_was_signed_is_not_shown(server: MockServer) -> None:
    explanation = explanation_of(server, replace(POSTED, body=ORDER))
    assert explanation["received"] == (
        rf"{NOW}\nPOST\n/v1/withdrawals\n\n>>(the body itself, {len(ORDER)} bytes)<<"
    )


def test_a_header_that_comes_twice_is_named(server: MockServer) -> None:
    right, wrong = READ.signed(), replace(READ, secret=b"an unknown secret").signed()
    lines = [f"{name}: {value}\r\n" for name, value in [*wrong.items(), *right.items()]]
    head = f"GET {READ.sent_path} HTTP/1.1\r\nHost: x\r\n{''.join(lines)}\r\n"
    exchange(server.cpg.base_url, head.encode())
    explanation = server.journal[-1].explanation
    assert explanation["rule"] == "header sent twice: x-cpg-signature"
    assert explanation["fix"] == "Send each header once: of two the first counts."


# What is refused for another reason


ALL_THREE = "the headers X-CPG-Key, X-CPG-Timestamp and X-CPG-Signature, none of them empty"
NO_HEADER = [
    # headers as sent, rule, received, fix
    ({"Timestamp": "1", "Signature": "ab"}, "missing X-CPG-Key", "X-CPG-Timestamp, X-CPG-Signature", "Send X-CPG-Key."),
    ({"Key": "cpg_main_key", "Signature": "ab"}, "missing X-CPG-Timestamp", "X-CPG-Key, X-CPG-Signature", "Send X-CPG-Timestamp."),
    ({"Key": "cpg_main_key", "Timestamp": "1"}, "missing X-CPG-Signature", "X-CPG-Key, X-CPG-Timestamp", "Send X-CPG-Signature."),
    ({"Signature": "ab"}, "missing X-CPG-Key, X-CPG-Timestamp", "X-CPG-Signature", "Send X-CPG-Key. Send X-CPG-Timestamp."),
    ({"Key": "", "Timestamp": "1", "Signature": "ab"}, "empty X-CPG-Key", "X-CPG-Timestamp, X-CPG-Signature", "Check that the client has a value for X-CPG-Key."),
    ({"Key": "", "Timestamp": "", "Signature": ""}, "empty X-CPG-Key, X-CPG-Timestamp, X-CPG-Signature", "none of them", "Check that the client has a value for X-CPG-Key, X-CPG-Timestamp and X-CPG-Signature."),
    ({"X-API-Key": "cpg_main_key", "Timestamp": "1", "Signature": "ab"}, "missing X-CPG-Key", "X-CPG-Timestamp, X-CPG-Signature, the header x-api-key", "Send X-CPG-Key, not the header x-api-key."),
    ({"Authorization": "Bearer cpg_main_key", "Timestamp": "1", "Signature": "ab"}, "missing X-CPG-Key", "X-CPG-Timestamp, X-CPG-Signature, the header authorization", "Send X-CPG-Key, not the header authorization."),
    ({"X-Api-Key": "not_known", "Timestamp": "1", "Signature": "ab"}, "missing X-CPG-Key", "X-CPG-Timestamp, X-CPG-Signature, the header x-api-key", "Send X-CPG-Key, not the header x-api-key."),
    ({"Key": "cpg_main_key", "Timestamp": "1", "X-CPG-Sign": "ab"}, "missing X-CPG-Signature", "X-CPG-Key, X-CPG-Timestamp, the header x-cpg-sign", "Send X-CPG-Signature, not the header x-cpg-sign."),
    ({"Key": "cpg_main_key", "X-CPG-Nonce": "1", "Signature": "ab"}, "missing X-CPG-Timestamp", "X-CPG-Key, X-CPG-Signature, the header x-cpg-nonce", "Send X-CPG-Timestamp, not the header x-cpg-nonce."),
    ({"Key": "cpg_main_key", "X-Timestamp": "1", "X-Signature": "ab"}, "missing X-CPG-Timestamp, X-CPG-Signature", "X-CPG-Key, the header x-timestamp, the header x-signature", "Send X-CPG-Timestamp, not the header x-timestamp. Send X-CPG-Signature, not the header x-signature."),
    ({"api-key": "cpg_main_key", "time": "1", "hmac": "ab"}, "missing X-CPG-Key, X-CPG-Timestamp, X-CPG-Signature", "the header api-key, the header time, the header hmac", "Send X-CPG-Key, not the header api-key. Send X-CPG-Timestamp, not the header time. Send X-CPG-Signature, not the header hmac."),
    ({"X_CPG_KEY": "cpg_main_key", "Timestamp": "1", "Signature": "ab"}, "missing X-CPG-Key", "X-CPG-Timestamp, X-CPG-Signature, the header x_cpg_key", "Send X-CPG-Key, not the header x_cpg_key."),
]  # fmt: skip
OWN = {"Key", "Timestamp", "Signature"}


@pytest.mark.parametrize(("headers", "rule", "received", "fix"), NO_HEADER)
def test_a_header_that_is_not_there_is_named(
    server: MockServer, headers: dict[str, str], rule: str, received: str, fix: str
) -> None:
    sent = {f"X-CPG-{name}" if name in OWN else name: value for name, value in headers.items()}
    exchange(server.cpg.base_url, get("/v1/balances", sent))
    entry = server.journal[-1]
    assert entry.reason == "missing_credential"
    assert entry.explanation == {
        "rule": rule,
        "expected": ALL_THREE,
        "received": received,
        "fix": fix,
    }


def test_a_key_in_the_query_or_the_body_is_found_there(server: MockServer) -> None:
    for target, body, place in (
        ("/v1/balances?api_key=cpg_main_key", b"", "parameter api_key"),
        ("/v1/balances", b'{"key":"cpg_main_key"}', "member key"),
    ):
        exchange(server.cpg.base_url, get(target, {}, "GET", body))
        explanation = server.journal[-1].explanation
        assert explanation["received"] == f"the {place}"
        assert explanation["fix"].startswith(
            f"Send X-CPG-Key, not the {place}. Send X-CPG-Timestamp."
        )


def test_the_names_of_headers_may_be_written_in_any_case(server: MockServer) -> None:
    headers = {name.upper(): value for name, value in READ.signed().items()}
    assert b"200" in exchange(server.cpg.base_url, get("/v1/balances", headers))[:15]


def test_anothers_key_is_known_where_it_does_not_belong(server: MockServer) -> None:
    box = server.sandbox(world="default")
    foreign = box.coinstats.credentials["api_key"]
    for target, headers in (
        ("/v1/balances", {"X-API-KEY": foreign}),
        (f"/v1/balances?apikey={foreign}", {}),
        ("/v1/balances", {**READ.signed(), "X-CPG-Key": foreign}),
    ):
        exchange(server.cpg.base_url, get(target, headers))
        explanation = server.journal[-1].explanation
        assert explanation["rule"] == "foreign credential"
        assert "the coinstats key main" in explanation["fix"]


SPAN = f"Unix seconds between {NOW - 300} and {NOW + 300}"
DRIFT = "Set the clock, or sign with the time of the exchange's Date header."
HOURS = "h: is local time used as UTC, or UTC as local time?"
TIMES = [
    # timestamp, rule, received behind it, fix
    (f"{NOW}000", "timestamp in milliseconds", ", which as milliseconds is right", "Send whole seconds: divide by 1000."),
    (f"{NOW}999", "timestamp in milliseconds", ", which as milliseconds is right", "Send whole seconds: divide by 1000."),
    (f"{NOW - 1}999", "timestamp in milliseconds", ", which as milliseconds is right", "Send whole seconds: divide by 1000."),
    (f"{NOW - 2}999", "timestamp in milliseconds", ", which as milliseconds is 2 s behind the exchange's clock", "Send whole seconds: divide by 1000."),
    (f"{NOW - 400}000", "timestamp in milliseconds", ", which as milliseconds is 400 s behind the exchange's clock", "Send whole seconds: divide by 1000."),
    (f"{NOW}000000", "timestamp in microseconds", ", which as microseconds is right", "Send whole seconds: divide by 1000000."),
    (f"{NOW}000000000", "timestamp in nanoseconds", ", which as nanoseconds is right", "Send whole seconds: divide by 1000000000."),
    (f"{NOW - 301}", "clock drift", ", 301 s behind the exchange's clock", DRIFT),
    (f"{NOW + 301}", "clock drift", ", 301 s ahead of the exchange's clock", DRIFT),
    (f"{NOW - 3600}", "clock drift", ", 3600 s behind the exchange's clock", f"{DRIFT} It differs by -1 {HOURS}"),
    (f"{NOW + 19_830}", "clock drift", ", 19830 s ahead of the exchange's clock", f"{DRIFT} It differs by +5.5 {HOURS}"),
    (f"{NOW + 19_861}", "clock drift", ", 19861 s ahead of the exchange's clock", DRIFT),
    ("0", "clock drift", f", {NOW} s behind the exchange's clock", DRIFT),
    (f"{NOW}.25", "timestamp with a fraction", "", "Send whole seconds, no fraction."),
    (f"-{NOW}", "negative timestamp", "", "Send the seconds since 1970, a positive number."),
    ("2025-05-17T01:20:00Z", "timestamp is a date", "", "Send Unix seconds, not ISO 8601."),
    ("Sat, 17 May 2025 01:20:00 GMT", "timestamp is a date", "", "Send Unix seconds, not an HTTP date."),
    (f'"{NOW}"', "quotes around the timestamp", "", "Send the digits alone, without quotes."),
    ("1.7474448e9", "timestamp with an exponent", "", "Send an integer."),
    ("NaN", "timestamp is no number", "", "Send the seconds since 1970 as digits alone."),
    ("9" * 15, "clock drift", f", {10**15 - 1 - NOW} s ahead of the exchange's clock", DRIFT),
    ("9" * 30, "timestamp too long", "", "Send whole seconds."),
]  # fmt: skip


@pytest.mark.parametrize(("timestamp", "rule", "received", "fix"), TIMES)
def test_a_time_outside_the_window_is_explained_in_seconds(
    server: MockServer, timestamp: str, rule: str, received: str, fix: str
) -> None:
    wrong = replace(READ, sent_timestamp=timestamp, timestamp=timestamp.encode())
    assert explanation_of(server, wrong, "outside_window") == {
        "rule": rule,
        "expected": SPAN,
        "received": f"X-CPG-Timestamp: {timestamp}{received}",
        "fix": fix,
    }


def test_the_window_is_the_one_in_force(server: MockServer) -> None:
    server.set_quirks({"cpg.timestamp_window": "10s"})
    wrong = replace(READ, sent_timestamp=str(NOW - 11), timestamp=str(NOW - 11).encode())
    explanation = explanation_of(server, wrong, "outside_window")
    assert explanation["expected"] == f"Unix seconds between {NOW - 10} and {NOW + 10}"
    server.clock.skew("-1s")
    send(server, wrong)
    assert server.journal[-1].reason == ""


REPLAYED = (
    "Two equal requests in one second have the same signature: sign each in a second of its own,"
    " or let them differ in a parameter. Sign a retry again, too."
)


def test_two_equal_requests_in_one_second_have_one_signature(server: MockServer) -> None:
    send(server, READ)
    assert explanation_of(server, READ, "replayed") == {
        "rule": "signature used before",
        "expected": "a signature that was not accepted before",
        "received": f"the accepted signature of the second {NOW}, now",
        "fix": REPLAYED,
    }
    server.clock.skew("5s")
    explanation = explanation_of(server, READ, "replayed")
    assert explanation["received"] == f"the accepted signature of the second {NOW}, 5 s ago"


BEHIND = [
    ("cpg_locked_key", "ip_not_allowed", {
        "rule": "address not on the whitelist",
        "expected": "a call from 203.0.113.7, 10.0.0.0/8",
        "received": "a call from 127.0.0.1 with the key locked",
        "fix": "Call from a listed address, or use another key.",
    }),
    ("cpg_poor_key", "forbidden", {
        "rule": "permission read_balance missing",
        "expected": "a key with the permission read_balance",
        "received": "the key poor, which has withdraw, list_currencies",
        "fix": "Give the key the permission read_balance, or use one that has it.",
    }),
]  # fmt: skip


@pytest.mark.parametrize(
    ("key_id", "reason", "explanation"), BEHIND, ids=[row[1] for row in BEHIND]
)
def test_a_key_without_the_right_is_explained(
    server: MockServer, key_id: str, reason: str, explanation: dict[str, str]
) -> None:
    assert explanation_of(server, replace(READ, key_id=key_id), reason) == explanation


# Sandboxes and quirks


@pytest.mark.parametrize(
    "raw_target_path", [True, False], ids=["path as dialled", "path below /~id"]
)
def test_a_sandboxs_path_may_be_signed_with_its_prefix_or_without(
    server: MockServer, raw_target_path: bool
) -> None:
    box = server.sandbox()
    secret, key_id = (box.cpg.credentials[name] for name in ("secret", "key_id"))
    sent_path = f"/~{box.id}/v1/balances"
    path = (sent_path if raw_target_path else "/v1/balances").encode()
    right = replace(READ, sent_path=sent_path, path=path, key_id=key_id, secret=secret.encode())
    for wrong, rule in (
        (replace(right, method=b"get"), "lower-case method"),
        (replace(right, separator=b"", body=b""), "no hash for an empty body + no separator between fields"),
        (replace(right, secret=right.secret + b"\n", timestamp=b"%d000" % NOW), "newline after the secret + milliseconds signed"),
        (replace(right, path=path.removesuffix(b"/v1/balances") + b"/balances"), "base path not signed"),
    ):  # fmt: skip
        send(server, wrong)
        explanation = box.journal[-1].explanation
        assert explanation["rule"] == rule
        assert path.decode() in explanation["expected"].replace(">>", "").replace("<<", "")
    send(server, right)
    assert box.journal[-1].reason == ""
