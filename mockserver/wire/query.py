"""Query strings, decoded for handlers only; signatures use the raw bytes."""

from urllib.parse import unquote_to_bytes


def pairs(query: bytes) -> list[tuple[str, str]]:
    """Decodes ``a=1&b=%2F`` in order; ``+`` is a space, bytes that are no UTF-8 are replaced."""
    if not query:
        return []
    found = []
    for part in query.split(b"&"):
        if part:
            name, _, value = part.partition(b"=")
            found.append((_decode(name), _decode(value)))
    return found


def first(query: bytes, name: str) -> str:
    """Returns the first value of a parameter, or nothing."""
    return next((value for key, value in pairs(query) if key == name), "")


def _decode(raw: bytes) -> str:
    if b"%" in raw or b"+" in raw:
        raw = unquote_to_bytes(raw.replace(b"+", b" "))
    return raw.decode("utf-8", "replace")
