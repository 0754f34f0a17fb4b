"""A successful response while mutations change it: its headers, and its body as JSON or bytes."""

import json
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from mockserver.faults import json_path
from mockserver.faults.json_path import JsonPlace
from mockserver.model.http import Response
from mockserver.model.provider import ResponsePaths

CONTENT_TYPE = b"content-type"

MUTABLE_BODY_MAX = 8 * 1024 * 1024  # bytes to which mutations may enlarge any body
GROWTH_MAX = 10  # times by which they may enlarge a body that is larger than that


def number(text: str) -> msgspec.Raw:
    """Returns a JSON number that keeps its digits as written."""
    return msgspec.Raw(text.encode())


class MutableResponse:
    """A response that mutations change: headers by name, and a body as a tree or as bytes.

    Numbers in the tree are ``msgspec.Raw``, so that none changes its digits. ``caller`` is the
    credential's label, ``request_digest`` identifies path, query and body, and ``page`` is the
    page token in the request. ``gzip`` is how the body will be compressed, "" for not at all.
    """

    def __init__(
        self,
        response: Response,
        paths: ResponsePaths,
        caller: str,
        request_digest: bytes,
        page: str,
    ) -> None:
        self.response = response
        self.paths = paths
        self.caller = caller
        self.request_digest = request_digest
        self.page = page
        self.gzip = ""
        self.headers = dict(response.headers)
        self._body = response.body
        self._tree: Any = None
        self._size_max = max(MUTABLE_BODY_MAX, GROWTH_MAX * len(response.body))

    @property
    def tree(self) -> Any:
        """The body as objects, arrays and values, to change in place; None if it is empty."""
        if self._tree is None and self._body:
            self._tree = json.loads(self._body, parse_int=number, parse_float=number)
        return self._tree

    @property
    def body(self) -> bytes:
        """The body as bytes."""
        if self._tree is not None:
            self._body, self._tree = msgspec.json.encode(self._tree), None
        return self._body

    @body.setter
    def body(self, body: bytes) -> None:
        self._body, self._tree = body, None

    @property
    def changed(self) -> Response:
        """The response with all changes."""
        return Response(self.response.status, tuple(self.headers.items()), self.body)

    def try_change(self, mutate: Callable[[], None]) -> bool:
        """Applies a change, or nothing if it fails or the body outgrows its bound.

        Returns whether the response differs from before.
        """
        body, headers = self.body, {**self.headers}
        try:
            mutate()
            valid = len(self.body) <= self._size_max
        except (RecursionError, ValueError):  # nested too deeply, or no JSON any more
            valid = False
        if not valid:
            self.body, self.headers = body, headers
        return (self.body, self.headers) != (body, headers)

    def find(self, path: json_path.Path) -> list[JsonPlace]:
        """Returns every place that a path leads to."""
        return json_path.find(self.tree, path)

    def rows(self) -> list[JsonPlace]:
        """Returns the places of the rows, in order."""
        return self.find(json_path.parse(self.paths.rows)) if self.paths.rows else []

    def amounts(self) -> Iterator[tuple[JsonPlace, Decimal]]:
        """Yields the place and the value of each amount."""
        for path in self.paths.amounts:
            for parent, key in self.find(json_path.parse(path)):
                amount = decimal_of(parent[key])
                if amount is not None:
                    yield (parent, key), amount

    def token(self) -> JsonPlace | None:
        """Returns the place of the token of the next page, or None on the last page."""
        if not self.paths.token:
            return None
        for parent, key in self.find(json_path.parse(self.paths.token)):
            if parent[key] and isinstance(parent[key], str):
                return parent, key
        return None


def text_of(value: Any) -> str:
    """Returns a number or a text as it is written."""
    return bytes(value).decode() if isinstance(value, msgspec.Raw) else str(value)


def decimal_of(value: Any) -> Decimal | None:
    """Returns the amount in a number or a text, or None if it is no amount."""
    if not isinstance(value, str | msgspec.Raw):
        return None
    try:
        return Decimal(text_of(value))
    except InvalidOperation:
        return None


def same_kind(value: Any, text: str) -> Any:
    """Returns ``text`` as a number if ``value`` is one, else as text."""
    return number(text) if isinstance(value, msgspec.Raw) else text
