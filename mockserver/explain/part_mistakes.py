"""The known mistakes of clients that sign the parts of a request, the likeliest first."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from msgspec.structs import replace

from mockserver.explain.attempts import NAMES, Attempt, Change, drop
from mockserver.explain.digests import RARE_SECRETS, SECRETS
from mockserver.explain.keys import uncompressed
from mockserver.explain.part_changes import (
    COMPACT,
    SPACED,
    all_orders,
    base_path,
    body_hash_recoded,
    decoded,
    each,
    encoded,
    hosts,
    later,
    likely_orders,
    no_body_hash,
    orders,
    other_body_hash,
    other_exchange_string,
    query_in_path,
    query_in_path_too,
    recoded_path,
    rewritten_json,
    secret_of_another_key,
    sets,
    split,
    twice_in_base,
    unhashed,
    unusually_encoded,
    url_in_path,
    where_body,
    with_key,
    with_values,
    without_empty,
    without_one,
)
from mockserver.explain.solver import Mistake
from mockserver.model.signing_recipe import Hashed, SigningRecipe

METHODS = (b"GET", b"POST", b"PUT", b"PATCH", b"DELETE", b"HEAD")
COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven")

Attempts = Iterable[Attempt]


@lru_cache(16)
def part_mistakes(recipe: SigningRecipe, own: Sequence[Mistake] = ()) -> tuple[Mistake, ...]:
    """Returns the mistakes against a recipe with parts; ``own`` are those of its provider."""
    fix = Fixes(recipe)
    likely = (*_likely(recipe, fix), *_likely_in_whole(recipe, fix))
    unpaired = (replace(mistake, no_pairs=True) for mistake in _rare(recipe, fix))
    return (*likely, *RARE_SECRETS, *unpaired, *own)


class Fixes:
    """What to do instead, for a recipe: one sentence for each kind of mistake."""

    QUERY = "Sign the query exactly as it is sent, in its order and encoding, without the ?."
    PATH = "Sign the path alone, as it is on the request line: no host, no query, nothing added."
    METHOD = "Sign the method that is sent, in upper case."
    SENT_BODY = "Sign the bytes that are sent: compress the body first, or not at all."

    def __init__(self, recipe: SigningRecipe) -> None:
        parts = [_part_text(part) for part in recipe.parts]
        count = COUNTS[len(parts)]
        listed = ", ".join(parts[:-1]) + " and " * (len(parts) > 1) + parts[-1]
        time = recipe.timestamp_at.name if recipe.timestamp_at else "the request"
        self.key = recipe.key_text
        every = "both" if len(parts) == 2 else f"all {count}"
        self.parts = f"Sign {listed}: {every}, in this order."
        self.join = _join_text(recipe.joiner, count)
        self.hmac = f"Use {algorithm_text(recipe)}: the secret is its key, the string its message."
        self.time = f"Sign the same text that you send in {time}: make it once."
        self.secret = (
            f"Sign with the secret that belongs to the {self.key} in {recipe.key_at.name}."
        )
        self.hash = "hash"
        self.body = "Sign the body's bytes exactly as they are sent"
        self.nothing = f"{self.body}; without a body, nothing."
        for part in recipe.parts:
            if isinstance(part, Hashed) and part.parts == ("body",):
                empty = hashlib.new(part.algorithm, usedforsecurity=False).hexdigest()
                self.hash = "body hash"
                name = f"the {part.written} {NAMES[part.algorithm]}"
                self.body = f"Sign {name} of the body's bytes exactly as they are sent"
                self.nothing = (
                    f"{self.body}; without a body, of nothing: {empty[:8]}...{empty[-4:]}."
                )
        self.json = f"{self.body}: write the JSON once, hash it, and send that same text."


def algorithm_text(recipe: SigningRecipe) -> str:
    """Returns ``HMAC-SHA256`` or ``MD5``."""
    name = NAMES[recipe.algorithm].replace("-", "")
    return f"HMAC-{name}" if recipe.is_hmac else name


def _part_text(part: str | Hashed) -> str:
    if isinstance(part, str):
        return part
    if part.parts == ("body",):
        return "body hash"
    return f"the {NAMES[part.algorithm]} of {' and '.join(map(_part_text, part.parts))}"


def _join_text(joiner: bytes, count: str) -> str:
    if joiner == b"\n":
        return f"Join the {count} fields with one newline (\\n), without one after the last."
    between = repr(joiner.decode("latin-1")) if joiner else "nothing"
    return f"Join the {count} fields with {between} between them, and nothing after the last."


def _likely(recipe: SigningRecipe, fix: Fixes) -> Iterable[Mistake]:
    alone = any(part.parts == ("body",) for part in recipe.parts if isinstance(part, Hashed))
    body = "body itself signed" if alone else "parts not hashed"
    verb = "hashed" if any(isinstance(part, Hashed) for part in recipe.parts) else "signed"
    yield Mistake("query not signed", fix.QUERY, sets("query", lambda q, of: [b""]))
    yield Mistake("query in the path", fix.PATH, query_in_path)
    yield Mistake("no hash for an empty body", fix.nothing, where_body(no_body_hash, False))
    yield Mistake(body, f"{fix.body}, not the body itself.", unhashed)
    yield Mistake("lower-case method", fix.METHOD, sets("method", lambda m, of: [m.lower()]))
    yield Mistake("no separator between fields", fix.join, each("joiner", b""))
    yield Mistake("newline after the string", fix.join, with_values(suffix=b"\n"))
    yield Mistake("? signed", fix.QUERY, sets("query", lambda q, of: [b"?" + q]))
    yield SECRETS[0]
    if recipe.encoding != "text":
        undecoded = f"secret not decoded from {recipe.encoding}"
        decode = f"Decode the secret from {recipe.encoding} before you sign with it."
        yield Mistake(undecoded, decode, lambda a: [replace(a, secret=a.of.secret_text)])
    yield Mistake("milliseconds signed", fix.time, sets("timestamp", lambda t, of: [t + b"000"]))
    yield Mistake(
        "query sorted",
        fix.QUERY,
        sets("query", lambda q, of: [b"&".join(sorted(split(q)))] if split(q) else []),
    )
    yield Mistake(
        "& after the query",
        fix.QUERY,
        sets("query", lambda q, of: [q.rstrip(b"&") if q.endswith(b"&") else q + b"&"]),
        no_pairs=True,
    )
    yield Mistake("query decoded", fix.QUERY, sets("query", decoded))
    yield Mistake("query re-encoded", fix.QUERY, sets("query", encoded))
    yield Mistake(f"spaced JSON {verb}", fix.json, rewritten_json(SPACED))
    yield Mistake(f"compact JSON {verb}", fix.json, rewritten_json(COMPACT))
    yield Mistake(f"sorted JSON {verb}", fix.json, rewritten_json(COMPACT, SPACED, sort=True))
    yield Mistake("body not signed", f"{fix.body}.", where_body(no_body_hash))
    yield Mistake(
        "hash of nothing for a body", f"{fix.body}.", where_body(sets("body", lambda b, of: [b""]))
    )
    yield Mistake("hash of {}", fix.nothing, sets("body", lambda b, of: [b"{}"]))
    yield Mistake("hash of null", fix.nothing, sets("body", lambda b, of: [b"null"]))


def _likely_in_whole(recipe: SigningRecipe, fix: Fixes) -> Iterable[Mistake]:
    names = set(_names(recipe.parts))
    left_out = "no line for the query" if recipe.joiner == b"\n" else "query left out"
    yield Mistake(
        "base path not signed",
        fix.PATH,
        sets("path", lambda p, of: [p.replace(base_path(of), b"/", 1)]),
    )
    yield Mistake("URL in the path", fix.PATH, url_in_path(b"http://"))
    yield Mistake("backslash n for the newline", fix.join, each("joiner", b"\\n"))
    yield SECRETS[1]
    yield Mistake("slash after the path", fix.PATH, sets("path", lambda p, of: [p + b"/"]))
    yield Mistake(SEPARATOR, fix.join, each("joiner", b"|", b",", b" ", b"\r\n", b"\n", b"&"))
    yield Mistake("fields in another order", fix.parts, likely_orders)
    yield from (SECRETS[3], SECRETS[4], SECRETS[2])
    yield Mistake("another timestamp signed", fix.time, sets("timestamp", later(-1, 1)))
    yield Mistake(
        f"{fix.key} for the secret", fix.secret, lambda a: [replace(a, secret=a.of.key_id)]
    )
    yield Mistake("plain hash, secret first", fix.hmac, plain("before", "first"))
    yield Mistake("plain hash, secret last", fix.hmac, plain("behind", "last"))
    swapped = "key and message of the HMAC swapped"
    yield Mistake(swapped, fix.hmac, with_values(construction="HMAC, key and message swapped"))
    for name in (name for name in ("timestamp", "method", "path", "key") if name in names):
        yield Mistake(f"{name} not signed", fix.parts, drops(name))
    yield Mistake(left_out, fix.parts, drops("query"))
    yield Mistake(
        "host in the path", fix.PATH, sets("path", lambda p, of: [host + p for host in hosts(of)])
    )
    yield Mistake("base path signed twice", fix.PATH, sets("path", twice_in_base))
    yield Mistake(
        "no slash before the path", fix.PATH, sets("path", lambda p, of: [p.lstrip(b"/")])
    )
    yield Mistake("another exchange's string signed", fix.parts, other_exchange_string)
    yield Mistake("query in another order", fix.QUERY, sets("query", orders))
    yield Mistake("another key's secret", fix.secret, secret_of_another_key)


def _rare(recipe: SigningRecipe, fix: Fixes) -> Iterable[Mistake]:
    yield Mistake("URL in the path", fix.PATH, url_in_path(b"https://"))
    yield Mistake("microseconds signed", fix.time, sets("timestamp", lambda t, of: [t + b"000000"]))
    yield Mistake(
        "another timestamp signed", fix.time, sets("timestamp", later(-2, 2, -3, 3, -4, 4, -5, 5))
    )
    yield Mistake(
        "timestamp signed with a fraction", fix.time, sets("timestamp", lambda t, of: [t + b".0"])
    )
    yield Mistake(
        "another method signed", fix.METHOD, sets("method", lambda m, of: [*METHODS, m.title()])
    )
    yield Mistake("query signed twice", fix.PATH, query_in_path_too)
    yield Mistake("empty parameters not signed", fix.QUERY, sets("query", without_empty))
    yield Mistake("query re-encoded", fix.QUERY, sets("query", unusually_encoded))
    yield Mistake("a parameter not signed", fix.QUERY, sets("query", without_one))
    yield Mistake("path re-encoded", fix.PATH, sets("path", recoded_path))
    yield Mistake(
        "body signed before it was compressed",
        fix.SENT_BODY,
        sets("body", lambda b, of: [uncompressed(b)] if uncompressed(b) else []),
    )
    yield Mistake(f"{fix.hash} in another encoding", f"{fix.body}.", body_hash_recoded)
    yield Mistake(
        f"{fix.hash.replace('hash', 'hashed')} by another algorithm",
        f"{fix.body}.",
        other_body_hash,
    )
    yield Mistake(
        "hash of an empty value", fix.nothing, sets("body", lambda b, of: [b'""', b"[]", b"None"])
    )
    others = (b":", b".", b"-", b"_", b";", b"/", b"+", b"\t", b"\r", b"\n\n", b", ")
    yield Mistake(SEPARATOR, fix.join, each("joiner", *others))
    yield Mistake("newline after the string", fix.join, with_values(suffix=b"\r\n"))
    yield Mistake("fields in another order", fix.parts, all_orders)
    yield Mistake(f"{fix.key} signed", fix.parts, with_key)
    yield Mistake("hash without the secret", fix.hmac, with_values(construction="hash"))
    yield Mistake("another algorithm", fix.hmac, other_algorithm)


SEPARATOR = "another separator between fields"


def _names(parts: Iterable[Any]) -> Iterator[str]:
    for part in parts:
        yield from [part] if isinstance(part, str) else _names(part.parts)


def plain(*places: str) -> Change:
    """Hashes secret and string without an HMAC: the secret joined directly, or as a field."""
    return lambda a: [replace(a, construction="hash", place=place) for place in places]


def drops(name: str) -> Change:
    """Does not sign a part."""
    return lambda attempt: [drop(attempt, name)]


def other_algorithm(attempt: Attempt) -> list[Attempt]:
    """Signs with another algorithm whose digests have the same size."""
    algorithms = {"sha256": ("sha3_256", "blake2s")}.get(attempt.algorithm, ())
    return [replace(attempt, algorithm=name) for name in algorithms]
