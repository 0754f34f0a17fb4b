"""A client that a person starts: the suite prints where to connect, and reads the result."""

import shlex
import time
from collections.abc import Callable

from mockserver.certify import rows
from mockserver.certify.clients import RequestCounter
from mockserver.certify.clients.environment import variables
from mockserver.certify.model import Outcome, Stage

ASK = (
    "Run your client with these, then paste its JSON array in one line, its error message as"
    " text, or nothing if it gives no result:"
)


class PersonClient:
    """Prints the variables of each check and reads one line for the result."""

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
        seconds = time.monotonic() - begin
        if not answer.startswith("["):
            return Outcome(error=answer, known=bool(answer), seconds=seconds)
        try:
            return Outcome(rows=rows.parse_text(answer, stage.provider), seconds=seconds)
        except ValueError as error:
            return Outcome(error=str(error), problem=str(error), seconds=seconds)
