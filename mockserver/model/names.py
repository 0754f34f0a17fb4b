"""What is said of a name that does not exist: the nearest right one, and which there are."""

from collections.abc import Iterable

NAME_MAX = 64  # characters of a name; for a longer one no other is near
NEAR = 0.6  # how alike two names are, from 0 to 1


def nearest(name: str, known: Iterable[str]) -> str:
    """Returns the known name that is most like this one, or nothing."""
    from difflib import get_close_matches  # imported when a name is wrong

    names = [other for other in known if other]
    if not name or len(name) > NAME_MAX:
        return ""
    folded = {other.lower(): other for other in names}
    found = get_close_matches(name.lower(), folded, 1, NEAR)
    return folded[found[0]] if found else ""


def choices(name: str, known: Iterable[str], also: str = "") -> str:
    """Returns what to write instead of a name: all there are, then ``also``, then the nearest."""
    names = [other for other in known if other]
    near = nearest(name, names)
    there = f"there are {', '.join(names) or 'none'}{also}"
    return f"{there}; did you mean {near}?" if near else there


def unknown(what: str, name: str, known: Iterable[str], also: str = "") -> str:
    """Returns the refusal of a name, in one line."""
    shown = name if len(name) <= NAME_MAX else name[:NAME_MAX] + "..."
    return f"no {what} {shown}: {choices(name, known, also)}"
