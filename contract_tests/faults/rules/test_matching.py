"""Which requests a rule matches, also among many rules."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from benchmarks.growth.rules import KINDS
from contract_tests.support.rows import each
from contract_tests.support.rule_bench import PROVIDERS, READ, RETURN, SPOT, TEAPOT, Ask, Bench
from contract_tests.support.rule_draws import HALF, names
from mockserver.faults import rules as rules_module
from mockserver.faults.matching import RULES_MAX
from mockserver.faults.parsing import RuleParser
from mockserver.faults.rules import RULES_SIZE_MAX
from mockserver.files import scenarios

MANY = 1_000


def rules(kinds: Iterable[str]) -> list[dict[str, Any]]:
    """Returns a thousand rules, of the kinds in turn."""
    makers = [KINDS[kind] for kind in kinds]
    return [
        {"name": f"r{n}", "deliver": {"close": True}} | makers[n % len(makers)](n)
        for n in range(MANY)
    ]


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


@each("match, ask, met", MATCHES)
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


def test_a_rule_with_every_criterion_matches(bench: Bench) -> None:
    bench.server.fail("it", status=TEAPOT, **ALL)
    assert bench.ask(*WHOLE).status == TEAPOT
    for member in ALL:
        bench.server.fail("it", status=TEAPOT, **{k: v for k, v in ALL.items() if k != member})
        assert bench.ask(*WHOLE).status == TEAPOT, member


@pytest.mark.parametrize("member", OTHERWISE)
def test_one_criterion_that_differs_is_enough_not_to_match(bench: Bench, member: str) -> None:
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
        ask = Ask("cpg", f"{READ}?x=1&n={n}", headers={"X-A": "1"})
        assert bench.ask(*ask).status == TEAPOT
        assert [(r["matched"], r["fired"]) for r in bench.server.faults] == [(1, 1)] * 5
        assert bench.server.journal[-1].fault == f"r{TEAPOT}"


# Many rules


CASES = [
    ("coinapi", [*KINDS]),
    *[(name, [*KINDS][2:]) for name in PROVIDERS],
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
    encoded = '{"name":"a","answer":{"status":500,"body":"é"}}'
    assert RuleParser(PROVIDERS).parse(rule).size == len(encoded.encode()) + 2


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
def test_among_rules_that_share_criteria_the_right_one_matches(
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
    ask = Ask("coinw", SPOT, "POST", headers=FORM, body=hostile)
    request = bench.request(ask)
    assert bench.send("coinw", request).status != TEAPOT
    assert sizes == [len(hostile)]
    sizes.clear()
    bench.server.clear_faults()
    bench.server.coinw.fail("other", path="/elsewhere", query={"note": ""}, status=TEAPOT)
    bench.send("coinw", request)
    assert sizes == [], "of another path nothing else is looked at"
