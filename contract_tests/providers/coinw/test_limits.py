"""CoinW spot over a socket: limits by operation, user and address, and bans.

Each test is a course of events: ``+1s`` lets time pass; other texts are what came of reads that
follow each other at once, a letter for each: good, limited or other.
"""

from typing import Any

import pytest

from contract_tests.providers.coinw.calls import (
    AUTH,
    COMPLETE,
    EMPTY_AUTH,
    LIMITED,
    PRIVATE,
    READ,
    md5,
    post,
    read,
    response_body,
)
from contract_tests.support.request_rows import CLOCK
from mockserver import MockServer
from mockserver.files import worlds

MAIN, OTHER, ALL = f"{READ}&{AUTH}", f"{READ}&{EMPTY_AUTH}", f"{COMPLETE}&{AUTH}"
ELSEWHERE = "127.0.0.2"

# A wait, outcomes of MAIN, or a target with the outcomes and the client's address.
Step = str | tuple[str, str] | tuple[str, str, str]


def course(server: MockServer, *steps: Step) -> None:
    for step in steps:
        if isinstance(step, str) and step.startswith("+"):
            CLOCK.advance(step[1:])
            continue
        target, outcomes, source = (MAIN, step, "") if isinstance(step, str) else (*step, "")[:3]
        assert read(server, len(outcomes), target, source or "127.0.0.1") == outcomes, step


def test_the_fourth_read_of_any_second_is_refused(still: MockServer) -> None:
    course(still, "gg", "+400ms", "gl", "+599ms", "l", "+1ms", "ggl")
    assert response_body(post(still, MAIN)) == LIMITED


def test_the_sixth_complete_read_of_any_two_seconds_is_refused(still: MockServer) -> None:
    six = (ALL, "gggggl")
    course(still, six, "gggl", "+1999ms", (ALL, "l"), "+1ms", six)


def test_in_a_burst_of_140_keyless_requests_the_limit_per_address_is_met(still: MockServer) -> None:
    course(still, (READ, "o" * 100 + "l" * 40), "l", (MAIN, "g", ELSEWHERE))


def test_refused_calls_use_up_no_limit_that_counts_successes(still: MockServer) -> None:
    still.set_quirks({"coinw.counts": "successful"})
    wrong = (f"{READ}&api_key=test-key", f"{MAIN}&a=1&a=2", f"{READ}&api_key=x", PRIVATE)
    course(still, *((target, "o" * 30) for target in wrong), "gggl")


def key(api_key: str, account: str, **user: str) -> dict[str, Any]:
    return {"api_key": api_key, "secret_key": "test-secret", "account": account, **user}


def target(api_key: str) -> str:
    return f"{READ}&api_key={api_key}&sign={md5(f'api_key={api_key}&secret_key=test-secret')}"


def test_limits_count_by_user_not_by_key() -> None:
    keys = {
        "main": key("test-key", "a", user="alice"),
        "second": key("empty-key", "b", user="alice"),
        "third": key("third", "alice"),
        "bob": key("bob", "a"),
    }
    section = {"keys": keys, "accounts": {"a": {}, "b": {}, "alice": {}}}
    world = worlds.from_data({"coinw": section}, "users")
    with MockServer(world, real=CLOCK) as server:
        # A key's user is its account by default.
        course(server, "gg", (OTHER, "gl"), (target("third"), "l"), (target("bob"), "gggl"))


def off(*names: str) -> dict[str, str]:
    return {f"coinw.{name}": "off" for name in names}


def test_a_user_may_ask_300_times_a_second_over_all_operations(still: MockServer) -> None:
    still.set_limits(off("returnBalances", "returnCompleteBalances", "ip"))
    full = "g" * 150
    course(still, full, (ALL, f"{full}l"), "l", (OTHER, "g"))
    course(still, "+999ms", "l", "+1ms", f"{full}{full}l")


def test_an_address_may_ask_100_times_a_second_over_all_users(still: MockServer) -> None:
    still.set_limits(off("returnBalances", "returnCompleteBalances"))
    course(still, "g" * 50, (f"{COMPLETE}&{EMPTY_AUTH}", "g" * 50 + "l"), "l")
    course(still, (MAIN, "g", ELSEWHERE), "+999ms", "l", "+1ms", "g" * 100 + "l")


def test_the_limit_of_an_operation_can_count_a_user_at_each_address(still: MockServer) -> None:
    still.set_quirks({"coinw.interface_limit": "address_and_user"})
    course(still, "gggl", (MAIN, "gggl", ELSEWHERE), (OTHER, "gggl"))
    still.set_quirks({"coinw.interface_limit": None})
    course(still, (MAIN, "gggl", "127.0.0.3"), "l")


# Bans: 60 refusals of a user or 80 of an address within 10 s

BANS = {"coinw.bans": "on"}


def test_without_the_quirk_there_are_no_bans(still: MockServer) -> None:
    course(still, "ggg" + "l" * 200, "+1s", "gggl")


def test_bans_can_count_requests(still: MockServer) -> None:
    still.set_quirks({"coinw.bans": "requests"})
    for _ in range(30):
        course(still, "gg", "+1s")
    course(still, "ggg")  # 20 in any ten seconds are normal
    still.set_limits("off")
    course(still, "g" * 42)  # 62 of the last ten seconds, of which 60 are normal
    still.set_limits({"coinw.user": "6/1s"})
    course(still, "gggl", "+10s", "ggg" + "l" * 58)  # warned, which halves each limit; then banned
    explanation = still.journal[-1].explanation
    assert explanation["rule"] == "ban coinw.uid"
    assert explanation["expected"] == "at most 60 requests within 10 s"
    course(still, (OTHER, "g"))


def test_a_user_refused_60_times_is_warned_and_has_half_of_every_limit(still: MockServer) -> None:
    still.set_quirks(BANS)
    course(still, "ggg" + "l" * 59, "+1s", "gggl")  # the 60th refusal is the last at full limits
    course(still, "+1s", "gl", (ALL, "ggl"), (OTHER, "gggl"))
    course(still, "+297s", "gl", "+1999ms", "gl", "+1s", "gggl")  # after five minutes it is over


@pytest.mark.parametrize(("pause", "after"), [("10s", "gl"), ("10001ms", "gg")])
def test_refusals_count_for_ten_seconds(still: MockServer, pause: str, after: str) -> None:
    still.set_quirks(BANS)
    course(still, "gggl", f"+{pause}", "ggg" + "l" * 59, "+1s", after)


# After eleven seconds the address has forgotten, so that the user alone is banned.
WARNED = ("ggg" + "l" * 60, "+11s")


def test_as_many_refusals_while_warned_are_a_ban_of_30_seconds(still: MockServer) -> None:
    still.set_quirks(BANS)
    course(still, *WARNED, "g" + "l" * 59, "+1s", "gl")  # the 60th refusal while warned
    course(still, (ALL, "l"), (OTHER, "g"))
    course(still, (f"{READ}&api_key=test-key", "o"))  # the signature comes first
    course(still, "+29999ms", "l", "+1ms", "gl")  # still warned


def test_the_eleventh_ban_in_eight_hours_lasts_eight_hours(still: MockServer) -> None:
    still.set_quirks(BANS)
    course(still, *WARNED, *("g" + "l" * 60, "+30s") * 10)
    course(still, *WARNED, "g" + "l" * 60, "+30s", "l")
    course(still, "+7h", "+3569999ms", "l", "+1ms", "gggl")


def test_an_address_refused_80_times_is_warned_and_banned_with_all_its_users(
    still: MockServer,
) -> None:
    still.set_limits(off("returnBalances", "user") | {"coinw.ip": "4/1s"})
    still.set_quirks(BANS)
    course(still, "gggg" + "l" * 79, "+1s", "ggggl")  # the 80th refusal
    course(still, "+1s", "gg", (OTHER, "l"), (MAIN, "ggggl", ELSEWHERE), "+11s", "gg" + "l" * 80)
    course(still, "+29999ms", "l", (OTHER, "l"), ("/nothing", "l"), (MAIN, "g", ELSEWHERE))
    course(still, "+1ms", "ggl")  # still warned
