"""A good answer while it is changed: its bytes, or the tree that they say."""

import json
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from mockserver.faults import json_path as places
from mockserver.faults.json_path import Place
from mockserver.model.http import Response
from mockserver.model.provider import ResponsePaths

TYPE = b"content-type"

MUTABLE_BODY_MAX = 8 * 1024 * 1024  # bytes that may become of any body
GROWTH_MAX = 10  # how much larger a body may become that is large already


def number(text: str) -> msgspec.Raw:
    """Keeps a number as it is written."""
    return msgspec.Raw(text.encode())


class MutableResponse:
    """What went well: status, headers by name, and a body as a tree or as bytes.

    Numbers in the tree are ``msgspec.Raw``, so that none changes its digits. ``caller`` and
    ``target`` tell whose answer it is, ``page`` is the page token that the request brought.
    """

    def __init__(
        self, response: Response, shape: ResponsePaths, caller: str, target: bytes, page: str
    ) -> None:
        self.response = response
        self.shape = shape
        self.caller = caller
        self.target = target
        self.page = page
        self.headers = dict(response.headers)
        self._body = response.body
        self._tree: Any = None
        self._most = max(MUTABLE_BODY_MAX, GROWTH_MAX * len(response.body))

    @property
    def tree(self) -> Any:
        """The body as objects, arrays and leaves, to be changed in place; None if it is empty."""
        if self._tree is None and self._body:
            self._tree = json.loads(self._body, parse_int=number, parse_float=number)
        return self._tree

    @property
    def body(self) -> bytes:
        """The body as it will be sent."""
        if self._tree is not None:
            self._body, self._tree = msgspec.json.encode(self._tree), None
        return self._body

    @body.setter
    def body(self, body: bytes) -> None:
        self._body, self._tree = body, None

    @property
    def changed(self) -> Response:
        """The answer as it is now."""
        return Response(self.response.status, tuple(self.headers.items()), self.body)

    def change(self, mutate: Callable[[], None]) -> bool:
        """Makes a change, or none where it fails or the body outgrows its bound.

        Returns whether anything is other than before.
        """
        body, headers = self.body, {**self.headers}
        try:
            mutate()
            good = len(self.body) <= self._most
        except (RecursionError, ValueError):  # so deep, or so odd, that it is no JSON any more
            good = False
        if not good:
            self.body, self.headers = body, headers
        return (self.body, self.headers) != (body, headers)

    def places(self, path: places.Path) -> list[Place]:
        """Returns what a path leads to."""
        return places.find(self.tree, path)

    def rows(self) -> list[Place]:
        """Returns the places of the rows, in their order."""
        return self.places(places.parse(self.shape.rows)) if self.shape.rows else []

    def amounts(self) -> Iterator[tuple[Place, Decimal]]:
        """Yields the places of the amounts, each with what stands there."""
        for path in self.shape.amounts:
            for at, key in self.places(places.parse(path)):
                amount = decimal_of(at[key])
                if amount is not None:
                    yield (at, key), amount

    def token(self) -> Place | None:
        """Returns the place of the token of the next page, where there is one."""
        found = self.places(places.parse(self.shape.token)) if self.shape.token else []
        return next(((at, key) for at, key in found if at[key] and isinstance(at[key], str)), None)


def text_of(leaf: Any) -> str:
    """Returns how a number or a text is written."""
    return bytes(leaf).decode() if isinstance(leaf, msgspec.Raw) else str(leaf)


def decimal_of(leaf: Any) -> Decimal | None:
    """Returns what a number or a text says, None where that is no amount (any more)."""
    if not isinstance(leaf, str | msgspec.Raw):
        return None
    try:
        return Decimal(text_of(leaf))
    except InvalidOperation:
        return None


def rewritten(leaf: Any, text: str) -> Any:
    """Returns a leaf of the same kind, number or text, that is written so."""
    return number(text) if isinstance(leaf, msgspec.Raw) else text
