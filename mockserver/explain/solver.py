"""Which mistakes lead from the right way of signing to what a client sent."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

from msgspec import Struct

from mockserver.explain.vocabulary import Explanation

TRIES_MAX = 600

W = Any  # a provider's own value: everything that makes a signature; hashable


def no_ways(way: W) -> Iterable[W]:
    """Changes no way: for a mistake that is found by looking, not by trying."""
    return ()


class Mistake(Struct, frozen=True):
    """A known mistake: ``change`` returns the ways of signing that it makes of one.

    ``fix`` is one sentence: what to do instead. One that is tried ``no_pairs`` makes no pairs.
    """

    name: str
    fix: str
    change: Callable[[W], Iterable[W]] = no_ways
    no_pairs: bool = False


def solve(
    right: W,
    mistakes: Sequence[Mistake],
    reproduces: Callable[[W], bool],
    *alternatives: W,
    tries: int = TRIES_MAX,
) -> tuple[tuple[Mistake, ...], W] | None:
    """Returns the mistakes that reproduce a signature, and the way they make; or None.

    ``alternatives`` are further right ways. One mistake is tried before two, the likeliest
    two first, and no more than ``tries`` ways in all.
    """
    for made, way in islice(_ways((right, *alternatives), mistakes), tries):
        if reproduces(way):
            return made, way
    return None


def _ways(
    rights: Sequence[W], mistakes: Sequence[Mistake]
) -> Iterator[tuple[tuple[Mistake, ...], W]]:
    """Yields every way that one mistake makes, then every one that two make; none twice."""
    tried = set(rights)
    singles: list[tuple[int, W]] = []
    for n, mistake in enumerate(mistakes):
        for way in _new(tried, chain.from_iterable(map(mistake.change, rights))):
            singles.append((n, way))
            yield (mistake,), way
    singles = [(n, way) for n, way in singles if not mistakes[n].no_pairs]
    for m, mistake in enumerate(mistakes):
        earlier = [single for single in singles if single[0] < m and not mistake.no_pairs]
        for n, way in earlier:
            for other in _new(tried, mistake.change(way)):
                yield (mistakes[n], mistake), other


def _new(tried: set[W], ways: Iterable[W]) -> Iterator[W]:
    for way in ways:
        if way not in tried:
            tried.add(way)
            yield way


def explanation_for(found: tuple[Mistake, ...], expected: str, received: str) -> Explanation:
    """Makes the explanation of a signature whose mistakes were found."""
    return Explanation(
        " + ".join(mistake.name for mistake in found),
        expected,
        received,
        " ".join(mistake.fix for mistake in found),
    )
