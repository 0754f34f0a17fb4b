"""Explanations of wrong paths and methods: the operation that the client probably meant.

The likeliest causes come first: how a base URL and a path were joined, then a path of another
provider, then the documented path that is most similar to the received one.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from difflib import SequenceMatcher
from urllib.parse import unquote

from mockserver.explain import Explanation, RejectedRequest, printable
from mockserver.model.provider import Provider, Route
from mockserver.model.query import parameter
from mockserver.model.suggestions import nearest

SIMILARITY_MIN = 0.6  # of a documented path to be suggested, between 0 and 1
COMPARED_MAX = 256  # characters of a path that are compared
VALUE_MAX = 80  # bytes of a parameter that are shown

URL = re.compile(r"[a-z]{2,5}:/{1,2}[^/]*(/.*)?", re.IGNORECASE | re.DOTALL)
SLASHES = re.compile(r"/{2,}")

Providers = Mapping[str, Provider]


def explain_address(
    rejected: RejectedRequest, provider: Provider, providers: Providers
) -> Explanation:
    """Explains a method that the path does not have, a wrong path, or an operation of it."""
    if "parameter" in rejected.facts:
        return _unknown_operation(rejected, provider)
    request = rejected.request
    received = f"{printable(request.method.encode())} {printable(request.full_path)}"
    if "allow" in rejected.facts:
        allowed = ", ".join(rejected.facts["allow"])
        expected = f"{allowed} {printable(request.full_path)}"
        return Explanation("wrong method", expected, received, f"Use {allowed}.")
    path = request.full_path.decode("latin-1")
    rule, expected, fix = (
        next(_join_mistakes(path, provider), None)
        or _path_of_another(path, provider, providers)
        or _unknown_path(path, request.method, provider)
    )
    return Explanation(rule, printable(expected.encode("latin-1", "replace")), received, fix)


def _unknown_operation(rejected: RejectedRequest, provider: Provider) -> Explanation:
    """Explains a wrong value of the parameter that selects the operation."""
    name = rejected.facts["parameter"]
    known = [route.path.rpartition("=")[2] for route in provider.routes if "?" in route.path]
    value = parameter(rejected.request, name.encode())
    received = f"{name}={printable(value, VALUE_MAX)}" if value else f"no {name}, or an empty one"
    similar = nearest(value.decode("utf-8", "replace"), known)
    fix = f"Send the parameter {name} with one of: {', '.join(known)}."
    hint = f" Did you mean {similar}?" if similar else ""
    return Explanation("unknown operation", f"{name}={', '.join(known)}", received, fix + hint)


Finding = tuple[str, str, str]  # rule, expected path, fix


def _join_mistakes(path: str, provider: Provider) -> Iterator[Finding]:
    """Yields the mistakes in joining a base URL and a path, the likeliest first."""
    base, segments = provider.full_path(), path.split("/")
    url = URL.search(unquote(path[: 4 * COMPARED_MAX]))
    if url:
        fix = "A whole URL follows the base URL: give the client one or the other."
        yield "whole URL in the path", url[1] or "/", fix
    if path.startswith(("//", base + "//")):
        fix = "Drop the slash at the end of the base URL: the path begins with one."
        yield "double slash", SLASHES.sub("/", path), fix
    if "//" in path:
        fix = "Send one slash instead of two: a segment of the path is empty or ends in a slash."
        yield "double slash", SLASHES.sub("/", path), fix
    if not path.startswith(base + "/") and has_path(provider, base + path):
        yield "base path missing", base + path, f"The base URL ends in {base}: it is missing here."
    if base and path.startswith(base) and has_path(provider, path.removeprefix(base)):
        fix = f"The base URL ends in {base} already: do not repeat it in the path."
        yield "base path twice", path.removeprefix(base), fix
    if path.endswith("/") and has_path(provider, path[:-1]):
        yield "trailing slash", path[:-1], "Drop the slash at the end of the path."
    for documented, _ in _documented_paths(provider):
        if _matches(documented.split("/"), segments, str.lower):
            fix = "Write the path in lower case as documented."
            yield "path in another case", _filled(documented.split("/"), segments), fix


def _path_of_another(path: str, provider: Provider, providers: Providers) -> Finding | None:
    for other in providers.values():
        if other is not provider and any(
            has_path(other, base + path) for base in {"", other.full_path()}
        ):
            fix = f"This is an operation of {other.name}: use its base URL."
            return "another provider's path", f"a path of {provider.name}", fix
    return None


def _unknown_path(path: str, method: str, provider: Provider) -> Finding:
    route = _most_similar(provider, path, method)
    if route is None:
        known = ", ".join(f"{r.method} {provider.full_path(r.path)}" for r in provider.routes)
        return "unknown path", known, "Use one of the documented paths."
    expected = f"{route.method} {provider.full_path(route.path)}"
    return "unknown path", expected, f"Did you mean {expected}?"


def _documented_paths(provider: Provider) -> Iterator[tuple[str, Route]]:
    """Yields each path of a provider, aliases too, with the base path and without a query."""
    for route in provider.routes:
        for path in (route.path, *route.aliases):
            yield provider.full_path(path.partition("?")[0]), route


def has_path(provider: Provider, path: str) -> bool:
    """Returns whether a provider has a path, its base path included."""
    segments = path.split("/")
    return any(
        _matches(documented.split("/"), segments) for documented, _ in _documented_paths(provider)
    )


def _matches(pattern: list[str], segments: list[str], fold: Callable[[str], str] = str) -> bool:
    """Matches segments with a pattern, where ``{name}`` takes any that is not empty."""
    return len(pattern) == len(segments) and all(
        expected == segment
        or (expected.startswith("{") and segment)
        or fold(expected) == fold(segment)
        for expected, segment in zip(pattern, segments, strict=True)
    )


def _filled(pattern: list[str], segments: list[str]) -> str:
    """Returns the documented path with the values of its parameters."""
    return "/".join(
        segment if expected.startswith("{") else expected
        for expected, segment in zip(pattern, segments, strict=True)
    )


def _most_similar(provider: Provider, path: str, method: str) -> Route | None:
    """Returns the route with the most similar path, of equal ones that with the method."""
    path = path[:COMPARED_MAX].lower()
    rated = [
        (_similarity(_fill_parameters(documented, path), path), route.method == method, -n, route)
        for n, (documented, route) in enumerate(_documented_paths(provider))
    ]
    best = max(rated, key=lambda row: row[:3])
    return best[3] if best[0] >= SIMILARITY_MIN else None


def _fill_parameters(documented: str, path: str) -> str:
    """Returns a documented path with the other's segments for its parameters, if it has them."""
    pattern, segments = documented.lower().split("/"), path.split("/")
    return _filled(pattern, segments) if len(pattern) == len(segments) else documented.lower()


def _similarity(one: str, other: str) -> float:
    match = SequenceMatcher(None, one, other, autojunk=False)
    # Upper bounds first: they are cheap.
    if match.real_quick_ratio() < SIMILARITY_MIN or match.quick_ratio() < SIMILARITY_MIN:
        return 0.0
    return match.ratio()
