"""The solver: finds the mistakes that turn the correct input into what a client sent.

An input is any hashable value that a provider chooses: a recipe from which a signature is
computed, a key, a path. A mistake maps one input to the inputs that it may produce.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

from msgspec import Struct

from mockserver.explain.vocabulary import Explanation

TRIES_MAX = 600

Input = Any  # a provider's own hashable value


def no_variants(correct: Input) -> Iterable[Input]:
    """Returns no inputs: for a mistake that is detected directly, without the solver."""
    return ()


class Mistake(Struct, frozen=True):
    """A known mistake of clients.

    ``fix`` is one sentence: what to do instead. ``change`` maps an input to those that the
    mistake produces. ``no_pairs`` excludes the mistake from combinations with another one.
    """

    name: str
    fix: str
    change: Callable[[Input], Iterable[Input]] = no_variants
    no_pairs: bool = False


def solve(
    correct: Input,
    mistakes: Sequence[Mistake],
    reproduces: Callable[[Input], bool],
    *alternatives: Input,
    tries: int = TRIES_MAX,
) -> tuple[tuple[Mistake, ...], Input] | None:
    """Returns the mistakes that reproduce what the client sent and the input, or None.

    ``alternatives`` are further correct inputs. Single mistakes are tried before pairs, the
    first in the list first, and at most ``tries`` inputs in all.
    """
    for applied, candidate in islice(_candidates((correct, *alternatives), mistakes), tries):
        if reproduces(candidate):
            return applied, candidate
    return None


def _candidates(
    correct: Sequence[Input], mistakes: Sequence[Mistake]
) -> Iterator[tuple[tuple[Mistake, ...], Input]]:
    """Yields each input that one mistake produces, then those of two; none of them twice."""
    tried = set(correct)
    singles: list[tuple[int, Input]] = []
    for n, mistake in enumerate(mistakes):
        for candidate in _untried(tried, chain.from_iterable(map(mistake.change, correct))):
            singles.append((n, candidate))
            yield (mistake,), candidate
    singles = [(n, candidate) for n, candidate in singles if not mistakes[n].no_pairs]
    for m, mistake in enumerate(mistakes):
        earlier = [single for single in singles if single[0] < m and not mistake.no_pairs]
        for n, single in earlier:
            for candidate in _untried(tried, mistake.change(single)):
                yield (mistakes[n], mistake), candidate


def _untried(tried: set[Input], candidates: Iterable[Input]) -> Iterator[Input]:
    for candidate in candidates:
        if candidate not in tried:
            tried.add(candidate)
            yield candidate


def explanation_for(mistakes: tuple[Mistake, ...], expected: str, received: str) -> Explanation:
    """Returns the explanation that names all mistakes, with the fix of each."""
    return Explanation(
        " + ".join(mistake.name for mistake in mistakes),
        expected,
        received,
        " ".join(mistake.fix for mistake in mistakes),
    )
