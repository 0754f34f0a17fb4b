"""Explanations: why the server rejected a request, for the developer of the client.

Journal, log and report show them; the response never does, unless the header is switched on.
For a signature, the solver applies known mistakes to the right way of signing, one at a time
and in pairs, until one of them reproduces the signature that the client sent.
"""

from mockserver.explain.clocks import smaller_unit, zone_hint
from mockserver.explain.keys import match_altered_key
from mockserver.explain.sent_values import sent_values
from mockserver.explain.solver import TRIES_MAX, Mistake, explanation_for, solve
from mockserver.explain.text import (
    SHOWN_MAX,
    fingerprinted,
    highlight_diff,
    printable,
    redact_secrets,
    redacting,
)
from mockserver.explain.vocabulary import (
    Explainer,
    Explanation,
    RejectedRequest,
    by_reason,
    first_explanation,
)

__all__ = [
    "SHOWN_MAX",
    "TRIES_MAX",
    "Explainer",
    "Explanation",
    "Mistake",
    "RejectedRequest",
    "by_reason",
    "explanation_for",
    "fingerprinted",
    "first_explanation",
    "highlight_diff",
    "match_altered_key",
    "printable",
    "redact_secrets",
    "redacting",
    "sent_values",
    "smaller_unit",
    "solve",
    "zone_hint",
]
