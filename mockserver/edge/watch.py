"""``--watch``: a world file that changes is loaded again; a broken one is told and left."""

import asyncio
import contextlib
from pathlib import Path

from mockserver.edge import worlds
from mockserver.edge.log import log
from mockserver.engine.sandbox import Sandbox

EVERY = 0.5  # seconds


async def watch(path: Path, sandbox: Sandbox) -> None:
    """Resets the sandbox to the file's world each time the file changes."""
    seen = path.stat().st_mtime_ns
    while True:
        await asyncio.sleep(EVERY)
        with contextlib.suppress(OSError):
            changed = path.stat().st_mtime_ns
            if changed != seen:
                seen = changed
                _reload(path, sandbox)


def _reload(path: Path, sandbox: Sandbox) -> None:
    try:
        sandbox.reset(worlds.load(str(path)))
    except worlds.BadFile as error:
        log.error("world not reloaded: %s", error)
    else:
        log.warning("world reloaded: %s", path)
