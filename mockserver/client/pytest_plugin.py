"""The pytest plugin: one server per session, a new sandbox per test.

@pytest.mark.mockserver(world="empty", limits="off")
def test_no_balances(sandbox):
    with sandbox.cpg.client() as client:
        assert client.get("/v1/balances").json()["data"] == []

The package is not imported before a test uses a fixture.
"""

import os
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from mockserver.client import pytest_quirks

REPORTED_MAX = 50  # requests in the report of a failing test
OPTIONS = {
    "url": "URL of the gateway of a running server, to use that",
    "world": "world (seed data): a shipped name or a file",
    "scenario": "scenario to start with: a shipped name or a file",
    "seed": "seed of generated ids and random decisions",
    "limits": "all rate limits: default, or off for none",
}
SANDBOX_OPTIONS = ("world", "scenario", "seed", "limits")
SETTINGS = ("world", "seed", "quirks", "limits", "scenario", "ttl")  # of the marker
MARKER_OPTIONS = ", ".join(f"{name}=" for name in SETTINGS)
SANDBOX = pytest.StashKey[Any]()  # not set by a project's own fixture `sandbox`


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Adds the options; each can also be set by a variable, e.g. ``MOCKSERVER_URL``."""
    pluginmanager.register(pytest_quirks, "mockserver-quirks")
    group = parser.getgroup("mockserver", "a fake exchange")
    for name, about in OPTIONS.items():
        variable = f"MOCKSERVER_{name.upper()}"
        group.addoption(f"--mockserver-{name}", default=None, help=f"{about} [{variable}]")


def pytest_configure(config: pytest.Config) -> None:
    """Registers the marker."""
    config.addinivalue_line(
        "markers", f"mockserver({MARKER_OPTIONS}): settings of the test's sandbox"
    )


def _option(config: pytest.Config, name: str) -> str | None:
    """Returns an option, or else its variable."""
    value: str | None = config.getoption(f"--mockserver-{name}")
    return os.environ.get(f"MOCKSERVER_{name.upper()}") if value is None else value


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
    """The server of the session: a new one on free ports, or the one at ``--mockserver-url``."""
    url = _option(pytestconfig, "url")
    if url:
        yield _remote_server(url)
        return
    with _new_server(pytestconfig) as server:
        yield server


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
    scenario = _option(config, "scenario") or None
    try:
        return MockServer(world, seed=seed, limits=limits, scenario=scenario)
    except ValueError as error:
        raise _error(error) from None


@pytest.fixture
def sandbox(
    request: pytest.FixtureRequest, mockserver: Any, mockserver_alternative: Any
) -> Iterator[Any]:
    """A new sandbox for each test; its settings come from the nearest marker that has them."""
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
    values = {name: config.getoption(f"--mockserver-{name}") for name in SANDBOX_OPTIONS}
    settings: dict[str, Any] = {name: text for name, text in values.items() if text is not None}
    return settings | {"seed": _seed(settings["seed"])} if "seed" in settings else settings


def _marker_settings(node: pytest.Item) -> dict[str, Any]:
    """Returns the settings in the markers; those of the nearest marker come first."""
    settings: dict[str, Any] = {}
    for marker in node.iter_markers("mockserver"):
        unknown = [f"{name}=" for name in marker.kwargs if name not in SETTINGS]
        unknown += map(repr, marker.args)
        if unknown:
            raise _error(f"the marker takes {MARKER_OPTIONS}, not {', '.join(unknown)}")
        settings = {**marker.kwargs, **settings}
    return settings


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
        lines.append(f"{e.n} {e.provider} {e.method} {e.target} -> {e.status} {details}".rstrip())
        if e.explanation:
            lines += _explanation(e.explanation)
    return "\n".join(lines)


def _explanation(explanation: dict[str, str]) -> list[str]:
    """Returns an explanation as indented lines."""
    parts = [(name, explanation[name]) for name in ("expected", "received") if explanation[name]]
    lines = [f"    {name} {text}" for name, text in parts]
    return [f"    {explanation['rule']}: {explanation['fix']}", *lines]
