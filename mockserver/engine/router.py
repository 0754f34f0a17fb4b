"""Which operation a request is for: a provider's route rows, looked up."""

from collections.abc import Mapping, Sequence
from urllib.parse import unquote_to_bytes

from mockserver.caches import Memo
from mockserver.model.http import Request
from mockserver.model.provider import Route
from mockserver.model.query import parameter
from mockserver.model.reject import Reject

NOTHING: Mapping[str, str] = {}

# The operations of one path and method, by the value of the parameter that tells them apart.
Choice = tuple[str, dict[bytes, Route]]


class Router:
    """Route rows compiled once: exact paths in a dictionary, templates as segments.

    A path is decoded for the look-up only, segment by segment: an escaped slash is none. A
    path that no row has is ``no_route``; one that rows of other methods have is
    ``bad_method``, with what is allowed.
    """

    def __init__(self, routes: Sequence[Route]) -> None:
        self._exact: dict[tuple[str, bytes], Route | Choice] = {}
        self._templates: list[tuple[list[str], str, Route | Choice]] = []
        for route in routes:
            for path in (route.path, *route.aliases):
                self._add(path, route)
        self._templates.sort(key=lambda row: any(part.startswith("{") for part in row[0]))
        self._known = Memo(self._find, size=lambda asked: len(asked[1]))

    def _add(self, path: str, route: Route) -> None:
        path, _, chosen = path.partition("?")
        found: Route | Choice = route
        if chosen:
            name, _, value = chosen.partition("=")
            found = self._exact.get((route.method, path.encode()), (name, {}))
            if isinstance(found, tuple):
                found[1][value.encode()] = route
        if "{" not in path:
            self._exact[route.method, path.encode()] = found
        self._templates.append((path.split("/"), route.method, found))

    def find(self, request: Request) -> tuple[Route, Mapping[str, str]]:
        """Returns the route and the path's parameters; raises Reject."""
        found, captured = self._known[request.method, request.path]
        return found if isinstance(found, Route) else _choose(found, request), captured

    def _find(self, asked: tuple[str, bytes]) -> tuple[Route | Choice, Mapping[str, str]]:
        exact = self._exact.get(asked)
        return (exact, NOTHING) if exact is not None else self._search(*asked)

    def _search(self, method: str, path: bytes) -> tuple[Route | Choice, Mapping[str, str]]:
        segments = [unquote_to_bytes(part).decode("utf-8", "replace") for part in path.split(b"/")]
        matches: dict[str, tuple[Route | Choice, Mapping[str, str]]] = {}
        for template, allowed, found in self._templates:
            captured = _capture(template, segments)
            if captured is not None:
                matches.setdefault(allowed, (found, captured))
        if not matches:
            raise Reject("no_route")
        if method not in matches:
            raise Reject("bad_method", allow=sorted(matches))
        return matches[method]


def _choose(choice: Choice, request: Request) -> Route:
    name, routes = choice
    value = parameter(request, name.encode())
    if value not in routes:
        raise Reject("no_route", parameter=name)
    return routes[value]


def _capture(template: list[str], segments: list[str]) -> dict[str, str] | None:
    if len(template) != len(segments):
        return None
    captured = {}
    for part, segment in zip(template, segments, strict=True):
        if part.startswith("{") and segment:
            captured[part[1:-1]] = segment
        elif part != segment:
            return None
    return captured
