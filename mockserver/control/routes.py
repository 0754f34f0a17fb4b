"""What a verb of the control API is: a row, a call, and how it is refused."""

from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

import msgspec
from msgspec import Struct

from mockserver.engine.sandbox import Sandbox
from mockserver.files.strict_yaml import split_msgspec_error
from mockserver.model.amounts import decode_hook


class ControlError(ValueError):
    """A call that is not carried out: status, what is wrong, where in the body, what to do."""

    def __init__(self, status: int, error: str, at: str = "$", hint: str = "") -> None:
        super().__init__(f"{error} (at {at}): {hint}" if hint else f"{error} (at {at})")
        self.status = status
        self.body = {"error": error, "at": at, "hint": hint}
        self.allow: list[str] = []


class ControlCall(Struct, frozen=True):
    """One call: the application, where its callers see it, and what was said.

    ``path`` are the path's parameters, ``body`` is typed as the verb asks for, ``sandbox``
    is the one that the path names, where the verb needs it to be there.
    """

    app: Any
    origin: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    sandbox: Any = None


def known_sandbox(app: Any, id: str) -> Sandbox:
    """Returns a sandbox; raises Refused."""
    found: Sandbox | None = app.sandboxes.get(id)
    if found is None:
        raise ControlError(404, f"no sandbox {id}", hint="make it, or use default")
    return found


class ControlRoute(Struct, frozen=True):
    """A row: ``do`` returns what is answered, None for nothing; ``body`` types what is sent.

    ``query`` are the parameters it knows; ``makes`` says that it makes the sandbox which its
    path names. A ``large`` one may take a while, and is carried out in another thread. ``lines``
    yields the whole as lines of JSON, for those who accept that.
    """

    method: str
    path: str
    do: Callable[[ControlCall], Any]
    body: Any = None
    query: tuple[str, ...] = ()
    status: int = 200
    makes: bool = False
    large: bool = False
    lines: Callable[[ControlCall], Any] | None = None


def typed(data: Any, kind: Any, at: str = "$") -> Any:
    """Types what was sent; raises Refused with the place of the first mistake."""
    try:
        return msgspec.convert(data, kind, dec_hook=decode_hook)
    except msgspec.ValidationError as error:
        what, where = split_msgspec_error(str(error))
        place = at + _spelled(where, data, what)
        raise ControlError(400, what, place, _hint(kind, where)) from None


KINDS = {bool: "bool", int: "int", float: "float", type(None): "null", dict: "object"}


def _spelled(where: str, data: Any, what: str) -> str:
    """Spells out ``[...]``, which stands for a key: the first with a value of the wrong type."""
    before, unknown, after = where.partition("[...]")
    if not unknown:
        return where
    for step in before.split(".")[1:]:
        data = data[step]
    kinds = {key: KINDS.get(type(value), "array") for key, value in data.items()}
    wrong = [key for key, value in data.items() if not isinstance(value, str)]
    key = next((key for key in wrong if what.endswith(f"got `{kinds[key]}`")), wrong[0])
    return f'{before}["{key}"]{after}'


def _hint(kind: Any, where: str) -> str:
    """Names the members of the object in which the mistake is."""
    for step in where.split(".")[1:]:
        below = get_type_hints(kind).get(step) if isinstance(kind, type) else None
        if hasattr(below, "__struct_fields__"):
            kind = below
    names = getattr(kind, "__struct_fields__", None)
    return f"members are {', '.join(names)}" if names else ""


DIGITS = 20  # of a number in a query


def whole_number(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    """Reads a parameter that is a whole number; raises Refused."""
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= DIGITS):
        raise ControlError(400, f"{name} is no whole number", f"?{name}", f"from 0 to {most}")
    if int(text) > most:
        raise ControlError(400, f"{name} is too large", f"?{name}", f"at most {most}")
    return int(text)
