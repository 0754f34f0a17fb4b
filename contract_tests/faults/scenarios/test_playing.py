"""How a scenario is started and ended, and what it leaves behind."""

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from contract_tests.support.commands import run_here
from contract_tests.support.processes import run, serving
from contract_tests.support.scenario_client import DEADLINE, Caller, skew, state, status
from mockserver import HandClock, MockServer, control
from mockserver.client.sandbox import Sandbox
from mockserver.files import scenarios

pytest_plugins = ["contract_tests.support.inner_session"]

RunInProcess = Callable[..., pytest.RunResult]


# However it is started


DOWN = "down-five-minutes"

MINE: dict[str, Any] = {
    "name": "mine",
    "rules": [{"name": "down", "answer": {"reject": "service_unavailable"}}],
    "quirks": {"coinw.bans": "on", "coinw.empty": "null"},
    "limits": {"coinw.ip": "7/1s"},
    "skew": "-30s",
}

MINE_AS_FILE = """
name: mine
rules: [{name: down, answer: {reject: service_unavailable}}]
quirks: {coinw.bans: "on", coinw.empty: "null"}
limits: {coinw.ip: 7/1s}
skew: -30s
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    file = tmp_path / "mine.yaml"
    file.write_text(MINE_AS_FILE, encoding="utf-8")
    return file


def admin(url: str, session: httpx.Client, method: str, path: str, **body: Any) -> Any:
    """Calls the control API; returns what it says, or nothing."""
    answer = session.request(method, f"{url}/__admin{path}", **body)
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


@pytest.mark.parametrize("way", ["by name", "read"])
def test_a_server_starts_with_a_scenario(session: httpx.Client, mine: Path, way: str) -> None:
    scenario = {"by name": DOWN, "read": scenarios.load(str(mine))}[way]
    with MockServer(scenario=scenario) as server:
        assert Caller(server, "cdp", session).read().status_code == 503
        faults = admin(server.url, session, "GET", "/sandboxes/default/faults")
        assert faults["scenario"] == (DOWN if way == "by name" else "mine")
        box = server.sandbox()
        assert Caller(box, "coinapi", session).read().status_code == 503, "as the default one"
        other = server.sandbox(scenario="stale-cache")
        assert Caller(other, "coinapi", session).read().status_code == 200, "unless it has its own"


def test_serve_starts_with_a_scenario(session: httpx.Client, mine: Path) -> None:
    (mine.parent / "mockserver.toml").write_text('scenario = "nope"', encoding="utf-8")
    with serving("--scenario", "mine.yaml", cwd=mine.parent) as (_, started):
        sandbox = admin(started["gateway"], session, "GET", "/sandboxes/default")
        assert sandbox["scenario"] == "mine"
        assert status(session, started["providers"]["coinapi"]) == 503


@pytest.mark.parametrize("way", ["name", "path", "Path", "inline"])
def test_a_sandbox_is_made_with_a_scenario_from_python(
    server: MockServer, session: httpx.Client, mine: Path, way: str
) -> None:
    scenario = {"name": DOWN, "path": str(mine), "Path": mine, "inline": MINE}[way]
    box = server.sandbox(scenario=scenario)
    assert Caller(box, "coinw", session).read().status_code == 503
    assert (box.quirks["coinw.bans"] == "on") == (way != "name")
    assert server.faults == []


def test_what_is_asked_for_by_name_beats_what_a_scenario_brings(server: MockServer) -> None:
    settings = {"quirks": {"coinw.bans": "off"}, "limits": {"coinw.ip": "9/1s"}}
    box = server.sandbox(scenario=MINE, **settings)
    for _ in range(2):
        values = (box.quirks["coinw.bans"], box.quirks["coinw.empty"], box.limits["coinw.ip"])
        assert values == ("off", "null", "9/1s")
        box.reset()


PROJECT = """
import pytest, requests

def status(sandbox):
    url = sandbox.coinapi.base_url + "/v1/balances"
    return requests.get(url, auth=sandbox.coinapi.auth, timeout=10).status_code

@pytest.mark.mockserver(scenario="down-five-minutes")
class TestDown:
    def test_by_marker(self, sandbox):
        assert status(sandbox) == 503
        sandbox.clock.advance("5m")
        assert status(sandbox) == 200

    @pytest.mark.mockserver(scenario="stale-cache")
    def test_by_the_nearest_marker(self, sandbox):
        assert status(sandbox) == 200
        assert [told["rule"]["name"] for told in sandbox.faults] == ["stale"]

@pytest.mark.mockserver(scenario={"rules": [{"name": "a", "answer": {"status": 418}}]})
def test_inline(sandbox):
    assert status(sandbox) == 418

@pytest.mark.mockserver(scenario="mine.yaml")
def test_by_path(sandbox):
    assert (status(sandbox), sandbox.quirks["coinw.bans"]) == (503, "on")

def test_without(sandbox):
    assert status(sandbox) == WITHOUT
"""


@pytest.fixture
def project(
    run_in_process: RunInProcess, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> pytest.Pytester:
    """A project that uses the plugin; it holds the file of a scenario."""
    for name in ("URL", "WORLD", "SCENARIO", "SEED", "LIMITS", "ADMIN_TOKEN"):
        monkeypatch.delenv(f"MOCKSERVER_{name}", raising=False)
    pytester.makeini("[pytest]\naddopts = -p no:cacheprovider --strict-markers\n")
    Path("mine.yaml").write_text(MINE_AS_FILE, encoding="utf-8")
    return pytester


# Options, the variable, and the status that a test without a marker meets
ASKED = [
    ("a path", ["--mockserver-scenario=mine.yaml"], "", 503),
    ("an option before the variable", ["--mockserver-scenario=stale-cache"], DOWN, 200),
    ("a path, elsewhere", ["--mockserver-url={url}", "--mockserver-scenario=mine.yaml"], "", 503),
    ("a variable, elsewhere", ["--mockserver-url={url}"], DOWN, 200),
]


@pytest.mark.parametrize("way", ASKED, ids=[row[0] for row in ASKED])
def test_marker_option_and_variable_start_a_scenario(
    project: pytest.Pytester,
    run_in_process: RunInProcess,
    monkeypatch: pytest.MonkeyPatch,
    server: MockServer,
    way: Any,
) -> None:
    _, options, variable, without = way
    monkeypatch.setenv("MOCKSERVER_SCENARIO", variable)
    project.makepyfile(test_project=PROJECT.replace("WITHOUT", str(without)))
    result = run_in_process(*(option.format(url=server.url) for option in options))
    result.assert_outcomes(passed=5)
    assert server.faults == []


@pytest.mark.parametrize("way", ["marker", "option"])
def test_a_wrong_scenario_fails_a_test_in_one_line(
    project: pytest.Pytester, run_in_process: RunInProcess, way: str
) -> None:
    mark = '@pytest.mark.mockserver(scenario="nope")\n' if way == "marker" else ""
    project.makepyfile(test_project=f"import pytest\n{mark}def test_a(sandbox): pass\n")
    result = run_in_process(*(["--mockserver-scenario=nope"] if way == "option" else []))
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["mockserver: nope: no such scenario: *"])
    result.stdout.no_fnmatch_line("*Traceback*")


# How it ends


def test_the_end_takes_back_what_the_scenario_brought_and_nothing_else(server: MockServer) -> None:
    settings = {"quirks": {"coinw.bans": "on"}, "limits": {"coinw.ip": "5/1s", "cpg.key": "off"}}
    box = server.sandbox(**settings)
    box.set_quirks({"cpg.replay": "off"})
    box.set_limits({"cpg.ip": "off"})
    box.fail("stays", mutate={"bom": True})
    before = (box.faults, box.quirks, box.limits)
    box.play(MINE | {"quirks": {"coinw.bans": "off", "coinw.empty": "null"}})
    assert (box.quirks["coinw.bans"], box.quirks["coinw.empty"]) == ("off", "null")
    assert (box.limits["coinw.ip"], box.limits["cpg.ip"]) == ("7/1s", "off")
    assert skew(server, box) == -30
    box.stop_scenario()
    assert (box.faults, box.quirks, box.limits) == before
    assert skew(server, box) == 0
    box.stop_scenario()
    assert (box.faults, box.quirks, box.limits) == before, "twice is no harm"


def test_the_end_of_limits_that_were_off_leaves_them_off(server: MockServer) -> None:
    box = server.sandbox(limits="off")
    box.play("ban-escalation")
    assert (box.limits["coinw.returnBalances"], box.limits["coinw.ip"]) == ("2/1s", "off")
    box.stop_scenario()
    assert set(box.limits.values()) == {"off"}


def test_a_skew_of_ones_own_outlasts_a_scenario_that_has_none(server: MockServer) -> None:
    box = server.sandbox()
    box.clock.skew("-5s")
    box.play(DOWN)
    assert skew(server, box) == -5
    box.stop_scenario()
    assert skew(server, box) == -5


def test_a_reset_starts_the_scenario_anew(server: MockServer, session: httpx.Client) -> None:
    box = server.sandbox(scenario="rate-limit-storm")
    for _ in range(2):
        caller = Caller(box, "coinstats", session)
        assert [caller.read().status_code for _ in range(5)] == [429, 429, 429, 200, 200]
        assert [(rule["matched"], rule["fired"], rule["state"]) for rule in box.faults] == [
            (3, 3, "over"),
            (5, 0, "active"),
        ]
        box.stop_scenario()
        assert caller.read().status_code == 200
        box.reset()
        assert [(rule["matched"], rule["fired"]) for rule in box.faults] == [(0, 0), (0, 0)]
        assert box.journal == []


TIMELY = {
    "skew": "7s",
    "rules": [{"name": "a", "when": {"for": "5m"}, "answer": {"status": 418}}],
}


def test_a_reset_begins_its_time_and_its_skew_anew(
    server: MockServer, session: httpx.Client
) -> None:
    box = server.sandbox(scenario=TIMELY)
    for _ in range(2):
        caller = Caller(box, "coinapi", session)
        assert (caller.read().status_code, skew(server, box)) == (418, 7)
        box.clock.advance("5m")
        box.clock.skew("1s")
        assert (caller.read().status_code, skew(server, box)) == (200, 1)
        box.reset()


def test_a_reset_ends_a_scenario_that_came_later(server: MockServer) -> None:
    box = server.sandbox(scenario=DOWN)
    box.play(MINE)
    box.reset()
    assert [rule["scenario"] for rule in box.faults] == [DOWN]
    assert (box.quirks["coinw.bans"], skew(server, box)) == ("off", 0)
    server.play(MINE)
    server.reset()
    assert (server.faults, server.quirks["coinw.bans"]) == ([], "off")


def test_a_second_scenario_takes_the_place_of_the_first(
    still: MockServer, session: httpx.Client
) -> None:
    before = state(still)
    still.play(MINE)
    still.play("stale-cache")
    assert Caller(still, "cdp", session).read().status_code == 200
    faults, *rest = state(still)
    assert [rule["rule"]["name"] for rule in faults["rules"]] == ["stale"]
    assert [rule["matched"] for rule in faults["rules"]] == [1]
    assert rest == list(before[1:])
    still.play("stale-cache")
    assert [rule["matched"] for rule in still.faults] == [0], "the same one begins anew"
    still.play({"name": "nothing", "about": "No rule at all.", "skew": "0s"})
    assert state(still)[0] == {"scenario": "nothing", "rules": []}


# The command


def test_the_command_lists_every_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run_here(capsys, "scenarios")
    assert (code, err) == (0, "")
    listed = re.findall(r"(.+)\n    (.+)\n    A good client: (.+)\n", out)
    shipped = [scenarios.load(name) for name in scenarios.shipped()]
    assert listed == [(s.name, s.about, s.client) for s in shipped]
    assert out.count("\n") == 3 * len(shipped)


def test_check_accepts_every_shipped_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    for name in scenarios.shipped():
        path, rules = str(scenarios.find(name)), len(scenarios.load(name).rules)
        line = f"{path}: scenario {name} is good, {rules} rules\n"
        assert run_here(capsys, "check", path) == (0, line, "")


def test_serve_does_not_start_with_a_wrong_file(tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text("rules:\n  - name: a\n", encoding="utf-8")
    done = run("serve", "--port", "0", "--scenario", "wrong.yaml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("mockserver: wrong.yaml:2: $.rules[0]: ")
    assert done.stderr.count("\n") == 1


# What was there before, and what is left behind


LATE = {"delay": "5m", "clock": "sandbox"}

ENDS: dict[str, Callable[[MockServer, Sandbox], Any]] = {
    "dropped": lambda server, box: server.drop(box),
    "made anew": lambda server, box: server.sandbox(box.id),
    "reset": lambda server, box: box.reset(),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_no_response_waits_for_the_clock_of_a_sandbox_that_is_gone(
    server: MockServer, session: httpx.Client, end: Callable[[MockServer, Sandbox], Any]
) -> None:
    box = server.sandbox()
    box.clock.freeze()
    box.coinapi.fail(deliver=LATE)
    inner = server.app.sandboxes.get(box.id)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(Caller(box, "coinapi", session).read)
        while not inner.waiting:
            time.sleep(0.001)
        end(server, box)
        assert answer.result(DEADLINE).status_code == 200


def test_a_clock_wound_by_hand_ends_a_wait(session: httpx.Client) -> None:
    real = HandClock()
    with MockServer(real=real) as server:
        server.coinapi.fail(deliver={"delay": "1h", "clock": "sandbox"})
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(Caller(server, "coinapi", session).read)
            while not server.app.sandboxes.default.waiting:
                time.sleep(0.001)
            real.advance("1h")
            assert answer.result(DEADLINE).status_code == 200


def test_no_limits_at_all_are_none_under_a_scenario_too() -> None:
    limits = MockServer(scenario="ban-escalation", limits="off").limits
    assert set(limits.values()) == {"off"}
    named = {"coinw.returnBalances": "9/1s"}
    limits = MockServer(scenario="ban-escalation", limits=named).limits
    assert (limits["coinw.returnBalances"], limits["coinw.returnCompleteBalances"]) == (
        "9/1s",
        "2/1s",
    )


def test_log_and_archive_name_the_fault_of_a_response(
    still: MockServer, session: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "mockserver")
    still.coinapi.fail("half", mutate={"truncate_json": 0.5}, deliver={"delay": "1ms"})
    Caller(still, "coinapi", session).read()
    mutate = 'half, delay: "1ms"'
    assert caplog.messages == [f"coinapi GET /v1/balances -> 200 (key main) [{mutate}]"]
    exported = control.call(still.app, "GET", "/sandboxes/default/requests.har")[1]
    assert [entry["comment"] for entry in exported["log"]["entries"]] == [mutate]
