"""Explains a ``kid`` that is not a known key id: altered, or another value of a key."""

from collections.abc import Callable
from typing import Any

from mockserver.explain import Explanation, RejectedRequest
from mockserver.providers.cdp.mistakes.lookup import (
    describe_value,
    key_labels,
    key_with_secret,
    read_token,
)

SIMILARITY_MIN = 0.8  # share of a key id that must agree for it to be suggested
COMPARED_MAX = 256  # keys

WHITESPACE_OR_QUOTES = " \t\r\n\"'"

# Mistakes, each with a test of a key and the kid that was sent.
MISTAKES: tuple[tuple[str, Callable[[Any, str], bool]], ...] = (
    ("label in place of the key id", lambda key, kid: kid == key.label),
    ("only the last part of the key id", lambda key, kid: kid == key.key_id.rpartition("/")[2]),
    (
        "whitespace or quotes around the key id",
        lambda key, kid: kid.replace("\\n", "").strip(WHITESPACE_OR_QUOTES) == key.key_id,
    ),
    ("key id in another case", lambda key, kid: kid.lower() == key.key_id.lower()),
    ("slash around the key id", lambda key, kid: kid.strip("/") == key.key_id),
    ("account in place of the key id", lambda key, kid: kid in key.accounts.values()),
    ("owner in place of the key id", lambda key, kid: kid == key.owner),
)


def explain_unknown_key(rejected: RejectedRequest) -> Explanation:
    """Explains an unknown key id."""
    kid: str = read_token(rejected).header["kid"]
    received = describe_value(rejected, kid)
    for rule, matches in MISTAKES:
        for key in rejected.keys:
            if matches(key, kid):
                expected = f"{key.key_id}, the id of the key {key.label}"
                fix = "Set kid to the whole key id, unchanged."
                return Explanation(rule, expected, received, fix)
    expected = f"the id of one of the keys {key_labels(rejected)}"
    if key_with_secret(rejected, kid) is not None:
        fix = "Set kid to the key id; never send the secret."
        return Explanation("secret in place of the key id", expected, received, fix)
    return Explanation(
        "unknown key id",
        expected,
        received + _nearest(rejected, kid),
        "Use a key of this sandbox's world.",
    )


def _nearest(rejected: RejectedRequest, kid: str) -> str:
    """Returns a remark about the most similar key id, or an empty string."""
    keys = rejected.keys[:COMPARED_MAX]
    nearest = max(keys, key=lambda key: _similarity(key.key_id, kid), default=None)
    if nearest is None or _similarity(nearest.key_id, kid) < SIMILARITY_MIN:
        return ""
    return f"; nearest is the key {nearest.label}, {nearest.key_id}"


def _similarity(one: str, other: str) -> float:
    """Returns the share of two ids that agrees at their start and at their end, from 0 to 1."""
    start = _common_prefix(one, other)
    end = _common_prefix(one[start:][::-1], other[start:][::-1])
    return (start + end) / max(len(one), len(other))


def _common_prefix(one: str, other: str) -> int:
    size = min(len(one), len(other))
    return next((n for n in range(size) if one[n] != other[n]), size)
