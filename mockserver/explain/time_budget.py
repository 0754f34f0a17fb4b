"""A bound on the time that goes into explanations."""

from collections.abc import Callable

from mockserver.explain.vocabulary import Explanation
from mockserver.model.times import SECOND

SHARE = 10  # explanations may use 1/SHARE of real time
RESERVE = SECOND  # nanoseconds that may be saved up: more than a test run needs at once
SHED = Explanation(
    "shed", "", "", "The server rejected too many requests at once to explain each: send it again."
)


class TimeBudget:
    """Bounds the share of real time that goes into explanations.

    ``real`` returns real time in nanoseconds.
    """

    def __init__(self, real: Callable[[], int]) -> None:
        self._real = real
        self._updated = real()
        self._left = RESERVE
        self.shed = 0  # explanations that were not given

    def spend(self, explain: Callable[[], Explanation]) -> Explanation:
        """Returns ``explain()`` and charges its duration; SHED when the budget is used up."""
        begun = self._real()
        passed = max(0, begun - self._updated)  # real time may be set back
        self._left = min(self._left + passed // SHARE, RESERVE)
        self._updated = begun
        if self._left <= 0:
            self.shed += 1
            return SHED
        try:
            return explain()
        finally:
            self._left -= max(0, self._real() - begun)
