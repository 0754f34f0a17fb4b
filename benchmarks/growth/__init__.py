"""What a request costs when there is much of something, beside what it costs when there is little.

``python -m benchmarks.growth`` prints every figure; ``--quick`` sees that it runs. Each case has
a process of its own, in which requests for the small and for the large sandbox take turns; what
counts is the least CPU of several turns, so that a neighbour on the core is not in it.

The pipeline alone is measured so, for it is what may grow. A client waits for more: what its
request costs the server beside the pipeline, and that is the same, however much there is. It is
measured too, and added to small and large.
"""

from benchmarks.growth.asking import answered, took, took_changing, warmed
from benchmarks.growth.cases import CASES, Case
from benchmarks.growth.figure import Figure, beside
from benchmarks.growth.ledgers import accounts, chosen, listed, middle, pending, records, rows
from benchmarks.growth.measuring import compare, figures, measured
from benchmarks.growth.requests import asks, get, main_read, request
from benchmarks.growth.rest import Rest, whole
from benchmarks.growth.traffic import (
    addresses,
    callers,
    filled,
    gone,
    refused,
    remembered,
    rules,
    sandboxes,
)
from benchmarks.growth.worlds import box, world

__all__ = [
    "CASES",
    "Case",
    "Figure",
    "Rest",
    "accounts",
    "addresses",
    "answered",
    "asks",
    "beside",
    "box",
    "callers",
    "chosen",
    "compare",
    "figures",
    "filled",
    "get",
    "gone",
    "listed",
    "main_read",
    "measured",
    "middle",
    "pending",
    "records",
    "refused",
    "remembered",
    "request",
    "rows",
    "rules",
    "sandboxes",
    "took",
    "took_changing",
    "warmed",
    "whole",
    "world",
]
