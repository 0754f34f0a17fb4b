"""Why a request was refused, told to the developer; the wire never shows it.

For a signature, the way in which the client seems to have signed is found by trying known
mistakes on the right way, alone and in pairs, until one reproduces what the client sent.
"""

from mockserver.wire.explain.credentials import (
    KEY_MAX,
    Sent,
    mistaken,
    nearest,
    sent,
    worn,
)
from mockserver.wire.explain.digests import (
    RARE_SECRETS,
    SECRETS,
    WRITING,
    digest_of,
)
from mockserver.wire.explain.solving import (
    TRIES_MAX,
    Mistake,
    solve,
    solved,
)
from mockserver.wire.explain.vocabulary import (
    Explanation,
    Refused,
    drift,
)
from mockserver.wire.explain.writing import (
    SHOWN_MAX,
    hidden,
    marked,
    redacting,
    shown,
    veiled,
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
    "Refused",
    "Sent",
    "digest_of",
    "drift",
    "hidden",
    "marked",
    "mistaken",
    "nearest",
    "redacting",
    "sent",
    "shown",
    "solve",
    "solved",
    "veiled",
    "worn",
]
