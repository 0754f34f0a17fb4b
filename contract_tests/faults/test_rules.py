"""Rules: which requests they match, how they are counted, when they fire, what chance decides.

Most of it goes through the pipeline without a socket, on a clock that stands until it is wound.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from functools import cache
from itertools import pairwise
from math import sqrt
from pathlib import Path
from typing import Any

import pytest
import requests

from benchmarks.growth.rules import KINDS
from contract_tests.support.control_calls import Steer
from contract_tests.support.rule_bench import (
    PEER,
    PROVIDERS,
    READ,
    RETURN,
    SEED,
    SPOT,
    TEAPOT,
    WORLD,
    Ask,
    Bench,
)
from mockserver import MockServer
from mockserver.client.remote import RemoteServer
from mockserver.engine import pipeline
from mockserver.faults import rules as rules_module
from mockserver.faults.chance import Chance
from mockserver.faults.matching import RULES_MAX
from mockserver.faults.parsing import RuleParser
from mockserver.faults.rules import RULES_SIZE_MAX, FiringWindow
from mockserver.files import scenarios
from mockserver.files.lookup import fixtures
from mockserver.model.http import Request
from mockserver.model.times import SECOND, parse_duration

WAIT = 30  # seconds, for each answer over a socket
D = "/sandboxes/default"
FAULTS = D + "/faults"
SCENARIO = D + "/scenario"


# A sandbox without a socket


@pytest.fixture
def bench() -> Bench:
    return Bench()


def fired(statuses: Iterable[int]) -> list[int]:
    """Returns which of the requests, counted from 1, a rule answered."""
    return [n for n, status in enumerate(statuses, 1) if status == TEAPOT]


# Chance

SEEDS = range(60)
DRAWS = 1_000


def moments(**when: Any) -> FiringWindow:
    rule = {"name": "x", "when": when, "deliver": {"close": True}}
    return RuleParser(PROVIDERS).parse(rule).window


@cache
def draws(seed: int, name: str = "half") -> tuple[bool, ...]:
    """Returns for which of a thousand matches a rule of one half fires."""
    half = moments(probability=0.5)
    return tuple(half.fires(n, 0, Chance(seed, name, n)) for n in range(1, DRAWS + 1))


def test_one_half_is_one_half() -> None:
    # Beyond 450 to 550 lie 0.14 % of all fair sequences: 0.1 of 60 seeds.
    outside = [seed for seed in SEEDS if not 450 <= sum(draws(seed)) <= 550]
    assert len(outside) <= 2


def test_the_first_match_is_as_fair_as_any() -> None:
    half = moments(probability=0.5)
    first = sum(half.fires(1, 0, Chance(seed, "half", 1)) for seed in range(DRAWS))
    assert 450 <= first <= 550


@pytest.mark.parametrize(("probability", "least", "most"), [(0.1, 70, 130), (0.9, 870, 930)])
def test_another_probability_is_kept_too(probability: float, least: int, most: int) -> None:
    # Three standard deviations, 9.5 each: 0.3 % lie outside.
    rare = moments(probability=probability)
    sums = [
        sum(rare.fires(n, 0, Chance(seed, "rare", n)) for n in range(1, DRAWS + 1))
        for seed in range(15)
    ]
    assert sum(not least <= total <= most for total in sums) <= 2


def runs(sequence: tuple[bool, ...]) -> float:
    """Returns by how many standard deviations the number of runs is off (Wald-Wolfowitz)."""
    yes = sum(sequence)
    pairs = 2 * yes * (len(sequence) - yes)
    found = 1 + sum(a != b for a, b in pairwise(sequence))
    variance = pairs * (pairs - len(sequence)) / (len(sequence) ** 2 * (len(sequence) - 1))
    return (found - 1 - pairs / len(sequence)) / sqrt(variance)


def test_no_pattern_is_in_what_fires() -> None:
    # Beyond 1.96 lie 5 % by chance: three of 60, with 99.9 % at most ten. Beyond 4 lie 0.006 %.
    off = [abs(runs(draws(seed))) for seed in SEEDS]
    assert sum(z > 1.96 for z in off) <= 10
    assert max(off) < 4


def correlation(one: tuple[bool, ...], other: tuple[bool, ...]) -> float:
    count, x, y = len(one), sum(one), sum(other)
    both = sum(a and b for a, b in zip(one, other, strict=True))
    return (count * both - x * y) / sqrt(x * (count - x) * y * (count - y))


PAIRS: dict[str, Callable[[int], tuple[tuple[bool, ...], tuple[bool, ...]]]] = {
    "two rules of one seed": lambda seed: (draws(seed), draws(seed, "other")),
    "one rule under two seeds": lambda seed: (draws(seed), draws(seed + 1)),
    "one rule and what it decides next": lambda seed: (draws(seed)[:-1], draws(seed)[1:]),
    "and the one after": lambda seed: (draws(seed)[:-2], draws(seed)[2:]),
}


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_decisions_do_not_correlate(
    pair: Callable[[int], tuple[tuple[bool, ...], tuple[bool, ...]]],
) -> None:
    # In 1,000 draws the standard deviation is 0.032, so beyond 0.1 lie 0.16 %.
    found = [abs(correlation(*pair(seed))) for seed in SEEDS]
    assert sum(r >= 0.1 for r in found) <= 2


def test_the_purposes_of_one_match_are_drawn_apart() -> None:
    chance = Chance(SEED, "half", 1)
    drawn = [chance.fraction(purpose) for purpose in ("", "delay", "angle", "garbage")]
    assert len(set(drawn)) == 4
    assert all(0 <= fraction < 1 for fraction in drawn)


# The same again


def half(server: Any, name: str = "half", **match: Any) -> None:
    server.fail(name, probability=0.5, status=TEAPOT, **match)


def test_the_pipeline_fires_as_chance_says(bench: Bench) -> None:
    half(bench.server, provider="coinapi")
    statuses = bench.statuses(DRAWS, "coinapi")
    assert fired(statuses) == [n for n, yes in enumerate(draws(SEED), 1) if yes]
    assert bench.count("half") == (DRAWS, sum(draws(SEED)), "active")


def over_a_socket(server: MockServer, count: int) -> list[bool]:
    """Returns for which of the next requests a rule fires."""
    url, headers = server.coinapi.base_url + "/v1/balances", {"X-CoinAPI-Key": KEY}
    with requests.Session() as session:
        session.trust_env = False
        asked = [session.get(url, headers=headers, timeout=WAIT) for _ in range(count)]
    return [answer.status_code == TEAPOT for answer in asked]


KEY = WORLD.parts["coinapi"].keys["main"].api_key


def test_scenario_and_seed_are_the_sequence_also_over_sockets_and_elsewhere(
    server: MockServer,
) -> None:
    scenario = {"name": "mine", "rules": [HALF]}
    server.play(scenario)
    expected = list(draws(SEED)[:60])
    assert over_a_socket(server, 60) == expected
    server.reset()
    server.play(scenario)
    assert over_a_socket(server, 60) == expected
    server.play(scenario)
    assert over_a_socket(server, 60) == expected, "played anew"
    for seed in (SEED, SEED + 1):
        with MockServer(WORLD, seed=seed) as other:
            other.play(scenario)
            assert over_a_socket(other, 60) == list(draws(seed)[:60])
    assert draws(SEED)[:60] != draws(SEED + 1)[:60] != draws(SEED, "other")[:60]


HALF = {"name": "half", "when": {"probability": 0.5}, "answer": {"status": TEAPOT}}


def test_a_reset_plays_again_what_the_server_was_made_with(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "rules:\n  - {name: half, when: {probability: 0.5}, answer: {status: 418}}\n",
        encoding="utf-8",
    )
    bench = Bench(scenario=str(file))
    first = bench.statuses(20, "coinapi")
    bench.server.reset()
    assert bench.count("half") == (0, 0, "active")
    assert bench.statuses(20, "coinapi") == first
    assert fired(first) == [n for n, yes in enumerate(draws(SEED)[:20], 1) if yes]


def another_sandbox(bench: Bench) -> None:
    other = bench.server.sandbox("other")
    half(other)
    box = bench.server.app.sandboxes.get("other")
    key = other.coinstats.credentials["api_key"].encode()
    headers = [(b"x-api-key", key)]
    path = b"/v1/exchange/support"
    request = Request("GET", path, b"", headers, b"", PEER, path)
    assert pipeline.respond(box, "coinstats", request).response.status in (200, TEAPOT)
    assert other.faults[0]["matched"] == 1


def another_rule(bench: Bench) -> None:
    n = len(bench.server.journal)
    bench.server.coinstats.fail(f"more-{n}", probability=0.5, deliver={"delay": "1ms"})
    bench.server.cdp.fail("same", probability=0.5, status=503)


def another_scenario(bench: Bench) -> None:
    bench.server.play("stale-cache")
    bench.server.stop_scenario()


def a_rule_gone(bench: Bench) -> None:
    bench.server.fail("short", times=1, reject="forbidden", query={"never": "sent"})
    bench.server.clear_faults("short")


def settings_and_clock(bench: Bench) -> None:
    bench.server.set_quirks({"coinstats.credits": "99999"})
    bench.server.set_limits({"coinstats.reads": "1000/1s"})
    bench.server.clock.advance("61s")
    bench.server.clear_journal()


# What happens between two requests that a rule matches, and changes nothing for it.
NOISE: dict[str, Callable[[Bench], Any]] = {
    "nothing": lambda bench: None,
    "another operation": lambda bench: bench.ask("coinstats", "/v1/usage/credits"),
    "another provider": lambda bench: bench.ask("coinapi"),
    "no operation": lambda bench: bench.ask("coinstats", "/v1/nothing"),
    "another method": lambda bench: bench.ask("coinstats", "/v1/exchange/support", "PUT"),
    "another sandbox": another_sandbox,
    "another rule": another_rule,
    "another scenario": another_scenario,
    "a rule gone": a_rule_gone,
    "settings and clock": settings_and_clock,
}


@pytest.mark.parametrize("noise", NOISE.values(), ids=NOISE)
def test_what_happens_elsewhere_changes_no_decision(
    bench: Bench, noise: Callable[[Bench], Any]
) -> None:
    half(bench.server.coinstats, operation="get-exchanges")
    statuses = []
    for _ in range(40):
        noise(bench)
        statuses.append(bench.ask("coinstats", "/v1/exchange/support").status)
    assert [status == TEAPOT for status in statuses] == list(draws(SEED)[:40])


def test_two_sandboxes_of_one_seed_decide_the_same(bench: Bench) -> None:
    found = []
    for id in ("one", "other"):
        box = bench.server.sandbox(id, seed=SEED)
        half(box)
        key = box.coinapi.credentials["api_key"].encode()
        path, headers = b"/v1/balances", [(b"x-coinapi-key", key)]
        request = Request("GET", path, b"", headers, b"", PEER, path)
        sandbox = bench.server.app.sandboxes.get(id)
        answers = [pipeline.respond(sandbox, "coinapi", request).response for _ in range(40)]
        found.append([answer.status == TEAPOT for answer in answers])
    assert found == [list(draws(SEED)[:40])] * 2


# What matches

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ACCOUNTS = "/v2/accounts"

CPG, COINW, CDP = Ask("cpg"), Ask("coinw"), Ask("cdp")

MATCHES: list[tuple[str, dict[str, Any], Ask, bool]] = [
    *[(f"nothing said, {name}", {}, Ask(name), True) for name in PROVIDERS],
    *[(f"{name} alone", {"provider": "cpg"}, Ask(name), name == "cpg") for name in PROVIDERS],
    ("an operation of two, the one", {"operation": "listBalances"}, CPG, True),
    ("an operation of two, the other", {"operation": "listBalances"}, CDP, True),
    ("balances, another operation", {"operation": "balances"}, Ask("cpg", "/v1/_ping"), False),
    ("another operation of the path", {"operation": "returnCompleteBalances"}, COINW, False),
    ("an operation by its parameter", {"operation": "returnBalances"}, COINW, True),
    ("an operation by its parameter in a form", {"operation": "returnBalances"}, Ask("coinw", SPOT, "POST", headers=FORM, body=b"command=returnBalances"), True),
    ("an operation's other spelling", {"operation": "listBalances"}, Ask("cpg", "/v1/balance%73"), True),
    ("an operation's alias", {"operation": "get-exchanges"}, Ask("coinstats", "/exchange/support"), True),
    ("an operation, its path with a wrong method", {"operation": "balances"}, Ask("cpg", READ, "DELETE"), False),
    ("a method", {"method": "GET"}, CPG, True),
    ("another method", {"method": "POST"}, CPG, False),
    ("a path", {"path": "/v1/balances"}, CPG, True),
    ("a path with a query behind", {"path": "/v1/balances"}, Ask("cpg", READ + "?x=1"), True),
    ("a longer path", {"path": "/v1/balances"}, Ask("cpg", READ + "/"), False),
    ("a shorter path", {"path": "/v1/balances"}, Ask("cpg", READ[:-1]), False),
    ("a path in other letters", {"path": "/v1/Balances"}, CPG, False),
    ("a path as it is written", {"path": "/v1/balance%73"}, Ask("cpg", "/v1/balance%73"), True),
    ("a path written otherwise", {"path": "/v1/balances"}, Ask("cpg", "/v1/balance%73"), False),
    ("a path behind a prefix", {"path": "/v1/balances"}, Ask("cpg", before="/cpg/~default"), True),
    ("a prefix in the path", {"path": "/cpg/v1/balances"}, Ask("cpg", before="/cpg"), False),
    ("a path below the base URL", {"path": ACCOUNTS}, Ask("cdp", ACCOUNTS), True),
    ("a path with the base URL's own", {"path": "/platform" + ACCOUNTS}, Ask("cdp", ACCOUNTS), True),
    ("a star alone", {"path": "*"}, CPG, True),
    ("all below another", {"path": "/v2/*"}, CPG, False),
    ("all that begin so", {"path": "/v1/bal*"}, CPG, True),
    ("all below itself", {"path": "/v1/balances/*"}, CPG, False),
    ("all below the base URL", {"path": "/v2/*"}, CDP, True),
    ("all below it with its own", {"path": "/platform/v2/*"}, CDP, True),
    ("a label", {"credential": "main"}, CPG, True),
    ("the label that it says", {"credential": "empty"}, Ask("cpg", label="empty"), True),
    ("the label of a revoked key", {"credential": "revoked"}, Ask("cpg", label="revoked"), False),
    ("a header", {"header": {"X-Trace": "a b"}}, CPG._replace(headers={"X-Trace": "a b"}), True),
    ("a header in other letters", {"header": {"x-TRACE": "7"}}, CPG._replace(headers={"X-Trace": "7"}), True),
    ("a header's value in other letters", {"header": {"X-Trace": "A"}}, CPG._replace(headers={"X-Trace": "a"}), False),
    ("no such header", {"header": {"X-Trace": "7"}}, CPG, False),
    ("a header's first value", {"header": {"X-Trace": "7"}}, CPG._replace(headers={"X-Trace": "7", "x-trace": "8"}), True),
    ("a header's second value", {"header": {"X-Trace": "8"}}, CPG._replace(headers={"X-Trace": "7", "x-trace": "8"}), False),
    ("a header twice the same", {"header": {"X-Trace": "7"}}, CPG._replace(headers={"X-Trace": "7", "x-trace": "7"}), True),
    ("both headers", {"header": {"X-A": "1", "X-B": "2"}}, CPG._replace(headers={"X-A": "1", "X-B": "2"}), True),
    ("the second of both headers", {"header": {"X-A": "1", "X-B": "2"}}, CPG._replace(headers={"X-B": "2"}), False),
    ("a header that is empty, absent", {"header": {"X-A": ""}}, CPG, True),
    ("a header that is empty, there", {"header": {"X-A": ""}}, CPG._replace(headers={"X-A": "1"}), False),
    ("a parameter with a plus", {"query": {"note": "a b"}}, Ask("cpg", READ + "?note=a+b"), True),
    ("a parameter as it is written", {"query": {"note": "a%20b"}}, Ask("cpg", READ + "?note=a%20b"), False),
    ("a parameter in UTF-8", {"query": {"nöte": "é"}}, Ask("cpg", READ + "?n%C3%B6te=%C3%A9"), True),
    ("a parameter's first value", {"query": {"note": "a"}}, Ask("cpg", READ + "?note=a&note=b"), True),
    ("a parameter's second value", {"query": {"note": "b"}}, Ask("cpg", READ + "?note=a&note=b"), False),
    ("both parameters", {"query": {"x": "1", "y": "2"}}, Ask("cpg", READ + "?y=2&x=1"), True),
    ("one of both parameters", {"query": {"x": "1", "y": "2"}}, Ask("cpg", READ + "?x=1"), False),
    ("a parameter in a form", {"query": {"note": "a b"}}, Ask("coinw", RETURN, "POST", headers=FORM, body=b"note=a%20b"), True),
    ("a query before a form", {"query": {"note": "b"}}, Ask("coinw", RETURN + "&note=a", "POST", headers=FORM, body=b"note=b"), False),
    ("a parameter in what is no form", {"query": {"note": "a"}}, Ask("cpg", "/v1/withdrawals", "POST", headers={"Content-Type": "text/plain"}, body=b"note=a"), False),
    ("method, path and header", {"method": "POST", "path": SPOT, "header": {"X-A": "1"}}, COINW._replace(headers={"X-A": "1"}), True),
    ("header and parameter of which one is wrong", {"header": {"X-A": "1"}, "query": {"x": "1"}}, Ask("cpg", READ + "?x=2", headers={"X-A": "1"}), False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("match", "ask", "met"), [m[1:] for m in MATCHES], ids=[m[0] for m in MATCHES]
)
def test_a_rule_matches_what_it_says(
    bench: Bench, match: dict[str, Any], ask: Ask, met: bool
) -> None:
    bench.server.fail("it", status=TEAPOT, **match)
    answer = bench.ask(*ask)
    assert (bench.count("it")[:2], answer.status == TEAPOT) == ((met, met), met)


# A request, and a rule that asks for all of it.
WHOLE = Ask("coinw", RETURN + "&note=a%20b", "POST", headers={"X-Trace": "7"})
ALL = {
    "provider": "coinw",
    "operation": "balances",
    "path": SPOT,
    "credential": "main",
    "header": {"x-trace": "7"},
    "query": {"note": "a b"},
}
OTHERWISE: dict[str, Any] = {
    "provider": "cdp",
    "operation": "returnCompleteBalances",
    "path": "/api/v1/public",
    "credential": "empty",
    "header": {"x-trace": "8"},
    "query": {"note": "a"},
}


def test_all_of_it_matches(bench: Bench) -> None:
    bench.server.fail("it", status=TEAPOT, **ALL)
    assert bench.ask(*WHOLE).status == TEAPOT
    for member in ALL:
        bench.server.fail("it", status=TEAPOT, **{k: v for k, v in ALL.items() if k != member})
        assert bench.ask(*WHOLE).status == TEAPOT, member


@pytest.mark.parametrize("member", OTHERWISE)
def test_one_member_that_is_otherwise_is_enough(bench: Bench, member: str) -> None:
    bench.server.fail("it", status=TEAPOT, **ALL | {member: OTHERWISE[member]})
    assert bench.ask(*WHOLE).status == 200
    assert bench.count("it") == (0, 0, "active")


def test_rules_of_every_kind_keep_their_order(bench: Bench) -> None:
    matches = [
        {"path": "/v1/*"},
        {},
        {"query": {"x": "1"}},
        {"path": READ},
        {"header": {"x-a": "1"}},
    ]
    for n in range(len(matches)):
        turned = matches[n:] + matches[:n]
        bench.server.clear_faults()
        for status, match in enumerate(turned, TEAPOT):
            bench.server.cpg.fail(f"r{status}", status=status, **match)
        asked = Ask("cpg", f"{READ}?x=1&n={n}", headers={"X-A": "1"})
        assert bench.ask(*asked).status == TEAPOT
        assert [(r["matched"], r["fired"]) for r in bench.server.faults] == [(1, 1)] * 5
        assert bench.server.journal[-1].fault == f"r{TEAPOT}"


# When it fires

OFTEN: list[tuple[dict[str, Any], list[int]]] = [
    ({}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    ({"requests": "2"}, [2]),
    ({"requests": "1-3"}, [1, 2, 3]),
    ({"requests": "5-"}, [5, 6, 7, 8, 9, 10]),
    ({"requests": 999999999}, []),
    ({"every": 3}, [3, 6, 9]),
    ({"every": 11}, []),
    ({"times": 1}, [1]),
    ({"times": 4}, [1, 2, 3, 4]),
    ({"probability": 0}, []),
    ({"probability": 1}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    ({"probability": 0.5}, [n for n, yes in enumerate(draws(SEED, "it")[:10], 1) if yes]),
    ({"requests": "3-", "every": 2}, [4, 6, 8, 10]),
    ({"requests": "3-5", "every": 3}, [5]),
    ({"requests": "2-", "times": 2}, [2, 3]),
    ({"requests": "2-9", "every": 2, "times": 2}, [3, 5]),
    ({"probability": 0.5, "times": 2}, [n for n, yes in enumerate(draws(SEED, "it")[:10], 1) if yes][:2]),
    ({"probability": 0.5, "every": 2}, [n for n, yes in enumerate(draws(SEED, "it")[:10], 1) if yes and n % 2 == 0]),
    ({"for": "1s", "every": 4}, [4, 8]),
]  # fmt: skip


@pytest.mark.parametrize(("when", "expected"), OFTEN, ids=[str(o[0]) for o in OFTEN])
def test_a_rule_fires_for_the_requests_that_it_says(
    bench: Bench, when: dict[str, Any], expected: list[int]
) -> None:
    bench.server.coinapi.fail("it", status=TEAPOT, **when)
    assert fired(bench.statuses(10, "coinapi")) == expected


def test_the_decisions_above_are_of_both_kinds() -> None:
    assert {sum(draws(SEED, "it")[:6]), sum(draws(SEED, "it")[:10])}.isdisjoint({0, 1, 2, 6, 10})


# When, and the moments around each edge; where there is a +, a rule is in force.
EDGES: list[tuple[dict[str, str], str]] = [
    ({}, "+0ns +1ns +1h"),
    ({"from": "0s"}, "+0ns"),
    ({"from": "10s"}, "-0ns -9999999999ns +10s +10000000001ns +24h"),
    ({"until": "10s"}, "+0ns +9999999999ns -10s -10000000001ns -24h"),
    ({"for": "10s"}, "+0ns +9999999999ns -10s -24h"),
    ({"from": "10s", "until": "30s"}, "-9999999999ns +10s +29999999999ns -30s -60s"),
    ({"for": "30s", "period": "1m"}, "+0ns +29999999999ns -30s -59999999999ns +60s +89999999999ns -90s +3600s +3629999999999ns -3630s"),
    ({"from": "30s", "for": "30s", "period": "1m"}, "-0ns -29999999999ns +30s +59999999999ns -60s -89999999999ns +90s +119999999999ns -120s +86399999999999ns -86400s"),
    ({"for": "1m", "period": "1m"}, "+0ns +59999999999ns +60s +119999999999ns +1h"),
]  # fmt: skip


def elapsed(text: str) -> int:
    return int(text[:-2]) if text.endswith("ns") else parse_duration(text)


@pytest.mark.parametrize(("when", "times"), EDGES, ids=[str(e[0]) for e in EDGES])
def test_a_rule_is_in_force_from_one_nanosecond_to_the_other(
    bench: Bench, when: dict[str, str], times: str
) -> None:
    bench.real.now += 7_777_777_777  # the rule's time begins where it is set, not the sandbox's
    began = bench.real.now
    bench.server.coinapi.fail("it", status=TEAPOT, **when)
    found = []
    for written in times.split():
        bench.real.now = began + elapsed(written[1:])
        met = bench.ask("coinapi").status == TEAPOT
        found.append("-+"[met] + written[1:])
    assert " ".join(found) == times
    assert bench.count("it")[:2] == (times.count("+"), times.count("+"))


def test_times_are_those_of_the_sandbox_clock(bench: Bench) -> None:
    bench.server.clock.freeze()
    bench.server.coinapi.fail("it", from_="10s", for_="10s", status=TEAPOT)
    bench.real.advance("15s")
    assert bench.ask("coinapi").status == 200, "real time passes, the sandbox clock stands"
    bench.server.clock.skew("15s")
    assert bench.ask("coinapi").status == 200
    bench.server.clock.advance("10s")
    assert bench.ask("coinapi").status == TEAPOT
    bench.server.clock.freeze(frozen=False)
    bench.server.clock.rate(10)
    bench.real.now += SECOND - 1
    assert bench.ask("coinapi").status == TEAPOT
    bench.real.now += 1
    assert bench.ask("coinapi").status == 200


def test_requests_outside_of_its_time_are_not_counted(bench: Bench) -> None:
    bench.server.coinapi.fail("it", requests="2-", from_="10s", status=TEAPOT)
    assert bench.statuses(3, "coinapi") == [200] * 3
    assert bench.count("it") == (0, 0, "waiting")
    bench.real.advance("10s")
    assert bench.statuses(3, "coinapi") == [200, TEAPOT, TEAPOT]
    assert bench.count("it") == (3, 2, "active")


def test_counts_go_on_from_one_period_to_the_next(bench: Bench) -> None:
    bench.server.coinapi.fail("it", requests="2-3", for_="1s", period="1m", status=TEAPOT)
    found = []
    for _ in range(4):
        found.append(bench.ask("coinapi").status == TEAPOT)
        bench.real.advance("60s")
    assert found == [False, True, True, False]
    assert bench.count("it") == (3, 2, "over")


def test_several_that_wait_begin_each_at_its_time(bench: Bench) -> None:
    for seconds in (30, 10, 20):
        bench.server.coinapi.fail(
            f"at-{seconds}", from_=f"{seconds}s", for_="10s", status=400 + seconds
        )
    found = []
    for _ in range(5):
        found.append(bench.ask("coinapi").status)
        bench.real.advance("10s")
    assert found == [200, 410, 420, 430, 200]


# Counts and states

# After each step: a request ("ask"), or a time that passes.
STATES: list[tuple[dict[str, Any], list[tuple[str, int, int, str]]]] = [
    ({}, [("ask", 1, 1, "active"), ("ask", 2, 2, "active"), ("24h", 2, 2, "active")]),
    ({"requests": "2-3"}, [("ask", 1, 0, "active"), ("ask", 2, 1, "active"), ("ask", 3, 2, "over"), ("ask", 3, 2, "over")]),
    ({"times": 2, "every": 2}, [("ask", 1, 0, "active"), ("ask", 2, 1, "active"), ("ask", 3, 1, "active"), ("ask", 4, 2, "over"), ("ask", 4, 2, "over")]),
    ({"from": "10s"}, [("ask", 0, 0, "waiting"), ("10s", 0, 0, "active"), ("ask", 1, 1, "active")]),
    ({"from": "1s", "for": "1s"}, [("ask", 0, 0, "waiting"), ("1s", 0, 0, "active"), ("1s", 0, 0, "over")]),
    ({"for": "1s", "period": "3s"}, [("ask", 1, 1, "active"), ("1s", 1, 1, "waiting"), ("ask", 1, 1, "waiting"), ("2s", 1, 1, "active"), ("ask", 2, 2, "active")]),
    ({"for": "1s", "period": "3s", "times": 1}, [("ask", 1, 1, "over"), ("1s", 1, 1, "over"), ("2s", 1, 1, "over"), ("ask", 1, 1, "over")]),
]  # fmt: skip


@pytest.mark.parametrize(("when", "steps"), STATES, ids=[str(s[0]) for s in STATES])
def test_a_rule_tells_how_often_and_in_which_state(
    bench: Bench, when: dict[str, Any], steps: list[tuple[str, int, int, str]]
) -> None:
    bench.server.coinapi.fail("it", status=TEAPOT, **when)
    assert bench.count("it") == (0, 0, "waiting" if "from" in when else "active")
    found = []
    for step, *_ in steps:
        if step == "ask":
            bench.ask("coinapi")
        else:
            bench.real.advance(step)
        found.append((step, *bench.count("it")))
    assert found == steps


def test_a_rule_without_a_name_gets_one(steer: Steer) -> None:
    rule = {"answer": {"reject": "rate_limited"}}
    names = [steer.good("POST", FAULTS, rule)["rule"]["name"] for _ in range(3)]
    assert names == ["rule-1", "rule-2", "rule-3"]
    steer.good("DELETE", FAULTS + "/rule-2", status=204)
    assert steer.good("POST", FAULTS, rule)["rule"]["name"] == "rule-2"


def test_the_scenario_that_plays_can_be_played_again(steer: Steer) -> None:
    assert steer.good("GET", SCENARIO) == {"scenario": None}
    for name in ("clock-skew", "schema-drift"):
        steer.good("PUT", SCENARIO, {"name": name})
        shown = steer.good("GET", SCENARIO)["scenario"]
        assert shown["name"] == name
        steer.good("PUT", SCENARIO, shown)
        assert steer.good("GET", SCENARIO)["scenario"] == shown


def test_a_match_counts_whatever_comes_of_the_request(bench: Bench) -> None:
    bench.server.cpg.fail("it", mutate={"extra": True})
    bench.ask("cpg", READ + "?limit=x", label="no_permission")
    bench.ask("cpg", READ, headers={"X-CPG-Key": "x"})
    bench.ask("cpg", "/v1/nothing")
    bench.server.cpg.fail("raw", status=TEAPOT)
    bench.ask("cpg")
    assert [bench.count(name)[:2] for name in ("it", "raw")] == [(4, 4), (1, 1)]


def set_again(bench: Bench) -> None:
    bench.server.coinapi.fail("it", requests="2-3", status=TEAPOT)


def cleared(bench: Bench) -> None:
    bench.server.clear_faults()
    set_again(bench)


def dropped(bench: Bench) -> None:
    bench.server.clear_faults("it")
    set_again(bench)


def after_a_reset(bench: Bench) -> None:
    bench.server.reset()
    assert bench.server.faults == []
    set_again(bench)


@pytest.mark.parametrize("again", [set_again, cleared, dropped, after_a_reset])
def test_a_rule_that_is_set_starts_from_nothing(
    bench: Bench, again: Callable[[Bench], None]
) -> None:
    set_again(bench)
    assert bench.statuses(3, "coinapi") == [200, TEAPOT, TEAPOT]
    again(bench)
    assert bench.count("it") == (0, 0, "active")
    assert bench.statuses(4, "coinapi") == [200, TEAPOT, TEAPOT, 200]


def test_a_time_begins_anew_when_the_rule_is_set_again(bench: Bench) -> None:
    for _ in range(2):
        bench.server.coinapi.fail("it", for_="10s", status=TEAPOT)
        assert bench.ask("coinapi").status == TEAPOT
        bench.real.advance("10s")
        assert bench.ask("coinapi").status == 200


def test_a_rule_set_again_keeps_its_place(bench: Bench) -> None:
    for name, status in (("a", 401), ("b", 402), ("c", 403), ("b", 404)):
        bench.server.coinapi.fail(name, status=status)
    told = [(r["rule"]["name"], r["rule"]["answer"]["status"]) for r in bench.server.faults]
    assert told == [("a", 401), ("b", 404), ("c", 403)]


# From Python, in process and over HTTP


@pytest.fixture(params=["in process", "remote"])
def face(request: pytest.FixtureRequest, server: MockServer) -> Any:
    return server if request.param == "in process" else RemoteServer(server.url)


# Keywords, and the rule that they make.
KEYWORDS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"operation": "balances", "reject": "forbidden"}, {"match": {"operation": "balances"}, "answer": {"reject": "forbidden"}}),
    ({"method": "GET", "page": "proxy-502"}, {"match": {"method": "GET"}, "answer": {"page": "proxy-502"}}),
    ({"path": "/v1/*", "status": 500}, {"match": {"path": "/v1/*"}, "answer": {"status": 500}}),
    ({"credential": "main", "status": 503, "headers": {"Retry-After": "9"}, "body": "späť"}, {"match": {"credential": "main"}, "answer": {"status": 503, "headers": {"Retry-After": "9"}, "body": "späť"}}),
    ({"header": {"X-A": "1"}, "query": {"a": "b"}, "mutate": {"drop": "$.data"}}, {"match": {"header": {"X-A": "1"}, "query": {"a": "b"}}, "mutate": {"drop": "$.data"}}),
    ({"requests": "1-3", "deliver": {"cut": 0.5}}, {"when": {"requests": "1-3"}, "deliver": {"cut": 0.5}}),
    ({"requests": 2, "mutate": {"bom": True}, "deliver": {"delay": "1ms"}}, {"when": {"requests": 2}, "mutate": {"bom": True}, "deliver": {"delay": "1ms"}}),
    ({"probability": 0.1, "every": 2, "times": 3, "status": 500}, {"when": {"probability": 0.1, "every": 2, "times": 3}, "answer": {"status": 500}}),
    ({"from_": "1s", "until": "2s", "status": 500}, {"when": {"from": "1s", "until": "2s"}, "answer": {"status": 500}}),
    ({"from_": "1s", "for_": "2s", "period": "1m", "status": 500}, {"when": {"from": "1s", "for": "2s", "period": "1m"}, "answer": {"status": 500}}),
    ({"from": "1s", "for": "2s", "status": 500}, {"when": {"from": "1s", "for": "2s"}, "answer": {"status": 500}}),
    ({"deliver": {"delay": {"uniform": ("1ms", "2ms")}}}, {"deliver": {"delay": {"uniform": ["1ms", "2ms"]}}}),
]  # fmt: skip


@pytest.mark.parametrize(("keywords", "rule"), KEYWORDS, ids=[", ".join(k[0]) for k in KEYWORDS])
def test_fail_takes_every_keyword(
    face: Any, keywords: dict[str, Any], rule: dict[str, Any]
) -> None:
    assert face.fail("mine", **keywords) == "mine"
    assert face.cpg.fail("theirs", **keywords) == "theirs"
    whole = {"match": {}} | rule | {"name": "mine"}
    theirs = whole | {"name": "theirs", "match": {"provider": "cpg"} | whole["match"]}
    told = [(r["rule"], r["scenario"], r["state"]) for r in face.faults]
    state = "waiting" if "from" in rule.get("when", {}) else "active"
    assert told == [(whole, None, state), (theirs, None, state)]


def test_fail_makes_a_name_of_what_it_says(face: Any) -> None:
    one = face.cpg.fail(reject="forbidden", requests="1-3")
    assert one == face.cpg.fail(requests="1-3", reject="forbidden"), "the same, whatever the order"
    names = [
        one,
        face.fail(reject="forbidden", requests="1-3"),
        face.cpg.fail(reject="forbidden", requests="1-4"),
        face.cpg.fail(reject="not_found", requests="1-3"),
        face.fail(reject="forbidden", requests="1-3", provider="cpg"),
    ]
    assert names[-1] == one
    assert [r["rule"]["name"] for r in face.faults] == names[:-1] == [*dict.fromkeys(names)]


def test_names_are_the_same_on_both_faces(server: MockServer) -> None:
    said: dict[str, Any] = {"deliver": {"delay": {"uniform": ("1ms", "2ms")}}, "header": {"X": "1"}}
    assert server.fail(**said) == RemoteServer(server.url).fail(**said)


def test_what_is_given_to_fail_stays_the_callers_own(face: Any) -> None:
    given = {"drop": "$.data"}
    face.fail("it", mutate=given)
    given["drop"] = "$.other"
    assert face.faults[0]["rule"]["mutate"] == {"drop": "$.data"}


class Nothing:
    """What JSON cannot say."""


NO_JSON = "a rule may contain only JSON values: "
WRONG_KEYWORDS: list[tuple[dict[str, Any], str]] = [
    ({}, "a rule needs answer, mutate or deliver (at $): "),
    ({"rejekt": "forbidden"}, "a rule has no rejekt: did you mean reject?"),
    ({"colour": "red"}, "a rule has no colour: there are match, when, answer, mutate, deliver, provider, "),
    ({"answer": {"rejekt": "forbidden"}}, "no answer keyword rejekt: there are reject, variant, "),
    ({"match": {"provider": "cdp"}, "status": 500}, "provider is given already: 'cpg'"),
    ({"match": "GET", "status": 500}, "match takes a dictionary, not 'GET'"),
    ({"answer": {"status": 500}, "status": 502}, "status is given already: 500"),
    ({"deliver": {"reset": "befor"}}, "takes before or body; did you mean before? (at $.deliver.reset): "),
    ({"reject": "forbidden", "provider": "cdp"}, "provider is given already: 'cpg'"),
    ({"from": "1s", "from_": "2s", "status": 500}, "from is given already: '1s'"),
    ({"name": 7, "status": 500}, "Expected `str`, got `int` (at $.name): "),
    ({"name": b"x", "status": 500}, NO_JSON),
    ({"probability": float("nan"), "status": 500}, NO_JSON),
    ({"status": 500, "body": b"\xff"}, "a body of bytes is UTF-8 text"),
    ({"status": 500, "body": Nothing()}, NO_JSON),
    ({"mutate": [1]}, "no mutate keyword 1: there are bom, charset, "),
    ({"deliver": {"delay": {1, 2}}}, NO_JSON),
]  # fmt: skip


@pytest.mark.parametrize(
    ("keywords", "message"), WRONG_KEYWORDS, ids=[str(w[0])[:40] for w in WRONG_KEYWORDS]
)
def test_a_wrong_keyword_is_one_clear_line(
    server: MockServer, keywords: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError) as wrong:
        server.cpg.fail(**keywords)
    assert str(wrong.value).startswith(message)
    assert str(wrong.value).isprintable()
    assert server.faults == []


# Keywords as a person may write them, and the rule that they are.
SHORTHANDS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"answer": {"reject": "rate_limited"}}, {"answer": {"reject": "rate_limited"}}),
    ({"reject": "rate_limited", "when": {"requests": 2}}, {"answer": {"reject": "rate_limited"}, "when": {"requests": 2}}),
    ({"reject": "forbidden", "match": {"method": "GET"}, "path": "/v1/*"}, {"match": {"provider": "cpg", "method": "GET", "path": "/v1/*"}, "answer": {"reject": "forbidden"}}),
    ({"deliver": {"reset": True}}, {"deliver": {"reset": "before"}}),
    ({"deliver": "reset"}, {"deliver": {"reset": "before"}}),
    ({"reset": True}, {"deliver": {"reset": "before"}}),
    ({"close": True, "requests": (1, 3)}, {"deliver": {"close": True}, "when": {"requests": "1-3"}}),
    ({"deliver": ["cut"], "requests": range(1, 4)}, {"deliver": {"cut": 0.5}, "when": {"requests": "1-3"}}),
    ({"delay": 1.5}, {"deliver": {"delay": 1.5}}),
    ({"deliver": {"delay": timedelta(seconds=2), "clock": "sandbox"}}, {"deliver": {"delay": "2s", "clock": "sandbox"}}),
    ({"mutate": "bom"}, {"mutate": {"bom": True}}),
    ({"drop": "$.data", "extra": True}, {"mutate": {"drop": "$.data", "extra": True}}),
    ({"status": 503, "body": {"a": [1]}}, {"answer": {"status": 503, "body": '{"a": [1]}', "headers": {"content-type": "application/json"}}}),
    ({"status": 503, "body": b"x", "when": {"from_": 1, "for_": "2s"}}, {"answer": {"status": 503, "body": "x"}, "when": {"from": 1, "for": "2s"}}),
]  # fmt: skip


@pytest.mark.parametrize(("keywords", "rule"), SHORTHANDS, ids=[str(f[0])[:40] for f in SHORTHANDS])
def test_keywords_may_be_flat_nested_or_short(
    server: MockServer, keywords: dict[str, Any], rule: dict[str, Any]
) -> None:
    server.cpg.fail("it", **keywords)
    assert server.faults[0]["rule"] == {"name": "it", "match": {"provider": "cpg"}} | rule


def test_a_rule_too_deep_for_json_is_refused(face: Any) -> None:
    deep: Any = "$.a"
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ValueError, match=NO_JSON):
        face.fail(mutate={"drop": deep})
    while isinstance(deep, list):  # a destructor would go as deep
        deep = deep.pop()


def names(face: Any) -> list[str]:
    return [rule["rule"]["name"] for rule in face.faults]


def test_faults_are_cleared_one_and_all(face: Any) -> None:
    for name in ("a", "b.b_b-b", "c"):
        face.fail(name, status=500)
    face.clear_faults("b.b_b-b")
    assert names(face) == ["a", "c"]
    with pytest.raises(ValueError, match=r"^no rule b \(at name\): there are a, c$"):
        face.clear_faults("b")
    assert names(face) == ["a", "c"]
    face.clear_faults()
    assert names(face) == []
    face.clear_faults()
    with pytest.raises(ValueError, match=r"^no rule a \(at name\): there are none$"):
        face.clear_faults("a")


STORM = fixtures() / "scenarios" / "rate-limit-storm.yaml"
MINE = {
    "name": "mine",
    "rules": [HALF],
    "quirks": {"coinw.bans": "on"},
    "limits": {"coinw.ip": "7/1s"},
    "skew": "5s",
}


@pytest.mark.parametrize(
    "scenario", ["rate-limit-storm", STORM, str(STORM)], ids=["name", "Path", "path"]
)
def test_a_scenario_is_played_by_name_and_by_path(face: Any, scenario: str | Path) -> None:
    face.fail("before", status=500)
    face.play(scenario)
    assert [(r["rule"]["name"], r["scenario"]) for r in face.faults] == [
        ("before", None),
        ("storm", "rate-limit-storm"),
        ("short", "rate-limit-storm"),
    ]
    face.stop_scenario()
    assert names(face) == ["before"]
    face.stop_scenario()
    assert names(face) == ["before"]


def test_a_scenario_may_not_take_the_name_of_a_rule_that_stands(face: Any) -> None:
    face.fail("stale", status=500)
    face.play(MINE)
    with pytest.raises(ValueError, match=r"^a rule stale is there already: delete it first "):
        face.play("stale-cache")
    assert names(face) == ["stale", "half"]
    assert face.quirks["coinw.bans"] == "on"


def test_what_is_no_scenario_is_told_in_one_line(face: Any) -> None:
    for wrong, what in (
        ("nope", "nope: no such scenario: neither a file nor one of bad-connection, "),
        (
            {"rules": [{"name": "a"}]},
            "a rule needs answer, mutate or deliver (at $.rules[0])",
        ),
        ({"rules": Nothing()}, NO_JSON),
        ({"name": 7}, "Expected `str`, got `int` (at $.name): "),
        (7, "Expected `object`, got `int` (at $)"),
    ):
        with pytest.raises(ValueError) as told:
            face.play(wrong)
        assert str(told.value).startswith(what)
        assert str(told.value).isprintable()
    assert names(face) == []


# The control API


@pytest.fixture
def steer(server: MockServer) -> Iterator[Steer]:
    steer = Steer(server.url)
    with steer.session:
        yield steer


STOP = {"name": "stop", "deliver": {"close": True}}
TOLD = {"rule": STOP, "scenario": None, "state": "active", "matched": 0, "fired": 0}


def test_rules_are_set_told_and_taken_away(steer: Steer) -> None:
    assert steer.good("GET", FAULTS) == {"scenario": None, "rules": []}
    assert steer.good("POST", FAULTS, STOP) == TOLD
    assert steer.good("POST", FAULTS, HALF) == TOLD | {"rule": HALF}
    assert steer.good("GET", FAULTS) == {"scenario": None, "rules": [TOLD, TOLD | {"rule": HALF}]}
    assert steer.good("DELETE", FAULTS + "/half", status=204) is None
    assert steer.good("GET", FAULTS)["rules"] == [TOLD]
    assert steer.good("DELETE", FAULTS + "/sto%70", status=204) is None
    assert steer.good("DELETE", FAULTS, status=204) is None
    assert steer.good("GET", FAULTS) == {"scenario": None, "rules": []}


def test_counts_are_told_of_what_came_over_sockets(server: MockServer, steer: Steer) -> None:
    steer.good("POST", FAULTS, HALF | {"match": {"provider": "coinapi"}})
    count = sum(over_a_socket(server, 10))
    told = steer.good("GET", FAULTS)["rules"][0]
    assert (told["matched"], told["fired"]) == (10, count) == (10, sum(draws(SEED)[:10]))
    told = steer.good("POST", FAULTS, HALF)
    assert (told["matched"], told["fired"]) == (0, 0)


def test_scenarios_are_played_and_stopped(steer: Steer) -> None:
    told = steer.good("PUT", SCENARIO, {"name": "stale-cache"})
    assert told == steer.good("GET", FAULTS)
    assert told["scenario"] == "stale-cache"
    assert [(r["rule"]["name"], r["scenario"]) for r in told["rules"]] == [("stale", "stale-cache")]
    assert steer.good("GET", D)["scenario"] == "stale-cache"
    told = steer.good("PUT", SCENARIO, {"rules": [STOP]})
    assert told == {"scenario": "inline", "rules": [TOLD | {"scenario": "inline"}]}
    assert steer.good("DELETE", SCENARIO, status=204) is None
    assert steer.good("GET", FAULTS) == {"scenario": None, "rules": []}
    assert steer.good("DELETE", SCENARIO, status=204) is None
    steer.good("PUT", SCENARIO, {"name": "stale-cache"})
    assert steer.good("DELETE", FAULTS, status=204) is None
    assert steer.good("GET", FAULTS) == {"scenario": None, "rules": []}


REFUSED: list[tuple[str, str, Any, int, str]] = [
    ("POST", FAULTS, {}, 400, "$"),
    ("POST", FAULTS, [], 400, "$"),
    ("POST", FAULTS, STOP | {"match": {"x": 1}}, 400, "$.match.x"),
    ("POST", FAULTS + "?x=1", STOP, 400, "?x"),
    ("POST", "/sandboxes/nobody/faults", STOP, 404, "$"),
    ("GET", FAULTS, {}, 400, "$"),
    ("GET", FAULTS + "/stop", None, 405, "$"),
    ("PUT", FAULTS, STOP, 405, "$"),
    ("DELETE", FAULTS + "/nope", None, 404, "name"),
    ("DELETE", FAULTS + "/STOP", None, 404, "name"),
    ("DELETE", FAULTS + "/a%2Fb%00", None, 404, "name"),
    *[("PUT", SCENARIO, {"name": name}, 400, "$.name") for name in ("", "../scenarios/stale-cache", "/etc/passwd", "Stale-Cache", "stale-cache\n", 7)],
    ("PUT", SCENARIO, {}, 400, "$"),
    ("PUT", SCENARIO, "stale-cache", 400, "$"),
    ("PUT", SCENARIO, {"rules": [STOP]}, 400, "$"),
    ("PUT", "/sandboxes/nobody/scenario", {"name": "stale-cache"}, 404, "$"),
    ("POST", SCENARIO, {"name": "stale-cache"}, 405, "$"),
    ("PUT", "/sandboxes/new", {"scenario": "nope"}, 400, "$.scenario"),
    ("PUT", "/sandboxes/new", {"scenario": 7}, 400, "$.scenario"),
]  # fmt: skip


@pytest.mark.parametrize("row", REFUSED, ids=[f"{r[0]} {r[1]} {str(r[2])[:40]!r}" for r in REFUSED])
def test_a_wrong_call_says_where_and_changes_nothing(
    steer: Steer, row: tuple[str, str, Any, int, str]
) -> None:
    method, path, body, status, at = row
    steer.good("POST", FAULTS, STOP)
    before = [steer.good("GET", place) for place in (FAULTS, "/sandboxes")]
    refused = steer.refused(method, path, body)
    assert (refused[0], refused[2]) == (status, at)
    assert [steer.good("GET", place) for place in (FAULTS, "/sandboxes")] == before


# The journal and the coverage

# Rules in their order, and which of them a read by main's entry then names.
NAMED: list[tuple[str, dict[str, dict[str, Any]], str | None]] = [
    ("none", {}, None),
    ("one that answers", {"a": {"status": TEAPOT}}, "a"),
    ("one that refuses", {"a": {"reject": "forbidden"}}, "a"),
    ("the first of two answers", {"a": {"reject": "forbidden"}, "b": {"status": TEAPOT}}, "a"),
    ("one that does not fire", {"a": {"requests": 2, "status": TEAPOT}}, None),
    ("one for others", {"a": {"credential": "empty", "status": TEAPOT}}, None),
    ("one that waits", {"a": {"from_": "1s", "status": TEAPOT}}, None),
    ("one that changes", {"a": {"mutate": {"extra": True}}}, "a"),
    ("one that has nothing to change", {"a": {"mutate": {"drop": "$.nothing.at.all"}}}, None),
    ("one that changes a header", {"a": {"mutate": {"media_type": "text/html"}}}, "a"),
    ("one that would change a refusal", {"a": {"mutate": {"extra": True}}, "b": {"reject": "forbidden"}}, "b"),
    ("one that delivers", {"a": {"deliver": {"delay": "1ms"}}}, "a"),
    ("one that delivers a refusal", {"a": {"deliver": {"delay": "1ms"}}, "b": {"reject": "forbidden"}}, "b, a"),
    ("all that change and deliver", {"a": {"deliver": {"delay": "1ms"}}, "b": {"mutate": {"bom": True}}, "c": {"mutate": {"extra": True}, "deliver": {"cut": 0.5}}}, "c, b, a"),
    ("an answer that another gives first", {"a": {"reject": "not_found"}, "b": {"credential": "main", "reject": "forbidden"}}, "a"),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "named"), [n[1:] for n in NAMED], ids=[n[0] for n in NAMED])
def test_the_journal_names_the_rules_with_an_effect(
    bench: Bench, rules: dict[str, dict[str, Any]], named: str | None
) -> None:
    for name, rule in rules.items():
        bench.server.cpg.fail(name, **rule)
    bench.ask("cpg")
    assert bench.server.journal[-1].fault == named


def test_the_journal_tells_how_an_answer_was_delivered(bench: Bench) -> None:
    bench.server.cpg.fail("slow", deliver={"delay": {"uniform": ["1ms", "2ms"]}, "cut": 0.5})
    bench.ask("cpg")
    assert bench.server.journal[-1].delivery == 'delay: {"uniform":["1ms","2ms"]}, cut: 0.5'
    bench.server.clear_faults()
    bench.ask("coinapi")
    assert bench.server.journal[-1].delivery is None


def test_coverage_tells_which_rules_fired_and_which_not(bench: Bench) -> None:
    bench.server.coinapi.fail("often", every=2, status=TEAPOT)
    bench.server.coinapi.fail("later", requests="9-", status=TEAPOT)
    bench.server.cdp.fail("elsewhere", status=TEAPOT)
    bench.statuses(5, "coinapi")
    told = bench.server.coverage()["faults"]
    expected = {"often": 2, "later": 0, "elsewhere": 0}
    assert told == {"rules": expected, "missing": ["later", "elsewhere"]}
    bench.server.clear_faults()
    assert bench.server.coverage()["faults"] == {"rules": {"often": 2}, "missing": []}
    bench.server.reset()
    assert bench.server.coverage()["faults"] == {"rules": {}, "missing": []}


def test_coverage_counts_the_requests_on_which_a_rule_had_an_effect(bench: Bench) -> None:
    bench.server.cpg.fail("pages", mutate={"repeat_token": True})  # there are none
    bench.server.cpg.fail("late", reject="forbidden", times=1)
    assert bench.statuses(1, "cpg", label="revoked") == [401]  # before what the rule asks for
    told = bench.server.coverage()["faults"]["rules"]
    assert [
        (told[name], fault["fired"]) for name, fault in zip(told, bench.server.faults, strict=True)
    ] == [(0, 1), (0, 1)]


# Many rules

MANY = 1_000
CASES = [
    ("coinapi", [*KINDS]),
    *[(name, [*KINDS][2:]) for name in PROVIDERS],
]


def rules(kinds: Iterable[str]) -> list[dict[str, Any]]:
    """Returns a thousand rules, of the kinds in turn."""
    makers = [KINDS[kind] for kind in kinds]
    return [
        {"name": f"r{n}", "deliver": {"close": True}} | makers[n % len(makers)](n)
        for n in range(MANY)
    ]


@pytest.mark.parametrize(
    ("provider", "kinds"),
    CASES,
    ids=[f"{p}: {kinds[0] if len(kinds) == 1 else len(kinds)}" for p, kinds in CASES],
)
def test_a_thousand_rules_for_others_leave_a_read_as_it_is(provider: str, kinds: list[str]) -> None:
    """What they cost is counted in ``engine/test_growth.py``."""
    ruled = Bench()
    # Not by control, which refuses credentials that are not there.
    ruled.sandbox.play(scenarios.from_data({"name": "many", "rules": rules(kinds)}))
    ruled.real.advance("1s")
    headers = {"User-Agent": "python-requests/2.32", "Accept": "*/*"}
    assert ruled.send(provider, ruled.request(Ask(provider, headers=headers))).status == 200
    assert {rule["matched"] for rule in ruled.server.faults} == {0}
    assert len(ruled.server.faults) == MANY


def test_a_sandbox_has_two_thousand_rules_at_most(bench: Bench) -> None:
    assert RULES_MAX == 2_000
    many = [{"name": f"r{n}", "deliver": {"close": True}} for n in range(RULES_MAX + 1)]
    with pytest.raises(ValueError, match=r"a scenario has at most 2000 rules \(at \$\.rules\)"):
        bench.server.play({"rules": many})
    assert bench.server.faults == []
    bench.server.play({"rules": many[:-1]})
    assert len(bench.server.faults) == RULES_MAX
    with pytest.raises(ValueError, match="a sandbox has at most 2000 rules"):
        bench.server.fail("one-more", status=500)
    bench.server.fail("r0", status=500)
    assert len(bench.server.faults) == RULES_MAX
    bench.server.clear_faults("r1")
    bench.server.fail("one-more", status=500)
    assert len(bench.server.faults) == RULES_MAX


FULL = r"^all rules together take at most 33554432 bytes"
LARGE = "x" * (1024 * 1024)  # which counts twice: as it is written, and as it is sent


def test_the_rules_of_a_sandbox_are_bounded_in_bytes(bench: Bench) -> None:
    for n in range(15):
        bench.server.fail(f"r{n}", status=500, body=LARGE)
    with pytest.raises(ValueError, match=FULL):
        bench.server.fail("one-more", status=500, body=LARGE)
    assert len(bench.server.faults) == 15
    bench.server.fail("r0", status=500, body=LARGE)
    bench.server.fail("small", status=500, body="x")
    with pytest.raises(ValueError, match=FULL):
        bench.server.fail("small", status=500, body=LARGE)
    bench.server.clear_faults("r0")
    bench.server.fail("small", status=500, body=LARGE)


def test_a_rulebook_is_full_to_the_byte(bench: Bench) -> None:
    bench.sandbox.rulebook.check_room(1, RULES_SIZE_MAX)
    with pytest.raises(ValueError, match=FULL):
        bench.sandbox.rulebook.check_room(1, RULES_SIZE_MAX + 1)
    rule = {"name": "a", "answer": {"status": 500, "body": "é"}}
    told = '{"name":"a","answer":{"status":500,"body":"é"}}'
    assert RuleParser(PROVIDERS).parse(rule).size == len(told.encode()) + 2


def test_a_scenario_of_too_many_bytes_changes_nothing(bench: Bench) -> None:
    bench.server.play({"name": "before", "rules": [HALF]})
    body = {"status": 500, "body": LARGE}
    many = [{"name": f"r{n}", "answer": body} for n in range(16)]
    with pytest.raises(ValueError, match=FULL + r" \(at \$\.rules\[15\]\)"):
        bench.server.play({"name": "after", "rules": many})
    assert names(bench.server) == ["half"]
    bench.server.play({"name": "after", "rules": many[:15]})
    assert len(bench.server.faults) == 15


# Rules that share what they want


SHARING: dict[str, tuple[Callable[[int], dict[str, Any]], Callable[[int], Ask]]] = {
    "a path": (
        lambda n: {"path": READ, "query": {"ref": str(n)}},
        lambda n: Ask("cpg", f"{READ}?ref={n}"),
    ),
    "a header": (
        lambda n: {"header": {"X-Env": "test", "X-User": f"u{n}"}},
        lambda n: CPG._replace(headers={"X-Env": "test", "X-User": f"u{n}"}),
    ),
    "a beginning": (
        lambda n: {"path": "/v1/*", "header": {"X-User": f"u{n}"}},
        lambda n: CPG._replace(headers={"X-User": f"u{n}"}),
    ),
    "a header and a parameter in turn": (
        lambda n: {"header": {"X-A": str(n // 10)}, "query": {"b": str(n % 10)}},
        lambda n: Ask("cpg", f"{READ}?b={n % 10}", headers={"X-A": str(n // 10)}),
    ),
}


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("sharing", SHARING)
def test_of_rules_that_share_something_the_one_that_is_meant_is_found(
    bench: Bench, sharing: str, at_once: bool
) -> None:
    match, ask = SHARING[sharing]
    count = 100
    if at_once:
        matching = [{"name": f"r{n}", "match": match(n)} for n in range(count)]
        bench.server.play({"rules": [m | {"answer": {"status": TEAPOT}} for m in matching]})
    else:
        for n in range(count):
            bench.server.fail(f"r{n}", status=TEAPOT, **match(n))
    for n in (0, 1, 42, 99, 100):
        met = bench.ask(*ask(n)).status == TEAPOT
        assert (met, bench.server.journal[-1].fault) == (n < count, f"r{n}" if met else None)
    matched = [rule["rule"]["name"] for rule in bench.server.faults if rule["matched"]]
    assert matched == ["r0", "r1", "r42", "r99"]


def test_a_form_is_read_once_however_many_rules_look_into_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    plain = rules_module.parameters

    def counted(query: bytes, media_type: bytes, body: bytes) -> Any:
        sizes.append(len(body))
        return plain(query, media_type, body)

    monkeypatch.setattr(rules_module, "parameters", counted)
    for n in range(20):
        bench.server.coinw.fail(
            f"r{n}", path=SPOT, query={"note": "x", f"n{n}": "1"}, status=TEAPOT
        )
    hostile = b"command=returnBalances" + b"&a=%41" * 149_000
    asked = Ask("coinw", SPOT, "POST", headers=FORM, body=hostile)
    request = bench.request(asked)
    assert bench.send("coinw", request).status != TEAPOT
    assert sizes == [len(hostile)]
    sizes.clear()
    bench.server.clear_faults()
    bench.server.coinw.fail("other", path="/elsewhere", query={"note": ""}, status=TEAPOT)
    bench.send("coinw", request)
    assert sizes == [], "of another path nothing else is looked at"


def test_a_scenario_that_is_too_much_beside_other_rules_changes_nothing(bench: Bench) -> None:
    for n in range(1_000):
        bench.server.fail(f"r{n}", status=500)
    bench.server.play({"name": "before", "rules": [HALF], "quirks": {"coinw.bans": "on"}})
    many = [{"name": f"s{n}", "deliver": {"close": True}} for n in range(1_001)]
    with pytest.raises(ValueError, match="a sandbox has at most 2000 rules"):
        bench.server.play({"name": "after", "rules": many, "skew": "5s"})
    assert bench.sandbox.scenario is not None
    assert bench.sandbox.scenario.name == "before"
    assert [len(bench.server.faults), bench.server.quirks["coinw.bans"]] == [1_001, "on"]
    assert bench.sandbox.clock.skew == 0
