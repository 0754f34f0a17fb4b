"""The pytest plugin: one server per session, a fresh sandbox per test.

Nothing of the server is imported before a fixture is used.
"""

import os
from collections.abc import Generator, Iterator
from typing import Any

import pytest

SHOWN_MAX = 50  # requests that a failing test's report shows
OPTIONS = {
    "url": "use the server at this gateway, which runs already",
    "world": "a shipped world's name, or a file",
    "scenario": "a shipped scenario's name, or a file",
    "seed": "what generated ids depend on",
    "limits": "default, or off: no rate limit at all",
}
MARKER = ("world", "scenario", "seed", "limits")  # options that say how a sandbox is made
SETTINGS = ("world", "seed", "quirks", "limits", "scenario", "ttl")  # what the marker takes
MARKER_OPTIONS = ", ".join(f"{name}=" for name in SETTINGS)
SANDBOX = pytest.StashKey[Any]()  # ours, whatever a project's own `sandbox` may be


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options, each also a variable ``MOCKSERVER_URL``, ``MOCKSERVER_WORLD``, ..."""
    group = parser.getgroup("mockserver", "a fake exchange")
    for name, about in OPTIONS.items():
        variable = f"MOCKSERVER_{name.upper()}"
        group.addoption(f"--mockserver-{name}", default=None, help=f"{about} [{variable}]")


def pytest_configure(config: pytest.Config) -> None:
    """Declares the marker."""
    config.addinivalue_line(
        "markers", f"mockserver({MARKER_OPTIONS}): how the sandbox of a test is made"
    )


def _option(config: pytest.Config, name: str) -> str | None:
    given: str | None = config.getoption(f"--mockserver-{name}")
    return os.environ.get(f"MOCKSERVER_{name.upper()}") if given is None else given


def _seed(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise _wrong(f"a seed is a whole number, not {text!r}") from None


def _wrong(told: object) -> BaseException:
    """Returns what ends a test with one line, without a traceback of ours."""
    return pytest.fail.Exception(f"mockserver: {told}", pytrace=False)


@pytest.fixture(scope="session")
def mockserver(pytestconfig: pytest.Config) -> Iterator[Any]:
    """A server for the session: started on free ports, or the one that runs already."""
    url = _option(pytestconfig, "url")
    if url:
        yield _found(url)
        return
    with _made(pytestconfig) as server:
        yield server


def _found(url: str) -> Any:
    from mockserver.client.remote import RemoteServer

    try:
        server = RemoteServer(url)
        server.greet()
    except (OSError, ValueError) as error:
        raise _wrong(error) from None
    return server


def _made(config: pytest.Config) -> Any:
    from mockserver.client.server import MockServer

    seed = _seed(_option(config, "seed") or "490")
    world = _option(config, "world") or "default"
    limits = _option(config, "limits") or "default"
    scenario = _option(config, "scenario") or None
    try:
        return MockServer(world, seed=seed, limits=limits, scenario=scenario)
    except ValueError as error:
        raise _wrong(error) from None


@pytest.fixture
def sandbox(request: pytest.FixtureRequest, mockserver: Any) -> Iterator[Any]:
    """A sandbox of the test's own, made as its markers say; the nearest one counts."""
    wish = _asked(request.config) | _marked(request.node)
    try:
        made = mockserver.sandbox(**wish)
    except ValueError as error:
        raise _wrong(error) from None
    request.node.stash[SANDBOX] = made
    yield made
    try:
        mockserver.drop(made)
    except (OSError, ValueError) as error:
        if getattr(error, "status", None) != 404:  # the test or its ttl was faster
            raise _wrong(error) from None


def _asked(config: pytest.Config) -> dict[str, Any]:
    """Returns what the options say where the server was not started with them.

    The variables are those of the server too: one that runs already has had its own.
    """
    if not _option(config, "url"):
        return {}
    given = {name: config.getoption(f"--mockserver-{name}") for name in MARKER}
    wish: dict[str, Any] = {name: text for name, text in given.items() if text is not None}
    return wish | {"seed": _seed(wish["seed"])} if "seed" in wish else wish


def _marked(node: pytest.Item) -> dict[str, Any]:
    wish: dict[str, Any] = {}
    for marker in node.iter_markers("mockserver"):
        others = [f"{name}=" for name in marker.kwargs if name not in SETTINGS]
        others += map(repr, marker.args)
        if others:
            raise _wrong(f"the marker takes {MARKER_OPTIONS}, not {', '.join(others)}")
        wish = {**marker.kwargs, **wish}
    return wish


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Ends the report of a failing test with the journal of its sandbox."""
    report = yield
    sandbox = item.stash.get(SANDBOX, None)
    if sandbox is not None and report.failed and report.when != "teardown":
        report.sections.append((f"journal of sandbox {sandbox.id}", _journal(sandbox)))
    return report


def _journal(sandbox: Any) -> str:
    try:
        entries = sandbox.journal
    except (OSError, ValueError) as error:  # dropped by the test, or the server is gone
        return f"not there any more: {error}"
    lines = [] if entries else ["no request"]
    if len(entries) > SHOWN_MAX:
        lines.append(f"... {len(entries) - SHOWN_MAX} before")
    for e in entries[-SHOWN_MAX:]:
        mutate = f"[{', '.join(filter(None, (e.fault, e.delivery)))}]" if e.fault else ""
        key = e.credential and f"(key {e.credential})"
        told = " ".join(filter(None, (e.reason, key, e.note, mutate)))
        lines.append(f"{e.n} {e.provider} {e.method} {e.target} -> {e.status} {told}".rstrip())
        if e.explanation:
            lines += _why(e.explanation)
    return "\n".join(lines)


def _why(told: dict[str, str]) -> list[str]:
    lines = [f"    {told['rule']}: {told['fix']}"]
    return lines + [f"    {name} {told[name]}" for name in ("expected", "received") if told[name]]
