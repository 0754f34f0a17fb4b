"""Streams a journal as it grows: server-sent events, one for each request."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec

from mockserver.control.journal import entry_document
from mockserver.control.routes import known_sandbox
from mockserver.engine.journal import JournalEntry
from mockserver.errors import ControlError

QUEUE_MAX = 1_000  # entries that wait for a slow reader
STREAMS_MAX = 32  # of one sandbox at once
KEEP_ALIVE = 15  # seconds without an entry after which a comment is sent


def stream(app: Any, id: str) -> AsyncIterator[bytes]:
    """Yields the events of a sandbox's journal from now on; raises ControlError.

    The stream ends when the sandbox is deleted. A reader that falls behind by QUEUE_MAX entries
    gets those, and then the stream ends.
    """
    sandbox = known_sandbox(app, id)
    if sandbox.journal.streams >= STREAMS_MAX:
        hint = f"close one of the {STREAMS_MAX} that are open"
        raise ControlError(409, "too many streams", hint=hint)
    queue: asyncio.Queue[JournalEntry | None] = asyncio.Queue(QUEUE_MAX + 1)
    loop = asyncio.get_running_loop()

    def put(entry: JournalEntry) -> None:
        if queue.qsize() < QUEUE_MAX:
            queue.put_nowait(entry)
        elif not queue.full():
            queue.put_nowait(None)
            unfollow()

    def follow(entry: JournalEntry) -> None:
        loop.call_soon_threadsafe(put, entry)

    def unfollow() -> None:
        with sandbox.lock:
            if follow in sandbox.journal.followers:
                sandbox.journal.followers.remove(follow)
                sandbox.journal.streams -= 1

    with sandbox.lock:
        sandbox.journal.followers.append(follow)
        sandbox.journal.streams += 1
    return _events(queue, lambda: sandbox in app.sandboxes, unfollow)


async def _events(
    queue: "asyncio.Queue[JournalEntry | None]",
    exists: Callable[[], bool],
    unfollow: Callable[[], None],
) -> AsyncIterator[bytes]:
    """Yields an event for each entry in the queue until it holds None or the sandbox is gone."""
    try:
        yield b": following\n\n"
        while True:
            try:
                entry = await asyncio.wait_for(queue.get(), KEEP_ALIVE)
            except TimeoutError:
                if not exists():
                    return
                yield b": still here\n\n"
                continue
            if entry is None:
                return
            yield b"id: %d\ndata: %b\n\n" % (entry.n, msgspec.json.encode(entry_document(entry)))
    finally:
        unfollow()
