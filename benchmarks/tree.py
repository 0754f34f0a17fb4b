"""What the kernel counts for a process and everything that it started."""

import os
from collections.abc import Iterator
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def cpu(pid: int) -> float:
    """Returns the seconds of CPU, user and system, those of ended children included."""
    return sum(map(_ticks, _tree(pid))) / TICKS


def memory(pid: int) -> float:
    """Returns the resident memory in MB; what processes share counts for each."""
    return sum(map(_pages, _tree(pid))) * PAGE / 1e6


def _tree(pid: int) -> Iterator[Path]:
    process = Path(f"/proc/{pid}")
    yield process
    for thread in (process / "task").iterdir():
        for child in _children(thread):
            yield from _tree(child)


def _children(thread: Path) -> list[int]:
    try:
        return [int(pid) for pid in (thread / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):  # a thread that has just ended
        return []


def _ticks(process: Path) -> int:
    """Adds up utime, stime, cutime and cstime; the name in front may have any signs."""
    return sum(map(int, (process / "stat").read_text().rpartition(")")[2].split()[11:15]))


def _pages(process: Path) -> int:
    return int((process / "statm").read_text().split()[1])
