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
    Sent,
    mistaken,
    nearest,
    sent,
    worn,
)
from mockserver.explain.solver import (
    TRIES_MAX,
    Mistake,
    solve,
    solved,
)
from mockserver.explain.text import (
    SHOWN_MAX,
    hidden,
    marked,
    redacting,
    shown,
    veiled,
)
from mockserver.explain.vocabulary import (
    Explanation,
    Refused,
    drift,
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
