"""Known mistakes of signers: each is named, alone and in pairs, in bounded time, without secrets."""

from collections.abc import Iterator
from typing import Any

import pytest

from contract_tests.providers.coinw.mistake_table import TABLE as COINW
from contract_tests.providers.cpg.mistake_table import TABLE as CPG
from contract_tests.support.mistake_table import (
    OTHER_SECRET,
    SECRET,
    Change,
    MistakeTable,
    explained,
    fingerprint,
)
from mockserver import MockServer
from mockserver.explain import TRIES_MAX, signature
from mockserver.explain.attempts import digest, message

TABLES = (CPG, COINW)
each_table = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.provider)


@pytest.fixture
def server(standing: MockServer) -> MockServer:
    standing.reset()
    return standing


def explanation_of(server: MockServer, table: MistakeTable, wrong: Any) -> dict[str, str]:
    explanation = explained(server, table.provider, table.raw(wrong))
    assert explanation.pop("reason") == "bad_signature"
    return explanation


def rows(member: str) -> Any:
    """Parametrizes a test by table and by row of a member, whose first text is the name."""
    return [
        pytest.param(table, *row, id=f"{table.provider} {next(filter(_is_text, row))}, {n}")
        for table in TABLES
        for n, row in enumerate(getattr(table, member))
    ]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


@pytest.mark.parametrize(("table", "about", "rule", "names", "change"), rows("mistakes"))
def test_a_known_mistake_is_named_without_a_secret(
    server: MockServer,
    table: MistakeTable,
    about: str,
    rule: str,
    names: tuple[str, ...],
    change: Change,
) -> None:
    for name in names:
        right, wrong = table.requests[name], change(table.requests[name])
        explanation = explanation_of(server, table, wrong)
        assert explanation["rule"] == rule, name
        assert explanation["expected"] != explanation["received"]
        assert explanation["fix"]
        texts = " ".join(explanation.values())
        assert table.exposed(texts, right.signature(), SECRET.upper()) == []
        assert wrong.signature() not in texts


def pairs(table: MistakeTable, name: str) -> Iterator[tuple[str, str]]:
    for n, kind in enumerate(table.likely):
        for others in table.likely[n + 1 :]:
            for one in sorted(kind):
                for other in sorted(others):
                    if name in table.by_name[one][1] and name in table.by_name[other][1]:
                        yield one, other


PAIRED = [(CPG, name, 200) for name in ("read", "asked", "posted")]
PAIRED += [(COINW, name, 100) for name in ("read", "asked", "posted", "both")]


@pytest.mark.parametrize(
    ("table", "name", "least"), PAIRED, ids=[f"{row[0].provider} {row[1]}" for row in PAIRED]
)
def test_two_known_mistakes_are_both_named(
    server: MockServer, table: MistakeTable, name: str, least: int
) -> None:
    wrong, count = [], 0
    for one, other in pairs(table, name):
        count += 1
        twice = table.by_name[other][2](table.by_name[one][2](table.requests[name]))
        rule = explanation_of(server, table, twice)["rule"]
        if sorted(rule.split(" + ")) != table.both(name, one, other):
            wrong.append((one, other, rule))
    assert wrong == []
    assert count > least


@pytest.mark.parametrize(("table", "change", "expected", "received"), rows("shown"))
def test_what_differs_is_shown_without_any_secret(
    server: MockServer, table: MistakeTable, change: Change, expected: str, received: str
) -> None:
    explanation = explanation_of(server, table, change(table.right))
    assert (explanation["expected"], explanation["received"]) == (expected, received)


@pytest.mark.parametrize(("table", "about", "change", "received"), rows("unknown"))
def test_a_signature_that_no_known_mistake_makes_is_described(
    server: MockServer, table: MistakeTable, about: str, change: Change, received: str
) -> None:
    assert explanation_of(server, table, change(table.right)) == {
        "rule": "bad signature",
        "received": received,
        **table.unknown_text,
    }


@each_table
def test_capitals_are_no_mistake_where_a_quirk_allows_both(
    server: MockServer, table: MistakeTable
) -> None:
    changes = {rule: change for _, rule, names, change in table.mistakes if "asked" in names}
    case = next(rule for rule in changes if rule in {"upper-case hex", "lower-case hex"})
    other = {"cpg": "query not signed", "coinw": "secret not signed"}[table.provider]
    wrong = changes[case](changes[other](table.requests["asked"]))
    assert explanation_of(server, table, wrong)["rule"] == f"{case} + {other}"
    server.set_quirks({f"{table.provider}.signature_case": "any"})
    assert explanation_of(server, table, wrong)["rule"] == other


# The key


@pytest.mark.parametrize(("table", "sent", "rule"), rows("keys_sent"))
def test_a_key_that_is_not_quite_one_is_named(
    server: MockServer, table: MistakeTable, sent: str, rule: str
) -> None:
    explanation = explained(server, table.provider, table.raw(table.with_key(sent)))
    assert (explanation["reason"], explanation["rule"]) == ("unknown_credential", rule)


@each_table
def test_a_secret_in_the_place_of_the_key_is_explained(
    server: MockServer, table: MistakeTable
) -> None:
    secret = next(name for name in ("secret", "secret_key") if name in table.keys["main"])
    assert explained(server, table.provider, table.raw(table.with_key(OTHER_SECRET))) == {
        "reason": "unknown_credential",
        "rule": f"secret for the {table.key_name}",
        "expected": f"the {table.key_name} of other",
        "received": f"{fingerprint(OTHER_SECRET)}, the {secret} of the key other",
        "fix": f"Send the {table.key_name}; never send the secret, only sign with it.",
    }


@each_table
def test_a_revoked_key_is_explained(server: MockServer, table: MistakeTable) -> None:
    revoked = table.keys["revoked"]
    call = table.with_key(revoked.get("key_id") or revoked["api_key"])
    assert explained(server, table.provider, table.raw(call)) == {
        "reason": "revoked_credential",
        "rule": "revoked key",
        "expected": "a key that is not revoked",
        "received": "the key revoked, which is revoked",
        "fix": "Use another key: a revoked key stays revoked.",
    }


# Bounds


@each_table
def test_the_right_request_is_accepted_after_every_wrong_one(
    server: MockServer, table: MistakeTable
) -> None:
    server.set_quirks({"cpg.replay": "off"})
    for _, _, names, change in table.mistakes:
        right = table.requests[names[0]]
        assert explained(server, table.provider, table.raw(change(right)))["reason"]
        reason = explained(server, table.provider, table.raw(right))["reason"]
        assert reason in {"", "business_rule", "bad_request"}


@each_table
def test_no_more_attempts_are_made_than_the_bound_allows(
    server: MockServer, table: MistakeTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def counted_digest(attempt: Any) -> bytes:
        sizes.append(len(message(attempt)))
        return digest(attempt)

    monkeypatch.setattr(signature, "digest", counted_digest)
    for call in table.bounded:
        sizes.clear()
        explanation_of(server, table, call)
        assert len(sizes) == TRIES_MAX
    for call in table.bounded_by_size:
        sizes.clear()
        explanation_of(server, table, call)
        assert 100 < len(sizes) <= TRIES_MAX
        assert sum(sizes) < 2 * 1024 * 1024


@each_table
def test_mistakes_are_not_tried_on_a_long_string(server: MockServer, table: MistakeTable) -> None:
    explanations = [explanation_of(server, table, call) for call, _ in table.long]
    assert [explanation["rule"] for explanation in explanations] == [r for _, r in table.long]
    too_long = "a signature of a string that is too long to try known mistakes on"
    assert too_long in [explanation["received"] for explanation in explanations]


@each_table
def test_no_secret_stands_in_the_explanation_of_a_careless_request(
    server: MockServer, table: MistakeTable
) -> None:
    for raw in table.careless:
        explanation = explained(server, table.provider, raw)
        assert len(explanation) == 5
        assert table.exposed(" ".join(explanation.values()), SECRET.upper()) == [], raw
