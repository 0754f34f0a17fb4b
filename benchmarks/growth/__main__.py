"""Prints the figures, or one of them as JSON: ``python -m benchmarks.growth``."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import msgspec

from benchmarks import growth
from benchmarks.groups import Ground
from benchmarks.growth.cases import CASES


def main() -> None:
    """Prints the figures, or one of them as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=growth.__doc__)
    parser.add_argument("--quick", action="store_true", help="less of everything: does it run?")
    parser.add_argument("--case", type=int, help="the number of one case, told as JSON")
    given = parser.parse_args()
    if given.case is not None:
        sys.stdout.buffer.write(msgspec.json.encode(growth.measured(CASES[given.case])))
        return
    _print(given.quick)


def _print(quick: bool) -> None:
    server, *others = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {*others[:1]} or {server})  # wrk and the cases, as in a whole bench
    with tempfile.TemporaryDirectory() as folder:
        rest, figures = growth.whole(quick, Ground(server, 1, Path(folder), warm=True))
    print(rest)
    print(
        f"\n{'CPU us per request':<60}{'small':>8}{'large':>8}{'pipeline':>10}{'ratio':>7}  memory"
    )
    for f in figures:
        ratio = "-" if f.ratio is None else f"{f.ratio:.2f}"
        costs = f"{f.small:8.1f}{f.large:8.1f}{f.pipeline:10.2f}{ratio:>7}"
        print(f"{f.name:<60}{costs}  {f.memory}")


if __name__ == "__main__":
    main()
