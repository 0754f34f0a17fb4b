"""Chance: fair, independent, and the same for the same seed."""

from collections.abc import Callable
from math import sqrt
from pathlib import Path
from typing import Any

import pytest

from contract_tests.support.rule_bench import PEER, SEED, TEAPOT, WORLD, Bench
from contract_tests.support.rule_draws import DRAWS, HALF, draws, fired, moments, over_a_socket
from mockserver import MockServer
from mockserver.engine import pipeline
from mockserver.faults.chance import Chance
from mockserver.model.http import Request


def half(server: Any, name: str = "half", **match: Any) -> None:
    server.fail(name, probability=0.5, status=TEAPOT, **match)


# Chance


SEEDS = range(60)


def test_a_probability_of_one_half_fires_half_the_time() -> None:
    # Beyond 450 to 550 lie 0.14 % of all fair sequences: 0.1 of 60 seeds.
    outside = [seed for seed in SEEDS if not 450 <= sum(draws(seed)) <= 550]
    assert len(outside) <= 2


def test_the_first_match_is_as_fair_as_any() -> None:
    half = moments(probability=0.5)
    first = sum(half.fires(1, 0, Chance(seed, "half", 1)) for seed in range(DRAWS))
    assert 450 <= first <= 550


@pytest.mark.parametrize(("probability", "least", "most"), [(0.1, 70, 130), (0.9, 870, 930)])
def test_other_probabilities_hold_too(probability: float, least: int, most: int) -> None:
    # Three standard deviations, 9.5 each: 0.3 % lie outside.
    rare = moments(probability=probability)
    sums = [
        sum(rare.fires(n, 0, Chance(seed, "rare", n)) for n in range(1, DRAWS + 1))
        for seed in range(15)
    ]
    assert sum(not least <= total <= most for total in sums) <= 2


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
    correlations = [abs(correlation(*pair(seed))) for seed in SEEDS]
    assert sum(r >= 0.1 for r in correlations) <= 2


def test_the_purposes_of_one_match_are_drawn_apart() -> None:
    chance = Chance(SEED, "half", 1)
    drawn = [chance.fraction(purpose) for purpose in ("", "delay", "angle", "garbage")]
    assert len(set(drawn)) == 4
    assert all(0 <= fraction < 1 for fraction in drawn)


# The same again


def test_the_pipeline_fires_as_chance_says(bench: Bench) -> None:
    half(bench.server, provider="coinapi")
    statuses = bench.statuses(DRAWS, "coinapi")
    assert fired(statuses) == [n for n, yes in enumerate(draws(SEED), 1) if yes]
    assert bench.count("half") == (DRAWS, sum(draws(SEED)), "active")


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


# What happens between two requests that a rule matches, and changes nothing for it.
NOISE: dict[str, Callable[[Bench], Any]] = {
    "nothing": lambda bench: None,
    "another operation": lambda bench: bench.ask("coinstats", "/v1/usage/credits"),
    "another provider": lambda bench: bench.ask("coinapi"),
    "another method": lambda bench: bench.ask("coinstats", "/v1/exchange/support", "PUT"),
    "another sandbox": another_sandbox,
    "another rule": another_rule,
}


@pytest.mark.parametrize("noise", NOISE.values(), ids=NOISE)
def test_other_requests_change_no_decision(bench: Bench, noise: Callable[[Bench], Any]) -> None:
    half(bench.server.coinstats, operation="get-exchanges")
    statuses = []
    for _ in range(40):
        noise(bench)
        statuses.append(bench.ask("coinstats", "/v1/exchange/support").status)
    assert [status == TEAPOT for status in statuses] == list(draws(SEED)[:40])
