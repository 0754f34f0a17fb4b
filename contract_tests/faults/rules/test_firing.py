"""When a rule fires, how often, and in which state it is."""

from collections.abc import Callable
from typing import Any

import pytest

from contract_tests.support.control_calls import ControlClient
from contract_tests.support.rule_bench import READ, SEED, TEAPOT, Bench
from contract_tests.support.rule_draws import FAULTS, SCENARIO, draws, fired
from mockserver.model.times import SECOND, parse_duration

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
    marks = []
    for written in times.split():
        bench.real.now = began + elapsed(written[1:])
        met = bench.ask("coinapi").status == TEAPOT
        marks.append("-+"[met] + written[1:])
    assert " ".join(marks) == times
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
    fired_at = []
    for _ in range(4):
        fired_at.append(bench.ask("coinapi").status == TEAPOT)
        bench.real.advance("60s")
    assert fired_at == [False, True, True, False]
    assert bench.count("it") == (3, 2, "over")


def test_several_that_wait_begin_each_at_its_time(bench: Bench) -> None:
    for seconds in (30, 10, 20):
        bench.server.coinapi.fail(
            f"at-{seconds}", from_=f"{seconds}s", for_="10s", status=400 + seconds
        )
    statuses = []
    for _ in range(5):
        statuses.append(bench.ask("coinapi").status)
        bench.real.advance("10s")
    assert statuses == [200, 410, 420, 430, 200]


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
def test_a_rule_has_counts_and_a_state(
    bench: Bench, when: dict[str, Any], steps: list[tuple[str, int, int, str]]
) -> None:
    bench.server.coinapi.fail("it", status=TEAPOT, **when)
    assert bench.count("it") == (0, 0, "waiting" if "from" in when else "active")
    counts = []
    for step, *_ in steps:
        if step == "ask":
            bench.ask("coinapi")
        else:
            bench.real.advance(step)
        counts.append((step, *bench.count("it")))
    assert counts == steps


def test_a_rule_without_a_name_gets_one(api: ControlClient) -> None:
    rule = {"answer": {"reject": "rate_limited"}}
    names = [api.good("POST", FAULTS, rule)["rule"]["name"] for _ in range(3)]
    assert names == ["rule-1", "rule-2", "rule-3"]
    api.good("DELETE", FAULTS + "/rule-2", status=204)
    assert api.good("POST", FAULTS, rule)["rule"]["name"] == "rule-2"


def test_the_scenario_that_plays_can_be_played_again(api: ControlClient) -> None:
    assert api.good("GET", SCENARIO) == {"scenario": None}
    for name in ("clock-skew", "schema-drift"):
        api.good("PUT", SCENARIO, {"name": name})
        scenario = api.good("GET", SCENARIO)["scenario"]
        assert scenario["name"] == name
        api.good("PUT", SCENARIO, scenario)
        assert api.good("GET", SCENARIO)["scenario"] == scenario


def test_a_match_counts_whatever_the_response_is(bench: Bench) -> None:
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
    statuses = [(r["rule"]["name"], r["rule"]["answer"]["status"]) for r in bench.server.faults]
    assert statuses == [("a", 401), ("b", 404), ("c", 403)]
