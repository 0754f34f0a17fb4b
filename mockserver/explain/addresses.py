"""Wrong addresses: what was probably meant by a path, or a method, that is none of a provider's.

What is likeliest is looked for first: how a base URL and a path were joined, then another
provider's path, then the documented path that is most like the one that came.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from difflib import SequenceMatcher
from urllib.parse import unquote

from mockserver.explain import Explanation, RejectedRequest, nearest, printable
from mockserver.model.provider import Provider, Route
from mockserver.model.query import parameter

NEAR = 0.6  # from which likeness on a path is told as the one that was meant
LOOKED_AT_MAX = 256  # characters of a path that are compared
VALUE_MAX = 80  # bytes of a parameter that are shown

URL = re.compile(r"[a-z]{2,5}:/{1,2}[^/]*(/.*)?", re.IGNORECASE | re.DOTALL)
SLASHES = re.compile(r"/{2,}")

Providers = Mapping[str, Provider]


def no_route(refused: RejectedRequest, provider: Provider, providers: Providers) -> Explanation:
    """Explains a path that the provider has not, or an operation of it."""
    if "parameter" in refused.facts:
        return _no_operation(refused, provider)
    path = refused.request.path.decode("latin-1")
    found = _joined(path, provider) or _elsewhere(path, provider, providers)
    rule, expected, fix = found or _unknown(path, refused.request.method, provider)
    return Explanation(rule, printable(expected.encode("latin-1", "replace")), _asked(refused), fix)


def bad_method(refused: RejectedRequest, provider: Provider, providers: Providers) -> Explanation:
    """Explains a method that the path has not."""
    allowed = ", ".join(refused.facts.get("allow", ()))
    path = printable(refused.request.path)
    return Explanation("wrong method", f"{allowed} {path}", _asked(refused), f"Use {allowed}.")


def _asked(refused: RejectedRequest) -> str:
    return f"{printable(refused.request.method.encode())} {printable(refused.request.path)}"


def _no_operation(refused: RejectedRequest, provider: Provider) -> Explanation:
    name = refused.facts["parameter"]
    known = [r.path.rpartition("=")[2] for r in provider.routes if "?" in r.path]
    given = parameter(refused.request, name.encode())
    received = f"{name}={printable(given, VALUE_MAX)}" if given else f"no {name}, or an empty one"
    meant = nearest(given.decode("utf-8", "replace"), known)
    fix = f"Send the parameter {name} with one of: {', '.join(known)}."
    hint = f" Did you mean {meant}?" if meant else ""
    return Explanation("unknown operation", f"{name}={', '.join(known)}", received, fix + hint)


# How a base URL and a path were joined; each returns rule, expected and fix, or None

Found = tuple[str, str, str] | None


def _joined(path: str, provider: Provider) -> Found:
    return next(filter(None, (look(path, provider) for look in JOINTS)), None)


def _whole_url(path: str, provider: Provider) -> Found:
    found = URL.search(unquote(path[: 4 * LOOKED_AT_MAX]))
    if found is None:
        return None
    fix = "A whole URL stands behind the base URL: give the client one or the other."
    return "whole URL in the path", found[1] or "/", fix


def _double_slash(path: str, provider: Provider) -> Found:
    if "//" not in path:
        return None
    first = path.startswith(("//", provider.base_path + "//"))
    fix = (
        "Drop the slash at the end of the base URL: the path begins with one."
        if first
        else "Send one slash where there are two: a part of the path is empty, or ends in one."
    )
    return "double slash", SLASHES.sub("/", path), fix


def _no_base(path: str, provider: Provider) -> Found:
    base = provider.base_path
    if not base or path.startswith(base + "/") or not _routes(provider, base + path):
        return None
    return "base path missing", base + path, f"The base URL ends in {base}: it is missing."


def _base_twice(path: str, provider: Provider) -> Found:
    base = provider.base_path
    once = path.removeprefix(base)
    if not base or not path.startswith(base + base + "/") or not _routes(provider, once):
        return None
    fix = f"The base URL ends in {base} already: do not write it in the path, too."
    return "base path twice", once, fix


def _slash_behind(path: str, provider: Provider) -> Found:
    if not path.endswith("/") or not _routes(provider, path[:-1]):
        return None
    return "trailing slash", path[:-1], "Drop the slash at the end of the path."


def _recased(path: str, provider: Provider) -> Found:
    parts = path.split("/")
    for known, _ in _paths(provider):
        wanted = known.split("/")
        if _fits(wanted, parts, str.lower):
            meant = "/".join(
                p if w.startswith("{") else w for w, p in zip(wanted, parts, strict=True)
            )
            return "path in another case", meant, "Write the path in small letters as documented."
    return None


JOINTS: tuple[Callable[[str, Provider], Found], ...] = (
    _whole_url,
    _double_slash,
    _no_base,
    _base_twice,
    _slash_behind,
    _recased,
)


# Other paths


def _elsewhere(path: str, provider: Provider, providers: Providers) -> Found:
    for other in providers.values():
        if other is not provider and any(
            _routes(other, base + path) for base in {"", other.base_path}
        ):
            fix = f"This is an operation of {other.name}: use its base URL."
            return "another provider's path", f"a path of {provider.name}", fix
    return None


def _unknown(path: str, method: str, provider: Provider) -> tuple[str, str, str]:
    meant = _nearest(provider, path, method)
    if meant is None:
        known = ", ".join(f"{r.method} {provider.base_path}{r.path}" for r in provider.routes)
        return "unknown path", known, "Use one of the documented paths."
    expected = f"{meant.method} {provider.base_path}{meant.path}"
    return "unknown path", expected, f"Did you mean {expected}?"


def _paths(provider: Provider) -> Iterator[tuple[str, Route]]:
    for route in provider.routes:
        for path in (route.path, *route.aliases):
            yield provider.base_path + path.partition("?")[0], route


def _routes(provider: Provider, path: str) -> bool:
    """Tells whether a path is one of a provider's."""
    parts = path.split("/")
    return any(_fits(known.split("/"), parts) for known, _ in _paths(provider))


def _fits(wanted: list[str], parts: list[str], fold: Callable[[str], str] = str) -> bool:
    return len(wanted) == len(parts) and all(
        w == p or (w.startswith("{") and p) or fold(w) == fold(p)
        for w, p in zip(wanted, parts, strict=True)
    )


def _nearest(provider: Provider, path: str, method: str) -> Route | None:
    """Returns the route whose path is most like one; of two like ones that with the method."""
    path = path[:LOOKED_AT_MAX].lower()
    rated = [
        (_likeness(_filled(known, path), path), route.method == method, -n, route)
        for n, (known, route) in enumerate(_paths(provider))
    ]
    best = max(rated, key=lambda row: row[:3])
    return best[3] if best[0] >= NEAR else None


def _filled(known: str, path: str) -> str:
    """Returns a documented path with the other's segments in the places of its parameters."""
    wanted, parts = known.lower().split("/"), path.split("/")
    if len(wanted) != len(parts):
        return known.lower()
    return "/".join(p if w.startswith("{") else w for w, p in zip(wanted, parts, strict=True))


def _likeness(known: str, path: str) -> float:
    match = SequenceMatcher(None, known, path, autojunk=False)
    # The bounds from above are quick to tell.
    if match.real_quick_ratio() < NEAR or match.quick_ratio() < NEAR:
        return 0.0
    return match.ratio()
