"""``--watch``: loads a world file again when it changes; logs errors and keeps the old world."""

import asyncio
import logging
from pathlib import Path

from mockserver.engine.sandbox import Sandbox
from mockserver.errors import FileError
from mockserver.files import worlds

INTERVAL = 0.5  # seconds

log = logging.getLogger("mockserver")


async def watch(path: Path, sandbox: Sandbox) -> None:
    """Loads the file's world into the sandbox each time the file changes; never returns."""
    loaded = _modified_at(path)
    while True:
        await asyncio.sleep(INTERVAL)
        modified = _modified_at(path)
        if modified not in (loaded, 0):
            loaded = modified
            await asyncio.to_thread(reload, path, sandbox)


def _modified_at(path: Path) -> int:
    """Returns the modification time in nanoseconds; 0 without a file, as during a rename."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def reload(path: Path, sandbox: Sandbox) -> None:
    """Loads the file's world into the sandbox; logs an error, and keeps the old world then."""
    try:
        sandbox.load(worlds.load(str(path)))
    except FileError as error:
        log.error("world not reloaded: %s", error)  # noqa: TRY400 - one line says it
    else:
        log.warning("world reloaded: %s", path)
