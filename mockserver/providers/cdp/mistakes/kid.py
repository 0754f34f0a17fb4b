"""Explains a ``kid`` that is not a known key id: altered, or another value of a key."""

from mockserver.explain import Explanation, RejectedRequest
from mockserver.explain.text import common_prefix
from mockserver.model.rule_table import Rule, first_rule
from mockserver.providers.cdp.mistakes.lookup import (
    describe_value,
    key_labels,
    key_with_secret,
    read_token,
)

SIMILARITY_MIN = 0.8  # share of a key id that must agree for it to be suggested
COMPARED_MAX = 256  # keys
FIX_KID = "Set kid to the whole key id, unchanged."
WHITESPACE_OR_QUOTES = " \t\r\n\"'"

# Each with a test of a key and the kid that was sent.
KID_MISTAKES = (
    Rule("label in place of the key id", lambda key, kid: kid == key.label, FIX_KID),
    Rule(
        "only the last part of the key id",
        lambda key, kid: kid == key.key_id.rpartition("/")[2],
        FIX_KID,
    ),
    Rule(
        "whitespace or quotes around the key id",
        lambda key, kid: kid.replace("\\n", "").strip(WHITESPACE_OR_QUOTES) == key.key_id,
        FIX_KID,
    ),
    Rule("key id in another case", lambda key, kid: kid.lower() == key.key_id.lower(), FIX_KID),
    Rule("slash around the key id", lambda key, kid: kid.strip("/") == key.key_id, FIX_KID),
    Rule("account in place of the key id", lambda key, kid: kid in key.accounts.values(), FIX_KID),
    Rule("owner in place of the key id", lambda key, kid: kid == key.owner, FIX_KID),
)


def explain_unknown_key(rejected: RejectedRequest) -> Explanation:
    """Explains an unknown key id."""
    kid: str = read_token(rejected).header["kid"]
    received = describe_value(rejected, kid)
    matching = (
        (first_rule([rule], key, kid), key) for rule in KID_MISTAKES for key in rejected.keys
    )
    rule, key = next((match for match in matching if match[0]), (None, None))
    if rule is not None and key is not None:
        expected = f"{key.key_id}, the id of the key {key.label}"
        return Explanation(rule.name, expected, received, rule.fix)
    expected = f"the id of one of the keys {key_labels(rejected)}"
    if key_with_secret(rejected, kid) is not None:
        fix = "Set kid to the key id; never send the secret."
        return Explanation("secret in place of the key id", expected, received, fix)
    fix = "Use a key of this sandbox's world."
    return Explanation("unknown key id", expected, received + _nearest(rejected, kid), fix)


def _nearest(rejected: RejectedRequest, kid: str) -> str:
    """Returns a remark about the most similar key id, or an empty string."""
    keys = rejected.keys[:COMPARED_MAX]
    nearest = max(keys, key=lambda key: _similarity(key.key_id, kid), default=None)
    if nearest is None or _similarity(nearest.key_id, kid) < SIMILARITY_MIN:
        return ""
    return f"; nearest is the key {nearest.label}, {nearest.key_id}"


def _similarity(one: str, other: str) -> float:
    """Returns the share of two ids that agrees at their start and at their end, from 0 to 1."""
    first, second = one.encode(), other.encode("utf-8", "replace")
    start = common_prefix(first, second)
    end = common_prefix(first[start:][::-1], second[start:][::-1])
    return (start + end) / max(len(one), len(other))
