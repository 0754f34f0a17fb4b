"""Query strings and forms, decoded for handlers; signatures mostly cover the raw bytes."""

from urllib.parse import unquote_to_bytes

from mockserver.wire.message import Request

FORM = b"application/x-www-form-urlencoded"


def raw_pairs(query: bytes) -> list[tuple[bytes, bytes]]:
    """Decodes ``a=1&b=%2F`` in order, as bytes; ``+`` is a space."""
    if not query:
        return []
    found = []
    for part in query.split(b"&"):
        if part:
            name, _, value = part.partition(b"=")
            found.append((_unquoted(name), _unquoted(value)))
    return found


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
    if body and media_type.partition(b";")[0].strip().lower() == FORM:
        found += raw_pairs(body)
    return found


def parameter(request: Request, name: str) -> str:
    """Returns the first value of a parameter in the query or in a form, or nothing."""
    wanted = name.encode()
    given = parameters(request.query, request.header(b"content-type"), request.body)
    return next((value.decode("utf-8", "replace") for key, value in given if key == wanted), "")


def _unquoted(raw: bytes) -> bytes:
    if b"%" in raw or b"+" in raw:
        return unquote_to_bytes(raw.replace(b"+", b" "))
    return raw
