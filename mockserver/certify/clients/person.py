"""A client that a person starts: the suite prints where to connect, and reads the result."""

import json
import shlex
import time
from collections.abc import Callable

from msgspec.structs import replace

from mockserver.certify import rows
from mockserver.certify.clients import RequestCounter
from mockserver.certify.clients.environment import variables
from mockserver.certify.model import Outcome, Stage

ASK = (
    "Run your client with these, then paste its JSON array in one line, or error: and its message,"
    " or nothing if it gives no result:"
)
ERROR = "error:"
FORM = "expected a JSON array in one line, or error: and the message"
TRIES = 3  # pastes of one check: one that was cut short is not the client's


class PersonClient:
    """Prints the variables of each check and reads one line for the result.

    A line that is neither rows nor an error, a paste that was cut short, is asked for again.
    """

    name = "started by hand"
    digest = "unknown"
    workers = 1
    rehearses = False

    def __init__(self, ask: Callable[[str], str]) -> None:
        self._ask = ask

    def run(self, stage: Stage, requests: RequestCounter) -> Outcome:
        """Asks for one run; it has no time limit."""
        begin = time.monotonic()
        lines = [f"export {name}={shlex.quote(v)}" for name, v in variables(stage).items()]
        answer = self._ask("\n".join(["", f"# {stage.check}", *lines, ASK, ""])).strip()
        for _ in range(TRIES - 1):
            if _is_result(answer):
                break
            answer = self._ask(f"{FORM}; paste again:").strip()
        return replace(_outcome(answer, stage.provider), seconds=time.monotonic() - begin)


def _is_result(answer: str) -> bool:
    """Returns whether a paste is whole: rows, an error, or nothing."""
    if not answer or answer.startswith(ERROR):
        return True
    try:
        return isinstance(json.loads(answer), list)
    except (ValueError, RecursionError):
        return False


def _outcome(answer: str, provider: str) -> Outcome:
    """Returns what a paste says."""
    if not answer or answer.startswith(ERROR):
        return Outcome(error=answer.removeprefix(ERROR).strip(), known=bool(answer))
    if not _is_result(answer):
        return _broken(f"{FORM}; got {answer[:60]!r}")
    try:
        return Outcome(rows=rows.parse_text(answer, provider))
    except ValueError as error:
        return _broken(str(error))


def _broken(problem: str) -> Outcome:
    return Outcome(error=problem, problem=problem)
