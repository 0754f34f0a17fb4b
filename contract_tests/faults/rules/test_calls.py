"""Rules from Python and by the control API, and what journal and coverage have of them."""

from datetime import timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from contract_tests.support.control_calls import ControlClient
from contract_tests.support.rows import each
from contract_tests.support.rule_bench import SEED, TEAPOT, Bench
from contract_tests.support.rule_draws import FAULTS, HALF, SCENARIO, D, draws, names, over_a_socket
from mockserver import MockServer
from mockserver.client.remote import RemoteServer
from mockserver.files.lookup import fixtures

# From Python, in process and over HTTP


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
    rules = [(r["rule"], r["scenario"], r["state"]) for r in face.faults]
    state = "waiting" if "from" in rule.get("when", {}) else "active"
    assert rules == [(whole, None, state), (theirs, None, state)]


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
    keywords: dict[str, Any] = {
        "deliver": {"delay": {"uniform": ("1ms", "2ms")}},
        "header": {"X": "1"},
    }
    assert server.fail(**keywords) == RemoteServer(server.url).fail(**keywords)


def test_fail_copies_its_arguments(face: Any) -> None:
    mutate = {"drop": "$.data"}
    face.fail("it", mutate=mutate)
    mutate["drop"] = "$.other"
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
    *[
        ({"status": 503, **dict(order)}, {"answer": {"status": 503, "body": "[1]", "headers": {"Content-Type": "a/b"}}})
        for order in permutations((("body", [1]), ("headers", {"Content-Type": "a/b"})))
    ],
    ({"status": 503, "body": [1], "headers": {"x": "y"}}, {"answer": {"status": 503, "body": "[1]", "headers": {"content-type": "application/json", "x": "y"}}}),
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


# The control API


STOP = {"name": "stop", "deliver": {"close": True}}
STATUS = {"rule": STOP, "scenario": None, "state": "active", "matched": 0, "fired": 0}


def test_rules_are_set_listed_and_deleted(api: ControlClient) -> None:
    assert api.good("GET", FAULTS) == {"scenario": None, "rules": []}
    assert api.good("POST", FAULTS, STOP) == STATUS
    assert api.good("POST", FAULTS, HALF) == STATUS | {"rule": HALF}
    assert api.good("GET", FAULTS) == {"scenario": None, "rules": [STATUS, STATUS | {"rule": HALF}]}
    assert api.good("DELETE", FAULTS + "/half", status=204) is None
    assert api.good("GET", FAULTS)["rules"] == [STATUS]
    assert api.good("DELETE", FAULTS + "/sto%70", status=204) is None
    assert api.good("DELETE", FAULTS, status=204) is None
    assert api.good("GET", FAULTS) == {"scenario": None, "rules": []}


def test_counts_include_requests_over_sockets(server: MockServer, api: ControlClient) -> None:
    api.good("POST", FAULTS, HALF | {"match": {"provider": "coinapi"}})
    count = sum(over_a_socket(server, 10))
    rule = api.good("GET", FAULTS)["rules"][0]
    assert (rule["matched"], rule["fired"]) == (10, count) == (10, sum(draws(SEED)[:10]))
    rule = api.good("POST", FAULTS, HALF)
    assert (rule["matched"], rule["fired"]) == (0, 0)


def test_scenarios_are_played_and_stopped(api: ControlClient) -> None:
    answer = api.good("PUT", SCENARIO, {"name": "stale-cache"})
    assert answer == api.good("GET", FAULTS)
    assert answer["scenario"] == "stale-cache"
    assert [(r["rule"]["name"], r["scenario"]) for r in answer["rules"]] == [
        ("stale", "stale-cache")
    ]
    assert api.good("GET", D)["scenario"] == "stale-cache"
    answer = api.good("PUT", SCENARIO, {"rules": [STOP]})
    assert answer == {"scenario": "inline", "rules": [STATUS | {"scenario": "inline"}]}
    assert api.good("DELETE", SCENARIO, status=204) is None
    assert api.good("GET", FAULTS) == {"scenario": None, "rules": []}
    assert api.good("DELETE", SCENARIO, status=204) is None
    api.good("PUT", SCENARIO, {"name": "stale-cache"})
    assert api.good("DELETE", FAULTS, status=204) is None
    assert api.good("GET", FAULTS) == {"scenario": None, "rules": []}


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
    api: ControlClient, row: tuple[str, str, Any, int, str]
) -> None:
    method, path, body, status, at = row
    api.good("POST", FAULTS, STOP)
    before = [api.good("GET", place) for place in (FAULTS, "/sandboxes")]
    refused = api.refused(method, path, body)
    assert (refused[0], refused[2]) == (status, at)
    assert [api.good("GET", place) for place in (FAULTS, "/sandboxes")] == before


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


@each("rules, named", NAMED)
def test_the_journal_names_the_rules_with_an_effect(
    bench: Bench, rules: dict[str, dict[str, Any]], named: str | None
) -> None:
    for name, rule in rules.items():
        bench.server.cpg.fail(name, **rule)
    bench.ask("cpg")
    assert bench.server.journal[-1].fault == named


def test_the_journal_has_the_delivery_of_a_response(bench: Bench) -> None:
    bench.server.cpg.fail("slow", deliver={"delay": {"uniform": ["1ms", "2ms"]}, "cut": 0.5})
    bench.ask("cpg")
    assert bench.server.journal[-1].delivery == 'delay: {"uniform":["1ms","2ms"]}, cut: 0.5'
    bench.server.clear_faults()
    bench.ask("coinapi")
    assert bench.server.journal[-1].delivery is None


def test_coverage_lists_rules_that_fired_and_that_did_not(bench: Bench) -> None:
    bench.server.coinapi.fail("often", every=2, status=TEAPOT)
    bench.server.coinapi.fail("later", requests="9-", status=TEAPOT)
    bench.server.cdp.fail("elsewhere", status=TEAPOT)
    bench.statuses(5, "coinapi")
    coverage = bench.server.coverage()["faults"]
    expected = {"often": 2, "later": 0, "elsewhere": 0}
    assert coverage == {"rules": expected, "missing": ["later", "elsewhere"]}
    bench.server.clear_faults()
    assert bench.server.coverage()["faults"] == {"rules": {"often": 2}, "missing": []}
    bench.server.reset()
    assert bench.server.coverage()["faults"] == {"rules": {}, "missing": []}


def test_coverage_counts_the_requests_on_which_a_rule_had_an_effect(bench: Bench) -> None:
    bench.server.cpg.fail("pages", mutate={"repeat_token": True})  # there are none
    bench.server.cpg.fail("late", reject="forbidden", times=1)
    assert bench.statuses(1, "cpg", label="revoked") == [401]  # before what the rule asks for
    fired_counts = bench.server.coverage()["faults"]["rules"]
    assert [
        (fired_counts[name], fault["fired"])
        for name, fault in zip(fired_counts, bench.server.faults, strict=True)
    ] == [(0, 1), (0, 1)]
