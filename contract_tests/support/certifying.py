"""Certifies clients inside a test, on a machine that counts as idle."""

from collections.abc import Callable, Iterable
from typing import Any

from mockserver import MockServer
from mockserver.certify import scoring
from mockserver.certify.clients.function import FunctionClient
from mockserver.certify.load import Load
from mockserver.certify.model import Result
from mockserver.certify.run import Options, Suite

FEW = ("documented-example", "forty-digits", "unknown-key")
TIME_LIMIT = 4  # seconds for a run; what hangs takes them all


class Idle(Load):
    """A machine with time to spare, whatever else runs on it."""

    def share(self) -> float:
        return 0.0


class Busy(Load):
    """A machine without a processor to spare."""

    def share(self) -> float:
        return 1.0


def certified(
    server: MockServer,
    client: Callable[..., Any],
    provider: str,
    only: Iterable[str] = (),
    **options: Any,
) -> list[Result]:
    """Runs the checks of a provider, or some of them, on a function."""
    settings = {"time_limit": TIME_LIMIT, "load": Idle, **options}
    chosen = Options(provider=provider, requirements=scoring.requirements(), **settings)
    return Suite(server, FunctionClient(client), chosen).run(scoring.selected(provider, only))


def verdicts(results: list[Result]) -> dict[str, str]:
    """Returns the verdicts by the ids of the checks."""
    return {result.check.id: result.verdict for result in results}
