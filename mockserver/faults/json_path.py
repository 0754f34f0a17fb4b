"""JSON paths: ``$.data[0].amount``, with ``[*]`` for every row and ``.*`` for every member."""

import re
from collections.abc import Iterator
from typing import Any

Step = str | int | None  # None is every one
Path = tuple[Step, ...]
Place = tuple[Any, Any]  # an object or an array, and the key or the index in it

LENGTH_MAX = 512

_STEP = re.compile(r"\.(\*|[^.\[\]\s\"]+)|\[(\*|[0-9]{1,6})\]|\[\"([^\"\\]+)\"\]")


def parse(text: str) -> Path:
    """Reads a path; raises ValueError."""
    steps: list[Step] = []
    at = 1
    while at < len(text) <= LENGTH_MAX:
        found = _STEP.match(text, at)
        if not found:
            break
        name, index, quoted = found.groups()
        if name == "*" or index == "*":
            steps.append(None)
        else:
            steps.append(int(index) if index else name or quoted)
        at = found.end()
    if not text.startswith("$") or at != len(text) or not steps:
        raise ValueError(f"{text!r} is no path to a member: write $.data[0].amount")
    return tuple(steps)


def find(tree: Any, path: Path) -> list[Place]:
    """Returns every place in a tree that a path leads to."""
    places: list[Place] = [((tree,), 0)]
    for step in path:
        places = [place for at, key in places for place in _below(at[key], step)]
    return places


def _below(node: Any, step: Step) -> Iterator[Place]:
    if isinstance(node, dict):
        yield from ((node, key) for key in list(node) if step is None or key == step)
    elif isinstance(node, list):
        yield from ((node, i) for i in range(len(node)) if step is None or i == step)
