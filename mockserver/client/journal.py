"""The journal as Python sees it: the requests that a sandbox received."""

from typing import TypedDict

from msgspec import Struct


class Message(TypedDict):
    """The headers and the body of a request or a response, secrets redacted."""

    headers: dict[str, str]
    body: str


class Explanation(TypedDict):
    """Why a request was refused: the broken rule, what differs, and how to fix the request."""

    rule: str
    expected: str
    received: str
    fix: str


class JournalEntry(Struct, frozen=True):
    """A request and its response; times are RFC 3339 text, secrets are redacted.

    ``note`` says what was accepted although it is unusual, and what the client did wrong:
    a retry that came too early, or requests into a full limit.
    """

    n: int
    time: str
    auth_time: str
    provider: str
    operation: str
    method: str
    target: str
    credential: str
    status: int
    reason: str
    note: str
    fault: str | None
    delivery: str | None
    duration_us: int
    request: Message
    response: Message
    explanation: Explanation | None


class Journal(list[JournalEntry]):
    """The entries, oldest first."""

    def last(self, count: int) -> "Journal":
        """Returns the last ``count`` entries, oldest first; fewer when there are not as many."""
        return Journal(self[-count:] if count > 0 else ())
