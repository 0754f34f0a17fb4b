"""How a way of signing for CoinW may be changed into wrong ones.

Every change takes a way and returns others, none where it does not apply.
"""

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote, quote_plus, unquote_to_bytes

from msgspec.structs import replace

from mockserver.model.query import FORM, parameter
from mockserver.providers.coinw.mistakes.way import ALGORITHM, Pairs, SigningRecipe

PARAMETERS_MAX = 16  # parameters of which each is left out by way of trial
OTHERS_MAX = 16  # other keys whose secrets are tried
FUTURES = "sha256"

Ways = Iterable[SigningRecipe]
Change = Callable[[SigningRecipe], Ways]


def put(**members: Any) -> Change:
    """Gives members of a way other values."""
    return lambda way: [replace(way, **members)]


def each(name: str, *values: Any) -> Change:
    """Gives one member several values, one after the other."""
    return lambda way: [replace(way, **{name: value}) for value in values]


def _with(way: SigningRecipe, pair: tuple[bytes, bytes]) -> list[SigningRecipe]:
    """Adds a parameter where it belongs by its name, or last where nothing is sorted."""
    pairs = (*way.pairs, pair)
    is_sorted = way.pairs == tuple(sorted(way.pairs))
    return [replace(way, pairs=tuple(sorted(pairs)) if is_sorted else pairs)]


def _without(way: SigningRecipe, names: Iterable[bytes]) -> list[SigningRecipe]:
    return [replace(way, pairs=tuple(pair for pair in way.pairs if pair[0] not in names))]


# Which parameters


def with_command(way: SigningRecipe) -> Ways:
    """Signs the command, which is right only where a quirk wants it."""
    return _with(way, (b"command", parameter(way.given.request, b"command")))


def without_command(way: SigningRecipe) -> Ways:
    """Does not sign the command where a quirk wants it."""
    return _without(way, {b"command"})


def where_command(covered: bool, change: Change) -> Change:
    """Applies a change only where the signature covers the command, or only where not."""
    return lambda way: change(way) if way.given.covers_command is covered else []


def sign_signed(way: SigningRecipe) -> Ways:
    """Signs ``sign`` while it is still empty."""
    return _with(way, (b"sign", b""))


def without_key(way: SigningRecipe) -> Ways:
    """Does not sign the key."""
    return _without(way, {b"api_key"})


def without_query(way: SigningRecipe) -> Ways:
    """Signs only what stands in the form."""
    return _without(way, {name for name, _ in way.given.query} - {b"api_key", b"command"})


def without_form(way: SigningRecipe) -> Ways:
    """Signs only what stands in the query."""
    return _without(way, {name for name, _ in way.given.form} - {b"api_key", b"command"})


def key_alone(way: SigningRecipe) -> Ways:
    """Signs nothing but the key."""
    return _without(way, {name for name, _ in way.pairs} - {b"api_key"})


def one_left_out(way: SigningRecipe) -> Ways:
    """Leaves out one parameter."""
    names = [name for name, _ in way.pairs]
    return [w for name in names for w in _without(way, {name}) if len(names) <= PARAMETERS_MAX]


def empty_left_out(way: SigningRecipe) -> Ways:
    """Leaves out parameters that are empty."""
    return _without(way, {name for name, value in way.pairs if not value})


# Order


def _ranked(way: SigningRecipe, names: list[bytes]) -> list[SigningRecipe]:
    ranks = {name: n for n, name in enumerate(names)}
    last = len(names)
    return [replace(way, pairs=tuple(sorted(way.pairs, key=lambda p: ranks.get(p[0], last))))]


def as_sent(way: SigningRecipe) -> Ways:
    """Leaves the parameters in the order in which they are sent, the key in any place."""
    names = [name for name, _ in dict.fromkeys((*way.given.query, *way.given.form))]
    others = [name for name in names if name != b"api_key"]
    orders = (
        names,
        [*others, b"api_key"],
        [b"api_key", *others],
        [b"command", b"api_key", *(name for name in others if name != b"command")],
    )
    return [w for order in orders for w in _ranked(way, order)]


def sorted_otherwise(way: SigningRecipe) -> Ways:
    """Sorts backwards, by value, without regard to case, or key and value as one text."""
    keys: tuple[Callable[[tuple[bytes, bytes]], Any], ...] = (
        lambda pair: pair[1],
        lambda pair: pair[0].lower(),
        lambda pair: pair[0] + b"=" + pair[1],
    )
    found = [tuple(sorted(way.pairs, key=key)) for key in keys]
    return [replace(way, pairs=pairs) for pairs in (way.pairs[::-1], *found)]


# Values


def _revalued(way: SigningRecipe, change: Callable[[bytes], bytes | str]) -> list[SigningRecipe]:
    def made(text: bytes) -> bytes:
        new = change(text)
        return new if isinstance(new, bytes) else new.encode()

    return [replace(way, pairs=tuple((made(name), made(value)) for name, value in way.pairs))]


def encoded(way: SigningRecipe) -> Ways:
    """Encodes names and values, a space as a plus or as %20."""
    return [*_revalued(way, quote_plus), *_revalued(way, lambda text: quote(text, safe=""))]


def encoded_otherwise(way: SigningRecipe) -> Ways:
    """Encodes less than is usual."""
    return [*_revalued(way, quote), *_revalued(way, lambda text: quote(text, safe="!'()*,:"))]


def decoded(way: SigningRecipe) -> Ways:
    """Decodes what is decoded already, or takes a plus for a space once more."""
    spaced = _revalued(way, lambda text: unquote_to_bytes(text.replace(b"+", b" ")))
    return [*_revalued(way, unquote_to_bytes), *spaced]


def plus_kept(way: SigningRecipe) -> Ways:
    """Signs the plus that was meant, where the query says a space."""
    return _revalued(way, lambda text: text.replace(b" ", b"+"))


# The string as a whole


def _raw(way: SigningRecipe) -> list[bytes]:
    request = way.given.request
    body = request.body if way.given.form else b""
    return [part for text in (request.query, body) for part in text.split(b"&") if part]


def query_string(way: SigningRecipe) -> Ways:
    """Signs query and form as they are sent, all but the signature."""
    parts = [part for part in _raw(way) if not part.startswith(b"sign=")]
    pairs = tuple((name, value) for name, _, value in (part.partition(b"=") for part in parts))
    return [replace(way, pairs=pairs)]


def path_signed(way: SigningRecipe) -> Ways:
    """Signs the path before the parameters."""
    path = way.given.request.path
    return [replace(way, head=head) for head in (path + b"?", path)]


def line_end(way: SigningRecipe) -> Ways:
    """Ends the string in a newline, where it is not the right secret that ends in one."""
    own = way.given.key.secret_key.encode()
    last = way.place.endswith(("behind", "behind, without its name"))
    return [] if last and way.secret == own and not way.keyed else [replace(way, end=b"\n")]


def names_left_out(way: SigningRecipe) -> Ways:
    """Joins the values alone."""
    pairs: Pairs = tuple((b"", value) for _, value in way.pairs)
    return [
        replace(way, pairs=pairs, equals=b"", joiner=joiner, secret_name=b"")
        for joiner in (b"", way.joiner)
    ]


# Secret and digest


def another_secret(way: SigningRecipe) -> Ways:
    """Takes the secrets of other keys."""
    return [replace(way, secret=secret) for secret in list(way.given.others)[:OTHERS_MAX]]


def swapped(way: SigningRecipe) -> Ways:
    """Takes the key for the secret; and the secret for the key."""
    key, secret = way.given.key.api_key.encode(), way.given.key.secret_key.encode()
    pairs = tuple((name, secret if value == key else value) for name, value in way.pairs)
    return [replace(way, secret=key), replace(way, secret=key, pairs=pairs)]


def by_hmac(way: SigningRecipe) -> Ways:
    """Makes an HMAC, the secret in the string too or not."""
    places = ("nowhere", way.place) if way.algorithm == ALGORITHM else ()
    return [replace(way, keyed="HMAC", place=place) for place in places]


def by_the_futures(way: SigningRecipe) -> Ways:
    """Signs as for the futures: an HMAC of timestamp, method, path and parameters."""
    request = way.given.request
    time = request.header(b"timestamp") or parameter(request, b"timestamp")
    if way.algorithm != FUTURES or not time:
        return []
    start = time + request.method.encode() + request.path
    query = [part for part in request.query.split(b"&") if not part.startswith(b"sign=")]
    bare = [part for part in query if not part.startswith(b"api_key=")]
    body = b"" if request.header(b"content-type").startswith(FORM) else request.body
    tails = {b"", *(b"?" + b"&".join(parts) for parts in (query, sorted(query), bare) if parts)}
    texts = [start + tail + more for tail in sorted(tails) for more in dict.fromkeys((b"", body))]
    return [replace(way, text=text, keyed="HMAC") for text in texts]
