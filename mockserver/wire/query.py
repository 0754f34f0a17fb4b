"""Query strings and forms, decoded for handlers; signatures mostly cover the raw bytes."""

from urllib.parse import unquote_to_bytes

from mockserver.wire.message import Request

FORM = b"application/x-www-form-urlencoded"


def raw_pairs(query: bytes) -> list[tuple[bytes, bytes]]:
    """Decodes ``a=1&b=%2F`` in order, as bytes; ``+`` is a space."""
    if not query:
        return []
    parts = [part.partition(b"=") for part in query.split(b"&") if part]
    if b"%" not in query and b"+" not in query:
        return [(name, value) for name, _, value in parts]
    return [(_unquoted(name), _unquoted(value)) for name, _, value in parts]


def pairs(query: bytes) -> list[tuple[str, str]]:
    """Decodes ``a=1&b=%2F`` in order; bytes that are no UTF-8 are replaced."""
    return [
        (name.decode("utf-8", "replace"), value.decode("utf-8", "replace"))
        for name, value in raw_pairs(query)
    ]


def first(query: bytes, name: str) -> str:
    """Returns the first value of a parameter, or nothing."""
    return next((value for key, value in pairs(query) if key == name), "")


def parameters(query: bytes, media_type: bytes, body: bytes) -> list[tuple[bytes, bytes]]:
    """Returns the parameters of a query and of a form body, in this order."""
    found = raw_pairs(query)
    if body and is_form(media_type):
        found += raw_pairs(body)
    return found


def is_form(media_type: bytes) -> bool:
    """Tells whether a body of this Content-Type is a form."""
    return media_type.partition(b";")[0].strip().lower() == FORM


def parameter(request: Request, name: bytes) -> bytes:
    """Returns the first value of a parameter in the query or in a form, or nothing."""
    for key, value in raw_pairs(request.query):
        if key == name:
            return value
    given = parameters(b"", request.header(b"content-type"), request.body)
    return next((value for key, value in given if key == name), b"")


def _unquoted(raw: bytes) -> bytes:
    return unquote_to_bytes(raw.replace(b"+", b" ")) if b"%" in raw or b"+" in raw else raw
