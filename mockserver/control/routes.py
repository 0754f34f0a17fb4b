"""What a control API route and a call of it are, and how a call's values are read."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from mockserver.engine.sandbox import Sandbox
from mockserver.errors import ControlError, DataError, DataPath, InvalidCall, json_path
from mockserver.model import typed_data
from mockserver.model.suggestions import NAME_MAX, choices

DIGITS_MAX = 20  # of a number in a query


class ControlCall(Struct, frozen=True):
    """One call of a route.

    ``app`` is the application, ``origin`` the gateway's URL as the caller sees it. ``path`` and
    ``query`` are parameters by name, ``body`` has the route's type. ``sandbox`` is the one that
    the path names, None where it names none or creates it.
    """

    app: Any
    origin: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    sandbox: Any = None


class ControlRoute(Struct, frozen=True):
    """A method and path of the control API, and what handles it.

    ``handler`` returns the body of the response, None for none; ``status`` goes with it. ``body``
    is the type of the request's body, None where it has none. ``query`` are the parameters that
    are allowed. ``creates``: the handler creates the sandbox that the path names. ``large``: the
    handler may take long and runs in another thread. ``stream_lines`` returns the whole response
    as lines of JSON, for clients that accept them.
    """

    method: str
    path: str
    handler: Callable[[ControlCall], Any]
    body: Any = None
    query: tuple[str, ...] = ()
    status: int = 200
    creates: bool = False
    large: bool = False
    stream_lines: Callable[[ControlCall], Any] | None = None


class MethodNotAllowed(ControlError):
    """A path that does not have the method; ``allowed`` are the methods that it has."""

    def __init__(self, method: str, path: str, allowed: list[str]) -> None:
        super().__init__(405, f"{path} has no {method}", hint=f"it has {', '.join(allowed)}")
        self.allowed = allowed


def known_sandbox(app: Any, id: str) -> Sandbox:
    """Returns a sandbox; raises ControlError (404)."""
    sandbox: Sandbox | None = app.sandboxes.get(id)
    if sandbox is None:
        raise ControlError(404, f"no sandbox {id}", hint="create it, or use default")
    return sandbox


def invalid(error: DataError, hint: str, *prefix: str | int) -> InvalidCall:
    """Returns the refusal of wrong data that is at the path ``prefix`` of the body."""
    return InvalidCall(error.message, json_path((*prefix, *error.path)), hint)


def convert(data: Any, kind: Any, *prefix: str | int) -> Any:
    """Returns data at the path ``prefix`` of the body as a type; raises InvalidCall."""
    try:
        return typed_data.convert(data, kind)
    except DataError as error:
        raise invalid(error, _members(kind, error.path), *prefix) from None


def _members(kind: Any, path: DataPath) -> str:
    """Returns a hint that names the members of the innermost object on the path."""
    names = typed_data.members(kind, path)
    return f"members are {', '.join(names)}" if names else ""


def one_of(query: Mapping[str, str], name: str, words: Sequence[str]) -> str:
    """Returns a parameter that is one of some words, the first by default; raises InvalidCall."""
    word = query.get(name, words[0])
    if word not in words:
        raise InvalidCall(f"{name} is not {word[:NAME_MAX]!r}", f"?{name}", choices(word, words))
    return word


def whole_number(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    """Returns a parameter that is a whole number; raises InvalidCall."""
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX):
        raise InvalidCall(f"{name} is not a whole number", f"?{name}", f"from 0 to {most}")
    if int(text) > most:
        raise InvalidCall(f"{name} is too large", f"?{name}", f"at most {most}")
    return int(text)
