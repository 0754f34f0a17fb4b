"""Query strings and forms, decoded for handlers. Most signatures cover the raw bytes."""

from urllib.parse import unquote_to_bytes

from mockserver.model.http import Request

PERCENT, PLUS = b"%+"  # as integers, with which `in` is fastest
KEPT_MAX = 4096  # bytes of a query that is kept decoded

FORM = b"application/x-www-form-urlencoded"


Pairs = tuple[tuple[bytes, bytes], ...]


def raw_pairs(query: bytes) -> Pairs:
    """Decodes ``a=1&b=%2F`` in order, as bytes; ``+`` is a space."""
    global _last  # noqa: PLW0603 - one assignment, so that threads see a query with its own pairs
    last, decoded = _last
    if query is not last:
        decoded = _decoded(query) if query else ()
        if len(query) <= KEPT_MAX:
            _last = query, decoded
    return decoded


# The last query: one request reads its query several times, and it is the same object.
_last: tuple[bytes, Pairs] = (b"", ())


def _decoded(query: bytes) -> Pairs:
    plain = PERCENT not in query and PLUS not in query
    pairs = []
    for part in query.split(b"&"):
        if part:
            name, _, value = part.partition(b"=")
            pairs.append((name, value) if plain else (_unquoted(name), _unquoted(value)))
    return tuple(pairs)


def pairs(query: bytes) -> list[tuple[str, str]]:
    """Decodes ``a=1&b=%2F`` in order; bytes that are not UTF-8 are replaced."""
    return [
        (name.decode("utf-8", "replace"), value.decode("utf-8", "replace"))
        for name, value in raw_pairs(query)
    ]


def first(query: bytes, name: str) -> str:
    """Returns the first value of a parameter, "" without one."""
    return next((value for key, value in pairs(query) if key == name), "")


def parameters(query: bytes, media_type: bytes, body: bytes) -> Pairs:
    """Returns the parameters of a query and of a form body, in this order."""
    found = raw_pairs(query)
    return found + raw_pairs(body) if body and is_form(media_type) else found


def is_form(media_type: bytes) -> bool:
    """Returns whether a body of this Content-Type is a form."""
    return media_type.partition(b";")[0].strip().lower() == FORM


def parameter(request: Request, name: bytes) -> bytes:
    """Returns the first value of a parameter in the query or in a form, b"" without one."""
    for key, value in raw_pairs(request.query):
        if key == name:
            return value
    form = parameters(b"", request.header(b"content-type"), request.body)
    return next((value for key, value in form if key == name), b"")


def _unquoted(raw: bytes) -> bytes:
    return unquote_to_bytes(raw.replace(b"+", b" ")) if PERCENT in raw or PLUS in raw else raw
