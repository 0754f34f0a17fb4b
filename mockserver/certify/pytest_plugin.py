"""The pytest entry: each check is a test of its own.

@pytest.mark.certify(provider="cpg")
def test_my_client(certify):
    certify(my_client.balances)

The package is not imported before a test has the marker.
"""

from collections.abc import Iterator
from typing import Any

import pytest

MARKER = "certify"
FIXTURE = "certify"
SETTINGS = {"provider", "only", "skip", "requirements", "seed", "time_limit"}


def pytest_configure(config: pytest.Config) -> None:
    """Registers the marker."""
    config.addinivalue_line(
        "markers",
        "certify(provider, only=(), skip={}, requirements='', seed=490, time_limit=20):"
        " makes each check of a provider's clients a test, through the fixture `certify`",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Makes a test with the marker one test for each check."""
    marker = metafunc.definition.get_closest_marker(MARKER)
    if marker is None or FIXTURE not in metafunc.fixturenames:
        return
    from mockserver.certify import scoring
    from mockserver.model.suggestions import unknown
    from mockserver.providers import discover

    if marker.args or "provider" not in marker.kwargs or marker.kwargs.keys() - SETTINGS:
        raise pytest.UsageError(f"the marker certify takes {', '.join(sorted(SETTINGS))} by name")
    provider = marker.kwargs["provider"]
    if provider not in discover():
        raise pytest.UsageError(unknown("provider", provider, discover()))
    try:
        checks = scoring.selected(provider, marker.kwargs.get("only", ()))
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None
    metafunc.parametrize(FIXTURE, checks, ids=[check.id for check in checks], indirect=True)


@pytest.fixture(scope="session")
def certify_server() -> Iterator[Any]:
    """The server that clients are certified against."""
    from mockserver.client.server import MockServer

    with MockServer() as server:
        yield server


@pytest.fixture
def certify(request: pytest.FixtureRequest, certify_server: Any) -> Any:
    """Runs the check of this test on a client: a function, or the words of a command."""
    __tracebackhide__ = True
    check = getattr(request, "param", None)
    if check is None:
        raise pytest.UsageError("the fixture certify needs @pytest.mark.certify(provider=...)")
    settings = dict(request.node.get_closest_marker(MARKER).kwargs)

    def grade(client: Any) -> None:
        __tracebackhide__ = True
        _report(_result(certify_server, client, check, settings))

    return grade


def _result(server: Any, client: Any, check: Any, settings: dict[str, Any]) -> Any:
    """Returns the result of one check."""
    __tracebackhide__ = True
    from mockserver.certify import scoring
    from mockserver.certify.clients.command import CommandClient
    from mockserver.certify.clients.function import FunctionClient
    from mockserver.certify.run import Options, Suite

    try:
        requirements = scoring.requirements(settings.pop("requirements", ""))
        options = {k: settings[k] for k in settings.keys() - {"only"}}
        under_test = FunctionClient(client) if callable(client) else CommandClient(client)
        suite = Suite(server, under_test, Options(requirements=requirements, **options))
        return suite.run([check])[0]
    except ValueError as error:
        raise pytest.fail.Exception(f"certify: {error}", pytrace=False) from None


def _report(result: Any) -> None:
    """Ends the test as the verdict says: a warning passes, a skip never does."""
    __tracebackhide__ = True
    check = result.check
    text = f"{check.about}\n{result.complaint}\nwhy: {check.why}\nfix: {check.fix}"
    if result.verdict in ("not_applicable", "skipped"):
        pytest.skip(f"{result.verdict}: {result.complaint}")
    if result.verdict == "warning":
        import warnings

        warnings.warn(pytest.PytestWarning(f"{check.id}: {result.complaint}"), stacklevel=2)
    elif result.verdict != "pass":
        pytest.fail(f"{result.verdict}: {text}", pytrace=False)
