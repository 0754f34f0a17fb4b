"""Which operation a request is for: a provider's route rows, looked up."""

from collections.abc import Mapping, Sequence
from urllib.parse import unquote_to_bytes

from mockserver.wire.provider import Route
from mockserver.wire.reject import Reject

NOTHING: Mapping[str, str] = {}


class Router:
    """Route rows compiled once: exact paths in a dictionary, templates as segments.

    A path is decoded for the look-up only. A path that no row has is ``no_route``;
    one that rows of other methods have is ``bad_method``, with what is allowed.
    """

    def __init__(self, routes: Sequence[Route]) -> None:
        self._exact: dict[tuple[str, bytes], Route] = {}
        self._templates: list[tuple[list[str], Route]] = []
        for route in routes:
            if "{" in route.path:
                self._templates.append((route.path.split("/"), route))
            else:
                self._exact[route.method, route.path.encode()] = route

    def find(self, method: str, path: bytes) -> tuple[Route, Mapping[str, str]]:
        """Returns the route and the path's parameters; raises Reject."""
        route = self._exact.get((method, path))
        if route is not None:
            return route, NOTHING
        return self._search(method, unquote_to_bytes(path))

    def _search(self, method: str, path: bytes) -> tuple[Route, Mapping[str, str]]:
        matches = [(r, NOTHING) for (_, exact), r in self._exact.items() if exact == path]
        segments = path.decode("utf-8", "replace").split("/")
        for template, route in self._templates:
            found = _capture(template, segments)
            if found is not None:
                matches.append((route, found))
        for route, captured in matches:
            if route.method == method:
                return route, captured
        if matches:
            raise Reject("bad_method", allow=sorted({route.method for route, _ in matches}))
        raise Reject("no_route")


def _capture(template: list[str], segments: list[str]) -> dict[str, str] | None:
    if len(template) != len(segments):
        return None
    captured = {}
    for part, segment in zip(template, segments, strict=True):
        if part.startswith("{"):
            captured[part[1:-1]] = segment
        elif part != segment:
            return None
    return captured
