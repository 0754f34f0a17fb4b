"""Response bodies that may be large: their items are built and encoded a few at a time.

So no step holds the interpreter for long, whatever the size of the whole.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

ITEMS_MAX = 100  # items that are built and encoded in one step

encode = msgspec.json.Encoder().encode


class Items:
    """A list in a response body: ``document(source)`` builds the item of a source.

    The sources are an immutable snapshot, taken under the sandbox's lock.
    """

    def __init__(self, sources: Sequence[Any], document: Callable[[Any], Any]) -> None:
        self._sources = sources
        self._document = document

    def batches(self) -> Iterator[list[Any]]:
        """Yields the items, at most ITEMS_MAX at once."""
        for start in range(0, len(self._sources), ITEMS_MAX):
            yield [self._document(source) for source in self._sources[start : start + ITEMS_MAX]]


def plain(body: Any) -> Any:
    """Returns a response body as plain data, with all items built."""
    if isinstance(body, Items):
        return [item for batch in body.batches() for item in batch]
    if isinstance(body, dict):
        return {key: plain(value) for key, value in body.items()}
    return body


def has_items(body: Any) -> bool:
    """Returns whether a response body holds Items."""
    if isinstance(body, dict):
        return any(map(has_items, body.values()))
    return isinstance(body, Items)


def chunks(body: Any) -> Iterator[bytes]:
    """Yields a response body as JSON in chunks of at most ITEMS_MAX items."""
    if isinstance(body, Items):
        yield from _list_chunks(body)
    elif isinstance(body, dict) and has_items(body):
        separator = b"{"
        for key, value in body.items():
            yield separator + encode(key) + b":"
            yield from chunks(value)
            separator = b","
        yield b"}"
    else:
        yield encode(body)


def _list_chunks(items: Items) -> Iterator[bytes]:
    separator = b"["
    for batch in items.batches():
        yield separator + encode(batch)[1:-1]
        separator = b","
    yield b"[]" if separator == b"[" else b"]"
