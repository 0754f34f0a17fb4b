"""How `mockserver certify` takes clients in, and what its reports show.

Wrong use is one line; hostile output is harmless; a command is ended with its children.
"""

import hashlib
import json
import re
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from contract_tests.certify import reference
from contract_tests.certify.defects import DEFECTS
from contract_tests.support.certifying import FEW, Busy, certified, verdicts
from mockserver import MockServer
from mockserver.certify import rows, scoring
from mockserver.certify.card import Card, card
from mockserver.certify.checks import CHECKS
from mockserver.certify.clients.command import CommandClient
from mockserver.certify.clients.function import FunctionClient
from mockserver.certify.clients.person import PersonClient
from mockserver.certify.model import Row
from mockserver.certify.reports import badge, terminal
from mockserver.certify.run import Options, Suite
from mockserver.cli.main import main
from mockserver.errors import FileError, UnusableClient

pytest_plugins = ["pytester"]

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
    (["--only", "nope", "--", "true"], "mockserver certify --provider NAME --list shows them"),
    (["--only", "hang,hangs", "--", "true"], "no check hangs: did you mean hang?"),
    (["--badge", "badge.svg", "--", "true"], "--badge badge.svg: it writes JSON, expected a name"),
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


def test_a_list_without_a_provider_names_the_providers(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["certify", "--list"])
    message = "expected --provider, one of cdp, coinapi, coinstats, coinw, cpg"
    assert message in capsys.readouterr().err


def test_a_list_has_a_heading_and_a_total(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["certify", "--provider", "coinw", "--only", "hang,first-try", "--list"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["level", "check"],
        ["must", "first-try"],
        ["must", "hang"],
        ["coinw:", "2"],
    ]


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
    message = rows.difference(rows.parse_text(text, "coinapi"), GOOD, "coinapi")
    assert any(part in message for part in difference.split("|")) if difference else message == ""


@pytest.mark.parametrize(
    "amount", ['"1e999999999"', '"NaN"', '"0x10"', '"1 "', '"\u0661"', "true", "1", "null"]
)
def test_what_is_no_amount_is_refused(amount: str) -> None:
    text = f'[{{"asset":"ETH","total":"1"}},{{"asset":"BTC","total":{amount}}}]'
    with pytest.raises(ValueError, match=r"\$\[1\].total: expected an amount"):
        rows.parse_text(text, "coinw")


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
        main(
            [
                "certify",
                "--provider",
                "coinw",
                *only,
                "--",
                f"contract_tests.certify.reference:{client}",
            ]
        )
    assert ended.value.code == status
    out = capsys.readouterr().out
    assert f"score {2 - status}/2, reached 2/2" in out
    for check in scoring.selected("coinw", ["forty-digits", "unknown-key"]):
        assert check.about in " ".join(out.split())  # whole, on as many lines as it takes


BROKEN = "expected a JSON array in one line, or error: and the message; got 'nonsense ['"
PASTED = [  # what is pasted for a check, whether the client was run, and what the card says
    ("no-holdings", ["[]"], True, "pass", ""),
    ("unknown-key", ["error: 401"], True, "pass", ""),
    ("unknown-key", ["nonsense [", "error: 401"], True, "pass", ""),
    ("no-holdings", ["[]"], False, "fail", ENDED + "returned rows"),
    ("unknown-key", ["error: 401"], False, "fail", ENDED + "ended with '401'"),
    ("first-try", ["error: text"], True, "fail", "the client ended with an error: 'text'"),
    ("first-try", ['[{"asset":"x"}]'], True, "fail", f"$[0].total: {rows.UNKNOWN}"),
    ("first-try", ["nonsense ["] * 3, True, "fail", BROKEN),
    ("first-try", [], True, "not_applicable", "no result was given"),
]


@pytest.mark.parametrize(("id", "pasted", "runs", "verdict", "message"), PASTED)
def test_a_person_runs_the_client_and_pastes_its_result(
    server: MockServer, id: str, pasted: list[str], runs: bool, verdict: str, message: str
) -> None:
    answers = iter(pasted)

    def ask(text: str) -> str:
        exported = dict(re.findall("MOCKSERVER_(BASE_URL|API_KEY|SECRET_KEY)='?([^'\n]*)", text))
        if runs and exported:
            api_key, secret = exported["API_KEY"], exported["SECRET_KEY"]
            sign = hashlib.md5(f"api_key={api_key}&secret_key={secret}".encode()).hexdigest()
            query = {"command": "returnBalances", "api_key": api_key, "sign": sign.upper()}
            url = exported["BASE_URL"] + "/api/v1/private"
            httpx.post(url, params=query, trust_env=False)
        return next(answers, "")

    options = Options(provider="coinw", requirements=scoring.requirements(), load=Busy)
    person = PersonClient(ask)
    (result,) = Suite(server, person, options).run(scoring.selected("coinw", [id]))
    assert (result.verdict, result.complaint[: len(message)]) == (verdict, message)
    assert not list(answers)
    done = card([result], person, "coinw", options.requirements, 490, 1.0)
    assert done.checks[0].command.endswith(f"--only {id} --wait")


def test_a_person_whose_first_check_gets_no_request_has_not_set_the_variables(
    server: MockServer,
) -> None:
    options = Options(provider="coinw", requirements=scoring.requirements())
    with pytest.raises(UnusableClient, match="sent no request"):
        Suite(server, PersonClient(lambda _: "error: 401"), options).run(list(CHECKS[:1]))


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
