"""The pytest plugin, seen from projects that use it, and the handles that its fixtures give.

Most tests run a session of pytest of their own; in it stands what a project would write.
"""

import asyncio
import json
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests

from mockserver import HandClock, MockServer
from mockserver.client.httpx_transport import Transport
from mockserver.client.remote import RemoteServer
from mockserver.client.sandbox import ProviderHandle, Sandbox, ServerHandle
from mockserver.providers import discover

pytest_plugins = ["contract_tests.support.inner_session"]

ALONE = ("-p", "mockserver.client.pytest_plugin")
WITH_XDIST = (*ALONE, "-p", "xdist")

Run = Callable[..., pytest.RunResult]

DEADLINE = 30  # seconds
SETTINGS = ("URL", "WORLD", "SEED", "LIMITS", "ADMIN_TOKEN")
INI = """
[pytest]
addopts = -p no:cacheprovider --strict-markers
filterwarnings = error
"""


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """Removes variables that the shell may have set."""
    for name in SETTINGS:
        monkeypatch.delenv(f"MOCKSERVER_{name}", raising=False)


@pytest.fixture
def run(
    run_in_process: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, unset: None
) -> Run:
    """Runs a project's tests, in this process or ``apart``."""
    pytester.makeini(INI)

    def run(code: str, *args: str, apart: bool = False) -> pytest.RunResult:
        pytester.makepyfile(test_project=code)
        if not apart:
            return run_in_process(*args)
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # others' take seconds
        return pytester.runpytest_subprocess(*args)

    return run


def no_traceback(result: pytest.RunResult) -> None:
    for file in ("pytest_plugin.py", "remote.py", "handle.py", "Traceback"):
        result.stdout.no_fnmatch_line(f"*{file}*")


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


BARRIER = """
import socket
from urllib.parse import urlsplit
import requests

def test_meets_the_other(sandbox, mockserver, worker_id):
    with socket.create_connection(("127.0.0.1", {port}), 60) as meeting:
        meeting.recv(1)
    assert requests.get(sandbox.cpg.base_url + "/v1/balances", auth=sandbox.cpg.auth).ok
    names = ("cdp", "coinapi", "coinstats", "coinw", "cpg")
    urls = [mockserver.url, *(getattr(sandbox, name).base_url for name in names)]
    sandboxes = requests.get(mockserver.url + "/__admin/sandboxes").json()["sandboxes"]
    with open(worker_id, "w") as file:
        print(len(sandboxes), *(urlsplit(url).port for url in urls), file=file)
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
        code = BARRIER.format(port=meeting.getsockname()[1])
        run(code, *WITH_XDIST, "-n", "2", "--dist", "each", apart=True).assert_outcomes(passed=2)
        both.join()
    sandboxes, ports = [], []
    for worker in ("gw0", "gw1"):
        count, *found = Path(worker).read_text(encoding="utf-8").split()
        sandboxes.append(count)
        ports += found
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
def test_by_way_of_a_fixture(fresh, mockserver):
    assert settings(fresh, mockserver)[:2] == ["empty", 5]
"""


def test_the_nearest_marker_counts_member_by_member(run: Run) -> None:
    run(NEAREST).assert_outcomes(passed=5)


parse = "the marker takes world=, seed=, quirks=, limits=, scenario=, ttl=, fault_headers=, auth_clock=, snapshot=, not"
WRONG_MARKERS = {
    'color="red"': f"{parse} color=",
    'id="x", seed=1': f"{parse} id=",
    'limit="off"': f"{parse} limit=; did you mean limits?",
    'quirks={"cpg.reply": "off"}': "no quirk cpg.reply: * did you mean cpg.replay? (at *",
    'auth_clock="proces"': "no auth_clock proces: *; did you mean process?",
    '"empty"': f"{parse} 'empty'",
    '"empty", color="red"': f"{parse} color=, 'empty'",
    'world="nope"': "nope: no such world: neither a file nor one of default, empty, whale",
    'world={"nope": {}}': "no provider nope: there are *(at $.world*): see docs/reference/worlds.md",
    'seed="x"': "Expected `int | null`, got `str` (at $.seed): *",
    'quirks={"cpg.replay": "no"}': "quirk cpg.replay: 'no' is none of on, off (at $.quirks[\"cpg.replay\"]): *",
    'limits="some"': "limits is default, off, *; not 'some' (at $.limits): *",
    'ttl="25h"': "ttl must be above zero and at most 24h (at $.ttl): *",
}


@pytest.mark.parametrize(("written", "message"), WRONG_MARKERS.items(), ids=str)
@pytest.mark.parametrize("where", ["in process", "elsewhere"])
def test_a_wrong_marker_fails_with_one_line(
    run: Run, running: MockServer, where: str, written: str, message: str
) -> None:
    code = f"import pytest\n@pytest.mark.mockserver({written})\ndef test_marked(sandbox): pass\n"
    result = run(code, *([f"--mockserver-url={running.url}"] if where == "elsewhere" else []))
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"mockserver: {message}".replace("[", "[[]")])
    no_traceback(result)


# The options and the variables

AS_WISHED = """
import pytest, requests

@pytest.mark.mockserver({marker})
def test_as_wished(mockserver, sandbox):
    for id in {ids}:
        description = requests.get(f"{{mockserver.url}}/__admin/sandboxes/{{id or sandbox.id}}").json()
        limits = requests.get(f"{{mockserver.url}}/__admin/sandboxes/{{description['id']}}/limits").json()
        assert [description["world"], description["seed"], limits["cpg.key"]] == {wished}
"""
PLAIN = ["default", 490, "120/60s"]


def as_wished(wished: list[object], marker: str = "", default: bool = True) -> str:
    """Returns a test of how its sandbox is, and whether the server's default one is so too."""
    ids = ["default", None] if default else [None]
    return AS_WISHED.format(wished=wished, marker=marker, ids=ids)


# Options; variables; world, seed and a limit that come of them.
WISHES: dict[str, tuple[list[str], dict[str, str], list[object]]] = {
    "nothing": ([], {}, PLAIN),
    "a world": (["--mockserver-world=empty"], {}, ["empty", 490, "120/60s"]),
    "a world's variable": ([], {"WORLD": "empty"}, ["empty", 490, "120/60s"]),
    "a world's option before": (
        ["--mockserver-world=empty"],
        {"WORLD": "nope"},
        ["empty", *PLAIN[1:]],
    ),
    "a world's file": (["--mockserver-world=own.yaml"], {}, ["own", 490, "120/60s"]),
    "a seed": (["--mockserver-seed=0"], {}, ["default", 0, "120/60s"]),
    "a seed's variable": ([], {"SEED": "8"}, ["default", 8, "120/60s"]),
    "a seed's option before": (["--mockserver-seed=7"], {"SEED": "x"}, ["default", 7, "120/60s"]),
    "limits": (["--mockserver-limits=off"], {}, ["default", 490, "off"]),
    "limits' variable": ([], {"LIMITS": "off"}, ["default", 490, "off"]),
    "limits' option before": (["--mockserver-limits=default"], {"LIMITS": "off"}, PLAIN),
    "variables that are empty": ([], {"WORLD": "", "SEED": "", "LIMITS": "", "URL": ""}, PLAIN),
    "no url before its variable": (["--mockserver-url="], {"URL": "http://127.0.0.1:1"}, PLAIN),
}


@pytest.mark.parametrize(("options", "variables", "wished"), WISHES.values(), ids=WISHES)
def test_options_come_before_variables(
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    variables: dict[str, str],
    wished: list[object],
) -> None:
    Path("own.yaml").write_text("name: own\n", encoding="utf-8")
    for name, value in variables.items():
        monkeypatch.setenv(f"MOCKSERVER_{name}", value)
    run(as_wished(wished), *options).assert_outcomes(passed=1)


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
@pytest.mark.parametrize("fixture", ["mockserver", "sandbox"])
def test_a_wrong_option_fails_with_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, fixture: str, option: str, message: str
) -> None:
    Path("bad.yaml").write_text("name: own\nnope: {}\n", encoding="utf-8")
    code = f"def test_one({fixture}): pass\n"
    name, _, value = option.partition("=")
    by_option = run(code, f"--mockserver-{option}")
    monkeypatch.setenv(f"MOCKSERVER_{name.upper()}", value)
    for result in (by_option, run(code)):
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines([f"mockserver: {message}"])
        no_traceback(result)


def test_wrong_options_matter_only_where_a_fixture_is_used(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in SETTINGS:
        monkeypatch.setenv(f"MOCKSERVER_{name}", "!")
    run("def test_alone(): pass").assert_outcomes(passed=1)


def test_options_and_marker_are_in_the_help(run: Run) -> None:
    help = run("", "--help").stdout.str()
    for name in ("URL", "WORLD", "SCENARIO", "SEED", "LIMITS"):
        assert f"--mockserver-{name.lower()}=" in help
        assert f"[MOCKSERVER_{name}]" in help
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


TOKENS = {
    "t0ken": {"passed": 1},
    "another": {"errors": 1},
    None: {"errors": 1},
}


@pytest.mark.parametrize(("token", "outcome"), TOKENS.items(), ids=str)
def test_the_admin_token_is_taken_from_the_variable(
    run: Run,
    server: MockServer,
    monkeypatch: pytest.MonkeyPatch,
    token: str | None,
    outcome: dict[str, int],
) -> None:
    server.app.admin_token = "t0ken"
    if token:
        monkeypatch.setenv("MOCKSERVER_ADMIN_TOKEN", token)
    result = run(
        USES_IT.format(url=server.url, cpg=server.cpg.base_url), f"--mockserver-url={server.url}"
    )
    result.assert_outcomes(**outcome)
    if "errors" in outcome:
        line = "mockserver: no admin token (at $): send Authorization: Bearer TOKEN"
        result.stdout.fnmatch_lines([line])
        no_traceback(result)


def test_options_make_sandboxes_there_and_variables_do_not(
    run: Run, server: MockServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"--mockserver-url={server.url}"
    for name, value in (("WORLD", "nope"), ("SEED", "x"), ("LIMITS", "off")):
        monkeypatch.setenv(f"MOCKSERVER_{name}", value)
    run(as_wished(PLAIN), url).assert_outcomes(passed=1)
    options = ["--mockserver-world=empty", "--mockserver-seed=7", "--mockserver-limits=off"]
    for marker, world in (("", "empty"), ("world='default'", "default")):
        code = as_wished([world, 7, "off"], marker, default=False)
        run(code, url, *options).assert_outcomes(passed=1)
    assert ids(server) == ["default"]
    wrong = run(code, url, "--mockserver-seed=x")
    wrong.assert_outcomes(errors=1)
    wrong.stdout.fnmatch_lines(["mockserver: a seed is a whole number, not 'x'"])


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
    result.stdout.fnmatch_lines([f"mockserver: no gateway answers at {url}: *"])
    no_traceback(result)


@pytest.mark.parametrize("provider", discover())
def test_a_providers_own_port_is_no_gateway(run: Run, running: MockServer, provider: str) -> None:
    url = getattr(running, provider).base_url
    result = run("def test_one(mockserver): pass", f"--mockserver-url={url}")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [f"mockserver: {url} is not a gateway: it answered with status 40?"]
    )
    no_traceback(result)


GOES = """
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

def test_goes(sandbox, running):
    running.stop()
    assert 0
"""


def test_a_server_that_goes_away_fails_with_one_line(run: Run) -> None:
    result = run(GOES)
    result.assert_outcomes(failed=1, errors=1)
    (line,) = journal(result) or []
    assert line.startswith("not there any more: no gateway answers at http://127.0.0.1:")
    result.stdout.fnmatch_lines(["mockserver: no gateway answers at http://127.0.0.1:*"])
    no_traceback(result)


# Clients, with and without a socket

Ask = Callable[[ProviderHandle, Transport], tuple[int, bytes]]


def pieces(handle: ProviderHandle) -> dict[str, Any]:
    """Returns the provider's example as arguments of a client's ``request``."""
    example = handle.example
    query = f"?{example.query.decode()}" if example.query else ""
    headers = {name.decode(): value.decode() for name, value in example.headers}
    return {"method": example.method, "url": example.path.decode() + query, "headers": headers}


def by_requests(handle: ProviderHandle, transport: Transport) -> tuple[int, bytes]:
    request = pieces(handle) | {"url": handle.base_url + pieces(handle)["url"]}
    with requests.Session() as session:
        session.trust_env = False
        answer = session.request(
            **request, data=handle.example.body, auth=handle.auth, timeout=DEADLINE
        )
    return answer.status_code, answer.content


def by_client(**settings: Any) -> Ask:
    def ask(handle: ProviderHandle, transport: Transport) -> tuple[int, bytes]:
        arguments = dict.fromkeys(settings, transport)
        with handle.client(**arguments) as client:
            answer = client.request(**pieces(handle), content=handle.example.body)
        return answer.status_code, answer.content

    return ask


def by_async_client(**settings: Any) -> Ask:
    async def ask(handle: ProviderHandle, transport: Transport) -> tuple[int, bytes]:
        arguments = dict.fromkeys(settings, transport)
        async with handle.async_client(**arguments) as client:
            answer = await client.request(**pieces(handle), content=handle.example.body)
        return answer.status_code, answer.content

    return lambda handle, transport: asyncio.run(ask(handle, transport))


SOCKETS: dict[str, Ask] = {
    "requests": by_requests,
    "httpx": by_client(),
    "httpx, async": by_async_client(),
}
NO_SOCKETS: dict[str, Ask] = {
    "in process": by_client(transport=True),
    "in process, async": by_async_client(transport=True),
}


@pytest.mark.parametrize("provider", discover())
@pytest.mark.parametrize("client", SOCKETS | NO_SOCKETS)
def test_every_client_is_answered_alike_by_every_provider(
    sandbox: Sandbox, mockserver: MockServer, provider: str, client: str
) -> None:
    handle = getattr(sandbox, provider)
    expected = by_requests(handle, mockserver.transport)
    sandbox.reset()
    answer = (SOCKETS | NO_SOCKETS)[client](handle, mockserver.transport)
    assert answer == expected
    assert answer[0] == 200
    entry = sandbox.journal[-1]
    assert (entry.n, entry.provider, entry.credential, entry.reason) == (1, provider, "main", "")


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*args: object) -> None:
        raise AssertionError("a socket was used")

    monkeypatch.setattr(socket.socket, "connect", connect)


@pytest.mark.parametrize("provider", discover())
@pytest.mark.parametrize("client", NO_SOCKETS)
@pytest.mark.parametrize("of", ["the default sandbox", "a made one"])
def test_a_server_that_was_not_started_answers_in_process(
    offline: None, provider: str, client: str, of: str
) -> None:
    server = MockServer()
    sandbox = server.default if of == "the default sandbox" else server.sandbox()
    handle = getattr(sandbox, provider)
    inside = "" if sandbox is server.default else f"/~{sandbox.id}"
    base_path = discover()[provider].base_path
    assert handle.base_url == f"http://mockserver/{provider}{inside}{base_path}"
    status, body = NO_SOCKETS[client](handle, server.transport)
    assert status == 200
    assert json.loads(body)
    assert [(e.provider, e.credential) for e in sandbox.journal] == [(provider, "main")]


@pytest.mark.parametrize("provider", discover())
@pytest.mark.parametrize("client", NO_SOCKETS)
def test_a_server_that_runs_answers_in_process_without_a_socket(
    offline: None, running: MockServer, provider: str, client: str
) -> None:
    sandbox = running.sandbox()
    assert NO_SOCKETS[client](getattr(sandbox, provider), running.transport)[0] == 200
    assert [entry.provider for entry in sandbox.journal] == [provider]


def test_in_process_refusals_are_the_providers_own(
    sandbox: Sandbox, mockserver: MockServer
) -> None:
    mebibyte = 1024 * 1024
    with sandbox.cpg.client(transport=mockserver.transport) as client:
        for size, status, reason in (
            (mebibyte, 422, "bad_request"),
            (mebibyte + 1, 413, "too_large"),
        ):
            answer = client.post("/v1/withdrawals", content=b"x" * size)
            assert (answer.status_code, sandbox.journal[-1].reason) == (status, reason)
    url = sandbox.coinapi.base_url + "/v1/balances?exchange_id=BITMEX"
    request = {"url": url, "auth": sandbox.coinapi.auth}
    with httpx.Client(transport=mockserver.transport) as client:
        inside = client.get(**request)
    outside = requests.get(**request, timeout=DEADLINE)
    assert inside.status_code == outside.status_code == 490
    assert inside.json() == outside.json()
    assert inside.headers["content-type"] == outside.headers["content-type"]


@pytest.mark.parametrize("path", ["/cpg/~nope/v1/balances", "/nope", "/__admin/health", "/healthz"])
def test_only_providers_answer_in_process(path: str) -> None:
    server = MockServer()
    with httpx.Client(transport=server.transport, base_url=server.url) as client:
        assert client.get(path).status_code == 404


# The journal of a failing test


def journal(result: pytest.RunResult) -> list[str] | None:
    """Returns the lines that end a failing test's report, its sandbox's id as ID.

    Explanations, which are indented, are left out: ``explain/test_explanations.py`` is about those.
    """
    sections = re.findall(
        r"^-+ journal of sandbox (\w+) -+\n(.*?)\n=+ ",
        result.stdout.str(),
        re.MULTILINE | re.DOTALL,
    )
    assert len(sections) <= 1
    if not sections:
        return None
    lines = sections[0][1].replace(sections[0][0], "ID").split("\n")
    return [line for line in lines if not line.startswith("    ")]


ASKED = """
import httpx, pytest, requests

def send(client, *request):
    with client:
        client.request(*request)

def ask(sandbox):
    print("what the test prints")
    send(sandbox.coinapi.client(), "GET", "/v1/balances")
    send(sandbox.cpg.client("revoked"), "GET", "/v1/balances?currency=USDT")
    send(sandbox.cpg.client(), "POST", "/v1/nope")
    requests.get(sandbox.coinapi.base_url + "/v1/balances")
    url = sandbox.cpg.base_url + "/v1/balances"
    httpx.get(url, headers=sandbox.cpg.auth.headers("GET", url[url.index("/~"):]))
"""
LINES = [
    "1 coinapi GET /~ID/v1/balances -> 200 (key main)",
    "2 cpg GET /~ID/v1/balances?currency=USDT -> 401 revoked_credential (key revoked)",
    "3 cpg POST /~ID/v1/nope -> 404 no_route",
    "4 coinapi GET /~ID/v1/balances -> 401 missing_credential",
    "5 cpg GET /~ID/v1/balances -> 200 (key main) signed the path exactly as requested",
]

# What stands in the project; options; outcome; the lines that are shown.
REPORTS: dict[str, tuple[str, list[str], dict[str, int], list[str] | None]] = {
    "a test that fails": ("def test_it(sandbox): ask(sandbox); assert 0", [], {"failed": 1}, LINES),
    "a test that passes": ("def test_it(sandbox): ask(sandbox)", ["-rA"], {"passed": 1}, None),
    "a test that is expected to fail": (
        "@pytest.mark.xfail\ndef test_it(sandbox): ask(sandbox); assert 0", ["-rA"], {"xfailed": 1}, None,
    ),
    "a test that is skipped": (
        "def test_it(sandbox): ask(sandbox); pytest.skip()", ["-rA"], {"skipped": 1}, None,
    ),
    "no sandbox": ("def test_it(mockserver): ask(mockserver); assert 0", [], {"failed": 1}, None),
    "no request": ("def test_it(sandbox): assert 0", [], {"failed": 1}, ["no request"]),
    "a fixture that fails": (
        "@pytest.fixture\ndef asked(sandbox): ask(sandbox); assert 0\ndef test_it(asked): pass",
        [], {"errors": 1}, LINES,
    ),
    "a fixture that does the test's work": (
        "@pytest.fixture\ndef asked(sandbox): return ask(sandbox)\ndef test_it(asked): assert asked",
        [], {"failed": 1}, LINES,
    ),
    "usefixtures": (
        "@pytest.mark.usefixtures('sandbox')\ndef test_it(): assert 0", [], {"failed": 1}, ["no request"],
    ),
    "a method of a TestCase": (
        "import unittest\nclass TestIt(unittest.TestCase):\n    @pytest.fixture(autouse=True)\n    def given(self, sandbox): self.sandbox = sandbox\n    def test_it(self): ask(self.sandbox); self.fail()",
        [], {"failed": 1}, LINES,
    ),
    "-x": (
        "def test_it(sandbox): ask(sandbox); assert 0\ndef test_not_run(sandbox): assert 0",
        ["-x"], {"failed": 1}, LINES,
    ),
    "--tb=short": ("def test_it(sandbox): ask(sandbox); assert 0", ["--tb=short"], {"failed": 1}, LINES),
    "--tb=native": ("def test_it(sandbox): ask(sandbox); assert 0", ["--tb=native"], {"failed": 1}, LINES),
    "--tb=no": ("def test_it(sandbox): ask(sandbox); assert 0", ["--tb=no"], {"failed": 1}, None),
    "-p no:terminal": ("def test_it(sandbox): ask(sandbox); assert 0", ["-p", "no:terminal"], {}, None),
    "a sandbox that the test has dropped": (
        "def test_it(sandbox, mockserver): mockserver.drop(sandbox); assert 0", [], {"failed": 1},
        ["not there any more: no sandbox ID (at $): create it, or use default"],
    ),
    "a sandbox that a passing test has dropped": (
        "def test_it(sandbox, mockserver): mockserver.drop(sandbox)", [], {"passed": 1}, None,
    ),
    "20 requests": (
        "def test_it(sandbox):\n    for n in range(20): requests.get(f'{sandbox.coinapi.base_url}/?{n}')\n    assert 0",
        [], {"failed": 1}, [f"{n + 1} coinapi GET /~ID/?{n} -> 404 no_route" for n in range(20)],
    ),
    "22 requests": (
        "def test_it(sandbox):\n    for n in range(22): requests.get(f'{sandbox.coinapi.base_url}/?{n}')\n    assert 0",
        [], {"failed": 1},
        ["... 2 earlier requests", *(f"{n + 1} coinapi GET /~ID/?{n} -> 404 no_route" for n in range(2, 22))],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("code", "options", "outcome", "lines"), REPORTS.values(), ids=REPORTS)
def test_the_report_of_a_failing_test_ends_with_the_journal(
    run: Run, code: str, options: list[str], outcome: dict[str, int], lines: list[str] | None
) -> None:
    result = run(ASKED + code, *options)
    if outcome:
        result.assert_outcomes(**outcome)
    assert journal(result) == lines
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()


@pytest.mark.parametrize("where", ["elsewhere", "at a worker of xdist"])
def test_the_journal_comes_from_afar_too(run: Run, running: MockServer, where: str) -> None:
    far = where == "elsewhere"
    options = [f"--mockserver-url={running.url}"] if far else [*WITH_XDIST, "-n", "1"]
    result = run(ASKED + "def test_it(sandbox): ask(sandbox); assert 0", *options, apart=not far)
    result.assert_outcomes(failed=1)
    assert journal(result) == LINES


WIDE = """
import requests

def test_it(sandbox):
    url = sandbox.cpg.base_url + "/v1/" + "-".join(["balances"] * 40)
    requests.get(url)
    requests.get(sandbox.cpg.base_url + "/v1/balances", headers={"X-CPG-Key": "k" * 200})
    assert 0
"""


def test_the_report_fits_a_hundred_columns(run: Run) -> None:
    result = run(WIDE, "--tb=no", "-rN")
    report = result.stdout.str()
    lines = (journal(run(WIDE)) or []) + report.splitlines()
    assert len(lines) > 3
    section = run(WIDE).stdout.str().partition("journal of sandbox")[2].splitlines()[1:-2]
    assert max(map(len, section)) <= 100


HEADERS: list[tuple[list[str], str]] = [
    ([], "mockserver: a server of this session, world default, seed 490"),
    (["--mockserver-world=empty", "--mockserver-seed=7"], "mockserver: a server of this session, world empty, seed 7"),
    (["--mockserver-url=http://127.0.0.1:8490"], "mockserver: http://127.0.0.1:8490"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "line"), HEADERS, ids=[h[1] for h in HEADERS])
def test_the_header_shows_url_world_and_seed(run: Run, options: list[str], line: str) -> None:
    assert line in run("def test_it(): pass", *options).outlines


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

@pytest.mark.mockserver(auth_clock="process")
def test_it(sandbox, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 1767225600.0)
    with sandbox.cpg.client() as client:
        assert client.get("/v1/balances").status_code == 200
    assert sandbox.journal[0].auth_time == "2026-01-01T00:00:00Z"
"""


def test_the_auth_clock_follows_the_tests_by_marker_and_option(run: Run) -> None:
    run(FROZEN).assert_outcomes(passed=1)
    plain = FROZEN.replace('@pytest.mark.mockserver(auth_clock="process")', "")
    run(plain, "--mockserver-auth-clock=process").assert_outcomes(passed=1)
    run(plain).assert_outcomes(failed=1)


def test_a_remote_server_refuses_to_follow_the_tests(run: Run, running: MockServer) -> None:
    result = run(FROZEN, f"--mockserver-url={running.url}")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["mockserver: auth_clock needs a server in this process: *skew_to*"]
    )


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


def test_no_secret_stands_in_the_report(run: Run) -> None:
    result = run(LEAKY)
    lines = journal(result)
    assert lines is not None
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
    "a sandbox that is a dictionary": "@pytest.fixture\ndef sandbox(): return {'id': 1}",
    "a sandbox that has everything": "from unittest.mock import Mock\n@pytest.fixture\ndef sandbox(): return Mock()",
    "a sandbox that breaks when asked": (
        "class Own:\n    @property\n    def journal(self): raise RuntimeError\n"
        "@pytest.fixture\ndef sandbox(): return Own()"
    ),
    "a server": "@pytest.fixture\ndef server(): return 1\n@pytest.fixture\ndef sandbox(server): return server",
    "a mockserver": "@pytest.fixture\ndef mockserver(): return 1\n@pytest.fixture\ndef sandbox(mockserver): return mockserver",
}  # fmt: skip


@pytest.mark.parametrize("code", OWN.values(), ids=OWN)
def test_a_projects_own_fixtures_are_left_alone(run: Run, code: str) -> None:
    tests = "\ndef test_good(sandbox): assert sandbox\ndef test_bad(sandbox): assert not sandbox"
    result = run("import pytest\n" + code + tests)
    result.assert_outcomes(passed=1, failed=1)
    assert journal(result) is None


def test_a_fixture_may_take_ours_and_its_name(run: Run) -> None:
    code = "@pytest.fixture\ndef sandbox(sandbox): return sandbox.coinapi\n"
    result = run(
        ASKED
        + code
        + "def test_it(sandbox):\n    send(sandbox.client(), 'GET', '/v1/balances')\n    assert 0"
    )
    result.assert_outcomes(failed=1)
    assert journal(result) == LINES[:1]


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
    assert module == ALONE[1]


def test_the_plugin_imports_nothing_until_a_fixture_is_used(
    run: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(AT_THE_END)

    def imported(code: str, *options: str) -> set[str]:
        run(code, *options, apart=True).assert_outcomes(passed=1)
        return set(Path("modules").read_text(encoding="utf-8").split())

    plain = "def test_alone(): pass"
    without = imported(plain)
    added = imported(plain, *ALONE) - without
    plugin = {"mockserver.client.pytest_plugin", "mockserver.client.pytest_quirks"}
    assert added == {"mockserver", "mockserver.client", *plugin}
    used = imported("def test_it(sandbox): sandbox.cpg.client().close()", *ALONE)
    assert set(HEAVY) <= used - without


# The handles, in this process and elsewhere


@pytest.fixture(params=["in process", "elsewhere"])
def face(request: pytest.FixtureRequest, running: MockServer) -> ServerHandle:
    return running if request.param == "in process" else RemoteServer(running.url)


@pytest.fixture
def handle(face: ServerHandle) -> Iterator[Sandbox]:
    sandbox = face.sandbox()
    yield sandbox
    face.drop(sandbox)


def tether(handle: Sandbox) -> list[str]:
    rows = [row for row in handle.cpg.balances("main") if row.asset == "USDT"]
    return [f"{row.venue} {row.total} {row.held} fee {row.fee}" for row in rows]


ETH, TRX = "ETH 1500.000000 200.000000 fee 1.500000", "TRX 250.500000 0.000000 fee 1.000000"
PLACE = ("main", "USDT", "ETH")
ROW = {"asset": "USDT", "venue": "ETH", "decimals": 6, "total": "7.10", "held": "0.2"}

# What is done, and the rows of USDT after it.
CHANGES: dict[str, tuple[Callable[[ProviderHandle], None], list[str]]] = {
    "nothing": (lambda cpg: None, [ETH, TRX]),
    "set_balance": (lambda cpg: cpg.set_balance(*PLACE, total="7.10", held="0.2"), ["ETH 7.10 0.2 fee 1.500000", TRX]),
    "set_balance, held left out": (lambda cpg: cpg.set_balance(*PLACE, total="7.10"), ["ETH 7.10 0 fee 1.500000", TRX]),
    "set_balance, what is printed": (lambda cpg: cpg.set_balance(*PLACE, fee="2"), ["ETH 1500.000000 0 fee 2", TRX]),
    "set_balance, a new place": (lambda cpg: cpg.set_balance("main", "USDT", "BSC", total="1"), [ETH, TRX, "BSC 1 0 fee 0"]),
    "set_balances": (lambda cpg: cpg.set_balances("main", [ROW]), ["ETH 7.10 0.2 fee 0"]),
    "set_balances, none": (lambda cpg: cpg.set_balances("main", []), []),
    "drop_balance": (lambda cpg: cpg.drop_balance(*PLACE), [TRX]),
    "credit": (lambda cpg: cpg.credit("main", "USDT", "0.000001", "ETH"), ["ETH 1500.000001 200.000000 fee 1.500000", TRX]),
    "debit": (lambda cpg: cpg.debit("main", "USDT", "1300", "ETH"), ["ETH 200.000000 200.000000 fee 1.500000", TRX]),
    "hold": (lambda cpg: cpg.hold("main", "USDT", "1300", "ETH"), ["ETH 1500.000000 1500.000000 fee 1.500000", TRX]),
    "release": (lambda cpg: cpg.release("main", "USDT", "200", "ETH"), ["ETH 1500.000000 0.000000 fee 1.500000", TRX]),
}  # fmt: skip


@pytest.mark.parametrize(("change", "rows"), CHANGES.values(), ids=CHANGES)
def test_the_ledger_is_changed_row_by_row_and_clients_see_it(
    handle: Sandbox, change: Callable[[ProviderHandle], None], rows: list[str]
) -> None:
    change(handle.cpg)
    assert tether(handle) == rows
    with handle.cpg.client() as client:
        data = client.get("/v1/balances?currency=USDT").json()["data"]
    seen = [(row["network"], Decimal(row["balance"]), Decimal(row["held"])) for row in data]
    assert seen == [
        (venue, Decimal(total), Decimal(held)) for venue, total, held, *_ in map(str.split, rows)
    ]
    handle.reset()
    assert tether(handle) == [ETH, TRX]


MISTAKES: dict[str, tuple[Callable[[Sandbox], Any], type[Exception], str]] = {
    "debit": (lambda s: s.cpg.debit("main", "USDT", "1300.000001", "ETH"), ValueError, r"held 200.000000 must lie between 0 and total 199.999999 .*debit"),
    "hold": (lambda s: s.cpg.hold("main", "USDT", "1300.000001", "ETH"), ValueError, r"held 1500.000001 must lie between 0 and total 1500.000000 .*hold"),
    "release": (lambda s: s.cpg.release("main", "USDT", "200.000001", "ETH"), ValueError, r"held -0.000001 must lie between 0 .*release"),
    "credit": (lambda s: s.cpg.credit("main", "USDT", "0", "ETH"), ValueError, "the amount must be above zero"),
    "credit, a place": (lambda s: s.cpg.credit("main", "USDT", "1"), ValueError, "USDT has rows at ETH, TRX .*say which"),
    "drop_balance": (lambda s: s.cpg.drop_balance("main", "NOPE"), ValueError, "account main has no row NOPE"),
    "set_balance": (lambda s: s.cpg.set_balance(*PLACE, total="1", held="2"), ValueError, "held 2 must lie between 0 and total 1"),
    "set_balances": (lambda s: s.cpg.set_balances("main", [ROW, ROW]), ValueError, r"USDT is there twice .at \$.balances\[1\]"),
    "balances": (lambda s: s.cpg.balances("nope"), ValueError, "no account nope: there are main, empty"),
    "event": (lambda s: s.cpg.event("nope"), ValueError, "no such event .*there are withdrawal_confirmed"),
    "set_quirks": (lambda s: s.set_quirks({"cpg.replay": "no"}), ValueError, "quirk cpg.replay: 'no' is none of on, off"),
    "set_limits": (lambda s: s.set_limits({"cpg.key": "x"}), ValueError, "limit cpg.key: write N/DURATION"),
    "set_limits, a word": (lambda s: s.set_limits("some"), ValueError, "not 'some'"),
    "set": (lambda s: s.clock.set("2001-01-01T00:00:00Z"), ValueError, "never set backwards"),
    "advance": (lambda s: s.clock.advance("-1s"), ValueError, "between 0 and 100 years"),
    "rate": (lambda s: s.clock.rate(0), ValueError, "rate must lie above 0"),
    "skew": (lambda s: s.clock.skew("1d"), ValueError, "'1d' is no duration"),
    "verify": (lambda s: s.verify(colour="red"), ValueError, "unknown field `colour`"),
    "credential": (lambda s: s.cpg.credential("nope"), ValueError, "no credential nope: there are main, empty"),
    "auth_as": (lambda s: s.cpg.auth_as("nope"), ValueError, "no credential nope: there are main, empty"),
    "a provider": (lambda s: s.nope, AttributeError, "a sandbox has no nope: providers are cdp, coinapi, coinstats, coinw, cpg"),
}  # fmt: skip


@pytest.mark.parametrize(("do", "kind", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_raises_and_changes_nothing(
    handle: Sandbox, do: Callable[[Sandbox], Any], kind: type[Exception], message: str
) -> None:
    before = (tether(handle), handle.quirks, handle.limits)
    with pytest.raises(kind, match=message):
        do(handle)
    assert (tether(handle), handle.quirks, handle.limits) == before


def balances(handle: Sandbox, label: str = "main") -> httpx.Response:
    """Asks the gateway, which remembers signatures, in words that never repeat."""
    with handle.cpg.client(label) as client:
        return client.get(f"/v1/balances?n={len(handle.journal)}")


def test_credentials_are_found_by_their_labels(handle: Sandbox) -> None:
    cpg = handle.cpg
    assert list(cpg.others)[:4] == ["empty", "no_permission", "ip_locked", "revoked"]
    assert "reject-rate_limited" in cpg.others
    assert cpg.credential("main") == cpg.credentials
    assert cpg.credential("empty") == cpg.others["empty"] != cpg.credentials
    assert set(cpg.credentials) == {"key_id", "secret"}
    url = cpg.base_url + "/v1/balances"
    statuses = [
        requests.get(url + f"?{label}", auth=auth, timeout=DEADLINE).status_code
        for label, auth in (
            ("a", cpg.auth),
            ("b", cpg.auth_as("empty")),
            ("c", cpg.auth_as("revoked")),
        )
    ]
    assert statuses == [200, 200, 401]
    assert [entry.credential for entry in handle.journal] == ["main", "empty", "revoked"]


def test_an_event_happens_on_the_providers_side(handle: Sandbox) -> None:
    order = {"currency": "USDT", "network": "ETH", "to_address": "0xrecipient0", "amount": "100"}
    with handle.cpg.client() as client:
        assert client.post("/v1/withdrawals", json=order).status_code == 200
        assert tether(handle)[0] == "ETH 1500.000000 301.500000 fee 1.500000"
        handle.cpg.event("withdrawal_confirmed", id=1)
        assert tether(handle)[0] == "ETH 1398.500000 200.000000 fee 1.500000"
        with pytest.raises(ValueError, match="withdrawal 1"):
            handle.cpg.event("withdrawal_confirmed", id=1)
    handle.cpg.event("key_revoked", key="main")
    assert balances(handle).status_code == 401
    assert handle.journal[-1].reason == "revoked_credential"


def test_quirks_are_changed_and_put_back(handle: Sandbox) -> None:
    def empty() -> Any:
        with handle.coinw.client("empty") as client:
            return client.post("/api/v1/private?command=returnBalances").json()["data"]

    handle.set_limits("off")
    assert (handle.quirks["coinw.empty"], empty()) == ("object", {})
    handle.set_quirks({"coinw.empty": "null", "cpg.replay": "off"})
    assert (handle.quirks["coinw.empty"], empty()) == ("null", None)
    handle.set_quirks({"coinw.empty": None})
    assert (handle.quirks["coinw.empty"], empty()) == ("object", {})
    assert handle.quirks["cpg.replay"] == "off"


def test_limits_are_changed_and_put_back(handle: Sandbox) -> None:
    handle.clock.freeze()  # a window may end while this runs
    handle.set_limits({"cpg.key": "1/60s"})
    assert (handle.limits["cpg.key"], handle.limits["cpg.ip"]) == ("1/60s", "1200/60s")
    assert [balances(handle).status_code for _ in range(2)] == [200, 429]
    handle.set_limits("off")
    assert set(handle.limits.values()) == {"off"}
    assert balances(handle).status_code == 200
    handle.set_limits({"cpg.key": "2/60s"})
    assert (handle.limits["cpg.key"], handle.limits["cpg.ip"]) == ("2/60s", "off")
    handle.set_limits({"cpg.key": None})
    assert (handle.limits["cpg.key"], handle.limits["cpg.ip"]) == ("120/60s", "off")
    handle.set_limits("default")
    assert (handle.limits["cpg.key"], handle.limits["cpg.ip"]) == ("120/60s", "1200/60s")


def test_skew_moves_the_clock_that_judges_signatures_alone(handle: Sandbox) -> None:
    handle.clock.freeze()
    before = handle.clock.now_ns
    for skew, status in (("-400s", 401), ("-200s", 200), ("400s", 401), ("0s", 200)):
        handle.clock.skew(skew)
        assert balances(handle).status_code == status
    assert [entry.reason for entry in handle.journal] == [
        "outside_window",
        "",
        "outside_window",
        "",
    ]
    assert handle.clock.now_ns == before


SECOND = 10**9
START = 1_893_456_000 * SECOND  # 2030-01-01

# What is done; seconds that the sandbox clock has moved, at once and after one of real time.
TIMES: dict[str, tuple[Callable[[Sandbox], None], float, float]] = {
    "nothing": (lambda s: None, 0, 1),
    "advance": (lambda s: s.clock.advance("61s"), 61, 62),
    "advance, less than a second": (lambda s: s.clock.advance("250ms"), 0.25, 1.25),
    "freeze": (lambda s: s.clock.freeze(), 0, 0),
    "freeze and thaw": (lambda s: (s.clock.freeze(), s.clock.freeze(frozen=False)), 0, 1),
    "freeze and advance": (lambda s: (s.clock.freeze(), s.clock.advance("5m")), 300, 300),
    "set": (lambda s: s.clock.set("2030-01-01T01:00:00Z"), 3600, 3601),
    "set, to the half second": (lambda s: s.clock.set("2030-01-01T00:00:00.5Z"), 0.5, 1.5),
    "rate": (lambda s: s.clock.rate(60), 0, 60),
    "rate, slower": (lambda s: s.clock.rate(0.5), 0, 0.5),
    "skew": (lambda s: s.clock.skew("400s"), 0, 1),
    "reset": (lambda s: (s.clock.advance("61s"), s.clock.rate(60), s.clock.freeze(), s.reset()), 0, 1),
}  # fmt: skip


@pytest.fixture(scope="module")
def timeless() -> Iterator[MockServer]:
    with MockServer(real=HandClock(START)) as server:
        yield server


@pytest.mark.parametrize(("do", "at_once", "later"), TIMES.values(), ids=TIMES)
@pytest.mark.parametrize("where", ["in process", "elsewhere"])
def test_the_clock_follows_its_calls(
    timeless: MockServer,
    where: str,
    do: Callable[[Sandbox], None],
    at_once: float,
    later: float,
) -> None:
    face = timeless if where == "in process" else RemoteServer(timeless.url)
    real = timeless.app.sandboxes.default.clock.real
    real.now = START
    sandbox = face.sandbox()
    do(sandbox)
    moved = [sandbox.clock.now_ns - START]
    real.advance("1s")
    moved.append(sandbox.clock.now_ns - START)
    assert moved == [at_once * SECOND, later * SECOND]


def test_the_journal_lists_requests_and_can_be_cleared(handle: Sandbox) -> None:
    balances(handle)
    with handle.cpg.client() as client:
        client.post("/v1/nope", content=b"{}")
    entries = [
        (e.n, e.provider, e.operation, e.method, e.credential, e.status, e.reason)
        for e in handle.journal
    ]
    assert entries == [
        (1, "cpg", "listBalances", "GET", "main", 200, ""),
        (2, "cpg", "", "POST", "", 404, "no_route"),
    ]
    assert handle.journal[0].target == f"/~{handle.id}/v1/balances?n=0"
    assert json.loads(handle.journal[0].response["body"])["success"] is True
    assert handle.journal[1].request["body"] == "{}"
    handle.clear_journal()
    assert handle.journal == []
    balances(handle)
    assert [entry.n for entry in handle.journal] == [3], "numbers go on"
    assert handle.coverage()["cpg"]["operations"]["listBalances"] == 2
    assert handle.verify(target="/v1/balances", exactly=1) == 1, "as the provider sees it"
    assert handle.verify(target=handle.journal[0].target, exactly=1) == 1, "as dialled"


def test_a_journal_of_more_than_one_page_is_whole(running: MockServer, face: ServerHandle) -> None:
    sandbox = face.sandbox(limits="off")
    with sandbox.coinapi.client(transport=running.transport) as client:
        for _ in range(1001):
            client.get("/")
    assert [entry.n for entry in sandbox.journal] == list(range(1, 1002))
    face.drop(sandbox)


def test_reset_puts_everything_back_but_the_credentials(handle: Sandbox) -> None:
    before = (handle.id, handle.cpg.credentials, handle.quirks, handle.limits)
    handle.cpg.drop_balance(*PLACE)
    handle.set_quirks({"cpg.replay": "off"})
    handle.set_limits("off")
    handle.cpg.event("key_revoked", key="main")
    assert balances(handle).status_code == 401
    handle.reset()
    assert (handle.id, handle.cpg.credentials, handle.quirks, handle.limits) == before
    assert (handle.journal, tether(handle)) == ([], [ETH, TRX])
    assert balances(handle).status_code == 200


def test_coverage_counts_what_occurred_and_lists_what_is_missing(handle: Sandbox) -> None:
    for label in ("main", "main", "revoked"):
        balances(handle, label)
    coverage = handle.coverage()
    assert list(coverage) == [*discover(), "faults"]
    assert coverage["cpg"]["operations"] == {
        "listBalances": 3,
        "submitWithdrawal": 0,
        "getWithdrawal": 0,
        "ping": 0,
    }
    occurred = {reason: count for reason, count in coverage["cpg"]["reasons"].items() if count}
    assert occurred == {"revoked_credential": 1}
    assert "submitWithdrawal" in coverage["cpg"]["missing"]
    assert not {"listBalances", "revoked_credential"} & set(coverage["cpg"]["missing"])


# Of three requests to cpg: two by main, answered with 200, and one by revoked.
COUNTS: dict[str, tuple[dict[str, Any], int | None]] = {
    "one at least where nothing is said": ({"provider": "cpg"}, 3),
    "none where one is expected": ({"provider": "coinw"}, None),
    "exactly": ({"provider": "cpg", "exactly": 3}, 3),
    "exactly, one more": ({"provider": "cpg", "exactly": 2}, None),
    "exactly, one less": ({"provider": "cpg", "exactly": 4}, None),
    "exactly none": ({"provider": "coinw", "exactly": 0}, 0),
    "at least": ({"operation": "balances", "at_least": 3}, 3),
    "at least, too few": ({"operation": "balances", "at_least": 4}, None),
    "at most": ({"status": 200, "at_most": 2}, 2),
    "at most, too many": ({"status": 200, "at_most": 1}, None),
    "between": ({"credential": "main", "at_least": 1, "at_most": 2}, 2),
    "an operation by its own name": ({"operation": "listBalances", "exactly": 3}, 3),
    "a reason": ({"reason": "revoked_credential", "exactly": 1}, 1),
    "a method": ({"method": "POST", "exactly": 0}, 0),
    "a header": ({"header": {"X-Trace": "t1"}, "exactly": 1}, 1),
    "a header of another value": ({"header": {"X-Trace": "t2"}, "exactly": 0}, 0),
}


@pytest.fixture
def three(handle: Sandbox) -> Sandbox:
    for n, label in enumerate(("main", "main", "revoked")):
        with handle.cpg.client(label, headers={"X-Trace": f"t{n}"} if n == 1 else {}) as client:
            client.get(f"/v1/balances?n={n}")
    return handle


@pytest.mark.parametrize(("query", "count"), COUNTS.values(), ids=COUNTS)
def test_verify_counts_requests(three: Sandbox, query: dict[str, Any], count: int | None) -> None:
    if count is None:
        with pytest.raises(AssertionError, match=r"^[0-3] requests match, expected"):
            three.verify(**query)
    else:
        assert three.verify(**query) == count


def test_verify_names_the_nearest_misses(three: Sandbox) -> None:
    with pytest.raises(AssertionError) as failed:
        three.verify(credential="revoked", status=200)
    path = f"/~{three.id}/v1/balances"
    assert str(failed.value).splitlines() == [
        "0 requests match, expected {'at_least': 1} of {'credential': 'revoked', 'status': 200}",
        f"  n=1 GET {path}?n=0 -> 200 : differs in {{'credential': {{'wanted': 'revoked', 'found': 'main'}}}}",
        f"  n=2 GET {path}?n=1 -> 200 : differs in {{'credential': {{'wanted': 'revoked', 'found': 'main'}}}}",
        f"  n=3 GET {path}?n=2 -> 401 revoked_credential: differs in {{'status': {{'wanted': 200, 'found': 401}}}}",
    ]


def test_a_sandbox_is_made_as_wished_under_a_chosen_id(face: ServerHandle) -> None:
    wish = {"world": "empty", "quirks": {"coinw.empty": "null"}, "limits": {"cpg.key": "off"}}
    sandbox = face.sandbox("chosen", **wish, seed=7, ttl="2h")
    assert sandbox.id == "chosen"
    assert sandbox.coinw.base_url.endswith("/~chosen")
    assert (sandbox.quirks["coinw.empty"], sandbox.limits["cpg.key"]) == ("null", "off")
    assert sandbox.cpg.balances() == []
    face.drop(sandbox)
    for gone in (lambda: face.drop(sandbox), sandbox.reset, lambda: sandbox.quirks):
        with pytest.raises(ValueError, match="no sandbox chosen"):
            gone()
    with pytest.raises(ValueError, match="the sandbox default stays"):
        face.drop(face.default)
