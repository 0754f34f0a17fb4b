"""Sizes of memory as people write them: ``256MiB``, ``1GiB``, ``65536``."""

import re

UNITS = {"": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
SIZE = re.compile(r"([0-9]{1,15})(KiB|MiB|GiB|)")


def size(written: str | int) -> int:
    """Returns bytes; raises ValueError."""
    match = SIZE.fullmatch(str(written))
    if match is None or isinstance(written, bool):
        raise ValueError(f"a size is a number and KiB, MiB or GiB, as in 256MiB; not {written!r}")
    return int(match[1]) * UNITS[match[2]]
