"""Counts the instructions of pairs: ``python -m benchmarks.growth.counted`` prints them.

One process under callgrind does everything; each time that it counts is a file, whose totals
are added up. With ``--only TEXT`` it counts the pairs whose names contain a text.
"""

import argparse
import contextlib
import gc
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks import callgrind
from benchmarks.growth.pairs import Counting, Pair, Work, pairs


class Counted(NamedTuple):
    """Instructions of both sides of a pair, and by how much the large one may have more."""

    name: str
    most: float
    small: int
    large: int

    @property
    def ratio(self) -> float:
        """How many times the small one the large one is."""
        return self.large / self.small


def counted(only: str = "") -> list[Counted]:
    """Returns the counts of all pairs; raises RuntimeError when they cannot be counted."""
    with tempfile.TemporaryDirectory() as name:
        out, marks = Path(name, "out"), Path(name, "marks")
        callgrind.run(out, "-m", "benchmarks.growth.counted", "--marks", str(marks), "--only", only)
        sizes: list[tuple[int, int]] = msgspec.json.decode(marks.read_bytes())
        dumps = iter(range(1, 1 + sum(map(sum, sizes))))

        def add(many: int) -> int:
            return sum(callgrind.total(Path(f"{out}.{next(dumps)}")) for _ in range(many))

        chosen = _chosen(only)
        return [
            Counted(p.name, p.most, add(small), add(large))
            for p, (small, large) in zip(chosen, sizes, strict=True)
        ]


def complaints(found: Iterable[Counted]) -> list[str]:
    """Returns a sentence for each pair of which the large side costs too much."""
    return [
        f"{pair.name}: {pair.ratio:.2f} times, {pair.small:,} to {pair.large:,} instructions,"
        f" at most {pair.most} is allowed"
        for pair in found
        if pair.ratio > pair.most
    ]


def _chosen(only: str) -> list[Pair]:
    return [pair for pair in pairs() if only in pair.name]


def _count(chosen: Iterable[Pair]) -> Iterator[tuple[int, int]]:
    """Does each pair, and yields how many dumps both sides have written."""
    for pair in chosen:
        yield _dumps(pair.small), _dumps(pair.large)


def _dumps(work: Work) -> int:
    made = 0

    @contextlib.contextmanager
    def counting() -> Iterator[None]:
        nonlocal made
        made += 1
        gc.disable()  # what was there before is not searched while we count
        callgrind.begin(0)
        yield
        callgrind.end(0)
        gc.enable()

    marks: Counting = counting
    work(marks)
    return made


def main() -> None:
    """Counts here, under callgrind, or prints what another process counted."""
    parser = argparse.ArgumentParser(prog="counted", description=__doc__)
    parser.add_argument("--only", default="")
    parser.add_argument("--marks", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.marks:
        options.marks.write_bytes(msgspec.json.encode([*_count(_chosen(options.only))]))
        return
    for pair in counted(options.only):
        print(
            f"{pair.ratio:6.2f}  of {pair.most}  {pair.small:>12,} {pair.large:>12,}  {pair.name}"
        )


if __name__ == "__main__":
    main()
