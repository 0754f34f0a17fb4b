"""`mockserver certify`: good clients pass, planted defects fail, and what is no verdict is none.

All defects run in `make prove` (prove/clients.py); here are ten of them, and one whole card.
"""

import threading
from typing import Any

import pytest

from contract_tests.certify import reference
from contract_tests.certify.defects import DEFECTS, Defect, sample
from contract_tests.support.certifying import FEW, Busy, certified, verdicts
from mockserver import MockServer
from mockserver.certify import scoring
from mockserver.certify.checks import CHECKS, for_provider
from mockserver.certify.clients.function import FunctionClient
from mockserver.certify.run import Options, Suite
from mockserver.providers import discover

# The catalogue


def test_there_are_enough_checks_and_defects_and_each_check_says_what_it_needs() -> None:
    assert len(CHECKS) >= 45
    assert len({check.id for check in CHECKS}) == len(CHECKS)
    assert len(DEFECTS) >= 80
    assert {defect.provider for defect in DEFECTS} == set(discover())
    for check in CHECKS:
        assert check.about.endswith(".")
        assert all((check.why, check.fix, check.source, check.judges, check.providers))
    ids = {check.id for check in CHECKS}
    assert {defect.caught_by for defect in DEFECTS} <= ids


def test_the_frozen_set_names_checks_that_exist() -> None:
    levels = scoring.requirements("2026-12").levels
    assert levels.items() <= {(check.id, check.level) for check in CHECKS}
    assert len(levels) == 119  # frozen: a new check goes into a later file


def test_a_check_that_is_newer_than_the_set_is_shown_and_does_not_score(
    server: MockServer,
) -> None:
    older = scoring.Requirements("2026-01", {"documented-example": "should"})
    options = Options(provider="coinw", requirements=older)
    suite = Suite(server, FunctionClient(lost), options)
    results = suite.run(scoring.selected("coinw", FEW[:2]))
    assert verdicts(results) == {"documented-example": "warning", "forty-digits": "fail"}
    assert [result.scores for result in results] == [True, False]
    assert (scoring.score(results).text, scoring.exit_status(results, {})) == ("0/1", 0)


# Verdicts


def test_a_reference_client_passes_every_check(server: MockServer) -> None:
    results = certified(server, reference.balances, "cpg")
    assert set(verdicts(results).values()) == {"pass"}, [r for r in results if r.complaint]
    assert [r.check.id for r in results] == [check.id for check in for_provider("cpg")]


@pytest.mark.parametrize("defect", sample(), ids=lambda defect: defect.id)
def test_a_planted_defect_is_failed_by_the_check_that_is_meant_for_it(
    server: MockServer, defect: Defect
) -> None:
    (result,) = certified(server, defect.client, defect.provider, [defect.caught_by])
    assert result.verdict == "fail"
    assert result.complaint


def lost(**stage: Any) -> list[Any]:
    """A client that never gets rows."""
    reference.balances(**stage)
    raise RuntimeError("no rows")


def mistaken(credentials: Any, **stage: Any) -> list[Any]:
    """A client that signs with another secret."""
    return reference.balances(credentials={**credentials, "secret_key": "x" * 32}, **stage)


def test_a_refusal_comes_first_in_every_check_that_fails_for_it(server: MockServer) -> None:
    for result in certified(server, mistaken, "coinw", [*FEW[:2], "first-try", "no-holdings"]):
        refusal, *rest = result.complaint.splitlines()
        assert refusal.startswith("request 1 was refused as bad_signature: "), result.complaint
        assert len(rest) == (result.check.id != "first-try")
    (planned,) = certified(server, lost, "coinw", ["limit-then-succeeds"])
    assert planned.complaint == "the client ended with an error: 'RuntimeError: no rows'"


def test_under_load_a_difference_is_no_verdict(server: MockServer) -> None:
    runs: list[str] = []

    def sometimes(**stage: Any) -> Any:
        runs.append(stage["check"])
        return lost(**stage) if runs.count(stage["check"]) == 1 else reference.balances(**stage)

    (result,) = certified(server, sometimes, "coinw", ["forty-digits"], load=Busy)
    assert result.verdict == "too_slow_to_tell"
    (result,) = certified(server, lost, "coinw", ["forty-digits"], load=Busy)
    assert result.verdict == "fail"


def test_a_client_that_uses_up_its_time_is_ended_and_is_no_failure_under_load(
    server: MockServer,
) -> None:
    never = threading.Event()

    def hangs(check: str, **stage: Any) -> Any:
        if check == "forty-digits":
            while not never.wait(0.01):  # in one long wait it could not be ended
                pass
        return reference.balances(check=check, **stage)

    (result,) = certified(server, hangs, "coinw", ["forty-digits"], time_limit=0.3)
    assert (result.verdict, result.outcome.stopped) == ("fail", "time")
    (result,) = certified(server, hangs, "coinw", ["forty-digits"], time_limit=0.3, load=Busy)
    assert result.verdict == "too_slow_to_tell"


def test_a_fault_of_the_suite_is_no_verdict_on_the_client(server: MockServer) -> None:
    broken = FunctionClient(reference.balances)
    client_run = broken.run

    def fail(stage: Any, requests: Any) -> Any:
        if stage.check == "forty-digits":
            raise ZeroDivisionError
        return client_run(stage, requests)

    broken.run = fail
    options = Options(provider="coinw", requirements=scoring.requirements())
    (result,) = Suite(server, broken, options).run(scoring.selected("coinw", ["forty-digits"]))
    assert result.verdict == "harness_error"
    assert "please report it" in result.complaint
    assert scoring.exit_status([result], {}) == 1


def test_expected_failures_are_0_unlisted_ones_1_and_stale_lines_1(server: MockServer) -> None:
    expected = {"forty-digits": "issue 12"}
    defect = next(d for d in DEFECTS if d.id == "coinw: reads amounts as floats")
    results = certified(server, defect.client, "coinw", FEW, expected=expected)
    assert verdicts(results)["forty-digits"] == "expected_failure"
    assert (scoring.exit_status(results, expected), scoring.passed(results)) == (0, False)
    results = certified(server, reference.balances, "coinw", FEW, expected=expected)
    assert scoring.stale(results, expected) == ["forty-digits"]
    assert scoring.exit_status(results, expected) == 1


def test_a_skip_is_never_a_pass_and_fail_fast_skips_the_rest(server: MockServer) -> None:
    results = certified(server, reference.balances, "coinw", FEW, skip={"unknown-key": "later"})
    assert verdicts(results)["unknown-key"] == "skipped"
    assert (scoring.exit_status(results, {}), scoring.passed(results)) == (0, True)
    only = [result for result in results if result.verdict == "skipped"]
    assert (scoring.exit_status(only, {}), scoring.passed(only)) == (1, False)
    assert (scoring.score(results).text, scoring.reached(results).text) == ("2/2", "2/3")
    defect = next(d for d in DEFECTS if d.id == "coinw: rounds to eight places")
    suite_options = {"fail_fast": True}
    results = certified(server, defect.client, "coinw", **suite_options)
    assert verdicts(results)["no-secret-in-the-url"] == "skipped"
