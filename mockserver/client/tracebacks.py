"""Keeps frames of this package out of what a caller's mistake shows.

A module with ``__tracebackhide__ = hides_frames`` is left out of pytest's tracebacks.
"""

from types import TracebackType
from typing import Any

from mockserver.errors import MockServerError

MISTAKES = (MockServerError, AttributeError, KeyError, OSError)


def hides_frames(excinfo: Any) -> bool:
    """Returns whether pytest leaves frames out: for mistakes of callers, not for ours."""
    return isinstance(excinfo.value, MISTAKES)


class CallersMistake:
    """A block whose errors are the caller's: its inner frames are dropped from their traceback."""

    def __enter__(self) -> None:
        """Begins the block."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Drops the frames below the block."""
        if isinstance(error, MockServerError):
            error.__traceback__ = None
            error.__suppress_context__ = True
