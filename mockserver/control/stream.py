"""The journal as it grows: server-sent events, one for each request."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec

from mockserver.control.journal import entry_document
from mockserver.control.routes import ControlError, known_sandbox
from mockserver.engine.journal import JournalEntry

WAITING_MAX = 1_000  # entries that may wait for a slow reader
STREAMS_MAX = 32
STILL_HERE = 15  # seconds between signs of life


def stream(app: Any, id: str) -> AsyncIterator[bytes]:
    """Follows a sandbox's journal from now on; raises Refused.

    It ends when the sandbox is gone. A reader that falls behind by WAITING_MAX entries gets
    those, and no more.
    """
    sandbox = known_sandbox(app, id)
    if len(sandbox.journal.followers) >= STREAMS_MAX:
        raise ControlError(
            409, "too many streams", hint=f"close one of the {STREAMS_MAX} that are open"
        )
    queue: asyncio.Queue[JournalEntry | None] = asyncio.Queue(WAITING_MAX + 1)
    loop = asyncio.get_running_loop()

    def put(entry: JournalEntry) -> None:
        if queue.qsize() < WAITING_MAX:
            queue.put_nowait(entry)
        elif not queue.full():
            queue.put_nowait(None)
            leave()

    def follow(entry: JournalEntry) -> None:
        loop.call_soon_threadsafe(put, entry)

    def leave() -> None:
        with sandbox.lock:
            if follow in sandbox.journal.followers:
                sandbox.journal.followers.remove(follow)

    with sandbox.lock:
        sandbox.journal.followers.append(follow)
    return _lines(queue, lambda: sandbox in app.sandboxes, leave)


async def _lines(
    queue: "asyncio.Queue[JournalEntry | None]",
    there: Callable[[], bool],
    leave: Callable[[], None],
) -> AsyncIterator[bytes]:
    try:
        yield b": following\n\n"
        while True:
            try:
                entry = await asyncio.wait_for(queue.get(), STILL_HERE)
            except TimeoutError:
                if not there():
                    return
                yield b": still here\n\n"
                continue
            if entry is None:
                return
            yield b"id: %d\ndata: %b\n\n" % (entry.n, msgspec.json.encode(entry_document(entry)))
    finally:
        leave()
