"""What clients do before they sign, whatever they sign: to the parameters and to the secret.

Each change takes an attempt and returns attempts with one mistake, none where it does not apply.
The parameters are those that are signed, sorted, or those of a query that is signed as one part.
"""

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial, reduce
from itertools import permutations
from typing import Any
from urllib.parse import quote, quote_plus, unquote_to_bytes

from msgspec.structs import replace

from mockserver.explain.attempts import Attempt, Change
from mockserver.explain.digests import HEX, decode_base64
from mockserver.explain.solver import Mistake
from mockserver.model.query import raw_pairs

OTHERS_MAX = 16  # other keys whose secrets are tried
PARAMETERS_MAX = 16  # parameters of a query that is split, or of which each is left out
SHUFFLED_MAX = 4  # parts or parameters that are tried in every order
ESCAPE = re.compile(rb"%[0-9A-Fa-f]{2}")

Attempts = Iterable[Attempt]
Spelling = Callable[[bytes], bytes | str]


def each(member: str, *values: Any, **others: Any) -> Change:
    """Tries several values of one member of the attempt; ``others`` are set as well."""
    return lambda attempt: [replace(attempt, **{member: v}, **others) for v in values]


def as_bytes(text: bytes | str) -> bytes:
    """Returns a text as bytes."""
    return text if isinstance(text, bytes) else text.encode()


# Parameters


def split(query: bytes) -> list[bytes]:
    """Returns the raw parameters of a query, none where one alone or too many are sent."""
    params = query.split(b"&")
    return params if 1 < len(params) <= PARAMETERS_MAX else []


def over_params(change: Callable[[Sequence[Any]], Iterable[Iterable[Any]]]) -> Change:
    """Turns a change of a list of parameters into one of the attempt."""

    def changed(attempt: Attempt) -> Attempts:
        if not attempt.of.recipe.parts:
            return [replace(attempt, parts=tuple(params)) for params in change(attempt.parts)]
        params = split(attempt["query"])
        return [attempt.put(query=b"&".join(new)) for new in change(params) if params]

    return changed


def few_shuffled(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Yields few items in every order."""
    return permutations(items if len(items) <= SHUFFLED_MAX else ())


def all_but_one(items: Sequence[Any]) -> list[Sequence[Any]]:
    """Leaves out each of the items, unless they are many."""
    count = len(items) if len(items) <= PARAMETERS_MAX else 0
    return [[*items[:n], *items[n + 1 :]] for n in range(count)]


def respells(*spellings: Spelling) -> Change:
    """Spells every name and value of the parameters in other ways."""

    def changed(attempt: Attempt) -> Attempts:
        is_query = bool(attempt.of.recipe.parts)
        pairs = raw_pairs(attempt["query"]) if is_query else attempt.pairs
        for spell in spellings:
            spelled = tuple((as_bytes(spell(n)), as_bytes(spell(v))) for n, v in pairs)
            if not is_query:
                yield replace(attempt, parts=spelled)
            elif 0 < len(pairs) <= PARAMETERS_MAX:
                yield attempt.put(query=b"&".join(map(b"=".join, spelled)))

    return changed


def decoded(text: bytes) -> bytes:
    """Decodes a text; a plus becomes a space."""
    return unquote_to_bytes(text.replace(b"+", b" "))


def quote_all(text: bytes) -> str:
    """Encodes all that may be encoded."""
    return quote(text, safe="")


# Choices of libraries: for a tilde, a comma, a space, and the case of escapes.
RESPELLINGS: Sequence[Callable[[bytes], bytes]] = (
    lambda text: text.replace(b"~", b"%7E"),
    lambda text: ESCAPE.sub(lambda escape: escape[0].lower(), text),
    lambda text: re.sub(rb"%7[eE]", b"~", text),
    lambda text: text.replace(b",", b"%2C"),
    lambda text: re.sub(rb"%2[cC]", b",", text),
    lambda text: text.replace(b"+", b"%20"),
    lambda text: text.replace(b"%20", b"+"),
    lambda text: ESCAPE.sub(lambda escape: escape[0].upper(), text),
)


def respelled(text: bytes) -> list[bytes]:
    """Returns other spellings of an encoded text, none of them twice."""
    texts = {text: None}
    for spell in RESPELLINGS:
        texts |= dict.fromkeys(map(spell, texts))
    return list(texts)[1:]


def _respelling(spell: Spelling, *respellings: Spelling) -> Spelling:
    return lambda text: reduce(lambda t, respell: respell(as_bytes(t)), respellings, spell(text))


TILDE, LOWER = RESPELLINGS[:2]
SPELLINGS: tuple[Spelling, ...] = (quote_plus, quote_all)
UNUSUAL_SPELLINGS: tuple[Spelling, ...] = (
    *(quote, partial(quote, safe="!'()*"), partial(quote, safe="!'()*,:")),
    *(_respelling(s, *r) for s in SPELLINGS for r in ((TILDE,), (LOWER,), (TILDE, LOWER))),
)

# The secret


def secret_of_another_key(attempt: Attempt) -> Attempts:
    """Signs with the secrets of other keys."""
    return [replace(attempt, secret=secret) for secret in list(attempt.of.others)[:OTHERS_MAX]]


def _secret(name: str, fix: str, change: Callable[[bytes], Iterable[bytes]]) -> Mistake:
    return Mistake(name, fix, lambda a: [replace(a, secret=secret) for secret in change(a.secret)])


NEWLINE, WHITESPACE = "newline after the secret", "whitespace around the secret"
QUOTES = "quotes around the secret"
STRIP = "Strip the secret: whitespace and line ends are not part of it."
UNQUOTE = "Remove the quotes from the secret."
UNCHANGED = "Use the secret's text unchanged: do not decode or encode it."
UNSET = "Check that the variable that the secret is read from is set."
EXACT = "Use the secret's exact upper and lower case."


def _from_hex(secret: bytes) -> list[bytes]:
    return [bytes.fromhex(secret.decode())] if HEX.fullmatch(secret) else []


AFTER_SECRET = _secret(NEWLINE, STRIP, lambda s: [s + b"\n"])
AROUND_SECRET = _secret(WHITESPACE, STRIP, lambda s: [s + b" ", b" " + s])
CODED_SECRETS = (
    _secret("secret decoded from base64", UNCHANGED, lambda s: filter(None, [decode_base64(s)])),
    _secret("secret decoded from hex", UNCHANGED, _from_hex),
    _secret(QUOTES, UNQUOTE, lambda s: [b'"' + s + b'"']),
)
CODE = "secret written in hex or base64"
RARE_SECRETS = (
    _secret(NEWLINE, STRIP, lambda s: [s + b"\r\n"]),
    _secret(WHITESPACE, STRIP, lambda s: [b" " + s + b" ", s + b"\t", b"\t" + s]),
    _secret(QUOTES, UNQUOTE, lambda s: [b"'" + s + b"'", b"`" + s + b"`"]),
    _secret("no secret", UNSET, lambda s: [b"", b"None", b"null", b"undefined"]),
    _secret(CODE, UNCHANGED, lambda s: [s.hex().encode(), base64.b64encode(s)]),
    _secret("secret in another case", EXACT, lambda s: [s.lower(), s.upper()]),
)
