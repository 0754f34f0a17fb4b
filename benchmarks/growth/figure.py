"""What a case comes to."""

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace


class Figure(Struct, frozen=True):
    """CPU of the pipeline per request in microseconds, small and large, and what one more takes.

    ``pipeline`` is the ratio of the two; ``ratio`` that of whole requests, None where the rest
    of a request was not measured.
    """

    name: str
    small: float
    large: float
    pipeline: float
    memory: str
    ratio: float | None = None


def beside(figures: Iterable[Figure], rest: float | None) -> list[Figure]:
    """Adds the rest of a request, in microseconds, to small and large; the worst comes first."""
    if rest is None:
        return sorted(figures, key=lambda one: -one.pipeline)
    whole = (replace(one, ratio=(one.large + rest) / (one.small + rest)) for one in figures)
    return sorted(whole, key=lambda one: -one.ratio)
