"""The message for a name that does not exist: the valid names, and the nearest of them."""

from collections.abc import Iterable

NAME_MAX = 64  # characters; a longer name has no nearest one and is cut in messages
LISTED_MAX = 25  # names that are listed where one of them is suggested
SIMILARITY_MIN = 0.6  # of two names, from 0 to 1, for one to be suggested for the other


def nearest(name: str, known: Iterable[str]) -> str:
    """Returns the known name that is most similar, "" when none is similar enough."""
    from difflib import get_close_matches  # slow to import, and rarely needed

    names = [other for other in known if other]
    if not name or len(name) > NAME_MAX:
        return ""
    by_folded = {other.lower(): other for other in names}
    matches = get_close_matches(name.lower(), by_folded, 1, SIMILARITY_MIN)
    return by_folded[matches[0]] if matches else ""


def choices(name: str, known: Iterable[str], also: str = "") -> str:
    """Returns a text of all known names, then ``also``, then the one nearest to ``name``.

    Where there is a nearest one, a long list is only counted.
    """
    names = [other for other in known if other]
    suggestion = did_you_mean(name, names)
    if suggestion and len(names) > LISTED_MAX:
        return f"there are {len(names)}{also}{suggestion}"
    return f"there are {', '.join(names) or 'none'}{also}{suggestion}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Returns the end of a sentence that names the nearest known name, "" when there is none."""
    suggestion = nearest(name, known)
    return f"; did you mean {suggestion}?" if suggestion else ""


def unknown(kind: str, name: str, known: Iterable[str], also: str = "") -> str:
    """Returns one line that says there is no ``kind`` of this name, and what there is."""
    printed = name if len(name) <= NAME_MAX else name[:NAME_MAX] + "..."
    return f"no {kind} {printed}: {choices(name, known, also)}"
