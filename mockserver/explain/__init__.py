"""Why a request was refused, told to the developer; the wire never shows it.

For a signature, the way in which the client seems to have signed is found by trying known
mistakes on the right way, alone and in pairs, until one reproduces what the client sent.
"""

from mockserver.explain.digests import (
    RARE_SECRETS,
    SECRETS,
    WRITING,
    digest_of,
)
from mockserver.explain.keys import (
    KEY_MAX,
    SentValue,
    explain_unknown_key,
    match_altered_key,
    nearest,
    sent_values,
)
from mockserver.explain.solver import (
    TRIES_MAX,
    Mistake,
    explanation_for,
    solve,
)
from mockserver.explain.text import (
    SHOWN_MAX,
    fingerprinted,
    highlight_diff,
    printable,
    redact_secrets,
    redacting,
)
from mockserver.explain.vocabulary import (
    Explanation,
    RejectedRequest,
    clock_drift,
)

__all__ = [
    "KEY_MAX",
    "RARE_SECRETS",
    "SECRETS",
    "SHOWN_MAX",
    "TRIES_MAX",
    "WRITING",
    "Explanation",
    "Mistake",
    "RejectedRequest",
    "SentValue",
    "clock_drift",
    "digest_of",
    "explain_unknown_key",
    "explanation_for",
    "fingerprinted",
    "highlight_diff",
    "match_altered_key",
    "nearest",
    "printable",
    "redact_secrets",
    "redacting",
    "sent_values",
    "solve",
]
