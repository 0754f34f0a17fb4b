"""Which comes first: a fault, another fault, or what is wrong with the request anyway.

A refusal that a rule asks for comes at the provider's own gate and in its own words; a raw
answer comes before everything and touches nothing.
"""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from contract_tests.support.rows import each
from contract_tests.support.rule_bench import PROVIDERS, READ, RETURN, TEAPOT, Ask, Bench
from mockserver.model.http import Request, Response

REASONS = [(p, reason) for p, provider in PROVIDERS.items() for reason in provider.errors]

# Headers that tell when to come back: a fault has a limit to tell of, a refusing key has none.
TIMES = (b"retry-after", b"x-ratelimit-reset")


# In the provider's own words


def comparable(response: Response) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Returns an answer as it is to be compared."""
    headers = [(k, b"soon" if k in TIMES else v) for k, v in response.headers]
    return response.status, headers, response.body


@pytest.mark.parametrize(("provider", "reason"), REASONS)
def test_a_refusal_is_what_a_key_that_is_refused_gets(provider: str, reason: str) -> None:
    by_key, by_rule = Bench(limits="default"), Bench(limits="default")
    by_rule.server.fail("it", provider=provider, reject=reason)
    expected = comparable(by_key.ask(provider, label=f"reject-{reason}"))
    assert comparable(by_rule.ask(provider)) == expected
    seen = [(b.server.journal[0].status, b.server.journal[0].reason) for b in (by_key, by_rule)]
    assert seen == [(expected[0], reason)] * 2
    assert (by_key.server.journal[0].fault, by_rule.server.journal[0].fault) == (None, "it")
    by_rule.server.clear_faults()
    by_rule.real.advance("1s")  # with a signature of its own
    assert by_rule.ask(provider).status == 200


@pytest.mark.parametrize(("quirk", "value"), [("error_status", "4xx"), ("error_envelope", "full")])
def test_a_refusal_follows_the_quirks(quirk: str, value: str) -> None:
    responses = []
    for label, reason in (("reject-rate_limited", None), ("main", "rate_limited")):
        bench = Bench(quirks={f"coinw.{quirk}": value})
        if reason:
            bench.server.coinw.fail(reject=reason)
        responses.append(comparable(bench.ask("coinw", label=label)))
    assert (
        responses[0]
        == responses[1]
        != comparable(Bench().ask("coinw", label="reject-rate_limited"))
    )


def test_an_exchange_that_a_rule_makes_unreachable_is_the_one_asked_for() -> None:
    by_key, by_rule = Bench(), Bench()
    by_rule.server.coinapi.fail(reject="exchange_unreachable")
    target = READ + "?exchange_id=KRAKEN"
    expected = by_key.ask("coinapi", target, label="reject-exchange_unreachable")
    assert b"KRAKEN" in expected.body
    assert comparable(by_rule.ask("coinapi", target)) == comparable(expected)


EARLY = {"raw": {"status": TEAPOT}, "at once": {"reject": "service_unavailable"}}


@pytest.mark.parametrize("rule", EARLY.values(), ids=EARLY)
def test_a_request_answered_at_once_is_still_one_for_its_operation(rule: dict[str, Any]) -> None:
    bench = Bench()
    bench.server.cpg.fail(operation="balances", **rule)
    bench.ask("cpg")
    assert bench.server.journal[-1].operation == "listBalances"
    bench.server.verify(provider="cpg", operation="balances", exactly=1)
    assert bench.server.coverage()["cpg"]["operations"]["listBalances"] == 1


# What is wrong at an earlier gate


class Mistake(NamedTuple):
    """A request that a provider refuses by itself: with which reason, and what makes it so."""

    reason: str
    ask: Ask
    limits: dict[str, str] = {}
    quirks: dict[str, str] = {}
    change: Callable[[Request], Request] = lambda request: request
    twice: bool = False


def forged(request: Request) -> Request:
    """Breaks the signature, or the key where there is none."""
    names = (b"authorization", b"x-cpg-signature", b"x-coinapi-key", b"x-api-key")
    headers = [(k, _turned(v) if k in names else v) for k, v in request.headers]
    query = request.query[:-1] + (b"0" if request.query[-1:] != b"0" else b"1")
    return replace(request, headers=headers, query=query if b"sign=" in query else request.query)


def _turned(value: bytes) -> bytes:
    """Changes a sign in the middle of the last part."""
    return value[:-9] + (b"0" if value[-9:-8] != b"0" else b"1") + value[-8:]


def oversize(request: Request) -> Request:
    return replace(request, body=b"", oversize=True)


def order(amount: str, **members: Any) -> Ask:
    good = {"currency": "USDT", "network": "ETH", "to_address": "0xrecipient0", "amount": amount}
    body = json.dumps(good | members).encode()
    return Ask("cpg", "/v1/withdrawals", "POST", body=body)


def route_mistakes(provider: str, path: str, wrong: str, method: str, **sent: Any) -> list[Mistake]:
    """Returns what can be wrong with a route."""
    return [
        Mistake("no_route", Ask(provider, path, method, **sent)),
        Mistake("bad_method", Ask(provider, wrong, "DELETE", **sent)),
        Mistake("too_large", Ask(provider), change=oversize),
    ]


ACCOUNT = "/v2/accounts/account_af2937b0-9846-4fe7-bfe9-ccc22d935114"
NOBODY = "/v2/accounts/account_00000000-0000-4000-8000-00000000dead"
COINS = "/v1/exchange/balance"
JSON = {"Content-Type": "application/json"}
NO_LIMIT = "0/1s"

AT_ONCE = ["internal_error", "service_unavailable"]
ROUTE = ["no_route", "bad_method", "too_large"]
KEYS = ["missing_credential", "unknown_credential", "revoked_credential"]

# The gates of each provider in their order: what is refused there by a rule, and mistakes that
# are refused there anyway.
Ladder = list[tuple[list[str], list[Mistake]]]
LADDERS: dict[str, Ladder] = {
    "cdp": [
        ([*AT_ONCE, "endpoint_unavailable"], []),
        (ROUTE, route_mistakes("cdp", "/v2/nothing", ACCOUNT, "GET")),
        ([*KEYS, "bad_signature", "outside_window", "expired"], [Mistake("bad_signature", Ask("cdp"), change=forged)]),
        (["rate_limited"], [Mistake("rate_limited", Ask("cdp"), {"cdp.reads": NO_LIMIT})]),
        (["bad_request"], [Mistake("bad_request", Ask("cdp", ACCOUNT + "/balances?pageSize=x"))]),
        (["not_found", "forbidden", "bad_page_token"], [Mistake("not_found", Ask("cdp", NOBODY))]),
    ],
    "coinapi": [
        (AT_ONCE, []),
        (ROUTE, route_mistakes("coinapi", "/v1/nothing", READ, "GET")),
        (KEYS, [Mistake("unknown_credential", Ask("coinapi"), change=forged)]),
        (["rate_limited"], [Mistake("rate_limited", Ask("coinapi"), {"coinapi.reads": NO_LIMIT})]),
        (["bad_request", "json_error", "invalid_type"], []),
        (["exchange_unreachable", "exchange_response_timeout", "order_id_not_found", "method_not_supported", "other", "forbidden"],
         [Mistake("exchange_unreachable", Ask("coinapi", READ + "?exchange_id=BITMEX"))]),
    ],
    "coinstats": [
        (AT_ONCE, []),
        (ROUTE, route_mistakes("coinstats", "/v1/nothing", COINS, "POST", headers=JSON, body=b"{}")),
        (KEYS, [Mistake("unknown_credential", Ask("coinstats"), change=forged)]),
        (["rate_limited"], [Mistake("rate_limited", Ask("coinstats"), {"coinstats.reads": NO_LIMIT})]),
        (["bad_request"], [Mistake("bad_request", Ask("coinstats", COINS, "POST", headers=JSON, body=b"[]"))]),
        (["bad_exchange_credentials", "not_found", "not_synced", "credits_exhausted", "forbidden", "payment_required", "not_implemented"],
         [Mistake("credits_exhausted", Ask("coinstats"), quirks={"coinstats.credits": "0"}),
          Mistake("not_found", Ask("coinstats", "/v1/exchange/status?portfolioId=x"))]),
    ],
    "coinw": [
        (AT_ONCE, []),
        ([], [Mistake("rate_limited", Ask("coinw"), {"coinw.ip": NO_LIMIT})]),
        (ROUTE, route_mistakes("coinw", "/api/v1/private?command=nothing", RETURN, "POST")),
        ([*KEYS, "bad_signature"], [Mistake("bad_signature", Ask("coinw"), change=forged)]),
        (["rate_limited"], [Mistake("rate_limited", Ask("coinw"), {"coinw.returnBalances": NO_LIMIT})]),
        (["forbidden"], []),
    ],
    "cpg": [
        (AT_ONCE, []),
        (ROUTE, route_mistakes("cpg", "/v1/nothing", READ, "GET")),
        ([], [Mistake("rate_limited", Ask("cpg"), {"cpg.ip": NO_LIMIT})]),
        ([*KEYS, "bad_signature", "outside_window"], [Mistake("bad_signature", Ask("cpg"), change=forged)]),
        (["replayed"], [Mistake("replayed", Ask("cpg"), twice=True)]),
        (["ip_not_allowed"], [Mistake("ip_not_allowed", Ask("cpg", label="ip_locked"))]),
        (["rate_limited"], [Mistake("rate_limited", Ask("cpg"), {"cpg.key": NO_LIMIT})]),
        (["forbidden"], [Mistake("forbidden", Ask("cpg", label="no_permission"))]),
        (["bad_request"], [Mistake("bad_request", order("0"))]),
        (["business_rule", "not_found"], [Mistake("business_rule", order("99999")), Mistake("not_found", Ask("cpg", "/v1/withdrawals/7"))]),
    ],
}  # fmt: skip

MISTAKES = [
    (provider, step, mistake)
    for provider, ladder in LADDERS.items()
    for step, (_, mistakes) in enumerate(ladder)
    for mistake in mistakes
]


def test_the_ladders_have_every_reason_of_the_tables() -> None:
    # CoinW's own `bad_request` is part of its authentication, one by a rule is not.
    apart = {"coinw": {"bad_request"}}
    for provider, ladder in LADDERS.items():
        reasons = [reason for faults, _ in ladder for reason in faults]
        assert len(reasons) == len(set(reasons))
        assert set(reasons) == PROVIDERS[provider].errors.keys() - apart.get(provider, set())


def met(provider: str, mistake: Mistake, fault: str = "") -> tuple[str, str | None]:
    """Returns the reason with which a mistake is refused, and the rule that made it so."""
    bench = Bench(limits=mistake.limits, quirks=mistake.quirks)
    request = mistake.change(bench.request(mistake.ask))
    if mistake.twice:
        assert bench.send(provider, request).status == 200
    if fault:
        bench.server.fail("it", provider=provider, reject=fault)
    bench.send(provider, request)
    entry = bench.server.journal[-1]
    return entry.reason, entry.fault


@pytest.mark.parametrize(
    ("provider", "step", "mistake"),
    MISTAKES,
    ids=[f"{m[0]}-{m[1]}-{m[2].reason}" for m in MISTAKES],
)
def test_what_is_wrong_at_an_earlier_gate_wins(provider: str, step: int, mistake: Mistake) -> None:
    assert met(provider, mistake) == (mistake.reason, None)
    for place, (faults, _) in enumerate(LADDERS[provider]):
        if place == step:
            continue
        outcomes = {fault: met(provider, mistake, fault) for fault in faults}
        assert outcomes == {
            fault: (mistake.reason, None) if step < place else (fault, "it") for fault in faults
        }


# At one gate: the route is looked for first, at all others the rule is asked first.
SAME_GATE = [
    ("cpg", "no_route", "bad_method", "no_route"),
    ("cdp", "bad_method", "no_route", "bad_method"),
    ("coinw", "too_large", "no_route", "too_large"),
    ("cpg", "bad_signature", "unknown_credential", "unknown_credential"),
    ("coinapi", "unknown_credential", "missing_credential", "missing_credential"),
    ("coinstats", "credits_exhausted", "not_found", "not_found"),
    ("coinapi", "exchange_unreachable", "exchange_response_timeout", "exchange_response_timeout"),
    ("cpg", "business_rule", "not_found", "not_found"),
]


@pytest.mark.parametrize(("provider", "wrong", "fault", "reason"), SAME_GATE)
def test_at_one_gate_the_order_is_fixed(provider: str, wrong: str, fault: str, reason: str) -> None:
    mistake = next(m for p, _, m in MISTAKES if (p, m.reason) == (provider, wrong))
    assert met(provider, mistake, fault)[0] == reason


# A raw answer touches nothing

RAW = {"status": TEAPOT, "headers": {"X-Raw": "Yes"}, "body": '{"raw": "é"}'}
ANSWERED = Response(TEAPOT, ((b"x-raw", b"Yes"),), '{"raw": "é"}'.encode())


@pytest.mark.parametrize(
    ("provider", "mistake"),
    [(p, m) for p, _, m in MISTAKES],
    ids=[f"{p}-{n}-{m.reason}" for p, n, m in MISTAKES],
)
def test_a_raw_answer_comes_before_every_refusal(provider: str, mistake: Mistake) -> None:
    bench = Bench(limits=mistake.limits, quirks=mistake.quirks)
    bench.server.fail("it", provider=provider, **RAW)
    request = mistake.change(bench.request(mistake.ask))
    assert bench.send(provider, request) == ANSWERED
    entry = bench.server.journal[-1]
    assert (entry.status, entry.reason, entry.credential, entry.fault) == (TEAPOT, "", "", "it")
    bench.server.clear_faults()
    if not mistake.twice:
        bench.send(provider, request)
        assert bench.server.journal[-1].reason == mistake.reason, "as if nothing had been"


def state(bench: Bench) -> dict[str, Any]:
    """Returns all that requests change: rows, records, replay memory, counters, offenders."""
    return {
        name: [
            {account: dict(held.rows) for account, held in state.ledger.accounts.items()},
            {kind: dict(records) for kind, records in state.ledger.records.items()},
            repr(sorted(vars(state.replay).items())),
            *[repr(sorted(vars(counter).items())) for counter in state.counters.values()],
            *[sorted(vars(offenders)["_records"]) for offenders in state.ban_lists.values()],
        ]
        for name, state in bench.sandbox.states.items()
    }


# Requests that change something of the state.
CHANGING = {
    "cdp": Ask("cdp"),
    "coinapi": Ask("coinapi"),
    "coinstats": Ask("coinstats"),
    "coinw": Ask("coinw"),
    "cpg": order("10"),
}
LIMITS = {"coinapi.reads": "100/1s", "coinstats.reads": "100/1s"}
BANS = {"coinw.bans": "on"}


@pytest.mark.parametrize("provider", CHANGING)
@pytest.mark.parametrize("credential", [{}, {"credential": "main"}], ids=["anybody", "main"])
def test_a_raw_answer_changes_no_state(provider: str, credential: dict[str, str]) -> None:
    bench = Bench(limits=LIMITS, quirks=BANS)
    before, request = state(bench), bench.request(CHANGING[provider])
    bench.server.fail("it", **RAW, **credential)
    for _ in range(20):
        assert bench.send(provider, request) == ANSWERED
    assert state(bench) == before
    bench.server.clear_faults()
    assert bench.send(provider, request).status == 200, "neither replayed nor limited"
    assert state(bench) != before


@pytest.mark.parametrize("provider", CHANGING)
def test_a_refusal_changes_neither_ledger_nor_limits_that_count_successes(provider: str) -> None:
    bench = Bench(limits=LIMITS, quirks={f"{provider}.counts": "successful"})
    before = state(bench)
    for reason in PROVIDERS[provider].errors:
        bench.server.fail("it", provider=provider, reject=reason)
        bench.real.advance("1s")  # with another signature each time
        bench.send(provider, bench.request(CHANGING[provider]))
        assert (bench.server.journal[-1].reason, bench.server.journal[-1].fault) == (reason, "it")
    for name, parts in state(bench).items():
        assert [*parts[:2], *parts[3:]] == [*before[name][:2], *before[name][3:]], "replays aside"


def test_a_refusal_by_a_rule_counts_in_the_limits_that_it_comes_behind() -> None:
    # Limits: of the address, before the key; of the key, before the permission. As a real one does.
    for reason, then in (
        ("service_unavailable", [200, 200, 429]),
        ("bad_signature", [200, 200, 429]),
        ("rate_limited", [200, 200, 429]),
        ("forbidden", [200, 429, 429]),
        ("not_found", [200, 429, 429]),
    ):
        bench = Bench(limits={"cpg.key": "2/1h", "cpg.ip": "100/1h"})
        bench.server.cpg.fail("it", reject=reason, times=1)
        bench.ask("cpg")
        assert bench.server.journal[-1].reason == reason
        statuses = []
        for _ in range(3):
            bench.real.advance("1s")
            statuses.append(bench.ask("cpg").status)
        assert statuses == then, reason


def test_a_signature_is_used_where_the_refusal_comes_behind_it() -> None:
    # Gates: signature, replay, address, limit, permission. A real refusal uses it just so.
    for reason, then in (
        ("bad_signature", 200),
        ("replayed", 200),
        ("ip_not_allowed", 401),
        ("forbidden", 401),
    ):
        bench = Bench()
        request = bench.request(Ask("cpg"))
        bench.server.cpg.fail("it", reject=reason, times=1)
        bench.send("cpg", request)
        assert bench.server.journal[-1].reason == reason
        assert bench.send("cpg", request).status == then, reason


# A full limit, and what follows on it


def allowed(bench: Bench) -> int:
    """Returns how many of five reads at once are let through, a second later."""
    bench.real.advance("1s")
    return sum(bench.ask("coinw").body.find(b"SUCCESS") > 0 for _ in range(5))


# Refusals, and how many reads are let through then: three a second, halved after a warning
# (60 refusals), none when banned (as many again).
WARNED = [
    ({"reject": "rate_limited"}, 59, 3),
    ({"reject": "rate_limited"}, 60, 1),
    ({"reject": "rate_limited"}, 120, 0),
    ({"reject": "forbidden"}, 200, 3),
    ({"credential": "main", "reject": "rate_limited"}, 60, 1),
]


@pytest.mark.parametrize(("rule", "times", "left"), WARNED)
def test_a_full_limit_by_a_rule_counts_for_a_ban(
    rule: dict[str, Any], times: int, left: int
) -> None:
    bench = Bench(limits="default", quirks=BANS)
    bench.server.coinw.fail("it", times=times, **rule)
    for _ in range(times):
        # So that no limit is full by itself: it would be for what comes behind the limits.
        bench.real.advance("400ms" if rule.get("reject") == "forbidden" else "25ms")
        assert b"SUCCESS" not in bench.ask("coinw").body
    bench.server.clear_faults()
    assert allowed(bench) == left


# A rule that names a credential is asked after authentication

ANSWERS: dict[str, dict[str, Any]] = {
    "raw": RAW,
    "page": {"page": "proxy-502"},
    "at once": {"reject": "service_unavailable"},
    "at the gate": {"reject": "revoked_credential"},
    "behind": {"reject": "forbidden"},
    "delivered": {"deliver": {"close": True}},
}


@pytest.mark.parametrize(
    ("provider", "answer"),
    [
        *((name, ANSWERS["raw"]) for name in PROVIDERS),
        *(("cpg", rule) for rule in ANSWERS.values()),
    ],
    ids=str,
)
def test_a_credential_is_known_by_what_it_proves(provider: str, answer: dict[str, Any]) -> None:
    bench = Bench()
    bench.server.fail("it", credential="main", **answer)
    by_itself = bench.send(provider, forged(bench.request(Ask(provider))))
    entry = bench.server.journal[-1]
    assert (entry.reason, entry.fault) == (KNOWN[provider], None)
    assert bench.count("it") == (0, 0, "active")
    assert comparable(by_itself) == comparable(
        Bench().send(provider, forged(bench.request(Ask(provider))))
    )
    bench.ask(provider)
    entry = bench.server.journal[-1]
    assert (entry.credential, entry.fault) == ("main", "it")
    assert (entry.reason, bool(bench.delivered)) == (
        answer.get("reject", ""),
        "deliver" in answer,
    )


KNOWN = {
    "cdp": "bad_signature",
    "coinapi": "unknown_credential",
    "coinstats": "unknown_credential",
    "coinw": "bad_signature",
    "cpg": "bad_signature",
}


@pytest.mark.parametrize(
    "reason", ["no_route", "service_unavailable", "missing_credential", "revoked_credential"]
)
def test_for_a_credential_a_refusal_comes_no_earlier_than_it_is_known(reason: str) -> None:
    bench = Bench(limits={"cpg.ip": NO_LIMIT})
    bench.server.cpg.fail("it", credential="main", reject=reason)
    bench.ask("cpg")
    assert bench.server.journal[-1].reason == "rate_limited", "by address, before any key"
    bench.server.set_limits("off")
    bench.ask("cpg")
    entry = bench.server.journal[-1]
    assert (entry.reason, entry.credential) == (reason, "main")


# Several rules

SEVERAL: list[tuple[str, list[dict[str, Any]], str]] = [
    ("two refusals", [{"reject": "forbidden"}, {"reject": "service_unavailable"}], "forbidden"),
    ("a late refusal before a raw answer", [{"reject": "not_found"}, {"status": TEAPOT}], "not_found"),
    ("a raw answer before a refusal", [{"status": TEAPOT}, {"reject": "forbidden"}], "418"),
    ("the first that fires", [{"requests": 2, "status": TEAPOT}, {"reject": "forbidden"}], "forbidden"),
    ("the first that matches", [{"method": "POST", "status": TEAPOT}, {"reject": "forbidden"}], "forbidden"),
    ("one for everybody behind one for main", [{"credential": "main", "status": TEAPOT}, {"reject": "not_found"}], "not_found"),
    ("one for main alone", [{"credential": "empty", "status": TEAPOT}, {"credential": "main", "reject": "forbidden"}], "forbidden"),
]  # fmt: skip


@each("rules, expected", SEVERAL)
def test_of_several_answers_it_is_the_first(rules: list[dict[str, Any]], expected: str) -> None:
    bench = Bench()
    for n, rule in enumerate(rules):
        bench.server.cpg.fail(f"r{n}", **rule)
    bench.ask("cpg")
    entry = bench.server.journal[-1]
    assert (entry.reason or str(entry.status)) == expected


def test_every_rule_that_matches_counts() -> None:
    bench = Bench()
    bench.server.cpg.fail("first", reject="forbidden")
    bench.server.cpg.fail("second", requests="2-", status=TEAPOT)
    bench.server.cpg.fail("main", credential="main", every=2, deliver={"close": True})
    for _ in range(3):
        bench.real.advance("1s")
        bench.ask("cpg")
    assert [bench.count(name)[:2] for name in ("first", "second", "main")] == [
        (3, 3),
        (3, 2),
        (3, 1),
    ]


def test_a_rule_changes_and_delivers() -> None:
    bench = Bench()
    bench.server.cpg.fail(
        "both", mutate={"drop": "$.success"}, deliver={"cut": 0.5, "delay": "1ms"}
    )
    response = bench.ask("cpg")
    assert (response.status, bench.delivered) == (200, ["cut", "delay"])
    good = json.loads(Bench().ask("cpg").body)
    assert json.loads(response.body) == {k: v for k, v in good.items() if k != "success"} != good
    assert bench.server.journal[-1].fault == "both"


# Rules with a delivery each, and what they deliver.
DELIVERED: list[tuple[str, list[dict[str, Any]], Ask, str, list[str]]] = [
    ("a good answer", [{"deliver": {"close": True}}], Ask("cpg"), "", ["close"]),
    ("a refusal", [{"deliver": {"cut": 0.5}}], Ask("cpg", "/v1/nothing"), "no_route", ["cut"]),
    ("a refusal by its own rule", [{"reject": "forbidden", "deliver": {"cut": 0.5}}], Ask("cpg"), "forbidden", ["cut"]),
    ("a refusal by another rule", [{"deliver": {"cut": 0.5}}, {"reject": "forbidden"}], Ask("cpg"), "forbidden", ["cut"]),
    ("a raw answer by its own rule", [{"status": TEAPOT, "deliver": {"cut": 0.5}}], Ask("cpg"), "", ["cut"]),
    ("in the order of the rules", [{"deliver": {"delay": "1ms"}}, {"deliver": {"cut": 0.5}}], Ask("cpg"), "", ["delay", "cut"]),
    ("everybody's before main's", [{"credential": "main", "deliver": {"cut": 0.5}}, {"deliver": {"delay": "1ms"}}], Ask("cpg"), "", ["delay", "cut"]),
    ("main's, refused behind", [{"credential": "main", "deliver": {"cut": 0.5}}], Ask("cpg", "/v1/withdrawals/7"), "not_found", ["cut"]),
    ("an answer that is not its own", [{"reject": "forbidden"}, {"status": TEAPOT, "deliver": {"cut": 0.5}}], Ask("cpg"), "forbidden", ["cut"]),
    ("none that does not fire", [{"requests": 2, "deliver": {"cut": 0.5}}], Ask("cpg"), "", []),
]  # fmt: skip


@each("rules, ask, reason, expected", DELIVERED)
def test_deliveries_apply_to_every_kind_of_response(
    rules: list[dict[str, Any]], ask: Ask, reason: str, expected: list[str]
) -> None:
    bench = Bench()
    for n, rule in enumerate(rules):
        bench.server.cpg.fail(f"r{n}", **rule)
    bench.ask(*ask)
    assert (bench.server.journal[-1].reason, bench.delivered) == (reason, expected)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_mutations_change_no_refusal(provider: str) -> None:
    plain, ruled = Bench(), Bench()
    ruled.server.fail("it", mutate={"bom": True, "media_type": "text/html"})
    for bench in (plain, ruled):
        bench.server.fail("no", reject="forbidden", requests=2)
    for label in ("reject-unknown_credential", "main"):
        assert ruled.ask(provider, label=label) == plain.ask(provider, label=label)
        assert ruled.server.journal[-1].fault in (None, "no")
    for bench in (plain, ruled):
        bench.real.advance("1s")
    changed, good = ruled.ask(provider), plain.ask(provider)
    assert (changed.status, changed.body) == (200, b"\xef\xbb\xbf" + good.body)
    assert changed.headers == ((b"content-type", b"text/html"),)
    assert ruled.count("it")[:2] == (3, 3)


# What a request does, and what becomes of it

USDT = ("main", "USDT", "ETH")


def withdrawals(bench: Bench) -> tuple[int, str]:
    """Returns how many withdrawals there are, and what is held for them."""
    book = bench.sandbox.states["cpg"].ledger
    held = book.accounts["main"].rows["USDT", "ETH"].held
    return len(book.records.get("withdrawal", {})), str(held)


NONE, ONE = (0, "200.000000"), (1, "211.500000")  # the amount, and a fee of 1.5

WITHDRAWALS: list[tuple[str, dict[str, Any], tuple[int, str]]] = [
    ("nothing", {"mutate": {"extra": True}}, ONE),
    ("a raw answer", {"status": 500}, NONE),
    ("a raw answer that says it went well", {"status": 200, "body": '{"success":true}'}, NONE),
    ("a raw answer for main", {"credential": "main", "status": 500}, NONE),
    ("a page", {"page": "proxy-504"}, NONE),
    *[(f"refused: {reason}", {"reject": reason}, NONE) for reason in ("no_route", "replayed", "forbidden", "business_rule")],
    *[(f"delivered: {d}", {"deliver": d}, ONE) for d in ({"close": True}, {"cut": 0})],
    *[(f"changed: {m}", {"mutate": m}, ONE) for m in ({"drop": "$.data"}, {"double_json": True})],
]  # fmt: skip


@each("rule, then", WITHDRAWALS)
def test_a_withdrawal_is_made_unless_a_rule_answers_in_its_place(
    rule: dict[str, Any], then: tuple[int, str]
) -> None:
    bench = Bench()
    bench.server.cpg.fail("it", operation="submitWithdrawal", **rule)
    bench.ask(*order("10"))
    assert bench.server.journal[-1].fault == "it"
    assert withdrawals(bench) == then
