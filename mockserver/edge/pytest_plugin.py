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
    "seed": "what generated ids depend on",
    "limits": "default, or off: no rate limit at all",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options, each also a variable ``MOCKSERVER_URL``, ``MOCKSERVER_WORLD``, ..."""
    group = parser.getgroup("mockserver", "a fake exchange")
    for name, about in OPTIONS.items():
        variable = f"MOCKSERVER_{name.upper()}"
        group.addoption(f"--mockserver-{name}", default=None, help=f"{about} [{variable}]")


def pytest_configure(config: pytest.Config) -> None:
    """Declares the marker."""
    config.addinivalue_line(
        "markers",
        "mockserver(world=, seed=, quirks=, limits=, ttl=): how the sandbox of a test is made",
    )


def _option(config: pytest.Config, name: str) -> str | None:
    given: str | None = config.getoption(f"--mockserver-{name}")
    return given or os.environ.get(f"MOCKSERVER_{name.upper()}")


@pytest.fixture(scope="session")
def mockserver(pytestconfig: pytest.Config) -> Iterator[Any]:
    """A server for the session: started on free ports, or the one that runs already."""
    url = _option(pytestconfig, "url")
    if url:
        from mockserver.edge.remote import RemoteServer

        yield RemoteServer(url)
        return
    from mockserver.edge.mock import MockServer

    seed = _option(pytestconfig, "seed") or "490"
    if not seed.isdecimal():
        raise pytest.UsageError(f"--mockserver-seed is a whole number, not {seed!r}")
    world = _option(pytestconfig, "world") or "default"
    limits = _option(pytestconfig, "limits") or "default"
    with MockServer(world, seed=int(seed), limits=limits) as server:
        yield server


@pytest.fixture
def sandbox(request: pytest.FixtureRequest, mockserver: Any) -> Iterator[Any]:
    """A sandbox of the test's own, made as its markers say; the nearest one counts."""
    wish: dict[str, Any] = {}
    for marker in request.node.iter_markers("mockserver"):
        if marker.args:
            raise pytest.UsageError("the marker mockserver takes names: world=, quirks=, limits=")
        wish = marker.kwargs | wish
    made = mockserver.sandbox(**wish)
    yield made
    mockserver.drop(made)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Ends the report of a failing test with the journal of its sandbox."""
    report = yield
    sandbox: Any = getattr(item, "funcargs", {}).get("sandbox")
    if report.when == "call" and report.failed and hasattr(sandbox, "journal"):
        report.sections.append((f"journal of sandbox {sandbox.id}", _journal(sandbox.journal)))
    return report


def _journal(entries: list[Any]) -> str:
    lines = [] if entries else ["no request"]
    if len(entries) > SHOWN_MAX:
        lines.append(f"... {len(entries) - SHOWN_MAX} before")
    for e in entries[-SHOWN_MAX:]:
        told = " ".join(filter(None, (e.reason, e.credential and f"(key {e.credential})", e.note)))
        lines.append(f"{e.n} {e.provider} {e.method} {e.target} -> {e.status} {told}".rstrip())
    return "\n".join(lines)
