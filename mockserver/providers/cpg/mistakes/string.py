"""Wrong bodies, strings, secrets and digests in what is signed for X-CPG.

Every change takes a way of signing and returns others, none where it does not apply.
"""

import base64
import hashlib
import json
from functools import lru_cache

from msgspec.structs import replace

from mockserver.model.signing import sha256_hex
from mockserver.providers.cpg.mistakes.changes import Change, Ways, less
from mockserver.providers.cpg.mistakes.way import ORDER, SigningRecipe

REWRITTEN_BODY_MAX = 8 * 1024  # bytes of a body that is read, or signed itself, by way of trial
OTHERS_MAX = 16  # other keys whose secrets are tried


def hash_of(*texts: bytes) -> Change:
    """Hashes something else than the body."""
    return lambda way: [replace(way, body=sha256_hex(text)) for text in texts]


def no_body_hash(way: SigningRecipe) -> Ways:
    """Leaves the body's hash empty, or out."""
    return [replace(way, body=b""), replace(way, order=less(way, "body"))]


def body_itself(way: SigningRecipe) -> Ways:
    """Signs the body instead of its hash."""
    body = way.given.request.body
    return [replace(way, body=body)] if 0 < len(body) <= REWRITTEN_BODY_MAX else []


def with_body(change: Change, there: bool = True) -> Change:
    """Applies a change only to a request that has a body, or that has none."""
    return lambda way: change(way) if bool(way.given.request.body) is there else []


COMPACT, SPACED = (",", ":"), (", ", ": ")


def rewritten(*separators: tuple[str, str], sort: bool = False) -> Change:
    """Hashes the body's JSON as it would be written anew."""
    return lambda way: [
        replace(way, body=text)
        for how in separators
        for text in _rewritten(way.given.request.body, how, sort)
    ]


@lru_cache(16)
def _rewritten(body: bytes, separators: tuple[str, str], sort: bool) -> tuple[bytes, ...]:
    if not 0 < len(body) <= REWRITTEN_BODY_MAX:
        return ()
    try:
        data = json.loads(body)
        texts = [
            json.dumps(data, separators=separators, sort_keys=sort, ensure_ascii=ascii)
            for ascii in (True, False)
        ]
        return tuple(sha256_hex(text.encode()) for text in texts)
    except (ValueError, RecursionError):
        return ()


def body_hash_recoded(way: SigningRecipe) -> Ways:
    """Writes the body's hash in another way than in lower-case hex, or hashes it once more."""
    hexed = way.given.body_hash
    raw = bytes.fromhex(hexed.decode())
    texts = (hexed.upper(), base64.b64encode(raw), raw, b"sha256=" + hexed, sha256_hex(hexed))
    return [replace(way, body=text) for text in texts]


def other_body_hash(way: SigningRecipe) -> Ways:
    """Hashes the body with another algorithm."""
    body = way.given.request.body
    if len(body) > REWRITTEN_BODY_MAX:
        return []
    return [
        replace(way, body=hashlib.new(name, body, usedforsecurity=False).hexdigest().encode())
        for name in ("md5", "sha1", "sha512")
    ]


# The string as a whole


def joined_by(*separators: bytes) -> Change:
    """Joins the fields by something else."""
    return lambda way: [replace(way, separator=text) for text in separators]


def _orders() -> tuple[tuple[str, ...], ...]:
    found: dict[tuple[str, ...], None] = {ORDER[::-1]: None}
    for n, name in enumerate(ORDER):
        others = ORDER[:n] + ORDER[n + 1 :]
        for m in range(len(ORDER)):
            found[(*others[:m], name, *others[m:])] = None
            swapped = list(ORDER)
            swapped[n], swapped[m] = ORDER[m], name
            found[tuple(swapped)] = None
    return tuple(found)


# One field has moved, two have changed places, or all are reversed.
ORDERS = _orders()
LIKELY_ORDERS = (
    ("method", "path", "query", "body", "timestamp"),
    ("method", "timestamp", "path", "query", "body"),
)


def reordered(*orders: tuple[str, ...]) -> Change:
    """Joins the fields in other orders."""
    return lambda way: [
        replace(way, order=tuple(name for name in order if name in way.order)) for order in orders
    ]


def key_id_signed(way: SigningRecipe) -> Ways:
    """Signs the key id as well: first, second or last."""
    places = (0, 1, len(way.order))
    return [replace(way, order=(*way.order[:n], "key_id", *way.order[n:])) for n in places]


def by_the_webhooks(way: SigningRecipe) -> Ways:
    """Signs as the gateway signs its own webhooks: the timestamp, and the body itself."""
    body = way.given.request.body
    if len(body) > REWRITTEN_BODY_MAX:
        return []
    return [replace(way, order=("timestamp", "body"), body=body)]


def all_in_one(way: SigningRecipe) -> Ways:
    """Signs as other exchanges do: timestamp, method, target and body with nothing between."""
    body = way.given.request.body
    if not way.query or len(body) > REWRITTEN_BODY_MAX:
        return []  # without a query it is told as two mistakes
    path = way.path + b"?" + way.query
    order = ("timestamp", "method", "path", "body")
    return [replace(way, path=path, body=body, order=order, separator=b"")]


# Secret and digest


def another_secret(way: SigningRecipe) -> Ways:
    """Takes the secrets of other keys."""
    others = list(way.given.others)[:OTHERS_MAX]
    return [replace(way, secret=secret) for secret in others]


def id_for_secret(way: SigningRecipe) -> Ways:
    """Takes the key id for the secret."""
    return [replace(way, secret=way.key_id)]


def plain_hash(keyed: str, front: bool) -> Change:
    """Hashes the secret with the string: right beside it, or as a field."""

    def change(way: SigningRecipe) -> Ways:
        order = ("secret", *way.order) if front else (*way.order, "secret")
        return [replace(way, keyed=keyed), replace(way, keyed="hash without secret", order=order)]

    return change


def other_algorithm(way: SigningRecipe) -> Ways:
    """Takes another algorithm whose digests are as long."""
    others = {"sha256": ("sha3_256", "blake2s")}.get(way.algorithm, ())
    return [replace(way, algorithm=name) for name in others]
