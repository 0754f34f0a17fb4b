"""Other spellings of a URL-encoded text that mean the same."""

import re
from collections.abc import Callable, Iterator
from itertools import product

ESCAPE = re.compile(rb"%[0-9A-Fa-f]{2}")

Spelling = Callable[[bytes], bytes]


def lower_escapes(text: bytes) -> bytes:
    """Returns a text with its escapes in lower case."""
    return ESCAPE.sub(lambda escape: escape[0].lower(), text)


def upper_escapes(text: bytes) -> bytes:
    """Returns a text with its escapes in upper case."""
    return ESCAPE.sub(lambda escape: escape[0].upper(), text)


# Choices that libraries make: for a tilde, a comma, a space, and the case of escapes.
CHOICES: tuple[tuple[Spelling, ...], ...] = (
    (bytes, lambda text: text.replace(b"~", b"%7E"), lambda text: re.sub(rb"%7[eE]", b"~", text)),
    (bytes, lambda text: text.replace(b",", b"%2C"), lambda text: re.sub(rb"%2[cC]", b",", text)),
    (bytes, lambda text: text.replace(b"+", b"%20"), lambda text: text.replace(b"%20", b"+")),
    (bytes, lower_escapes, upper_escapes),
)


def respelled(text: bytes) -> Iterator[bytes]:
    """Yields other spellings of an encoded text, none of them twice."""
    seen = {text}
    for spellings in product(*CHOICES):
        spelled = text
        for spell in spellings:
            spelled = spell(spelled)
        if spelled not in seen:
            seen.add(spelled)
            yield spelled
