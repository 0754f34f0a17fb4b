"""Which mistakes lead from the right way of signing to what a client sent."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

from msgspec import Struct

from mockserver.explain.vocabulary import Explanation

TRIES_MAX = 600

Way = Any  # a provider's own value: everything that makes a signature; hashable


def nowhere(way: Way) -> Iterable[Way]:
    """Changes no way: for a mistake that is found by looking, not by trying."""
    return ()


class Mistake(Struct, frozen=True):
    """A known mistake: ``change`` returns the ways of signing that it makes of one.

    ``fix`` is one sentence: what to do instead. One that is tried ``alone`` makes no pairs.
    """

    name: str
    fix: str
    change: Callable[[Way], Iterable[Way]] = nowhere
    alone: bool = False


def solve(
    right: Way,
    mistakes: Sequence[Mistake],
    reproduces: Callable[[Way], bool],
    *also: Way,
    tries: int = TRIES_MAX,
) -> tuple[tuple[Mistake, ...], Way] | None:
    """Returns the mistakes that reproduce a signature, and the way they make; or None.

    ``also`` are further ways that are right. One mistake is tried before two, the likeliest
    two first, and no more than ``tries`` ways in all.
    """
    for made, way in islice(_ways((right, *also), mistakes), tries):
        if reproduces(way):
            return made, way
    return None


def _ways(
    rights: Sequence[Way], mistakes: Sequence[Mistake]
) -> Iterator[tuple[tuple[Mistake, ...], Way]]:
    """Yields every way that one mistake makes, then every one that two make; none twice."""
    tried = set(rights)
    singles: list[tuple[int, Way]] = []
    for n, mistake in enumerate(mistakes):
        for way in _new(tried, chain.from_iterable(map(mistake.change, rights))):
            singles.append((n, way))
            yield (mistake,), way
    singles = [(n, way) for n, way in singles if not mistakes[n].alone]
    for m, mistake in enumerate(mistakes):
        earlier = [single for single in singles if single[0] < m and not mistake.alone]
        for n, way in earlier:
            for other in _new(tried, mistake.change(way)):
                yield (mistakes[n], mistake), other


def _new(tried: set[Way], ways: Iterable[Way]) -> Iterator[Way]:
    for way in ways:
        if way not in tried:
            tried.add(way)
            yield way


def solved(found: tuple[Mistake, ...], expected: str, received: str) -> Explanation:
    """Makes the explanation of a signature whose mistakes were found."""
    return Explanation(
        " + ".join(mistake.name for mistake in found),
        expected,
        received,
        " ".join(mistake.fix for mistake in found),
    )
