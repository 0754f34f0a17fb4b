"""The known mistakes of clients that sign the parts of a request, the likeliest first."""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from itertools import product
from urllib.parse import quote, unquote_to_bytes

from msgspec.structs import replace

from mockserver.explain.attempts import SWAPPED, Attempt, Change, Part, label, leaves
from mockserver.explain.changes import (
    AFTER_SECRET,
    AROUND_SECRET,
    CODED_SECRETS,
    PARAMETERS_MAX,
    RARE_SECRETS,
    SPELLINGS,
    UNUSUAL_SPELLINGS,
    Attempts,
    all_but_one,
    as_bytes,
    decoded,
    each,
    few_shuffled,
    over_params,
    respelled,
    respells,
    secret_of_another_key,
)
from mockserver.explain.sent_values import uncompressed
from mockserver.explain.solver import Mistake
from mockserver.model.signing_recipe import Hashed

REWRITTEN_BODY_MAX = 8 * 1024  # bytes of a body that is parsed, or signed itself, as a trial
COMPACT, SPACED = (",", ":"), (", ", ": ")
JOINERS = (b"|", b",", b" ", b"\r\n", b"\n", b"&")
RARE_JOINERS = (b":", b".", b"-", b"_", b";", b"/", b"+", b"\t", b"\r", b"\n\n", b", ")
SAME_SIZE = ("sha3_256", "blake2s")  # of digests as SHA-256
METHODS = (b"GET", b"POST", b"PUT", b"PATCH", b"DELETE", b"HEAD")


# Values of one part


def _sets(name: str, values: Callable[[bytes], Iterable[bytes | str]]) -> Change:
    return lambda a: [a.put(**{name: as_bytes(value)}) for value in values(a[name])]


_timestamp, _method, _path, _query, _body = (
    partial(_sets, name) for name in ("timestamp", "method", "path", "query", "body")
)


def _drops(name: str) -> Change:
    return lambda attempt: [attempt.drop(name)]


def _later(*seconds: int) -> Change:
    return _timestamp(lambda t: [b"%d" % (int(t) + n) for n in seconds if t.isdigit()])


def _with_ampersand(query: bytes) -> list[bytes]:
    return [query.rstrip(b"&") if query.endswith(b"&") else query + b"&"]


def _without_empty(query: bytes) -> list[bytes]:
    """Leaves out the parameters without a value, all or those without an equals sign."""
    params = query.split(b"&")[:PARAMETERS_MAX]
    full = [p for p in params if p.partition(b"=")[2]]
    return [b"&".join(full), b"&".join(p for p in params if b"=" in p)] if full != params else []


def _quoted(query: bytes) -> list[bytes | str]:
    """Encodes a query once more, or its escapes otherwise."""
    return [quote(query, safe="=&"), quote(query, safe=""), *respelled(query)]


def _recoded_path(path: bytes) -> list[bytes | str]:
    plain = unquote_to_bytes(path)
    return [plain, quote(plain), *respelled(path)]


def _rebased(new: Callable[[bytes], bytes]) -> Change:
    """Writes something else for the base path, which has a slash on either side."""

    def change(a: Attempt) -> Attempts:
        base = b"/" + a.of.request.full_path[1:].partition(b"/")[0] + b"/"
        return [a.put(path=a["path"].replace(base, new(base), 1))]

    return change


def _hosted(a: Attempt) -> Attempts:
    host = a.of.request.header(b"host")
    return [a.put(path=name + a["path"]) for name in (host, host.partition(b":")[0]) if host]


def _url_in_path(scheme: bytes) -> Change:
    """Signs the whole URL in place of the path, or of path and query."""

    def change(a: Attempt) -> Attempts:
        url, query = scheme + a.of.request.header(b"host") + a["path"], a["query"]
        yield a.put(path=url)
        if query:
            yield a.put(path=url + b"?" + query).drop("query")

    return change


def _query_in_path(a: Attempt) -> Attempts:
    """Signs path and query in one field; the query's own field is missing or empty."""
    query = a["query"] or a.of.request.query
    joined = a.put(path=a["path"] + b"?" + query)
    is_right = not query or a.of.recipe.has_target
    return [] if is_right else [joined.drop("query"), joined.put(query=b"")]


def _no_question_mark(a: Attempt) -> Attempts:
    query = a["query"] if a.of.recipe.has_target else b""
    return [a.put(path=a["path"] + query, query=b"")] if query else []


def _query_in_both(a: Attempt) -> Attempts:
    return [a.put(path=a["path"] + b"?" + a["query"])] if a["query"] else []


# All parts


def _likely_orders(a: Attempt) -> Attempts:
    """Signs the first part last, or after the second."""
    first, rest = a.parts[:1], a.parts[1:]
    orders = ((*rest, *first), (*rest[:1], *first, *rest[1:])) if len(rest) > 1 else ()
    return [replace(a, parts=order) for order in orders]


def _orders(parts: tuple[Part, ...]) -> Iterable[Sequence[Part]]:
    """Yields few parts in every order; of more it moves one, swaps two, or reverses all."""
    yield from few_shuffled(parts)
    yield parts[::-1]
    for n, m in product(range(len(parts)), repeat=2):
        others, swapped = [*parts[:n], *parts[n + 1 :]], list(parts)
        swapped[n], swapped[m] = parts[m], parts[n]
        yield from ([*others[:m], parts[n], *others[m:]], swapped)


def _all_orders(a: Attempt) -> Attempts:
    yield from (replace(a, parts=tuple(order)) for order in _orders(a.parts))
    for part in a.digests:
        for order in few_shuffled(part.parts):
            yield a.swap(part, replace(part, parts=order))


def _with_key(a: Attempt) -> Attempts:
    key = (b"key", a.of.key_id)
    return [replace(a, parts=(*a.parts[:n], key, *a.parts[n:])) for n in (0, 1, len(a.parts))]


def _other_exchange(a: Attempt) -> Attempts:
    """Signs as other exchanges do: timestamp, method, target and body without a separator."""
    query, body = a["query"], a.of.request.body
    if not query or len(body) > REWRITTEN_BODY_MAX:
        return []  # without a query two other mistakes explain it
    fields = [(name.encode(), a[name]) for name in ("timestamp", "method", "path")]
    return [replace(a, parts=(*fields, (b"query", b"?" + query), (b"body", body)), joiner=b"")]


# The body and its hash


def _where_body(change: Change, has_body: bool = True) -> Change:
    return lambda a: change(a) if bool(a.of.request.body) is has_body else []


def _no_body_hash(a: Attempt) -> Attempts:
    """Leaves the field of the body's hash empty, or out."""
    empty = [a.swap(part, (b"body", b"")) for part in a.digests if label(part) == b"body"]
    return [*(empty or [a.put(body=b"")]), a.drop("body")]


def _short_digests(a: Attempt) -> list[Hashed]:
    return a.digests if len(a.of.request.body) <= REWRITTEN_BODY_MAX else []


def _unhashed(a: Attempt) -> Attempts:
    full = [part for part in _short_digests(a) if any(value for _, value in leaves(part.parts))]
    return [a.swap(part, *part.parts) for part in full]


def _recoded_hash(a: Attempt) -> Attempts:
    """Writes a digest in another way, or hashes it once more."""
    for part, way in product(a.digests, ("HEX", "base64", "raw", "hex")):
        yield a.swap(part, replace(part, written=way))
    for part in a.digests:
        text = a.digest_of(part)
        yield a.swap(part, (label(part), b"sha256=" + text))
        yield a.swap(part, (label(part), hashlib.sha256(text).hexdigest().encode()))


def _other_hash(a: Attempt) -> Attempts:
    names = product(_short_digests(a), ("md5", "sha1", "sha256", "sha512"))
    return [a.swap(part, replace(part, algorithm=name)) for part, name in names]


def _json(*separators: tuple[str, str], sort: bool = False) -> Change:
    """Signs the body's JSON with other separators, or sorted."""
    return lambda a: [
        a.put(body=text)
        for style in separators
        for text in json_spellings(a.of.request.body, style, sort)
    ]


@lru_cache(16)
def json_spellings(body: bytes, style: tuple[str, str], sort: bool) -> tuple[bytes, ...]:
    """Returns JSON as libraries write the same content; nothing for text that is no JSON."""
    if not 0 < len(body) <= REWRITTEN_BODY_MAX:
        return ()
    try:
        data = json.loads(body)
        return tuple(
            json.dumps(data, separators=style, sort_keys=sort, ensure_ascii=ascii).encode()
            for ascii in (True, False)
        )
    except (ValueError, RecursionError):
        return ()


# The tables: a name has words of the recipe, a fix is the name of a sentence; see signing_texts

LIKELY = (
    Mistake("query not signed", "query", _query(lambda q: [b""])),
    Mistake("query in the path", "path", _query_in_path),
    Mistake("no ? before the query", "query", _no_question_mark),
    Mistake("no hash for an empty body", "nothing", _where_body(_no_body_hash, False)),
    Mistake("{unhashed}", "hash", _unhashed),
    Mistake("lower-case method", "method", _method(lambda m: [m.lower()])),
    Mistake("no separator between fields", "join", each("joiner", b"")),
    Mistake("newline after the string", "join", each("suffix", b"\n")),
    Mistake("? signed", "query", _query(lambda q: [b"?" + q])),
    AFTER_SECRET,
    Mistake(
        "secret not decoded from {encoding}",
        "decode",
        lambda a: [replace(a, secret=a.of.secret_text)],
    ),
    Mistake("milliseconds signed", "time", _timestamp(lambda t: [t + b"000"])),
    Mistake("query sorted", "query", over_params(lambda params: [sorted(params)])),
    Mistake("& after the query", "query", _query(_with_ampersand), no_pairs=True),
    Mistake("query decoded", "query", _query(lambda q: [unquote_to_bytes(q), decoded(q)])),
    Mistake("query re-encoded", "query", respells(*SPELLINGS)),
    Mistake("spaced JSON {hashed}", "json", _json(SPACED)),
    Mistake("compact JSON {hashed}", "json", _json(COMPACT)),
    Mistake("sorted JSON {hashed}", "json", _json(COMPACT, SPACED, sort=True)),
    Mistake("body not signed", "body", _where_body(_no_body_hash)),
    Mistake("hash of nothing for a body", "body", _where_body(_body(lambda b: [b""]))),
    Mistake("hash of {{}}", "nothing", _body(lambda b: [b"{}"])),
    Mistake("hash of null", "nothing", _body(lambda b: [b"null"])),
    Mistake("base path not signed", "path", _rebased(lambda base: b"/")),
    Mistake("URL in the path", "path", _url_in_path(b"http://")),
    Mistake("backslash n for the newline", "join", each("joiner", b"\\n")),
    AROUND_SECRET,
    Mistake("slash after the path", "path", _path(lambda p: [p + b"/"])),
    Mistake("another separator between fields", "join", each("joiner", *JOINERS)),
    Mistake("fields in another order", "parts", _likely_orders),
    *CODED_SECRETS,
    Mistake("another {time} signed", "time", _later(-1, 1)),
    Mistake("{key} for the secret", "secret", lambda a: [replace(a, secret=a.of.key_id)]),
    Mistake(
        "plain hash, secret first",
        "digest",
        each("place", "prepended", "first", construction="hash"),
    ),
    Mistake(
        "plain hash, secret last", "digest", each("place", "appended", "last", construction="hash")
    ),
    Mistake("key and message of the HMAC swapped", "digest", each("construction", SWAPPED)),
    Mistake("{time} not signed", "parts", _drops("timestamp")),
    Mistake("method not signed", "parts", _drops("method")),
    Mistake("path not signed", "parts", _drops("path")),
    Mistake("key not signed", "parts", _drops("key")),
    Mistake("{no_query}", "parts", _drops("query")),
    Mistake("host in the path", "path", _hosted),
    Mistake("base path signed twice", "path", _rebased(lambda base: base[:-1] + base)),
    Mistake("no slash before the path", "path", _path(lambda p: [p.lstrip(b"/")])),
    Mistake("another exchange's string signed", "parts", _other_exchange),
    Mistake("query in another order", "query", over_params(few_shuffled)),
    Mistake("query in another order", "query", over_params(lambda p: [p[::-1], sorted(p)[::-1]])),
    Mistake("another key's secret", "secret", secret_of_another_key),
)
RARE = (
    *RARE_SECRETS,
    Mistake("URL in the path", "path", _url_in_path(b"https://")),
    Mistake("microseconds signed", "time", _timestamp(lambda t: [t + b"000000"])),
    Mistake("another {time} signed", "time", _later(-2, 2, -3, 3, -4, 4, -5, 5)),
    Mistake("{time} signed with a fraction", "time", _timestamp(lambda t: [t + b".0"])),
    Mistake(
        "quotes or whitespace around the {time}",
        "time",
        _timestamp(lambda t: [b'"' + t + b'"', b"'" + t + b"'", t + b" ", b" " + t]),
    ),
    Mistake("another method signed", "method", _method(lambda m: [*METHODS, m.title()])),
    Mistake("query signed twice", "path", _query_in_both),
    Mistake("empty parameters not signed", "query", _query(_without_empty)),
    Mistake("query re-encoded", "query", respells(*UNUSUAL_SPELLINGS)),
    Mistake("query re-encoded", "query", _query(_quoted)),
    Mistake("a parameter not signed", "query", over_params(all_but_one)),
    Mistake("path re-encoded", "path", _path(_recoded_path)),
    Mistake(
        "body signed before it was compressed",
        "sent",
        _body(lambda b: filter(None, [uncompressed(b)])),
    ),
    Mistake("{hash} in another encoding", "hashed", _recoded_hash),
    Mistake("{hash}ed by another algorithm", "hashed", _other_hash),
    Mistake("hash of an empty value", "nothing", _body(lambda b: [b'""', b"[]", b"None"])),
    Mistake("another separator between fields", "join", each("joiner", *RARE_JOINERS)),
    Mistake("newline after the string", "join", each("suffix", b"\r\n")),
    Mistake("fields in another order", "parts", _all_orders),
    Mistake("{key} signed", "parts", _with_key),
    Mistake("hash without the secret", "digest", each("construction", "hash")),
    Mistake("another algorithm", "digest", each("algorithm", *SAME_SIZE)),
)
