"""The journal in the report of a failing test."""

import json
from pathlib import Path

import pytest

from contract_tests.support.projects import ASK, LINES, Run, journals
from mockserver import MockServer
from mockserver.providers import discover

pytest_plugins = ["contract_tests.support.inner_session"]

# Tests, and the lines of the journal in their reports.
REPORTS: dict[str, tuple[str, list[str] | None]] = {
    "test_fails": ("def test_fails(sandbox): ask(sandbox); assert 0", LINES),
    "test_passes": ("def test_passes(sandbox): ask(sandbox)", None),
    "test_xfails": ("@pytest.mark.xfail\ndef test_xfails(sandbox): ask(sandbox); assert 0", None),
    "test_skips": ("def test_skips(sandbox): ask(sandbox); pytest.skip()", None),
    "test_server": ("def test_server(mockserver): ask(mockserver); assert 0", None),
    "test_silent": ("def test_silent(sandbox): assert 0", ["no request"]),
    "ERROR at setup of test_setup": (
        "@pytest.fixture\ndef failing(sandbox): ask(sandbox); assert 0\ndef test_setup(failing): pass", LINES,
    ),
    "test_fixture": (
        "@pytest.fixture\ndef asked(sandbox): return ask(sandbox)\ndef test_fixture(asked): assert asked", LINES,
    ),
    "test_uses": ("@pytest.mark.usefixtures('sandbox')\ndef test_uses(): assert 0", ["no request"]),
    "TestCase.test_method": (
        "import unittest\nclass TestCase(unittest.TestCase):\n    @pytest.fixture(autouse=True)\n    def use(self, sandbox): self.sandbox = sandbox\n    def test_method(self): ask(self.sandbox); self.fail()", LINES,
    ),
    "test_drops": (
        "def test_drops(sandbox, mockserver): mockserver.drop(sandbox); assert 0",
        ["not there any more: no sandbox ID (at $): create it, or use default"],
    ),
    "test_drops_and_passes": ("def test_drops_and_passes(sandbox, mockserver): mockserver.drop(sandbox)", None),
    "test_20": (
        "def test_20(sandbox):\n    for n in range(20): requests.get(f'{sandbox.coinapi.base_url}/?{n}')\n    assert 0",
        [f"{n + 1} coinapi GET /~ID/?{n} -> 404 no_route" for n in range(20)],
    ),
    "test_22": (
        "def test_22(sandbox):\n    for n in range(22): requests.get(f'{sandbox.coinapi.base_url}/?{n}')\n    assert 0",
        ["... 2 earlier requests", *(f"{n + 1} coinapi GET /~ID/?{n} -> 404 no_route" for n in range(2, 22))],
    ),
}  # fmt: skip


def test_the_report_of_a_failing_test_ends_with_the_journal(run: Run) -> None:
    result = run(ASK + "\n".join(code for code, _ in REPORTS.values()), "-rA")
    result.assert_outcomes(passed=2, xfailed=1, skipped=1, failed=9, errors=1)
    assert dict(journals(result)) == {name: lines for name, (_, lines) in REPORTS.items() if lines}


@pytest.mark.parametrize(
    ("options", "sections"),
    [
        (["-x"], 1),
        (["--tb=native"], 2),
        (["--tb=no"], 0),
        (["-p", "no:terminal"], 0),
        (["--mockserver-url={url}"], 2),
    ],
    ids=str,
)
def test_the_journal_is_shown_with_every_style_of_report(
    run: Run, running: MockServer, options: list[str], sections: int
) -> None:
    code = (
        "def test_1(sandbox): ask(sandbox); assert 0\ndef test_2(sandbox): ask(sandbox); assert 0"
    )
    result = run(ASK + code, *(option.format(url=running.url) for option in options))
    assert [lines for _, lines in journals(result)] == [LINES] * sections
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()


WIDE = """
import requests

def test_it(sandbox):
    url = sandbox.cpg.base_url + "/v1/" + "-".join(["balances"] * 40)
    requests.get(url)
    requests.get(sandbox.cpg.base_url + "/v1/balances", headers={"X-CPG-Key": "k" * 200})
    assert 0
"""


def test_the_journal_fits_a_hundred_columns(run: Run) -> None:
    section = run(WIDE).stdout.str().partition("journal of sandbox")[2].splitlines()[1:-2]
    assert len(section) > 3
    assert max(map(len, section)) <= 100


LEAKY = """
import json, os, requests

def test_it(sandbox):
    credentials = []
    for name in ("cdp", "coinapi", "coinstats", "coinw", "cpg"):
        handle = getattr(sandbox, name)
        credentials.append(handle.credentials)
        example = handle.example
        url = f"{handle.base_url}{example.path.decode()}?{example.query.decode()}"
        headers = {k.decode(): v.decode() for k, v in example.headers}
        answer = requests.request(example.method, url, data=example.body, headers=headers, auth=handle.auth)
        assert answer.status_code == 200
    key = sandbox.coinapi.credentials["api_key"]
    assert requests.get(f"{sandbox.coinapi.base_url}/v1/balances?apikey={key}").ok
    with open("credentials", "w") as file:
        json.dump(credentials, file)
    assert 0
"""


def test_no_secret_is_in_the_report(run: Run) -> None:
    result = run(LEAKY)
    ((_, lines),) = journals(result)
    assert [line.split()[1] for line in lines] == [*discover(), "coinapi"]
    assert "?apikey=redacted:" in lines[-1]
    secrets = [
        value
        for credential in json.loads(Path("credentials").read_text(encoding="utf-8"))
        for name, value in (credential | credential.get("connection_fields", {})).items()
        if name in {"key_secret", "api_key", "secret_key", "secret", "apiKey", "apiSecret"}
    ]
    assert len(secrets) == 8
    for secret in secrets:
        assert secret not in result.stdout.str()


# Projects with fixtures of these names

OWN = {
    "test_dictionary": "@pytest.fixture\ndef sandbox(): return {'id': 1}",
    "test_mock": "from unittest.mock import Mock\n@pytest.fixture\ndef sandbox(): return Mock()",
    "test_raises": (
        "class Own:\n    @property\n    def journal(self): raise RuntimeError\n"
        "@pytest.fixture\ndef sandbox(): return Own()"
    ),
    "test_mockserver": "@pytest.fixture\ndef mockserver(): return 1\n@pytest.fixture\ndef sandbox(mockserver): return mockserver",
}  # fmt: skip


def test_a_project_s_own_fixtures_are_left_alone(run: Run) -> None:
    tests = "\ndef test_good(sandbox): assert sandbox\ndef test_bad(sandbox): assert not sandbox"
    modules = {name: f"import pytest\n{code}{tests}" for name, code in OWN.items()}
    result = run("", **modules)
    result.assert_outcomes(passed=len(OWN), failed=len(OWN))
    assert journals(result) == []


def test_a_fixture_may_use_ours_and_have_its_name(run: Run) -> None:
    code = """
@pytest.fixture
def sandbox(sandbox): return sandbox.coinapi

def test_it(sandbox):
    send(sandbox.client(), "GET", "/v1/balances")
    assert 0
"""
    result = run(ASK + code)
    result.assert_outcomes(failed=1)
    assert journals(result) == [("test_it", LINES[:1])]
