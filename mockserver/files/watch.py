"""``--watch``: a world file that changes is loaded again; a broken one is told and left."""

import asyncio
from pathlib import Path

from mockserver.engine.sandbox import Sandbox
from mockserver.files import lookup as files
from mockserver.files import worlds
from mockserver.http.log import log

EVERY = 0.5  # seconds


async def watch(path: Path, sandbox: Sandbox) -> None:
    """Resets the sandbox to the file's world each time the file changes."""
    seen = _changed(path)
    while True:
        await asyncio.sleep(EVERY)
        changed = _changed(path)
        if changed not in (seen, 0):
            seen = changed
            await asyncio.to_thread(_reload, path, sandbox)


def _changed(path: Path) -> int:
    """Returns when the file changed; 0 while it is not there, as in the middle of a rename."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _reload(path: Path, sandbox: Sandbox) -> None:
    try:
        sandbox.load(worlds.load(str(path)))
    except files.FileError as error:
        log.error("world not reloaded: %s", error)
    else:
        log.warning("world reloaded: %s", path)
