"""Why a key id is none: something else of a key was sent, or it was changed."""

from collections.abc import Callable
from typing import Any

from mockserver.explain import Explanation, RejectedRequest
from mockserver.providers.cdp.mistakes.names import listed, named, presented, secret_of

NEAR = 0.8  # of a key id that has to be the same for it to be told

COMPARED_MAX = 256  # keys

BLANKS = " \t\r\n\"'"

# What was sent in the place of a key's id.
MEANT: tuple[tuple[str, Callable[[Any, str], bool]], ...] = (
    ("label in place of the key id", lambda key, kid: kid == key.label),
    ("last part of the key id alone", lambda key, kid: kid == key.key_id.rpartition("/")[2]),
    (
        "whitespace or quotes around the key id",
        lambda key, kid: kid.replace("\\n", "").strip(BLANKS) == key.key_id,
    ),
    ("key id in another case", lambda key, kid: kid.lower() == key.key_id.lower()),
    ("slash around the key id", lambda key, kid: kid.strip("/") == key.key_id),
    ("account in place of the key id", lambda key, kid: kid in key.accounts.values()),
    ("owner in place of the key id", lambda key, kid: kid == key.owner),
)


def unknown(refused: RejectedRequest) -> Explanation:
    """Explains a key id that is not there."""
    kid: str = presented(refused).header["kid"]
    for rule, meant in MEANT:
        for key in refused.keys:
            if meant(key, kid):
                expected = f"{key.key_id}, the id of the key {key.label}"
                fix = "Set kid to the whole key id, as it is."
                return Explanation(rule, expected, named(refused, kid), fix)
    expected = f"the id of one of the keys {listed(refused)}"
    if secret_of(refused, kid) is not None:
        fix = "Set kid to the key id: the secret never leaves the client."
        return Explanation("secret in place of the key id", expected, named(refused, kid), fix)
    return _stranger(refused, kid, expected)


def _stranger(refused: RejectedRequest, kid: str, expected: str) -> Explanation:
    told, fix = named(refused, kid), "Use a key of this sandbox's world."
    near = max(refused.keys[:COMPARED_MAX], key=lambda key: _alike(key.key_id, kid), default=None)
    if near is not None and _alike(near.key_id, kid) >= NEAR:
        told += f"; nearest is the key {near.label}, {near.key_id}"
    return Explanation("unknown key id", expected, told, fix)


def _alike(one: str, other: str) -> float:
    """Returns which share of two ids is the same at the beginning and at the end."""
    start = _common(one, other)
    end = _common(one[start:][::-1], other[start:][::-1])
    return (start + end) / max(len(one), len(other))


def _common(one: str, other: str) -> int:
    size = min(len(one), len(other))
    return next((n for n in range(size) if one[n] != other[n]), size)
