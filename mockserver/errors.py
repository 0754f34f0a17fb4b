"""Every error that a user of the package can catch.

    MockServerError
    ├── SettingError (ValueError)      a value that is not allowed: message, path
    │   ├── DataError                  in a world, a scenario or a rule: also line
    │   ├── FileError                  in a file, or the file itself: also file, line
    │   ├── UnusableClient             of ``mockserver certify``: the client, or how to grade it
    │   └── InvalidCall                in a control API call: also a ControlError
    ├── ControlError (ValueError)      a refused control API call: status, error, at, hint
    │   └── InvalidCall                status 400
    ├── UnreadableRequest (ValueError) a pasted request that cannot be parsed
    ├── VerificationError (AssertionError)  ``verify`` counted another number: count, nearest
    ├── PortInUse                      a port that cannot be bound: port
    └── TooManySandboxes               a server that has as many as it may have: limit

A ``path`` leads to a value in data: member names and list indexes from the root. ``json_path``
spells it.
"""

import json
from collections.abc import Sequence
from typing import Any

__all__ = [
    "ControlError",
    "DataError",
    "DataPath",
    "FileError",
    "InvalidCall",
    "MockServerError",
    "PortInUse",
    "SettingError",
    "TooManySandboxes",
    "UnreadableRequest",
    "UnusableClient",
    "VerificationError",
    "json_path",
]

DataPath = tuple[str | int, ...]


def json_path(path: DataPath) -> str:
    """Returns a path as a JSON path, such as ``$.rules[0].match["x-y"]``."""
    return "$" + "".join(map(_step, path))


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if step.isidentifier() else f"[{json.dumps(step)}]"


def _one_line(text: str) -> str:
    """Escapes control characters and surrogates."""
    text = text.encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


class MockServerError(Exception):
    """The base of all errors below."""


class SettingError(MockServerError, ValueError):
    """A value that is not allowed, given in Python, over HTTP, in TOML or in YAML.

    ``message`` is one line. ``path`` leads to the value where it stands in data; else it is empty.
    """

    def __init__(self, message: str, path: DataPath = ()) -> None:
        super().__init__(message)
        self.message = _one_line(message)
        self.path = path

    def __str__(self) -> str:
        return self.message


class DataError(SettingError):
    """A wrong value in a world, a scenario or a rule.

    ``line`` (from 1) is None for data that was not read from text.
    """

    def __init__(self, message: str, path: DataPath = (), line: int | None = None) -> None:
        super().__init__(message, path)
        self.line = line

    def __str__(self) -> str:
        line = f"line {self.line}: " if self.line else ""
        return f"{line}{json_path(self.path)}: {self.message}"


class FileError(SettingError):
    """A file that cannot be used; ``line`` (from 1) is None where no line of it is wrong."""

    def __init__(
        self, file: str, message: str, line: int | None = None, path: DataPath = ()
    ) -> None:
        super().__init__(message, path)
        self.file = file
        self.line = line

    def __str__(self) -> str:
        if self.line is None:
            return f"{_one_line(self.file)}: {self.message}"
        return f"{_one_line(self.file)}:{self.line}: {json_path(self.path)}: {self.message}"


class ControlError(MockServerError, ValueError):
    """A refused call of the control API; nothing has changed.

    ``status`` is the HTTP status, ``error`` the reason, ``at`` the JSON path of the wrong value
    in the body (or a parameter's name), ``hint`` what to do. ``facts`` are further members of
    the response.
    """

    def __init__(
        self, status: int, error: str, at: str = "$", hint: str = "", **facts: Any
    ) -> None:
        super().__init__(f"{error} (at {at}): {hint}" if hint else f"{error} (at {at})")
        self.status = status
        self.error = error
        self.at = at
        self.hint = hint
        self.facts = facts

    def __str__(self) -> str:
        return str(self.args[0])

    @property
    def body(self) -> dict[str, Any]:
        """The JSON body of the response."""
        return {"error": self.error, "at": self.at, "hint": self.hint, **self.facts}


class InvalidCall(ControlError, SettingError):
    """A control API call with a value that is not allowed: status 400."""

    def __init__(self, error: str, at: str = "$", hint: str = "", **facts: Any) -> None:
        super().__init__(400, error, at, hint, **facts)


class UnusableClient(SettingError):
    """A client that ``mockserver certify`` cannot grade as it is, or a wrong setting for it.

    The message is one line that says what was expected.
    """


class UnreadableRequest(MockServerError, ValueError):
    """A pasted request that cannot be parsed; the message says what to change."""


class VerificationError(MockServerError, AssertionError):
    """``verify`` counted another number of requests than expected.

    ``nearest`` are the entries that come nearest, each with what differs.
    """

    def __init__(
        self, message: str, count: int = 0, nearest: Sequence[dict[str, Any]] = ()
    ) -> None:
        super().__init__(message)
        self.count = count
        self.nearest = nearest


class PortInUse(MockServerError):
    """A port that cannot be bound."""

    def __init__(self, message: str, port: int) -> None:
        super().__init__(message)
        self.port = port


class TooManySandboxes(MockServerError):
    """A sandbox that is not made because the server has as many as it may have."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"there are {limit} sandboxes already")
        self.limit = limit
