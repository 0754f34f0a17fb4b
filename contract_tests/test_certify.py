"""`mockserver certify`: good clients pass, planted defects fail, and reports show hostile output.

All defects run in `make prove` (prove_clients.py); here are ten of them, and one whole card.
"""

import json
import sys
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from certify import reference
from certify.defects import DEFECTS, Defect, sample
from support.certifying import Busy, certified

from mockserver import MockServer
from mockserver.certify import rows, scoring
from mockserver.certify.card import Card, card
from mockserver.certify.checks import CHECKS, for_provider
from mockserver.certify.clients.command import CommandClient
from mockserver.certify.clients.function import FunctionClient
from mockserver.certify.clients.person import PersonClient
from mockserver.certify.model import Result, Row
from mockserver.certify.reports import badge, terminal
from mockserver.certify.run import Options, Suite
from mockserver.cli.main import main
from mockserver.errors import FileError, UnusableClient
from mockserver.providers import discover

pytest_plugins = ["pytester"]

FEW = ("documented-example", "forty-digits", "unknown-key")


def verdicts(results: list[Result]) -> dict[str, str]:
    return {result.check.id: result.verdict for result in results}


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
    def hangs(check: str, **stage: Any) -> Any:
        if check == "forty-digits":
            threading.Event().wait(30)
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
    assert (scoring.score(results).text, scoring.reached(results).text) == ("2/2", "2/3")
    defect = next(d for d in DEFECTS if d.id == "coinw: rounds to eight places")
    suite_options = {"fail_fast": True}
    results = certified(server, defect.client, "coinw", **suite_options)
    assert verdicts(results)["no-secret-in-the-url"] == "skipped"


# Wrong use: one line that says what was expected


def number(base_url: str, **_: Any) -> Any:
    return [{"asset": "BTC", "total": 1.5}]


def nothing(**_: Any) -> Any:
    raise RuntimeError("set EXCHANGE_URL")


ENDED = "the client sent no request to MOCKSERVER_BASE_URL (base_url); it "
WRONG = [
    (number, '$[0].total: expected an amount as text, such as "3.0", got the number 1.5'),
    (nothing, ENDED + "ended with 'RuntimeError: set EXCHANGE_URL'"),
    (lambda **_: [], ENDED + "returned rows at once"),
    (lambda **_: {"BTC": "1"}, f"{rows.EXPECTED_FORM}; got an object"),
]


@pytest.mark.parametrize(("client", "message"), WRONG)
def test_a_client_that_does_not_take_part_is_wrong_use(
    server: MockServer, client: Callable[..., Any], message: str
) -> None:
    with pytest.raises(UnusableClient) as caught:
        certified(server, client, "coinw", FEW)
    assert str(caught.value) == message


def test_an_unknown_parameter_is_named_with_the_nearest() -> None:
    with pytest.raises(UnusableClient, match="parameter base_ur: did you mean base_url"):
        FunctionClient(lambda base_ur: base_ur)


COMMANDS = [
    (["--", "no-such-command"], "no-such-command is no command: expected one on PATH"),
    (["--", "json:nope"], "json has no function nope"),
    ([], "expected a command behind --"),
    (["--only", "forty-digit", "--", "true"], "no check forty-digit: did you mean forty-digits?"),
    (["--skip", "hang", "--", "true"], "expected ID=REASON"),
    (["--requirements", "2020-01", "--", "true"], "no requirements 2020-01: there are 2026-12"),
    (["--html", "nowhere/card.html", "--", "true"], "there is no such folder"),
]


@pytest.mark.parametrize(("words", "message"), COMMANDS)
def test_wrong_use_is_one_line_and_exit_status_2(
    capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["certify", "--provider", "coinw", *words])
    error = capsys.readouterr().err
    assert (ended.value.code, message in error, error.count("\n")) == (2, True, 1), error


def test_a_file_of_expected_failures_has_reasons(tmp_path: Path) -> None:
    file = tmp_path / "expected.yaml"
    file.write_text("forty-digits: issue 12\n")
    assert scoring.expected_failures(str(file)) == {"forty-digits": "issue 12"}
    file.write_text("forty-digits:\n")
    with pytest.raises(FileError, match="expected a reason as text for forty-digits"):
        scoring.expected_failures(str(file))


# Rows

GOOD = [Row(frozenset({"xbt", "btc"}), Decimal("3.0"), Decimal("2.5"), exchange="KRAKEN")]
DIFFERENCES = [
    ('[{"asset":"BTC","total":"3","exchange":"KRAKEN"}]', ""),
    ('[{"asset":"xbt","total":"3.00","available":"2.5","exchange":"KRAKEN"}]', ""),
    ('[{"asset":"xbt","total":"3","available":"3","exchange":"KRAKEN"}]', "available 3"),
    ('[{"asset":"xbt","total":"3","exchange":"BINANCE"}]', "no such row|is 3.0"),
    ("[]", "the client shows no such row"),
    ('[{"asset":"btc","total":"3","exchange":"KRAKEN"},{"asset":"btc","total":"3","exchange":"KRAKEN"}]', "1 of 2 rows are not in the account"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "difference"), DIFFERENCES)
def test_rows_are_compared_by_value_and_place(text: str, difference: str) -> None:
    found = rows.difference(rows.parse_text(text, "coinapi"), GOOD, "coinapi")
    assert any(part in found for part in difference.split("|")) if difference else found == ""


@pytest.mark.parametrize(
    "amount", ['"1e999999999"', '"NaN"', '"0x10"', '"1 "', '"\u0661"', "true", "1"]
)
def test_what_is_no_amount_is_refused(amount: str) -> None:
    with pytest.raises(ValueError, match="expected an amount"):
        rows.parse_text(f'[{{"asset":"BTC","total":{amount}}}]', "coinw")


# Commands


HOSTILE = """
import os, sys, urllib.request
urllib.request.urlopen(urllib.request.Request(os.environ["MOCKSERVER_BASE_URL"] + "/api/v1/private", method="POST"))
sys.stderr.buffer.write(b"</pre><script>alert(1)</script>\\xff\\x00\\x1b[2J" + os.environ["MOCKSERVER_SECRET_KEY"].encode())
sys.stdout.buffer.write(b"\\xff<b>" * 3_000_000)
sys.exit(int(os.environ["MOCKSERVER_CHECK"] != "unknown-key"))
"""


def hostile_card(server: MockServer) -> Card:
    client = CommandClient([sys.executable, "-c", HOSTILE])
    requirements = scoring.requirements()
    suite = Suite(server, client, Options(provider="coinw", requirements=requirements))
    results = suite.run(scoring.selected("coinw", ["no-secret-in-output", "unknown-key"]))
    assert verdicts(results) == {"no-secret-in-output": "fail", "unknown-key": "fail"}
    return card(results, client, "coinw", requirements, 490, 1.0)


def test_hostile_output_is_harmless_in_every_report(server: MockServer) -> None:
    pytest.importorskip("jinja2")
    pytest.importorskip("junitparser")
    from mockserver.certify.reports.html import html
    from mockserver.certify.reports.junit import junit

    done = hostile_card(server)
    secret = next(iter(server.coinw.credentials.values()))
    page, xml, text = html(done).decode(), junit(done).decode(), terminal.table(done, False)
    for report in (page, xml, text, done.json().decode()):
        assert len(report) < 60_000
        assert secret not in report
    for report in (page, text):
        assert "\x1b" not in report
        assert "\x00" not in report
    assert "<script>" not in page
    assert "expected at most 2097152 bytes on stdout, got 12000000" in text
    assert 'failures="2"' in xml


def test_a_card_as_json_has_the_promised_members(server: MockServer) -> None:
    client = FunctionClient(reference.balances)
    results = certified(server, reference.balances, "coinw", FEW)
    done = card(results, client, "coinw", scoring.requirements(), 490, 1.0)
    data = json.loads(done.json())
    assert data.keys() >= {
        *("client", "score", "reached", "requirements", "seed", "versions", "date", "checks")
    }
    assert [check["verdict"] for check in data["checks"]] == ["pass"] * 3
    assert data["checks"][0].keys() >= {"id", "level", "verdict", "about", "why", "evidence"}
    assert json.loads(badge.badge(done))["message"] == "3/3"


TREE = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, file=sys.stderr, flush=True)
time.sleep(600)
"""


def test_a_command_that_hangs_is_ended_with_its_children(server: MockServer) -> None:
    client = CommandClient([sys.executable, "-c", TREE])
    options = Options(provider="coinw", requirements=scoring.requirements(), time_limit=1)
    (result,) = Suite(server, client, options).run(scoring.selected("coinw", FEW[:1]))
    assert result.outcome.stopped == "time"
    if result.outcome.error_output:  # else it was ended before it had a child
        state = Path(f"/proc/{int(result.outcome.error_output)}/stat")
        assert not state.exists() or state.read_text().split()[2] == "Z"


@pytest.mark.parametrize(("client", "status"), [("balances", 0), ("floats", 1)])
def test_the_command_prints_a_table_and_exits_by_the_verdict(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, client: str, status: int
) -> None:
    floats = next(d for d in DEFECTS if d.id == "coinw: reads amounts as floats").client
    monkeypatch.setattr(reference, "floats", floats, raising=False)
    only = ["--only", "forty-digits", "--only", "unknown-key"]
    with pytest.raises(SystemExit) as ended:
        main(["certify", "--provider", "coinw", *only, "--", f"certify.reference:{client}"])
    assert ended.value.code == status
    assert f"score {2 - status}/2, reached 2/2" in capsys.readouterr().out


def test_a_person_runs_the_client_and_pastes_its_result(server: MockServer) -> None:
    asked: list[str] = []

    def ask(text: str) -> str:
        asked.append(text)
        return "" if "forty-digits" in text else "401: Unauthorized\n"

    options = Options(provider="coinw", requirements=scoring.requirements())
    with pytest.raises(UnusableClient, match="sent no request"):
        Suite(server, PersonClient(ask), options).run(scoring.selected("coinw", FEW))
    assert "export MOCKSERVER_SECRET_KEY=" in asked[0]
    first = next(check for check in CHECKS if check.id == "documented-example")
    silent = Suite(server, PersonClient(lambda _: ""), options).run([first])
    assert verdicts(silent) == {"documented-example": "not_applicable"}
    asked.clear()
    one = Suite(server, PersonClient(ask), options).run(scoring.selected("coinw", FEW[2:]))
    assert (verdicts(one), len(asked)) == ({"unknown-key": "pass"}, 1)


PROJECT = """
import pytest

def client(base_url):
    import urllib.request
    urllib.request.urlopen(base_url)

@pytest.mark.certify(provider="coinw", only=("unknown-key", "forty-digits"))
def test_client(certify):
    certify(client)
"""


def test_each_check_is_a_test_of_pytest(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(PROJECT)
    result = pytester.runpytest_subprocess("-p", "mockserver.certify.pytest_plugin")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*test_client?forty-digits?*"])
