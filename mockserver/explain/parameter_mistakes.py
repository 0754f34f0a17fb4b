"""The known mistakes of clients that sign sorted parameters, the likeliest first."""

import json
from collections.abc import Callable, Iterable
from itertools import chain, permutations
from urllib.parse import unquote_to_bytes

from msgspec.structs import replace

from mockserver.explain.attempts import Attempt, Change, Part, label, message
from mockserver.explain.changes import (
    AFTER_SECRET,
    AROUND_SECRET,
    CODED_SECRETS,
    RARE_SECRETS,
    SPELLINGS,
    UNUSUAL_SPELLINGS,
    Attempts,
    all_but_one,
    decoded,
    each,
    few_shuffled,
    over_params,
    respells,
    secret_of_another_key,
)
from mockserver.explain.solver import Mistake
from mockserver.model.query import parameter

JSON_STYLES = ((",", ":"), (", ", ": "))  # separators
SECRET_NAMES = (b"secret", b"secretKey", b"api_secret")
RARE_SECRET_NAMES = (
    *(b"apiSecret", b"secretkey", b"SecretKey", b"SECRET_KEY", b"secret-key", b"key"),
    *(b"api_secret_key", b"apiSecretKey", b"apisecret", b"skey", b"sk", b"appSecret"),
    *(b"secret_key", b"secret", b"secretKey", b"api_secret"),
)

# Which parameters


def _key(a: Attempt) -> list[bytes]:
    return [a.of.recipe.key_at.name.encode()]


def _operation(a: Attempt) -> list[bytes]:
    """Returns the name of the parameter that names the operation, if there is one."""
    return [a.of.recipe.operation.encode()] if a.of.recipe.operation else []


def _omits(names: Callable[[Attempt], Iterable[bytes]]) -> Change:
    def change(a: Attempt) -> Attempts:
        omitted = set(names(a))
        return [replace(a, parts=tuple(p for p in a.parts if label(p) not in omitted))]

    return change


def _sent_in(place: str) -> Callable[[Attempt], set[bytes]]:
    """Returns the names that are sent in ``query`` or ``form``, but for key and operation."""
    return lambda a: {n for n, _ in getattr(a.of, place)}.difference(_key(a), _operation(a))


def _adds(a: Attempt, name: bytes, value: bytes) -> Attempts:
    """Adds a parameter in the order of names, or last where the parameters are not sorted."""
    is_sorted, parts = list(a.parts) == sorted(a.parts, key=label), (*a.parts, (name, value))
    return [replace(a, parts=tuple(sorted(parts, key=label)) if is_sorted else parts)]


def _with_sign(a: Attempt) -> Attempts:
    return _adds(a, a.of.recipe.signature_at.name.encode(), b"")


def _with_operation(a: Attempt) -> Attempts:
    left_out = [name for name in _operation(a) if name.decode() in a.of.recipe.left_out]
    return [new for name in left_out for new in _adds(a, name, parameter(a.of.request, name))]


# Their order


def _in_sent_order(a: Attempt) -> Attempts:
    """Keeps the order in which parameters are sent, with key or operation at either end."""
    key = _key(a)
    names = [name for name, _ in dict.fromkeys((*a.of.query, *a.of.form))]
    others = [name for name in names if name not in key]
    operation = [name for name in others if name in _operation(a)]
    rest = [name for name in others if name not in operation]
    ends = (*permutations((others, key)), *permutations((operation, key, rest)))
    for order in (names, *(chain(*lists) for lists in ends)):
        ranks = {name: n for n, name in enumerate(order)}
        yield replace(a, parts=tuple(sorted(a.parts, key=_rank_in(ranks))))


def _rank_in(ranks: dict[bytes, int]) -> Callable[[Part], int]:
    return lambda part: ranks.get(label(part), len(ranks))


_in_any_order = over_params(few_shuffled)


def _unsorted_operation(a: Attempt) -> Attempts:
    """Signs the parameter that names the operation, and sorts nothing."""
    for covering in _with_operation(a):
        for changed in chain(_in_sent_order(covering), _in_any_order(covering)):
            if changed != covering:
                yield changed


def _otherwise_sorted(a: Attempt) -> Attempts:
    """Sorts backwards, by value, without regard to case, or key and value as one text."""
    pairs = a.pairs
    by_value = sorted(pairs, key=lambda pair: pair[1])
    caseless = sorted(pairs, key=lambda pair: pair[0].lower())
    orders = (pairs[::-1], by_value, caseless, sorted(pairs, key=b"=".join))
    return (replace(a, parts=tuple(order)) for order in orders)


# Values and the string as a whole


def _as_sent(a: Attempt) -> Attempts:
    """Signs query and form as they are sent, without the signature."""
    params = b"&".join((a.of.request.query, a.of.request.body if a.of.form else b"")).split(b"&")
    sign = a.of.recipe.signature_at.name.encode() + b"="
    signed = (p.partition(b"=") for p in params if p and not p.startswith(sign))
    return [replace(a, parts=tuple((name, value) for name, _, value in signed))]


def _with_newline(a: Attempt) -> Attempts:
    """Ends the string in a newline, unless a newline after the right secret explains it."""
    is_last = a.place in {"last", "appended"}
    explained = is_last and a.secret == a.of.secret and a.construction == "hash"
    return [] if explained else [replace(a, suffix=b"\n")]


def _in_one_case(a: Attempt) -> Attempts:
    """Signs the string in lower or upper case, where that changes several letters."""
    text = message(a)
    for cased in (text.lower(), text.upper()):
        if sum(map(int.__ne__, text, cased)) > 1:
            yield replace(a, text=cased)


def _as_json(a: Attempt) -> Attempts:
    """Signs the parameters and the secret as a JSON object."""
    members = (*a.pairs, (a.secret_name, a.secret))
    data = {_text(name): _text(value) for name, value in members}
    for style in JSON_STYLES:
        text = json.dumps(data, separators=style, ensure_ascii=False)
        yield replace(a, text=text.encode("utf-8", "surrogateescape"))


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


# Secret and digest


def _swapped(a: Attempt) -> Attempts:
    """Signs with the key as the secret, and with the secret as the key too."""
    key, secret = a.of.key_id, a.of.secret
    parts = tuple((name, secret if value == key else value) for name, value in a.pairs)
    return [replace(a, secret=key), replace(a, secret=key, parts=parts)]


def _hmac(a: Attempt) -> Attempts:
    """Makes an HMAC, with or without the secret in the string."""
    places = ("nowhere", a.place) if a.algorithm == a.of.recipe.algorithm else ()
    return [replace(a, construction="HMAC", place=place) for place in places]


# The tables: a name has words of the recipe, a fix is the name of a sentence; see signing_texts

UNSORTED = "{operation} signed + parameters not sorted"
SEPARATOR = "another separator between parameters"
LIKELY = (
    Mistake("{operation} signed", "operation", _with_operation),
    Mistake("{operation} not signed", "every", _omits(_operation)),
    Mistake("parameters not sorted", "sort", _in_sent_order),
    Mistake(UNSORTED, "unsorted", _unsorted_operation, no_pairs=True),
    Mistake("secret not signed", "place", each("place", "nowhere")),
    Mistake("secret without its name", "place", each("place", "last", "appended", secret_name=b"")),
    Mistake("secret under another name", "place", each("secret_name", *SECRET_NAMES)),
    Mistake("secret sorted in", "sort", each("place", "sorted in")),
    Mistake("secret first", "place", each("place", "first")),
    Mistake("values URL-encoded", "raw", respells(*SPELLINGS)),
    Mistake("{key} not signed", "every", _omits(_key)),
    Mistake("{sign} signed", "every", _with_sign),
    Mistake("query not signed", "every", _omits(_sent_in("query"))),
    Mistake("form not signed", "every", _omits(_sent_in("form"))),
    Mistake("{joiner} after the string", "join", lambda a: [replace(a, suffix=a.of.recipe.joiner)]),
    replace(AFTER_SECRET, fix="newline"),
    AROUND_SECRET,
    *CODED_SECRETS,
    Mistake("HMAC-{digest} for {digest}", "digest", _hmac),
    Mistake("{key} and secret swapped", "secret", _swapped),
    Mistake("another key's secret", "secret", secret_of_another_key),
    Mistake("newline after the string", "newline", _with_newline),
    Mistake("query signed as it is sent", "raw", _as_sent),
    Mistake("values decoded twice", "raw", respells(unquote_to_bytes, decoded)),
    Mistake(
        "only {key} signed", "every", _omits(lambda a: set(map(label, a.parts)).difference(_key(a)))
    ),
    Mistake(SEPARATOR, "join", each("joiner", b"", b",", b"\n", b"|")),
    Mistake("secret first", "place", each("place", "first", "prepended", secret_name=b"")),
    Mistake("string in one case", "join", _in_one_case),
)
RARE = (
    Mistake("secret under another name", "place", each("secret_name", *RARE_SECRET_NAMES)),
    Mistake("parameters in another order", "sort", _otherwise_sorted),
    Mistake("parameters in another order", "sort", _in_any_order),
    Mistake(
        "empty parameters not signed", "every", _omits(lambda a: [n for n, v in a.pairs if not v])
    ),
    Mistake("a parameter not signed", "every", over_params(all_but_one)),
    Mistake("values URL-encoded", "raw", respells(*UNUSUAL_SPELLINGS)),
    Mistake("plus signed for a space", "raw", respells(lambda text: text.replace(b" ", b"+"))),
    Mistake("path signed", "join", lambda a: each("prefix", a.of.path + b"?", a.of.path)(a)),
    Mistake("names not signed", "join", lambda a: each("joiner", b"", a.joiner, equals=None)(a)),
    Mistake("= missing or another character", "join", each("equals", b"", b":")),
    Mistake("JSON signed", "join", _as_json),
    *RARE_SECRETS,
)
