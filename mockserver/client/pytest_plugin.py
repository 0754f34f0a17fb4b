"""The pytest plugin: one server per session, a new sandbox per test.

@pytest.mark.mockserver(world="empty", limits="off")
def test_no_balances(sandbox):
    with sandbox.cpg.client() as client:
        assert client.get("/v1/balances").json()["data"] == []

The package is not imported before a test uses a fixture.
"""

import os
import textwrap
from collections.abc import Generator, Iterable, Iterator
from typing import Any

import pytest

from mockserver.client import pytest_quirks

REPORTED_MAX = 20  # requests in the report of a failing test
WIDTH = 100  # columns of that report
TARGET_MAX = 300  # characters of a target in it
OPTIONS = {
    "url": "URL of the gateway of a running server, to use that",
    "world": "world (seed data): a shipped name or a file",
    "scenario": "scenario to start with: a shipped name or a file",
    "seed": "seed of generated ids and random decisions",
    "limits": "all rate limits: default, or off for none",
    "auth-clock": "what checks signatures: machine, or process for time.time() of the tests",
}
SANDBOX_OPTIONS = ("world", "scenario", "seed", "limits", "auth-clock")
SETTINGS = (  # of the marker
    *("world", "seed", "quirks", "limits", "scenario", "ttl", "fault_headers", "auth_clock"),
    "snapshot",
)
MARKER_OPTIONS = ", ".join(f"{name}=" for name in SETTINGS)
SANDBOX = pytest.StashKey[Any]()  # not set by a project's own fixture `sandbox`


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Adds the options; each can also be set by a variable, e.g. ``MOCKSERVER_URL``."""
    pluginmanager.register(pytest_quirks, "mockserver-quirks")
    group = parser.getgroup("mockserver", "a fake exchange")
    for name, about in OPTIONS.items():
        variable = _variable(name)
        group.addoption(f"--mockserver-{name}", default=None, help=f"{about} [{variable}]")


def pytest_configure(config: pytest.Config) -> None:
    """Registers the marker."""
    config.addinivalue_line(
        "markers", f"mockserver({MARKER_OPTIONS}): settings of the test's sandbox"
    )


def pytest_report_header(config: pytest.Config) -> str:
    """Shows which server the tests use, with which world and seed."""
    url = _option(config, "url")
    where = url or "a server of this session"
    read = _given if url else _option  # a running server has read its own variables
    known = {} if url else {"world": "default", "seed": "490"}
    chosen = ((name, read(config, name)) for name in OPTIONS if name != "url")
    parts = known | {name: text for name, text in chosen if text}
    return ", ".join([f"mockserver: {where}", *(f"{n} {text}" for n, text in parts.items())])


def _variable(name: str) -> str:
    return f"MOCKSERVER_{name.upper().replace('-', '_')}"


def _given(config: pytest.Config, name: str) -> str | None:
    """Returns an option as it is on the command line."""
    value: str | None = config.getoption(f"--mockserver-{name}")
    return value


def _option(config: pytest.Config, name: str) -> str | None:
    """Returns an option, or else its variable."""
    value = _given(config, name)
    return os.environ.get(_variable(name)) if value is None else value


def _seed(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise _error(f"a seed is a whole number, not {text!r}") from None


def _error(message: object) -> BaseException:
    """Returns an exception that fails a test with one line and no traceback."""
    return pytest.fail.Exception(f"mockserver: {message}", pytrace=False)


@pytest.fixture(scope="session")
def mockserver(pytestconfig: pytest.Config) -> Iterator[Any]:
    """The server of the session: a new one on free ports, or the one at ``--mockserver-url``.
    It is a ``mockserver.MockServer``, or a remote one with the same methods.
        @pytest.fixture(scope="module")
        def exchange(mockserver):
            sandbox = mockserver.sandbox(world="empty")
            yield sandbox
            mockserver.drop(sandbox)
    """  # noqa: D205, D415 - the first paragraph is all that pytest --fixtures shows
    url = _option(pytestconfig, "url")
    if url:
        yield _remote_server(url)
        return
    server = _new_server(pytestconfig)
    try:
        _start(server)
        yield server
    finally:
        server.stop()


def _start(server: Any) -> None:
    """Starts a server of ours, unless it runs or sockets are blocked: it then runs in process."""
    if type(server).__module__ != "mockserver.client.server" or server.running:
        return
    try:
        server.start()
    except RuntimeError as error:
        if type(error).__name__ != "SocketBlockedError":  # of pytest-socket
            raise


def _remote_server(url: str) -> Any:
    from mockserver.client.remote import RemoteServer

    try:
        server = RemoteServer(url)
        server.check_connection()
    except (OSError, ValueError) as error:
        raise _error(error) from None
    return server


def _new_server(config: pytest.Config) -> Any:
    from mockserver.client.server import MockServer

    seed = _seed(_option(config, "seed") or "490")
    world = _option(config, "world") or "default"
    limits: Any = _option(config, "limits") or "default"
    auth_clock: Any = _option(config, "auth-clock") or "machine"
    scenario = _option(config, "scenario") or None
    try:
        return MockServer(world, seed=seed, limits=limits, scenario=scenario, auth_clock=auth_clock)
    except ValueError as error:
        raise _error(error) from None


@pytest.fixture
def sandbox(
    request: pytest.FixtureRequest, mockserver: Any, mockserver_alternative: Any
) -> Iterator[Any]:
    """A new sandbox for each test: an exchange of its own; settings come from the nearest marker.
    It is a ``mockserver.Sandbox``.
        @pytest.mark.mockserver(limits={"cpg.key": "2/60s"})
        def test_two_refusals(sandbox):
            sandbox.cpg.fail(reject="rate_limited", requests="1-2")
            assert my_client(sandbox.cpg.base_url, sandbox.cpg.credentials).total() == 3
            sandbox.verify(provider="cpg", reason="rate_limited", exactly=2)
    """  # noqa: D205, D415 - the first paragraph is all that pytest --fixtures shows
    _start(mockserver)
    settings = _option_settings(request.config) | _marker_settings(request.node)
    if mockserver_alternative is not None:
        settings["quirks"] = mockserver_alternative.settings | (settings.get("quirks") or {})
    try:
        sandbox = mockserver.sandbox(**settings)
    except ValueError as error:
        raise _error(error) from None
    request.node.stash[SANDBOX] = sandbox
    yield sandbox
    try:
        mockserver.drop(sandbox)
    except (OSError, ValueError) as error:
        if getattr(error, "status", None) != 404:  # dropped by the test, or expired
            raise _error(error) from None


def _option_settings(config: pytest.Config) -> dict[str, Any]:
    """Returns the settings in the options if the server was not started with them.

    Variables are left out: a running server has read its own.
    """
    if not _option(config, "url"):
        return {}
    values = {name.replace("-", "_"): _given(config, name) for name in SANDBOX_OPTIONS}
    settings: dict[str, Any] = {name: text for name, text in values.items() if text is not None}
    return settings | {"seed": _seed(settings["seed"])} if "seed" in settings else settings


def _marker_settings(node: pytest.Item) -> dict[str, Any]:
    """Returns the settings in the markers; those of the nearest marker come first."""
    settings: dict[str, Any] = {}
    for marker in node.iter_markers("mockserver"):
        unknown = [f"{name}=" for name in marker.kwargs if name not in SETTINGS]
        unknown += map(repr, marker.args)
        if unknown:
            hint = _nearest(marker.kwargs)
            raise _error(f"the marker takes {MARKER_OPTIONS}, not {', '.join(unknown)}{hint}")
        settings = {**marker.kwargs, **settings}
    return settings


def _nearest(names: Iterable[str]) -> str:
    """Returns the end of a sentence that names the nearest setting of the marker."""
    from mockserver.model.suggestions import did_you_mean

    wrong = next((name for name in names if name not in SETTINGS), "")
    return did_you_mean(wrong, SETTINGS)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds the journal of its sandbox to the report of a failing test."""
    report = yield
    sandbox = item.stash.get(SANDBOX, None)
    if sandbox is not None and report.failed and report.when != "teardown":
        report.sections.append((f"journal of sandbox {sandbox.id}", _journal(sandbox)))
    return report


def _journal(sandbox: Any) -> str:
    """Returns the last requests of a sandbox, one per line, refusals with an explanation."""
    try:
        entries = sandbox.journal
    except (OSError, ValueError) as error:  # dropped by the test, or the server is gone
        return f"not there any more: {error}"
    lines = [] if entries else ["no request"]
    if len(entries) > REPORTED_MAX:
        lines.append(f"... {len(entries) - REPORTED_MAX} earlier requests")
    for e in entries[-REPORTED_MAX:]:
        fault = f"[{', '.join(filter(None, (e.fault, e.delivery)))}]" if e.fault else ""
        key = e.credential and f"(key {e.credential})"
        details = " ".join(filter(None, (e.reason, key, e.note, fault)))
        target = e.target if len(e.target) <= TARGET_MAX else e.target[:TARGET_MAX] + "..."
        lines += _wrapped(f"{e.n} {e.provider} {e.method} {target} -> {e.status} {details}")
        if e.explanation:
            lines += _explanation(e.explanation)
    return "\n".join(lines)


def _wrapped(line: str, indent: str = "") -> list[str]:
    """Returns a line as lines that fit the width."""
    return textwrap.wrap(
        line,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + "        ",
        break_on_hyphens=False,
    )


def _explanation(explanation: dict[str, str]) -> list[str]:
    """Returns an explanation as indented lines."""
    parts = [(name, explanation[name]) for name in ("expected", "received") if explanation[name]]
    texts = [f"{explanation['rule']}: {explanation['fix']}", *(f"{n} {t}" for n, t in parts)]
    return [line for text in texts for line in _wrapped(text, "    ")]
