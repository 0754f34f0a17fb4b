"""Assumed facts by their harm, and suites that run under each of their alternatives."""

import re
from collections.abc import Callable

import pytest
from click.testing import CliRunner

from mockserver.cli.facts import facts as facts_command
from mockserver.errors import SettingError
from mockserver.files.assumptions import HARMFUL_MAX, alternatives, with_alternatives
from mockserver.files.documents import Fact, facts
from mockserver.providers import discover

pytest_plugins = ["contract_tests.support.inner_session"]

Run = Callable[..., pytest.RunResult]

ASSUMED = [fact for name in discover() for fact in facts(name) if fact.status == "assumed"]


def test_every_assumption_has_its_harm_and_an_advice() -> None:
    assert [f.id for f in ASSUMED if not (0 < f.harm <= 100 and f.advice.endswith("."))] == []


def test_the_most_harmful_assumptions_have_alternatives() -> None:
    ranked = sorted(ASSUMED, key=lambda fact: -fact.harm)[:HARMFUL_MAX]
    assert [fact.id for fact in ranked if not fact.quirks] == []
    assert len({fact.id for fact in with_alternatives(discover())}) >= HARMFUL_MAX


@pytest.mark.parametrize("fact", with_alternatives(discover()), ids=lambda fact: fact.id)
def test_an_alternative_is_another_value_of_a_quirk(fact: Fact) -> None:
    quirks = {f"{p.name}.{q.name}": q for p in discover().values() for q in p.quirks}
    for name, value in (quirk.split("=", 1) for quirk in fact.quirks):
        assert quirks[name].read(value) != quirks[name].read(quirks[name].default)


def test_a_fact_that_is_not_assumed_has_no_harm() -> None:
    with pytest.raises(ValueError, match="harm, advice and quirks are for assumed facts"):
        Fact("a-b", "A.", "S", "documented", harm=5)


def test_facts_are_listed_by_harm_with_a_way_to_be_safe() -> None:
    result = CliRunner().invoke(facts_command, ["--status", "assumed", "--by", "harm"])
    harms = [
        int(harm)
        for harm in re.findall(
            r"^[a-z0-9-]+  \[assumed, .*, harm (\d+)\]$", result.output, re.MULTILINE
        )
    ]
    assert harms == sorted(harms, reverse=True)
    assert len(harms) == len(ASSUMED)
    assert "Test it: pytest --mockserver-quirks cdp-leeway (cdp.leeway=0s)" in result.output


def test_assumptions_are_chosen_by_fact_or_by_quirk() -> None:
    chosen = alternatives("cdp-leeway, cdp.error_members", discover())
    assert [alternative.id for alternative in chosen] == [
        "cdp-leeway:cdp.leeway=0s",
        "cdp-error-body-always:cdp.error_members=two",
        "cdp-error-body-always:cdp.error_members=uuid",
    ]
    with pytest.raises(SettingError, match=r"no assumption cdp-leway: .*did you mean cdp-leeway"):
        alternatives("cdp-leway", discover())


# Suites


@pytest.fixture
def run(run_in_process: Run, pytester: pytest.Pytester) -> Run:
    """Runs a project's tests with the plugin."""
    pytester.makeini("[pytest]\naddopts = -p no:cacheprovider\nfilterwarnings = error\n")

    def run(code: str, *args: str) -> pytest.RunResult:
        pytester.makepyfile(test_project=code)
        return run_in_process(*args)

    return run


NAIVE = """
import requests

def test_it_wants_what_this_server_does(sandbox):
    cdp = sandbox.cdp
    error = requests.get(cdp.base_url + "/v2/accounts", timeout=30).json()
    assert error["correlationId"].endswith("-IAD")

    coinstats = sandbox.coinstats
    query = {"connectionId": "binance", "connectionFields": {"apiKey": "a", "apiSecret": "b"}}
    url = coinstats.base_url + "/v1/exchange/balance"
    answer = requests.post(url, json=query, auth=coinstats.auth, timeout=30)
    assert (answer.status_code, answer.json()["message"]) == (401, "Exchange credentials expired")

def test_it_uses_no_sandbox():
    pass
"""


def test_a_client_that_only_tolerates_our_defaults_fails_and_names_the_assumption(run: Run) -> None:
    run(NAIVE).assert_outcomes(passed=2)
    result = run(NAIVE, "--mockserver-quirks", "all")
    output = result.stdout.str()
    failed = re.findall(r"^FAILED \S+\[(.*?)\](?: |$)", output, re.MULTILINE)
    assert sorted(failed) == [
        "cdp-error-body-always:cdp.error_members=two",
        "cdp-error-body-always:cdp.error_members=uuid",
        "cdp-unauthorized-alike:cdp.auth_failure_body=plain",
        "coinstats-bad-exchange-credentials-status:coinstats.bad_exchange_credentials=400",
        "coinstats-bad-exchange-credentials-status:coinstats.bad_exchange_credentials=403",
    ]
    assert "cdp-error-body-always is assumed: All four members are always there" in output
    assert "Need errorType and errorMessage alone of an error." in output
    assert result.parseoutcomes()["passed"] == len(alternatives("all", discover())) - 5 + 1


MARKED = """
import pytest

@pytest.mark.mockserver(quirks={"cpg.replay": "off"})
def test_read_twice(sandbox):
    auth = sandbox.cpg.auth
    sandbox.clock.freeze()
    with sandbox.cpg.client() as client:
        request = client.build_request("GET", "/v1/balances")
        assert [client.send(request).status_code for _ in range(2)] == [200, 200]
"""


def test_a_test_keeps_its_own_quirks_under_an_alternative(run: Run) -> None:
    run(MARKED, "--mockserver-quirks", "cdp-leeway").assert_outcomes(passed=1)


def test_an_assumption_that_is_not_there_ends_the_session_with_one_line(run: Run) -> None:
    result = run(NAIVE, "--mockserver-quirks", "cdp-leway")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in result.stderr.lines if line]
    assert line.startswith("ERROR: --mockserver-quirks: no assumption cdp-leway: there are ")
    assert line.endswith("did you mean cdp-leeway?")


CAREFUL = """
from decimal import Decimal

import httpx
import pytest
from contract_tests.clients.coinapi import CoinApiError
from contract_tests.support.client_outcomes import ERRORS
from contract_tests.support.patient_clients import CLIENTS

@pytest.fixture(scope="session")
def http():
    with httpx.Client(trust_env=False) as http:
        yield http

@pytest.fixture
def client(sandbox, http):
    def new_client(provider, label="main"):
        handle = getattr(sandbox, provider)
        credential = dict(handle.credential(label))
        for name in ("key_type", "accounts"):
            credential.pop(name, None)
        sleep = sandbox.clock.advance
        return CLIENTS[provider](http, handle.base_url, **credential, sleep=sleep)
    return new_client

def test_cdp(client, sandbox):
    accounts = sandbox.cdp.credentials["accounts"]
    assert len(client("cdp").balances(accounts["many"])) == 250
    with pytest.raises(ERRORS):
        client("cdp", "reject-expired").balances(accounts["main"])

def test_coinapi(client):
    assert client("coinapi").balances("KRAKEN")[0].total == Decimal("0.00134444")
    try:
        assert client("coinapi").balances("NOWHERE") == []
    except CoinApiError:
        pass

def test_coinstats(client):
    assert [row.coin for row in client("coinstats").balances()][:2] == ["popcat", "bitcoin"]
    for reason, refused in (("unknown_credential", "key"), ("bad_exchange_credentials", "exchange")):
        with pytest.raises(ERRORS) as caught:
            client("coinstats", f"reject-{reason}").balances()
        assert caught.value.refused == refused

def test_coinw(client):
    assert client("coinw").balances()
    assert client("coinw").complete_balances()
    assert client("coinw", "empty").balances() == {}
    with pytest.raises(ERRORS):
        client("coinw", "reject-bad_signature").balances()

def test_cpg(client):
    reader = client("cpg")
    assert len(reader.balances()) == len(reader.balances()) == 5
    order = ("USDT", "ETH", "0xrecipient0", Decimal("50.00"), "first")
    assert reader.withdraw(*order) == reader.withdraw(*order)
    with pytest.raises(ERRORS):
        client("cpg", "reject-forbidden").balances()
"""


# A provider's alternatives matter to its own client alone; all of them would take ten seconds.
ITS_OWN = """
def pytest_collection_modifyitems(items):
    def provider(item):
        return item.callspec.params["mockserver_alternative"].quirk.partition(".")[0]

    items[:] = [item for item in items if item.originalname == f"test_{provider(item)}"]
"""


def test_careful_clients_pass_under_every_alternative(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(ITS_OWN)
    result = run(CAREFUL, "--mockserver-quirks", "all")
    result.assert_outcomes(passed=len(alternatives("all", discover())))
