"""``--mockserver-quirks``: runs each test once per alternative of the assumed facts.

What a provider does is not always known. Where it is assumed here, a quirk has another behaviour:
a client that passes with each of them does not depend on the assumption.
"""

from collections.abc import Generator
from functools import cache
from typing import Any

import pytest

OPTION = "--mockserver-quirks"
FIXTURE = "mockserver_alternative"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the option."""
    parser.getgroup("mockserver", "a fake exchange").addoption(
        OPTION,
        default=None,
        metavar="all|NAME,...",
        help="run each test with a sandbox once per alternative of these assumptions (facts or "
        "quirks by name; all: the twenty most harmful)",
    )


@pytest.fixture
def mockserver_alternative(request: pytest.FixtureRequest) -> Any:
    """The alternative that the test runs with, None without ``--mockserver-quirks``."""
    return getattr(request, "param", None)


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Ends the session with one line where a name does not exist."""
    names = session.config.getoption(OPTION)
    if names:
        _alternatives(names)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs a test that uses the fixture ``sandbox`` once per alternative."""
    names = metafunc.config.getoption(OPTION)
    if names and FIXTURE in metafunc.fixturenames:
        chosen = _alternatives(names)
        metafunc.parametrize(FIXTURE, chosen, ids=[a.id for a in chosen], indirect=True)


@cache
def _alternatives(names: str) -> list[Any]:
    from mockserver.files.assumptions import alternatives
    from mockserver.providers import discover

    try:
        return alternatives(names, discover())
    except ValueError as error:
        raise pytest.UsageError(f"{OPTION}: {error}") from None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds the assumption that a failing test depends on to its report."""
    report = yield
    alternative = getattr(item, "funcargs", {}).get(FIXTURE)
    if alternative is not None and report.failed:
        fact = alternative.fact
        text = f"{fact.id} is assumed: {fact.fact}\nIt failed with {alternative.quirk}="
        report.sections.append(("assumption", f"{text}{alternative.value}. {fact.advice}"))
    return report
