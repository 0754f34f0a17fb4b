"""Answers that may be large: their items are made and encoded a few at a time.

So no step holds the interpreter for long, whatever the size of the whole.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

ITEMS_MAX = 100  # items that are made and encoded in one step
TEXT = "application/json"

encode = msgspec.json.Encoder().encode


class Items:
    """A list in an answer: ``show`` makes one item from what was taken under the lock."""

    def __init__(self, sources: Sequence[Any], show: Callable[[Any], Any]) -> None:
        self._sources = sources
        self._show = show

    def batches(self) -> Iterator[list[Any]]:
        """Yields the items, at most ITEMS_MAX at once."""
        for start in range(0, len(self._sources), ITEMS_MAX):
            yield [self._show(source) for source in self._sources[start : start + ITEMS_MAX]]


def plain(answer: Any) -> Any:
    """Returns an answer as plain data, made as a whole."""
    if isinstance(answer, Items):
        return [item for batch in answer.batches() for item in batch]
    if isinstance(answer, dict):
        return {key: plain(value) for key, value in answer.items()}
    return answer


def has_items(answer: Any) -> bool:
    """Tells whether there is a list in an answer that is made a few items at a time."""
    if isinstance(answer, dict):
        return any(map(has_items, answer.values()))
    return isinstance(answer, Items)


def chunks(answer: Any) -> Iterator[bytes]:
    """Yields an answer as JSON in pieces, each of a bounded number of items."""
    if isinstance(answer, Items):
        yield from _list(answer)
    elif isinstance(answer, dict) and has_items(answer):
        before = b"{"
        for key, value in answer.items():
            yield before + encode(key) + b":"
            yield from chunks(value)
            before = b","
        yield b"}"
    else:
        yield encode(answer)


def _list(items: Items) -> Iterator[bytes]:
    before = b"["
    for batch in items.batches():
        yield before + encode(batch)[1:-1]
        before = b","
    yield b"[]" if before == b"[" else b"]"
