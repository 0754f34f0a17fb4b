"""JSON paths: ``$.data[0].amount``, with ``[*]`` for every row and ``.*`` for every member."""

import re
from collections.abc import Iterator
from typing import Any

Step = str | int | None  # None is a wildcard
Path = tuple[Step, ...]
JsonPlace = tuple[Any, Any]  # an object or array, and the key or index in it

LENGTH_MAX = 512

_STEP = re.compile(r"\.(\*|[^.\[\]\s\"]+)|\[(\*|[0-9]{1,6})\]|\[\"([^\"\\]+)\"\]")


def parse(text: str) -> Path:
    """Parses a path; raises ValueError."""
    steps: list[Step] = []
    at = 1
    while at < len(text) <= LENGTH_MAX:
        step = _STEP.match(text, at)
        if not step:
            break
        name, index, quoted = step.groups()
        if name == "*" or index == "*":
            steps.append(None)
        else:
            steps.append(int(index) if index else name or quoted)
        at = step.end()
    if not text.startswith("$") or at != len(text) or not steps:
        raise ValueError(f"{text!r} is no path to a member: write one such as $.data[0].amount")
    return tuple(steps)


def find(tree: Any, path: Path) -> list[JsonPlace]:
    """Returns every place in a tree that a path leads to."""
    places: list[JsonPlace] = [((tree,), 0)]
    for step in path:
        places = [place for parent, key in places for place in _below(parent[key], step)]
    return places


def _below(node: Any, step: Step) -> Iterator[JsonPlace]:
    if isinstance(node, dict):
        yield from ((node, key) for key in list(node) if step is None or key == step)
    elif isinstance(node, list):
        yield from ((node, i) for i in range(len(node)) if step is None or i == step)
