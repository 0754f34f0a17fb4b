"""Wrong timestamps, methods, paths and queries in what is signed for X-CPG.

Every change takes a way of signing and returns others, none where it does not apply.
"""

from collections.abc import Callable, Iterable
from itertools import permutations
from typing import Any
from urllib.parse import quote, quote_plus, unquote_to_bytes, urlencode

from msgspec.structs import replace

from mockserver.model.query import Pairs, raw_pairs
from mockserver.providers.cpg.mistakes.way import SigningRecipe

PARAMETERS_MAX = 16  # parameters of a query that is taken apart
SHUFFLED_MAX = 3  # parameters that are tried in every order

Ways = Iterable[SigningRecipe]
Change = Callable[[SigningRecipe], Ways]


def put(**members: Any) -> Change:
    """Gives members of a way other values."""
    return lambda way: [replace(way, **members)]


def without(name: str) -> Change:
    """Leaves a field out of what is signed."""
    return lambda way: [replace(way, order=less(way, name))]


def less(way: SigningRecipe, name: str) -> tuple[str, ...]:
    """Returns the order of the fields without one."""
    return tuple(field for field in way.order if field != name)


# Timestamp and method


def fractions(*texts: bytes) -> Change:
    """Writes more digits behind the seconds."""
    return lambda way: [replace(way, timestamp=way.timestamp + text) for text in texts]


def off_by(*seconds: int) -> Change:
    """Moves the timestamp."""
    return lambda way: [
        replace(way, timestamp=b"%d" % (int(way.timestamp) + n))
        for n in seconds
        if way.timestamp.isdigit()
    ]


def lower_method(way: SigningRecipe) -> Ways:
    """Writes the method in lower case."""
    return [replace(way, method=way.method.lower())]


def other_method(way: SigningRecipe) -> Ways:
    """Takes another method, or another spelling."""
    others = (b"GET", b"POST", b"PUT", b"PATCH", b"DELETE", b"HEAD", way.method.title())
    return [replace(way, method=method) for method in others]


# Path


def query_in_path(way: SigningRecipe) -> Ways:
    """Signs path and query in one field, the query's own left out or left empty."""
    if not way.query:
        return []
    target = way.path + b"?" + way.query
    return [
        replace(way, path=target, order=less(way, "query")),
        replace(way, path=target, query=b""),
    ]


def query_twice(way: SigningRecipe) -> Ways:
    """Signs the query with the path, and in its own field too."""
    return [replace(way, path=way.path + b"?" + way.query)] if way.query else []


def host_in_path(way: SigningRecipe) -> Ways:
    """Puts the host before the path, with and without its port."""
    host = way.given.host
    return [replace(way, path=name + way.path) for name in (host, host.partition(b":")[0]) if name]


def url_in_path(scheme: bytes) -> Change:
    """Signs the whole URL: for the path, or for path and query."""

    def change(way: SigningRecipe) -> Ways:
        url = scheme + way.given.host + way.path
        found = [replace(way, path=url)]
        if way.query:
            found.append(replace(way, path=url + b"?" + way.query, order=less(way, "query")))
        return found

    return change


def without_base(way: SigningRecipe) -> Ways:
    """Leaves out the path's first segment, which stands in a client's base URL."""
    return [replace(way, path=way.path.replace(_base(way), b"/", 1))]


def base_twice(way: SigningRecipe) -> Ways:
    """Writes the path's first segment twice."""
    base = _base(way)
    return [replace(way, path=way.path.replace(base, base[:-1] + base, 1))]


def _base(way: SigningRecipe) -> bytes:
    """Returns the path's first segment between its slashes."""
    return b"/" + way.given.request.path[1:].partition(b"/")[0] + b"/"


def slash_behind(way: SigningRecipe) -> Ways:
    """Ends the path in a slash."""
    return [replace(way, path=way.path + b"/")]


def no_slash_before(way: SigningRecipe) -> Ways:
    """Begins the path without a slash."""
    return [replace(way, path=way.path.lstrip(b"/"))]


def path_recoded(way: SigningRecipe) -> Ways:
    """Decodes the path, or encodes it anew."""
    plain = unquote_to_bytes(way.path)
    return [replace(way, path=path) for path in (plain, quote(plain).encode())]


# Query


def question_mark(way: SigningRecipe) -> Ways:
    """Signs the query with its question mark."""
    return [replace(way, query=b"?" + way.query)]


def _parts(way: SigningRecipe) -> list[bytes]:
    parts = way.query.split(b"&")
    return parts if 1 < len(parts) <= PARAMETERS_MAX else []


def _of_parts(way: SigningRecipe, *orders: Iterable[bytes]) -> Ways:
    return [replace(way, query=b"&".join(parts)) for parts in orders]


def sort_query(way: SigningRecipe) -> Ways:
    """Sorts the parameters."""
    return _of_parts(way, sorted(_parts(way))) if _parts(way) else []


def shuffled(way: SigningRecipe) -> Ways:
    """Puts the parameters in other orders: in each where they are few."""
    parts = _parts(way)
    if not parts:
        return []
    if len(parts) <= SHUFFLED_MAX:
        return _of_parts(way, *permutations(parts))
    return _of_parts(way, parts[::-1], sorted(parts)[::-1])


def one_left_out(way: SigningRecipe) -> Ways:
    """Leaves out one parameter, or all but one."""
    parts = _parts(way)
    return _of_parts(way, *(parts[:n] + parts[n + 1 :] for n in range(len(parts))))


def decoded(way: SigningRecipe) -> Ways:
    """Decodes the query, a plus to itself or to a space."""
    plain = unquote_to_bytes(way.query)
    spaced = unquote_to_bytes(way.query.replace(b"+", b" "))
    return [replace(way, query=query) for query in (plain, spaced)]


def encoded(way: SigningRecipe) -> Ways:
    """Encodes the parameters anew, a space as a plus or as %20."""
    pairs = _pairs(way)
    found = [urlencode(pairs, quote_via=how) for how in (quote_plus, quote)] if pairs else []
    return [replace(way, query=query.encode()) for query in found]


def encoded_otherwise(way: SigningRecipe) -> Ways:
    """Encodes less than is usual, or what is encoded already."""
    pairs = _pairs(way)
    if not pairs:
        return []
    found = (
        urlencode(pairs, safe="/", quote_via=quote),
        urlencode(pairs, safe="!'()*", quote_via=quote),
        quote(way.query, safe="=&"),
        quote(way.query, safe=""),
    )
    return [replace(way, query=query.encode()) for query in found]


def _pairs(way: SigningRecipe) -> Pairs:
    few = way.query and way.query.count(b"&") < PARAMETERS_MAX
    return raw_pairs(way.query) if few else ()
