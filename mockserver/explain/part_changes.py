"""What clients do to the parts of a request before they sign them.

Each change takes an attempt and returns attempts with one mistake, none where it does not apply.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import permutations, product
from typing import Any
from urllib.parse import quote, quote_plus, unquote_to_bytes, urlencode

from msgspec.structs import replace

from mockserver.explain.attempts import (
    Attempt,
    Change,
    SignedRequest,
    digests,
    drop,
    label,
    part_value,
    put,
    right_labels,
    swap,
    value,
)
from mockserver.explain.spelling import respelled
from mockserver.model.query import raw_pairs

REWRITTEN_BODY_MAX = 8 * 1024  # bytes of a body that is parsed, or signed itself, as a trial
PARAMETERS_MAX = 16  # parameters of a query that is split
SHUFFLED_MAX = 3  # parts or parameters that are tried in every order
OTHERS_MAX = 16  # other keys whose secrets are tried
COMPACT, SPACED = (",", ":"), (", ", ": ")

Attempts = Iterable[Attempt]
Values = Callable[[bytes, SignedRequest], Iterable[bytes | str]]


def with_values(**members: Any) -> Change:
    """Sets members of the attempt."""
    return lambda attempt: [replace(attempt, **members)]


def each(member: str, *values: Any) -> Change:
    """Tries several values of one member."""
    return lambda attempt: [replace(attempt, **{member: value}) for value in values]


def sets(name: str, values: Values) -> Change:
    """Tries other values of a part: ``values`` takes the right one and the request."""

    def change(attempt: Attempt) -> Attempts:
        texts = values(value(attempt, name), attempt.of)
        return [put(attempt, **{name: t if isinstance(t, bytes) else t.encode()}) for t in texts]

    return change


def where_body(change: Change, has_body: bool = True) -> Change:
    """Applies a change only to requests with a body, or only to those without one."""
    return lambda a: change(a) if bool(a.of.request.body) is has_body else []


def _reordered(attempt: Attempt, order: Sequence[int]) -> Attempt:
    """Joins the parts in another order, given as positions among the right ones."""
    labels = right_labels(attempt.of.recipe)
    ranks = {labels[at]: rank for rank, at in enumerate(order)}
    parts = sorted(attempt.parts, key=lambda part: ranks.get(label(part), len(ranks)))
    return replace(attempt, parts=tuple(parts))


def likely_orders(attempt: Attempt) -> Attempts:
    """Signs the first part last, or after the second."""
    rest = list(range(len(attempt.of.recipe.parts)))[2:]
    return [_reordered(attempt, order) for order in ([1, *rest, 0], [1, 0, *rest]) if rest]


def all_orders(attempt: Attempt) -> Attempts:
    """Moves one part, swaps two, or reverses all; tries all orders of few, in digests too."""
    count = len(attempt.of.recipe.parts)
    orders = permutations(range(count)) if count <= SHUFFLED_MAX else _orders(count)
    inner = [
        swap(attempt, part, replace(part, parts=order))
        for part in digests(attempt)
        if 1 < len(part.parts) <= SHUFFLED_MAX
        for order in permutations(part.parts)
    ]
    return [*(_reordered(attempt, order) for order in orders), *inner]


def _orders(count: int) -> Iterable[tuple[int, ...]]:
    right = tuple(range(count))
    orders = {right[::-1]: None}
    for n in right:
        others = right[:n] + right[n + 1 :]
        for m in right:
            orders[(*others[:m], n, *others[m:])] = None
            swapped = list(right)
            swapped[n], swapped[m] = m, n
            orders[tuple(swapped)] = None
    return orders


def with_key(attempt: Attempt) -> Attempts:
    """Signs the key as well: first, second or last."""
    parts, key = attempt.parts, (b"key", attempt.of.key_id)
    return [replace(attempt, parts=(*parts[:n], key, *parts[n:])) for n in (0, 1, len(parts))]


def other_exchange_string(attempt: Attempt) -> Attempts:
    """Signs as other exchanges do: timestamp, method, target and body without a separator."""
    query, body = value(attempt, "query"), attempt.of.request.body
    if not query or len(body) > REWRITTEN_BODY_MAX:
        return []  # without a query two other mistakes explain it
    target = value(attempt, "path") + b"?" + query
    fields = ((b"timestamp", value(attempt, "timestamp")), (b"method", value(attempt, "method")))
    parts = (*fields, (b"path", target), (b"body", body))
    return [replace(attempt, parts=parts, joiner=b"")]


def query_in_path(attempt: Attempt) -> Attempts:
    """Signs path and query in one field; the query's own field is missing or empty."""
    query = attempt.of.request.query
    if not query:
        return []
    signed = value(attempt, "query") or query
    joined = put(attempt, path=value(attempt, "path") + b"?" + signed)
    return [drop(joined, "query"), put(joined, query=b"")]


def query_in_path_too(attempt: Attempt) -> Attempts:
    """Signs the query after the path, and in its own field too."""
    query = value(attempt, "query")
    return [put(attempt, path=value(attempt, "path") + b"?" + query)] if query else []


def url_in_path(scheme: bytes) -> Change:
    """Signs the whole URL in place of the path, or of path and query."""

    def change(attempt: Attempt) -> Attempts:
        query = value(attempt, "query")
        url = scheme + attempt.of.request.header(b"host") + value(attempt, "path")
        alone = [put(attempt, path=url)]
        return [*alone, drop(put(attempt, path=url + b"?" + query), "query")] if query else alone

    return change


def no_body_hash(attempt: Attempt) -> Attempts:
    """Leaves the field of the body's hash empty, or out."""
    empty = [
        swap(attempt, part, (b"body", b"")) for part in digests(attempt) if label(part) == b"body"
    ]
    return [*(empty or [put(attempt, body=b"")]), drop(attempt, "body")]


def unhashed(attempt: Attempt) -> Attempts:
    """Signs what should be hashed itself."""
    body = attempt.of.request.body
    if not 0 < len(body) <= REWRITTEN_BODY_MAX:
        return []
    return [swap(attempt, part, *part.parts) for part in digests(attempt)]


def rewritten_json(*separators: tuple[str, str], sort: bool = False) -> Change:
    """Signs the body's JSON with other separators, or sorted."""
    return lambda attempt: [
        put(attempt, body=text)
        for style in separators
        for text in _rewritten(attempt.of.request.body, style, sort)
    ]


@lru_cache(16)
def _rewritten(body: bytes, separators: tuple[str, str], sort: bool) -> tuple[bytes, ...]:
    if not 0 < len(body) <= REWRITTEN_BODY_MAX:
        return ()
    try:
        data = json.loads(body)
        dump: Callable[..., str] = json.dumps
        styles = ({"ensure_ascii": ascii} for ascii in (True, False))
        texts = [dump(data, separators=separators, sort_keys=sort, **style) for style in styles]
        return tuple(text.encode() for text in texts)
    except (ValueError, RecursionError):
        return ()


def body_hash_recoded(attempt: Attempt) -> Attempts:
    """Writes a digest in another way, or hashes it once more."""
    written = [
        swap(attempt, part, replace(part, written=way))
        for part in digests(attempt)
        for way in ("HEX", "base64", "raw", "hex")
    ]
    again = [
        swap(attempt, part, (label(part), text))
        for part in digests(attempt)
        for digest in (part_value(attempt, part),)
        for text in (b"sha256=" + digest, hashlib.sha256(digest).hexdigest().encode())
    ]
    return [*written, *again]


def other_body_hash(attempt: Attempt) -> Attempts:
    """Hashes the body with another algorithm."""
    if len(attempt.of.request.body) > REWRITTEN_BODY_MAX:
        return []
    names = ("md5", "sha1", "sha256", "sha512")
    return [
        swap(attempt, part, replace(part, algorithm=name))
        for part, name in product(digests(attempt), names)
    ]


def secret_of_another_key(attempt: Attempt) -> Attempts:
    """Signs with the secrets of other keys."""
    return [replace(attempt, secret=secret) for secret in list(attempt.of.others)[:OTHERS_MAX]]


# Values of parts


def orders(query: bytes, of: SignedRequest) -> list[bytes]:
    """Reorders the parameters: in every order where they are few."""
    params = split(query)
    if len(params) <= SHUFFLED_MAX:
        return list(map(b"&".join, permutations(params))) if params else []
    return [b"&".join(params[::-1]), b"&".join(sorted(params)[::-1])]


def split(query: bytes) -> list[bytes]:
    """Returns the raw parameters, none where one alone or too many are sent."""
    params = query.split(b"&")
    return params if 1 < len(params) <= PARAMETERS_MAX else []


def without_one(query: bytes, of: SignedRequest) -> list[bytes]:
    """Leaves out one parameter."""
    params = split(query)
    return [b"&".join(params[:n] + params[n + 1 :]) for n in range(len(params))]


def without_empty(query: bytes, of: SignedRequest) -> list[bytes]:
    """Leaves out the parameters without a value, all or those without an equals sign."""
    params = query.split(b"&")[:PARAMETERS_MAX]
    full = [p for p in params if p.partition(b"=")[2]]
    return [b"&".join(full), b"&".join(p for p in params if b"=" in p)] if full != params else []


def decoded(query: bytes, of: SignedRequest) -> list[bytes]:
    """Decodes the query; a plus stays or becomes a space."""
    return [unquote_to_bytes(query), unquote_to_bytes(query.replace(b"+", b" "))]


def encoded(query: bytes, of: SignedRequest) -> list[str]:
    """Encodes the parameters again, a space as a plus or as %20."""
    pairs = raw_pairs(query) if query.count(b"&") < PARAMETERS_MAX else ()
    return [urlencode(pairs, quote_via=via) for via in (quote_plus, quote) if pairs]


def unusually_encoded(query: bytes, of: SignedRequest) -> list[bytes | str]:
    """Encodes other characters than usual, spells escapes otherwise, or encodes twice."""
    if not query or query.count(b"&") >= PARAMETERS_MAX:
        return []
    partly = [urlencode(raw_pairs(query), safe=s, quote_via=quote) for s in ("/", "!'()*")]
    whole = [query, *(text.encode() for text in encoded(query, of))]
    spelled = [text for one in whole for text in respelled(one)]
    return [*partly, quote(query, safe="=&"), quote(query, safe=""), *spelled]


def recoded_path(path: bytes, of: SignedRequest) -> list[bytes | str]:
    """Decodes the path, or encodes it in another way."""
    plain = unquote_to_bytes(path)
    return [plain, quote(plain), *respelled(path)]


def base_path(of: SignedRequest) -> bytes:
    """Returns the path's first segment between its slashes."""
    return b"/" + of.request.full_path[1:].partition(b"/")[0] + b"/"


def twice_in_base(path: bytes, of: SignedRequest) -> list[bytes]:
    """Writes the base path twice."""
    base = base_path(of)
    return [path.replace(base, base[:-1] + base, 1)]


def hosts(of: SignedRequest) -> list[bytes]:
    """Returns the host, with and without its port."""
    host = of.request.header(b"host")
    return [name for name in (host, host.partition(b":")[0]) if name]


def later(*units: int) -> Values:
    """Counts a timestamp on."""
    return lambda time, of: [b"%d" % (int(time) + n) for n in units if time.isdigit()]
