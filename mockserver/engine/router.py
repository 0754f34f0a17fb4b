"""Which operation a request is for: a provider's route rows, looked up."""

from collections.abc import Mapping, Sequence
from urllib.parse import unquote_to_bytes

from mockserver.wire.message import Request
from mockserver.wire.provider import Route
from mockserver.wire.query import parameter
from mockserver.wire.reject import Reject

NOTHING: Mapping[str, str] = {}

# The operations of one path and method, by the value of the parameter that tells them apart.
Choice = tuple[str, dict[bytes, Route]]


class Router:
    """Route rows compiled once: exact paths in a dictionary, templates as segments.

    A path is decoded for the look-up only. A path that no row has is ``no_route``;
    one that rows of other methods have is ``bad_method``, with what is allowed.
    """

    def __init__(self, routes: Sequence[Route], base_path: str = "") -> None:
        self._exact: dict[tuple[str, bytes], Route | Choice] = {}
        self._templates: list[tuple[list[str], Route]] = []
        for route in routes:
            for path in (route.path, *route.aliases):
                self._add(base_path + path, route)

    def _add(self, path: str, route: Route) -> None:
        path, _, chosen = path.partition("?")
        if "{" in path:
            self._templates.append((path.split("/"), route))
        elif chosen:
            name, _, value = chosen.partition("=")
            choice = self._exact.setdefault((route.method, path.encode()), (name, {}))
            if isinstance(choice, tuple):
                choice[1][value.encode()] = route
        else:
            self._exact[route.method, path.encode()] = route

    def find(self, request: Request) -> tuple[Route, Mapping[str, str]]:
        """Returns the route and the path's parameters; raises Reject."""
        found = self._exact.get((request.method, request.path))
        captured = NOTHING
        if found is None:
            found, captured = self._search(request.method, unquote_to_bytes(request.path))
        return found if isinstance(found, Route) else _choose(found, request), captured

    def _search(self, method: str, path: bytes) -> tuple[Route | Choice, Mapping[str, str]]:
        matches: dict[str, tuple[Route | Choice, Mapping[str, str]]] = {}
        segments = path.decode("utf-8", "replace").split("/")
        for template, route in self._templates:
            captured = _capture(template, segments)
            if captured is not None:
                matches.setdefault(route.method, (route, captured))
        for (allowed, exact), found in self._exact.items():
            if exact == path:
                matches[allowed] = (found, NOTHING)
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
