"""The ways to run a client: a command, a Python function, a person."""

from typing import Protocol

from mockserver.certify.model import Outcome, Stage

STOP_AFTER = 150  # requests of one run, after which it is ended
POLL = 0.05  # seconds between two looks at a running client


class RequestCounter(Protocol):
    """Counts the requests of a running check."""

    def __call__(self) -> int:
        """Returns the number of requests so far."""


class Client(Protocol):
    """A client under test."""

    name: str
    digest: str  # of its code, as far as it is known
    workers: int  # how many runs at once
    rehearses: bool  # whether a run more, before the checks, costs nothing

    def run(self, stage: Stage, requests: RequestCounter) -> Outcome:
        """Runs the client once, at most ``stage.time_limit`` seconds."""
