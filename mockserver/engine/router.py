"""Finds the route of a request among a provider's routes."""

from collections.abc import Mapping, Sequence
from urllib.parse import unquote_to_bytes

from mockserver.caches import MIB, cached
from mockserver.model.http import Request
from mockserver.model.provider import Route
from mockserver.model.query import parameter
from mockserver.model.reject import Reject

NO_PARAMETERS: Mapping[str, str] = {}

# The operations of one path and method: a parameter's name, and the routes by its value.
Choice = tuple[str, dict[bytes, Route]]
Found = tuple[Route | Choice, Mapping[str, str]]


class Router:
    """Compiled routes: exact paths in a dictionary, templates as lists of segments.

    A path is split before it is decoded: an escaped slash separates nothing. An unknown path is
    rejected as ``no_route``, one that only other methods have as ``bad_method`` with these methods.
    """

    def __init__(self, routes: Sequence[Route]) -> None:
        self._exact: dict[tuple[str, bytes], Route | Choice] = {}
        self._templates: list[tuple[list[str], str, Route | Choice]] = []
        for route in routes:
            for path in (route.path, *route.aliases):
                self._add(path, route)
        self._templates.sort(key=lambda row: any(part.startswith("{") for part in row[0]))

    def _add(self, path: str, route: Route) -> None:
        path, _, parameter_text = path.partition("?")
        found: Route | Choice = route
        if parameter_text:
            name, _, value = parameter_text.partition("=")
            found = self._exact.get((route.method, path.encode()), (name, {}))
            if isinstance(found, tuple):
                found[1][value.encode()] = route
        if "{" not in path:
            self._exact[route.method, path.encode()] = found
        self._templates.append((path.split("/"), route.method, found))

    def find(self, request: Request) -> tuple[Route, Mapping[str, str]]:
        """Returns the route and the path's parameters; raises Reject."""
        found, captured = _find((self, request.method, request.path))
        return found if isinstance(found, Route) else _choose(found, request), captured

    def search(self, method: str, path: bytes) -> Found:
        """Returns the route or routes of a path, and the path's parameters; raises Reject."""
        exact = self._exact.get((method, path))
        if exact is not None:
            return exact, NO_PARAMETERS
        segments = [unquote_to_bytes(part).decode("utf-8", "replace") for part in path.split(b"/")]
        matches: dict[str, Found] = {}
        for template, route_method, found in self._templates:
            captured = _capture(template, segments)
            if captured is not None:
                matches.setdefault(route_method, (found, captured))
        if not matches:
            raise Reject("no_route")
        if method not in matches:
            raise Reject("bad_method", allow=sorted(matches))
        return matches[method]


# Routers of all worlds share it. A decoded path has the size of the path at most.
@cached("routes", size=lambda key: 400 + 4 * len(key[2]), room=10 * MIB)
def _find(key: tuple[Router, str, bytes]) -> Found:
    router, method, path = key
    return router.search(method, path)


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
