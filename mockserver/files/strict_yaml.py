"""YAML read strictly: text to plain data, and every mistake to its line.

Plain words stay text unless they are ``true``, ``false``, ``null`` or a decimal
number (``012``, ``12:30:45``, ``on`` and dates are text); a key given twice and an
alias are refused.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import yaml

from mockserver.errors import DataError, DataPath

DEPTH_MAX = 100

Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


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
                raise DataError(f"the key {key_node.value} must be text: quote it", line=line)
            if key in mapping:
                raise DataError(f"the key {key} is given twice", line=line)
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
    """Raises DataError for aliases, tags and depth, before anything is made of the text."""
    depth = 0
    events: Any = yaml.parse(text, Loader=Base)
    for event in events:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            raise DataError("aliases (*name) are not read: write the value out", line=line)
        if getattr(event, "tag", None) is not None:
            raise DataError(f"tags ({event.tag}) are not read: leave them out", line=line)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH_MAX:
            raise DataError("nested too deeply", line=line)


def load(text: str) -> Any:
    """Reads a document; raises DataError."""
    try:
        _scan(text)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader, made stricter
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise DataError(str(error.problem), line=line) from None
    except yaml.YAMLError as error:
        raise DataError(str(error).splitlines()[0], line=1) from None
    except RecursionError:
        raise DataError("nested too deeply", line=1) from None


@contextmanager
def located(text: str) -> Iterator[None]:
    """Adds the line in ``text`` to a DataError raised inside."""
    try:
        yield
    except DataError as error:
        if error.line is None:
            error.line = line_of(text, error.path)
        raise


def line_of(text: str, path: DataPath) -> int:
    """Returns the line of a path in a valid document; of its beginning, where it leads nowhere."""
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
