"""Rules as tests write them, and what chance draws for them."""

from collections.abc import Iterable
from functools import cache
from typing import Any

import requests

from contract_tests.support.rule_bench import PROVIDERS, TEAPOT, WORLD
from mockserver import MockServer
from mockserver.faults.chance import Chance
from mockserver.faults.parsing import RuleParser
from mockserver.faults.rules import FiringWindow

D = "/sandboxes/default"
FAULTS = D + "/faults"
SCENARIO = D + "/scenario"


def fired(statuses: Iterable[int]) -> list[int]:
    """Returns which of the requests, counted from 1, a rule answered."""
    return [n for n, status in enumerate(statuses, 1) if status == TEAPOT]


DRAWS = 1_000


def moments(**when: Any) -> FiringWindow:
    rule = {"name": "x", "when": when, "deliver": {"close": True}}
    return RuleParser(PROVIDERS).parse(rule).window


@cache
def draws(seed: int, name: str = "half") -> tuple[bool, ...]:
    """Returns for which of a thousand matches a rule of one half fires."""
    half = moments(probability=0.5)
    return tuple(half.fires(n, 0, Chance(seed, name, n)) for n in range(1, DRAWS + 1))


HALF = {"name": "half", "when": {"probability": 0.5}, "answer": {"status": TEAPOT}}


def names(face: Any) -> list[str]:
    return [rule["rule"]["name"] for rule in face.faults]


KEY = WORLD.parts["coinapi"].keys["main"].api_key
WAIT = 30  # seconds, for each answer over a socket


def over_a_socket(server: MockServer, count: int) -> list[bool]:
    """Returns for which of the next requests a rule fires."""
    url, headers = server.coinapi.base_url + "/v1/balances", {"X-CoinAPI-Key": KEY}
    with requests.Session() as session:
        session.trust_env = False
        responses = [session.get(url, headers=headers, timeout=WAIT) for _ in range(count)]
    return [answer.status_code == TEAPOT for answer in responses]
