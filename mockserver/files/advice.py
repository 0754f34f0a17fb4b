"""Harm and advice of an assumed fact that has none of its own, by the words in its id."""

import re
from typing import NamedTuple


class Theme(NamedTuple):
    """Facts whose ids match ``pattern``: the harm that a wrong one does, and the advice."""

    pattern: re.Pattern[str]
    harm: int
    advice: str


# The first theme that fits counts.
THEMES = tuple(
    Theme(re.compile(pattern), harm, advice)
    for pattern, harm, advice in (
        (
            r"withdraw",
            45,
            "Read a withdrawal's state before you send it again, and give it a client_reference.",
        ),
        (
            r"replay|nonce",
            40,
            "Sign every attempt anew, and never send two equal requests within a second.",
        ),
        (
            r"order-of-checks|route-first|refusing-key",
            20,
            "Handle each error by itself: which of two comes first may differ.",
        ),
        (
            r"rate|limit|counted|bans|retry-after|credits|cost",
            35,
            "Stay below the documented limits, and back off without reading headers.",
        ),
        (
            r"clock|timestamp|times|lifetime|leeway|edge|span",
            30,
            "Keep the clock right, and sign with the time of sending.",
        ),
        (
            r"sign|key|token|uris|host|path|header|crit|bearer|credential|algorithm|sub|iss|aud|exp",
            25,
            "Sign and authenticate exactly as the official client does.",
        ),
        (
            r"amount|numbers|scale|available|zero|empty|holdings|rows|price",
            35,
            "Read amounts as decimals, and take a missing, null or zero one for nothing.",
        ),
        (
            r"text|alike|shape|error|failure|status|media-type",
            15,
            "Decide by the status and the code, not by the words of an error.",
        ),
        (
            r"parameter|filter|malformed|wrong|missing|unknown|invalid|body|name|null|page|asset|bad",
            10,
            "Send what is documented, each parameter once, and treat any 4xx as final.",
        ),
        (r"", 5, "Write no code that needs this; a fault rule can give another answer."),
    )
)


def theme_of(id: str) -> Theme:
    """Returns the theme of an assumed fact."""
    name = id.partition("-")[2]
    return next(theme for theme in THEMES if theme.pattern.search(name))
