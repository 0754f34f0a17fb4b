"""Members of JSON objects, each given once: a hook for the standard library's decoder."""

from typing import Any


def once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Returns the members of an object; raises ValueError for one given twice."""
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member is given twice")
    return members
