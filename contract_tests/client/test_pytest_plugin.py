"""The pytest plugin, seen from projects that use it.

Each test writes a project and runs a session of pytest over it.
"""

import socket
import sys
import threading
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import requests

from contract_tests.support.projects import (
    ASK,
    LINES,
    SETTINGS,
    Run,
    assert_one_line,
    journals,
)
from mockserver import MockServer

pytest_plugins = ["contract_tests.support.inner_session"]

PLUGIN = ("-p", "mockserver.client.pytest_plugin")
WITH_XDIST = (*PLUGIN, "-p", "xdist")


DEADLINE = 30  # seconds


def test_a_session_in_this_process_unloads_the_projects_modules_alone(run: Run) -> None:
    sys.modules.pop("this", None)
    run("import this\ndef test_it(): pass").assert_outcomes(passed=1)
    assert "this" in sys.modules
    assert "test_project" not in sys.modules


# One server per session, a fresh sandbox per test

FRESH = """
import pytest
import requests

known = []

def test_one(sandbox, mockserver):
    sandbox.cpg.set_balance("main", "USDT", "ETH", total="1")
    sandbox.clock.skew("-1h")
    assert requests.get(sandbox.coinapi.base_url + "/v1/balances", auth=sandbox.coinapi.auth).ok
    known.extend([mockserver, sandbox, sandbox.cpg.credentials])

def test_two(sandbox, mockserver):
    before = known[1]
    assert mockserver is known[0]
    assert sandbox.id not in (before.id, "default")
    assert sandbox.cpg.credentials != known[2]
    assert str(sandbox.cpg.balances()[0].total) == "1500.000000"
    assert sandbox.journal == []
    assert requests.get(sandbox.cpg.base_url + "/v1/balances", auth=sandbox.cpg.auth).ok
    with pytest.raises(ValueError, match=f"no sandbox {before.id}"):
        before.reset()

def test_three(mockserver):
    listed = requests.get(mockserver.url + "/__admin/sandboxes").json()
    assert listed == {"sandboxes": [{"id": "default", "expires": None}]}
    assert (mockserver.journal, str(mockserver.cpg.balances()[0].total)) == ([], "1500.000000")
    with open("url", "w") as file:
        file.write(mockserver.url)
"""


def test_every_test_has_a_sandbox_of_its_own_on_one_server(run: Run) -> None:
    run(FRESH).assert_outcomes(passed=3)
    with pytest.raises(requests.ConnectionError):
        requests.get(Path("url").read_text(encoding="utf-8"), timeout=DEADLINE)


BOTH_WORKERS = """
import socket
from urllib.parse import urlsplit

def test_meets_the_other(sandbox, mockserver, worker_id):
    with socket.create_connection(("127.0.0.1", {port}), 60) as meeting:
        meeting.recv(1)
    assert requests.get(sandbox.cpg.base_url + "/v1/balances", auth=sandbox.cpg.auth).ok
    names = ("cdp", "coinapi", "coinstats", "coinw", "cpg")
    urls = [mockserver.url, *(getattr(sandbox, name).base_url for name in names)]
    sandboxes = requests.get(mockserver.url + "/__admin/sandboxes").json()["sandboxes"]
    with open(worker_id, "w") as file:
        print(len(sandboxes), *(urlsplit(url).port for url in urls), file=file)

def test_fails(sandbox):
    ask(sandbox)
    assert 0
"""


def test_every_worker_of_xdist_has_a_server_on_ports_of_its_own(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as meeting:
        meeting.settimeout(60)

        def wait_for_both() -> None:
            for connection in [meeting.accept()[0] for _ in range(2)]:
                connection.sendall(b"!")
                connection.close()

        both = threading.Thread(target=wait_for_both, daemon=True)
        both.start()
        code = ASK + BOTH_WORKERS.format(port=meeting.getsockname()[1])
        result = run(code, *WITH_XDIST, "-n", "2", "--dist", "each", apart=True)
        both.join()
    result.assert_outcomes(passed=2, failed=2)
    assert journals(result) == [("test_fails", LINES)] * 2
    sandboxes, ports = [], []
    for worker in ("gw0", "gw1"):
        count, *urls = Path(worker).read_text(encoding="utf-8").split()
        sandboxes.append(count)
        ports += urls
    assert sandboxes == ["2", "2"]
    assert len(set(ports)) == len(ports) == 12


# The marker

NEAREST = """
import pytest
import requests
from datetime import UTC, datetime, timedelta

pytestmark = pytest.mark.mockserver(world="empty", seed=1, quirks={"coinw.empty": "null"}, ttl="3h")

def settings(sandbox, mockserver):
    description = requests.get(f"{mockserver.url}/__admin/sandboxes/{sandbox.id}").json()
    left = datetime.fromisoformat(description["expires"]) - datetime.now(UTC)
    hours = round(left / timedelta(hours=1), 2)
    return [description["world"], description["seed"], sandbox.quirks["coinw.empty"], sandbox.limits["cpg.key"], hours]

def test_module(sandbox, mockserver):
    assert settings(sandbox, mockserver) == ["empty", 1, "null", "120/60s", 3]
    assert sandbox.cpg.balances() == []

@pytest.mark.mockserver(limits={"cpg.key": "1/60s"}, seed=2)
class TestClass:
    def test_class(self, sandbox, mockserver):
        assert settings(sandbox, mockserver) == ["empty", 2, "null", "1/60s", 3]

    @pytest.mark.mockserver(world="default", quirks={"cpg.replay": "off"}, limits="off", ttl="2h")
    def test_function(self, sandbox, mockserver):
        assert settings(sandbox, mockserver) == ["default", 2, "object", "off", 2]
        assert sandbox.quirks["cpg.replay"] == "off"

    @pytest.mark.mockserver(seed=4)
    @pytest.mark.mockserver(seed=3, world={"name": "inline"})
    def test_two_on_one_function(self, sandbox, mockserver):
        assert settings(sandbox, mockserver)[:2] == ["inline", 3]

@pytest.fixture
def fresh(sandbox):
    return sandbox

@pytest.mark.mockserver(seed=5)
def test_through_a_fixture(fresh, mockserver):
    assert settings(fresh, mockserver)[:2] == ["empty", 5]
"""


def test_each_setting_comes_from_the_nearest_marker(run: Run) -> None:
    run(NEAREST).assert_outcomes(passed=5)


TAKES = "the marker takes world=, seed=, quirks=, limits=, scenario=, ttl=, fault_headers=, auth_clock=, snapshot=, not"
WRONG_MARKERS = {
    'color="red"': f"{TAKES} color=",
    'id="x", seed=1': f"{TAKES} id=",
    'limit="off"': f"{TAKES} limit=; did you mean limits?",
    'quirks={"cpg.reply": "off"}': "no quirk cpg.reply: * did you mean cpg.replay? (at *",
    'auth_clock="proces"': "no auth_clock proces: *; did you mean process?",
    '"empty"': f"{TAKES} 'empty'",
    '"empty", color="red"': f"{TAKES} color=, 'empty'",
    'world="nope"': "nope: no such world: neither a file nor one of default, empty, whale",
    'world={"nope": {}}': "no provider nope: there are *(at $.world*): see docs/reference/worlds.md",
    'seed="x"': "Expected `int | null`, got `str` (at $.seed): *",
    'quirks={"cpg.replay": "no"}': "quirk cpg.replay: 'no' is none of on, off (at $.quirks[\"cpg.replay\"]): *",
    'limits="some"': "limits is default, off, *; not 'some' (at $.limits): *",
    'ttl="25h"': "ttl must be above zero and at most 24h (at $.ttl): *",
}


@pytest.mark.parametrize("where", ["in process", "elsewhere"])
def test_a_wrong_marker_fails_with_one_line(run: Run, running: MockServer, where: str) -> None:
    tests = (
        f"@pytest.mark.mockserver({marker})\ndef test_{n}(sandbox): pass\n"
        for n, marker in enumerate(WRONG_MARKERS)
    )
    options = [f"--mockserver-url={running.url}"] if where == "elsewhere" else []
    result = run("import pytest\n" + "".join(tests), *options)
    result.assert_outcomes(errors=len(WRONG_MARKERS))
    assert_one_line(result, *WRONG_MARKERS.values())


# The options and the variables

SETTINGS_OF = """
import pytest, requests

@pytest.mark.mockserver({marker})
def test_settings(mockserver, sandbox):
    for id in {ids}:
        description = requests.get(f"{{mockserver.url}}/__admin/sandboxes/{{id or sandbox.id}}").json()
        limits = requests.get(f"{{mockserver.url}}/__admin/sandboxes/{{description['id']}}/limits").json()
        assert [description["world"], description["seed"], limits["cpg.key"]] == {expected}
"""
PLAIN = ["default", 490, "120/60s"]


def settings_of(expected: list[object], marker: str = "", default: bool = True) -> str:
    """Returns a test of world, seed and a limit of its sandbox, and of the default one."""
    ids = ["default", None] if default else [None]
    return SETTINGS_OF.format(expected=expected, marker=marker, ids=ids)


# Options; variables; world, seed and a limit that result.
CHOICES: dict[str, tuple[list[str], dict[str, str], list[object]]] = {
    "nothing": ([], {}, PLAIN),
    "variables": ([], {"WORLD": "empty", "SEED": "8", "LIMITS": "off"}, ["empty", 8, "off"]),
    "options before variables": (
        ["--mockserver-world=own.yaml", "--mockserver-seed=0", "--mockserver-limits=off"],
        {"WORLD": "nope", "SEED": "x", "LIMITS": "default"},
        ["own", 0, "off"],
    ),
    "empty variables": ([], {"WORLD": "", "SEED": "", "LIMITS": "", "URL": ""}, PLAIN),
    "no url before its variable": (["--mockserver-url="], {"URL": "http://127.0.0.1:1"}, PLAIN),
}


@pytest.mark.parametrize(("options", "variables", "expected"), CHOICES.values(), ids=CHOICES)
def test_options_come_before_variables(
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    variables: dict[str, str],
    expected: list[object],
) -> None:
    Path("own.yaml").write_text("name: own\n", encoding="utf-8")
    for name, value in variables.items():
        monkeypatch.setenv(f"MOCKSERVER_{name}", value)
    result = run(settings_of(expected), *options)
    result.assert_outcomes(passed=1)
    world, seed, _ = expected
    header = f"mockserver: a server of this session, world {world}, seed {seed}"
    assert any(
        line.startswith(header.replace("world own", "world own.yaml")) for line in result.outlines
    )


WRONG_OPTIONS = {
    "world=nope": "nope: no such world: neither a file nor one of default, empty, whale",
    "world=bad.yaml": "bad.yaml:2: $.nope: no provider nope: there are *",
    "seed=x": "a seed is a whole number, not 'x'",
    "limits=some": "limits is default, off, or single limits by name; not 'some'",
    "url=mock": "'mock' is no gateway's URL: write http://127.0.0.1:8490",
    "url=ftp://127.0.0.1": "'ftp://127.0.0.1' is no gateway's URL: *",
    "url=http://127.0.0.1:99999": "*Port out of range*",
}


@pytest.mark.parametrize(("option", "message"), WRONG_OPTIONS.items(), ids=str)
def test_a_wrong_option_fails_with_one_line(run: Run, option: str, message: str) -> None:
    Path("bad.yaml").write_text("name: own\nnope: {}\n", encoding="utf-8")
    code = "def test_one(mockserver): pass\ndef test_two(sandbox): pass\n"
    result = run(code, f"--mockserver-{option}")
    result.assert_outcomes(errors=2)
    assert_one_line(result, message)


def test_a_wrong_variable_fails_with_one_line_and_only_where_a_fixture_is_used(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in SETTINGS:
        monkeypatch.setenv(f"MOCKSERVER_{name}", "!")
    result = run("def test_alone(): pass\ndef test_one(sandbox): pass")
    result.assert_outcomes(passed=1, errors=1)
    assert_one_line(result, "'!' is no gateway's URL: *")


def test_options_and_marker_are_in_the_help(run: Run) -> None:
    text = run("", "--help").stdout.str()
    for name in ("URL", "WORLD", "SCENARIO", "SEED", "LIMITS"):
        assert f"--mockserver-{name.lower()}=" in text
        assert f"[MOCKSERVER_{name}]" in text
    marker = "@pytest.mark.mockserver(world=, seed=, quirks=, limits=, scenario=, ttl=, fault_headers=, auth_clock=, snapshot=): settings of the test's sandbox*"
    run("", "--markers").stdout.fnmatch_lines([marker])


# A server that runs already


USES_IT = """
import requests

def test_uses_it(mockserver, sandbox):
    assert mockserver.url == {url!r}
    assert sandbox.cpg.base_url.startswith({cpg!r} + "/~")
    for handle in (mockserver.coinapi, sandbox.coinapi):
        assert requests.get(handle.base_url + "/v1/balances?in", auth=handle.auth).ok
    with sandbox.coinapi.client(transport=mockserver.transport) as client:
        assert client.get("/v1/balances").is_success
"""


def ids(server: MockServer) -> list[str]:
    return [sandbox.id for sandbox in server.app.sandboxes]


@pytest.mark.parametrize("by", ["option", "variable", "option before variable"])
def test_a_server_that_runs_already_is_used(
    run: Run, server: MockServer, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    if "variable" in by:
        url = server.url + "/" if by == "variable" else "http://127.0.0.1:1"
        monkeypatch.setenv("MOCKSERVER_URL", url)
    code = USES_IT.format(url=server.url, cpg=server.cpg.base_url)
    options = [f"--mockserver-url={server.url}"] if "option" in by else []
    run(code, *options).assert_outcomes(passed=1)
    assert [(entry.target, entry.credential) for entry in server.journal] == [
        ("/v1/balances?in", "main")
    ]
    assert ids(server) == ["default"]


@pytest.mark.parametrize("token", ["t0ken", "another"])
def test_the_admin_token_comes_from_its_variable(
    run: Run, server: MockServer, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    server.app.admin_token = "t0ken"
    monkeypatch.setenv("MOCKSERVER_ADMIN_TOKEN", token)
    code = USES_IT.format(url=server.url, cpg=server.cpg.base_url)
    result = run(code, f"--mockserver-url={server.url}")
    if token == "t0ken":
        result.assert_outcomes(passed=1)
    else:
        result.assert_outcomes(errors=1)
        assert_one_line(result, "no admin token (at $): send Authorization: Bearer TOKEN")


def test_a_running_server_takes_settings_from_options_and_not_from_variables(
    run: Run, server: MockServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"--mockserver-url={server.url}"
    for name, value in (("WORLD", "nope"), ("SEED", "x"), ("LIMITS", "off")):
        monkeypatch.setenv(f"MOCKSERVER_{name}", value)
    result = run(settings_of(PLAIN), url)
    result.assert_outcomes(passed=1)
    assert f"mockserver: {server.url}" in result.outlines
    options = ["--mockserver-world=empty", "--mockserver-seed=7", "--mockserver-limits=off"]
    code = settings_of(["empty", 7, "off"], default=False)
    marked = settings_of(["default", 7, "off"], "world='default'", default=False)
    run("", url, *options, test_project=code, test_marked=marked).assert_outcomes(passed=2)
    assert ids(server) == ["default"]
    result = run(code, url, "--mockserver-seed=x")
    result.assert_outcomes(errors=2)
    assert_one_line(result, "a seed is a whole number, not 'x'")


def silent(sock: socket.socket) -> None:
    with sock.accept()[0] as connection:
        connection.recv(65536)


def chatty(sock: socket.socket) -> None:
    with sock.accept()[0] as connection:
        connection.sendall(b"SSH-2.0-x\r\n")
        connection.recv(65536)


def web_page(sock: socket.socket) -> None:
    with sock.accept()[0] as connection:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>")


@pytest.mark.parametrize("peer", [silent, chatty, web_page], ids=lambda peer: peer.__name__)
def test_what_is_not_a_gateway_fails_with_one_line(run: Run, peer: Callable[..., None]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.settimeout(DEADLINE)
        thread = threading.Thread(target=peer, args=[sock], daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        result = run("def test_one(mockserver): pass", f"--mockserver-url={url}")
        thread.join()
    result.assert_outcomes(errors=1)
    assert_one_line(result, f"no gateway answers at {url}: *")


def test_a_provider_s_own_port_is_no_gateway(run: Run, running: MockServer) -> None:
    url = running.coinw.base_url
    result = run("def test_one(mockserver): pass", f"--mockserver-url={url}")
    result.assert_outcomes(errors=1)
    assert_one_line(result, f"{url} is not a gateway: it answered with status 40?")


STOPS = """
import pytest
from mockserver import MockServer
from mockserver.client.remote import RemoteServer

@pytest.fixture(scope="session")
def running():
    with MockServer() as server:
        yield server

@pytest.fixture(scope="session")
def mockserver(running):
    return RemoteServer(running.url)

def test_stops(sandbox, running):
    running.stop()
    assert 0
"""


def test_a_server_that_goes_away_fails_with_one_line(run: Run) -> None:
    result = run(STOPS)
    result.assert_outcomes(failed=1, errors=1)
    ((_, (line,)),) = journals(result)
    assert line.startswith("not there any more: no gateway answers at http://127.0.0.1:")
    assert_one_line(result, "no gateway answers at http://127.0.0.1:*")


def test_the_fixtures_have_a_sentence_and_an_example_each(run: Run) -> None:
    text = run("", "--fixtures").stdout.str()
    for line in ("A new sandbox for each test: ", "The server of the session: "):
        assert line in text
    for example in ("sandbox.cpg.fail(reject=", 'mockserver.sandbox(world="empty")'):
        assert example in text


BLOCKED = """
import pytest, socket

class SocketBlockedError(RuntimeError): pass

class Blocked(socket.socket):
    def __new__(cls, *args, **kwargs): raise SocketBlockedError

@pytest.fixture(autouse=True, scope="session")
def no_sockets():
    open_socket, socket.socket = socket.socket, Blocked
    yield
    socket.socket = open_socket

def test_in_process(sandbox, mockserver):
    with sandbox.coinapi.client(transport=mockserver.transport) as client:
        assert client.get("/v1/balances").status_code == 200
    sandbox.verify(provider="coinapi", status=200, exactly=1)

def test_when_they_are_allowed_again(monkeypatch, no_sockets, request):
    monkeypatch.setattr(socket, "socket", Blocked.__base__)
    sandbox = request.getfixturevalue("sandbox")
    with sandbox.coinapi.client() as client:
        assert client.get("/v1/balances").status_code == 200
"""


def test_tests_without_a_socket_run_where_sockets_are_blocked(run: Run) -> None:
    run(BLOCKED).assert_outcomes(passed=2)


FROZEN = """
import time, pytest

def frozen(sandbox, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 1767225600.0)
    with sandbox.cpg.client() as client:
        assert client.get("/v1/balances").status_code == 200
    assert sandbox.journal[0].auth_time == "2026-01-01T00:00:00Z"
"""
BY_MARKER = """
@pytest.mark.mockserver(auth_clock="process")
def test_by_marker(sandbox, monkeypatch): frozen(sandbox, monkeypatch)
"""
BY_OPTION = "def test_by_option(sandbox, monkeypatch): frozen(sandbox, monkeypatch)"


def test_signatures_are_checked_at_the_test_s_own_time_by_marker_or_option(
    run: Run, running: MockServer
) -> None:
    both = FROZEN + BY_MARKER + BY_OPTION
    run(both).assert_outcomes(passed=1, failed=1)
    run(both, "--mockserver-auth-clock=process").assert_outcomes(passed=2)
    result = run(FROZEN + BY_MARKER, f"--mockserver-url={running.url}")
    result.assert_outcomes(errors=1)
    assert_one_line(result, "auth_clock needs a server in this process: *skew_to*")


# What the plugin costs

HEAVY = ("uvicorn", "msgspec", "yaml", "cryptography", "click", "httpx")
AT_THE_END = """
import sys

def pytest_unconfigure():
    with open("modules", "w") as file:
        file.write(" ".join(sorted(sys.modules)))
"""


def test_the_plugin_is_found_by_its_entry_point() -> None:
    (module,) = [e.value for e in entry_points(group="pytest11") if e.name == "mockserver"]
    assert module == PLUGIN[1]


def test_the_plugin_imports_nothing_until_a_fixture_is_used(
    run: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(AT_THE_END)
    run("def test_alone(): pass", *PLUGIN, apart=True).assert_outcomes(passed=1)
    modules = {*Path("modules").read_text(encoding="utf-8").split()}
    ours = {name for name in modules if name.partition(".")[0] == "mockserver"}
    plugin = {"mockserver.client.pytest_plugin", "mockserver.client.pytest_quirks"}
    assert ours == {"mockserver", "mockserver.client", *plugin}
    assert not modules & {*HEAVY}
