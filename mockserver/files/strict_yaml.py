"""YAML read strictly: text to plain data, and every mistake to its line.

Plain words stay text unless they are ``true``, ``false``, ``null`` or a decimal
number (``012``, ``12:30:45``, ``on`` and dates are text); a key given twice and an
alias are refused.
"""

import re
from collections.abc import Callable
from typing import Any

import msgspec
import yaml

from mockserver.model.amounts import decode_hook
from mockserver.model.redaction import printable

DEPTH_MAX = 100

Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class LocatedError(Exception):
    """Something wrong in a document: the line (from 1), the path and what it is."""

    def __init__(self, line: int, path: str, what: str) -> None:
        self.line = line
        self.path, self.what = _plain(path), _plain(what)
        super().__init__(f"line {line}: {self.path}: {self.what}")


def _plain(text: str) -> str:
    """Writes what a file says in one line."""
    return printable(text.encode("utf-8", "backslashreplace"))


class _Loader(Base):  # type: ignore[misc]
    yaml_implicit_resolvers: dict[str, list[Any]] = {}

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        mapping = {}
        for key_node, value_node in node.value:
            # As a key, null is a word: a rule may set a member to it.
            null = key_node.value == "null"
            key = "null" if null else self.construct_object(key_node)
            line = key_node.start_mark.line + 1
            if not isinstance(key, str):
                raise LocatedError(line, "$", f"the key {key_node.value} must be text: quote it")
            if key in mapping:
                raise LocatedError(line, "$", f"the key {key} is given twice")
            mapping[key] = self.construct_object(value_node, deep=True)
        return mapping


def _mapping(loader: Any, node: Any) -> dict[Any, Any]:
    return loader.construct_mapping(node, deep=True)  # type: ignore[no-any-return]


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
for _tag, _form, _first in (
    ("bool", r"true|false", "tf"),
    ("null", r"null|~|", "n~"),
    ("int", r"-?(0|[1-9][0-9]{0,17})", "-0123456789"),
    ("float", r"-?(0|[1-9][0-9]*)(\.[0-9]*)?([eE][-+]?[0-9]+)?|-?\.[0-9]+", "-0123456789."),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_form})$"), [*_first]
    )
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile("^$"), [""])


def _scan(text: str) -> None:
    """Raises Wrong for aliases, tags and depth, before anything is made of the text."""
    depth = 0
    events: Any = yaml.parse(text, Loader=Base)
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            raise LocatedError(1, "$", "aliases (*name) are not read: write the value out")
        if getattr(event, "tag", None) is not None:
            line = event.start_mark.line + 1
            raise LocatedError(line, "$", f"tags ({event.tag}) are not read: leave them out")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH_MAX:
            raise LocatedError(1, "$", "nested too deeply")


def load(text: str) -> Any:
    """Reads a document; raises Wrong."""
    try:
        _scan(text)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader, made stricter
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise LocatedError(line, "$", str(error.problem)) from None
    except yaml.YAMLError as error:
        raise LocatedError(1, "$", str(error).splitlines()[0]) from None
    except RecursionError:
        raise LocatedError(1, "$", "nested too deeply") from None


# Where msgspec says a mistake is, behind what it says of it.
_PLACE = re.compile(r" - at `\$((?:\.[^.\[`]+|\[\d+\]|\[\.\.\.\])+)`$")


def split_msgspec_error(told: str) -> tuple[str, str]:
    """Returns what msgspec says of a mistake, and the path of it behind ``$``."""
    place = _PLACE.search(told)
    return (told[: place.start()], place[1]) if place else (told, "")


def convert(text: str, data: Any, path: tuple[str | int, ...], kind: Any) -> Any:
    """Types ``data``, which stands at ``path`` in ``text``; raises Wrong."""
    try:
        return msgspec.convert(data, kind, dec_hook=decode_hook)
    except msgspec.ValidationError as error:
        told = str(error)
        what, where = split_msgspec_error(told)
        below = _steps(where)
        full = path + _narrow(data, below, lambda d: _error(d, kind) == told)
        unknown = re.search(r"unknown field `(.*)`", what, re.DOTALL)
        if unknown:
            full += (unknown.group(1),)
        raise located_error(text, full, what) from None


def located_error(text: str, path: tuple[str | int, ...], what: str) -> LocatedError:
    """Makes the error for what stands at ``path`` in ``text``, with its line."""
    shown = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return LocatedError(_line(text, path), f"${shown}", what)


def _steps(where: str) -> list[str]:
    """Splits msgspec's path: ``.name``, ``[3]``, and ``[...]`` for a key it does not tell."""
    return re.findall(r"\[\d+\]|\[\.\.\.\]|\.[^.\[]+", where)


def _narrow(
    data: Any, steps: list[str], fails: Callable[[Any], bool], seen: tuple[str | int, ...] = ()
) -> tuple[str | int, ...]:
    """Finds the key that ``[...]`` stands for: the one which alone fails the same way."""
    here = _at(data, seen)
    if not steps:
        return seen
    step: str | int
    if steps[0] == "[...]":
        alone = (k for k in here if fails(_replaced(data, seen, {k: here[k]})))
        found = next(alone, None)
        if found is None:
            return seen
        step = found
        data = _replaced(data, seen, {step: here[step]})
    else:
        step = int(steps[0][1:-1]) if steps[0][0] == "[" else steps[0][1:]
    return _narrow(data, steps[1:], fails, (*seen, step))


def _at(data: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        data = data[step]
    return data


def _replaced(data: Any, path: tuple[str | int, ...], value: Any) -> Any:
    if not path:
        return value
    copy = data.copy()
    copy[path[0]] = _replaced(data[path[0]], path[1:], value)
    return copy


def _error(data: Any, kind: Any) -> str:
    try:
        msgspec.convert(data, kind, dec_hook=decode_hook)
    except msgspec.ValidationError as error:
        return str(error)
    return ""


def _line(text: str, path: tuple[str | int, ...]) -> int:
    """Finds a path's line by reading the text again; it stops where the path ends."""
    node = yaml.compose(text, Loader=Base)
    line = 1
    for step in path:
        if isinstance(node, yaml.MappingNode):
            pair = next((p for p in node.value if p[0].value == step), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            node = node.value[step]
            line = node.start_mark.line + 1
    return line
