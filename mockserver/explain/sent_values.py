"""The values that a request carries, wherever they are: in headers, parameters and the body."""

import re
import zlib
from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec
from msgspec import Struct

from mockserver.explain.text import printable
from mockserver.model.http import Request
from mockserver.model.key_placement import KeyPlacement
from mockserver.model.query import raw_pairs
from mockserver.model.redaction import PUBLIC_HEADERS, is_secret_name

BODY_MAX = 16 * 1024  # bytes of a body in which keys are looked for
NAME_MAX = 40  # bytes of a name that are shown
VALUES_MAX = 64  # headers, parameters and members that are searched
GZIP = b"\x1f\x8b"
MULTIPART = re.compile(
    rb'form-data; name="([^"\r\n]{1,64})"(?:\r\n[^\r\n]{0,200}){0,8}?\r\n\r\n([^\r\n]{0,512})'
)


class SentValue(Struct, frozen=True):
    """A value that a request carries; ``where`` is ``header``, ``parameter`` or ``member``."""

    where: str
    name: str
    value: bytes

    @property
    def place(self) -> str:
        """The place in words, such as ``the header x-api-key``."""
        return f"the {self.where} {printable(self.name.encode(), NAME_MAX)}"

    def is_at(self, place: KeyPlacement) -> bool:
        """Returns whether this is the header or the parameter of a placement."""
        if place.where == "header":
            return (self.where, self.name) == ("header", place.name.lower())
        return (self.where, self.name) == ("parameter", place.name)

    @property
    def is_named_like_key(self) -> bool:
        """Whether the name says that the value is a key, or another credential."""
        return is_secret_name(self.name.encode()) or "key" in self.name.lower()


def sent_values(request: Request) -> Iterator[SentValue]:
    """Yields the values of headers and parameters, and of the members or fields of the body."""
    for name, value in request.headers:
        if name not in PUBLIC_HEADERS:
            yield SentValue("header", name.decode("latin-1"), value)
    for name, value in raw_pairs(request.query):
        yield SentValue("parameter", name.decode("utf-8", "replace"), value)
    body = uncompressed(request.body) or request.body
    if len(body) <= BODY_MAX:
        for text, raw in _members(body):
            if raw:
                yield SentValue("member", text, raw)


def candidates(request: Request) -> list[SentValue]:
    """Returns the first values that are not empty: those that may be a credential."""
    return [sent for sent in islice(sent_values(request), VALUES_MAX) if sent.value]


def uncompressed(body: bytes) -> bytes:
    """Returns the first BODY_MAX bytes of a body in gzip; empty for any other body."""
    if not body.startswith(GZIP):
        return b""
    try:
        return zlib.decompressobj(wbits=31).decompress(body, BODY_MAX)
    except zlib.error:
        return b""


def _members(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Yields the texts of a JSON object, or the fields of a form of either kind."""
    fields = tuple(MULTIPART.findall(body)) if body.startswith(b"--") else ()
    try:
        members = {} if fields else msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        members, fields = {}, raw_pairs(body)
    yield from ((name.decode("utf-8", "replace"), value) for name, value in fields)
    for name, value in members.items():
        if isinstance(value, str):
            yield name, value.encode("utf-8", "replace")
