"""Attempts at a signature: everything that it depends on, right or with a client's mistakes."""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mockserver.explain.vocabulary import RejectedRequest
from mockserver.model.http import Request
from mockserver.model.query import Pairs, is_form, raw_pairs
from mockserver.model.signing_recipe import (
    ALGORITHMS,
    Hashed,
    SigningRecipe,
    hasher,
    secret_reader,
)

# The likely algorithm by the bytes of its digests, and names as people write them.
BY_SIZE = {size: name for name, size in reversed(ALGORITHMS.items())}
NAMES = {name: name.upper().replace("SHA", "SHA-") for name in ALGORITHMS}
NAMES |= {"sha3_256": "SHA3-256", "blake2s": "BLAKE2s"}

Part = tuple[bytes, bytes] | Hashed  # name and value, or the digest of such


class SignedRequest(Struct, frozen=True, eq=False):
    """A request and the key that it names, which all attempts at its signature share.

    ``path`` is the path to sign. ``query`` and ``form`` are decoded parameters as sent. ``secret``
    is used as it is, ``secret_text`` is that of the credential; ``others`` are the labels of
    other keys by secret. ``digests`` caches those of parts.
    """

    recipe: SigningRecipe
    request: Request
    path: bytes
    query: Pairs
    form: Pairs
    label: str
    key_id: bytes
    secret: bytes
    secret_text: bytes
    timestamp: bytes
    others: Mapping[bytes, str]
    digests: dict[Hashed, bytes]


class Attempt(Struct, frozen=True, gc=False):
    """A way to make a signature.

    ``equals`` stands between name and value; None writes values alone. ``place`` is a key of
    PLACES. ``text`` is signed in place of the parts where it is set, and so is their JSON where
    ``json_style`` is. ``construction`` is a key of CONSTRUCTIONS, ``case`` a method of bytes.
    """

    of: SignedRequest
    parts: tuple[Part, ...]
    secret: bytes
    equals: bytes | None
    joiner: bytes
    place: str
    secret_name: bytes
    construction: str
    algorithm: str
    prefix: bytes = b""
    suffix: bytes = b""
    case: str = ""
    text: bytes = b""
    json_style: tuple[str, str] | None = None


Change = Callable[[Attempt], Iterable[Attempt]]


def form_of(request: Request) -> bytes:
    """Returns the body where it is a form, or nothing: no other body has parameters."""
    return request.body if is_form(request.header(b"content-type")) else b""


def right_attempts(
    rejected: RejectedRequest, recipe: SigningRecipe, credential: Any
) -> list[Attempt]:
    """Returns the right attempts: over the provider's path, and over the path as requested."""
    request = rejected.request
    secret_of = secret_reader(recipe)
    others = {secret_of(key): str(key.label) for key in rejected.keys}
    secret = secret_of(credential)
    others.pop(secret, None)
    paths = (request.full_path, request.raw_target_path) if recipe.parts else (request.full_path,)
    timestamp = recipe.timestamp_at.reader()(request) if recipe.timestamp_at else b""
    return [
        _right(
            SignedRequest(
                recipe,
                request,
                path,
                raw_pairs(request.query),
                raw_pairs(form_of(request)),
                credential.label,
                getattr(credential, recipe.key).encode(),
                secret,
                getattr(credential, recipe.secret).encode(),
                timestamp,
                others,
                {},
            )
        )
        for path in dict.fromkeys(paths)
    ]


def _right(of: SignedRequest) -> Attempt:
    recipe = of.recipe
    return Attempt(
        of,
        _right_parts(of) if recipe.parts else _right_parameters(of),
        of.secret,
        None if recipe.parts else recipe.equals,
        recipe.joiner,
        "nowhere" if recipe.is_hmac else recipe.placement,
        recipe.placed_as.encode(),
        "HMAC" if recipe.is_hmac else "hash",
        recipe.algorithm,
    )


def _right_parts(of: SignedRequest) -> tuple[Part, ...]:
    """Returns the parts of a recipe with their values."""
    request = of.request
    values = {
        "timestamp": of.timestamp,
        "method": request.method.upper().encode(),
        "path": of.path,
        "query": request.query,
        "body": request.body,
        "key": of.key_id,
    }

    def read(part: str | Hashed) -> Part:
        if isinstance(part, str):
            return part.encode(), values[part]
        return replace(part, parts=tuple(map(read, part.parts)))

    return tuple(map(read, of.recipe.parts))


def _right_parameters(of: SignedRequest) -> tuple[Part, ...]:
    left_out = {name.encode() for name in of.recipe.left_out}
    signed = {name: value for name, value in (*of.query, *of.form) if name not in left_out}
    return tuple(sorted(signed.items()))


# The message


def part_value(attempt: Attempt, part: Part) -> bytes:
    """Returns the value of a part."""
    if isinstance(part, tuple):
        return part[1]
    digests = attempt.of.digests
    if part not in digests:
        content = b"".join(part_value(attempt, inner) for inner in part.parts)
        digests[part] = hasher(part.algorithm, part.written)(content)
    return digests[part]


def pairs(attempt: Attempt) -> list[tuple[bytes, bytes]]:
    """Returns the parts as names and values."""
    return [
        part if isinstance(part, tuple) else (label(part), part_value(attempt, part))
        for part in attempt.parts
    ]


def label(part: Part) -> bytes:
    """Returns the name of a part; a digest's is that of its parts."""
    return part[0] if isinstance(part, tuple) else b"+".join(map(label, part.parts))


@lru_cache(16)
def right_labels(recipe: SigningRecipe) -> tuple[bytes, ...]:
    """Returns the names of a recipe's parts, as ``label`` writes them."""

    def name(part: str | Hashed) -> bytes:
        return part.encode() if isinstance(part, str) else b"+".join(map(name, part.parts))

    return tuple(map(name, recipe.parts))


def _sorted_in(parts: list[bytes], named: bytes, attempt: Attempt) -> list[bytes]:
    position = sum(label(part) <= attempt.secret_name for part in attempt.parts)
    return [*parts[:position], named, *parts[position:]]


# Where the secret goes: each takes the parts as written, the secret with its name, and the
# attempt, and returns the parts to join.
PLACES: Mapping[str, Callable[[list[bytes], bytes, Attempt], list[bytes]]] = {
    "nowhere": lambda parts, named, attempt: parts,
    "last": lambda parts, named, attempt: [*parts, named],
    "first": lambda parts, named, attempt: [named, *parts],
    "last, without its name": lambda parts, named, attempt: [*parts, attempt.secret],
    "first, without its name": lambda parts, named, attempt: [attempt.secret, *parts],
    "appended": lambda parts, named, a: [*parts[:-1], b"".join(parts[-1:]) + a.secret],
    "prepended": lambda parts, named, a: [a.secret + b"".join(parts[:1]), *parts[1:]],
    "sorted in": _sorted_in,
    "before": lambda parts, named, attempt: parts,  # all of the string
    "behind": lambda parts, named, attempt: parts,
}


def message(attempt: Attempt) -> bytes:
    """Returns the string that is signed or hashed."""
    if attempt.text:
        return attempt.text
    if attempt.json_style:
        return _json(attempt)
    equals = attempt.equals
    if equals is None:
        parts = [p[1] if isinstance(p, tuple) else part_value(attempt, p) for p in attempt.parts]
    else:
        parts = [name + equals + value for name, value in pairs(attempt)]
    named = attempt.secret if equals is None else attempt.secret_name + equals + attempt.secret
    parts = PLACES[attempt.place](parts, named, attempt)
    whole = attempt.prefix + attempt.joiner.join(parts) + attempt.suffix
    if attempt.place in ("before", "behind"):
        whole = attempt.secret + whole if attempt.place == "before" else whole + attempt.secret
    return getattr(whole, attempt.case)() if attempt.case else whole


def _json(attempt: Attempt) -> bytes:
    members = (*pairs(attempt), (attempt.secret_name, attempt.secret))
    data = {_text(name): _text(value) for name, value in members}
    text = json.dumps(data, separators=attempt.json_style, ensure_ascii=False)
    return text.encode("utf-8", "surrogateescape")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


# How secret and message are combined.
CONSTRUCTIONS: Mapping[str, Callable[[bytes, bytes, str], bytes]] = {
    "HMAC": hmac.digest,
    "HMAC, key and message swapped": lambda key, text, name: hmac.digest(text, key, name),
    "hash": lambda key, text, name: hashlib.new(name, text, usedforsecurity=False).digest(),
}


def digest(attempt: Attempt) -> bytes:
    """Returns the signature's bytes."""
    combine = CONSTRUCTIONS[attempt.construction]
    return combine(attempt.secret, message(attempt), attempt.algorithm)


# Edits of parts, also of those inside a digest

Edit = Callable[[Part], tuple[Part, ...]]


def edited(attempt: Attempt, name: str, edit: Edit) -> Attempt:
    """Returns the attempt with every part of a name replaced by those that ``edit`` returns."""
    return replace(attempt, parts=_edited(attempt.parts, name.encode(), edit))


def _edited(parts: Iterable[Part], name: bytes, edit: Edit) -> tuple[Part, ...]:
    result: list[Part] = []
    for part in parts:
        if isinstance(part, tuple):
            if part[0] == name:
                result += edit(part)
            else:
                result.append(part)
        else:
            inner = _edited(part.parts, name, edit)
            if inner == part.parts:
                result.append(part)
            elif inner:
                result.append(replace(part, parts=inner))
    return tuple(result)


def put(attempt: Attempt, **values: bytes) -> Attempt:
    """Returns the attempt with other values of parts."""
    for name, value in values.items():
        attempt = edited(attempt, name, lambda part, v=value: ((label(part), v),))  # type: ignore[misc]
    return attempt


def drop(attempt: Attempt, *names: str) -> Attempt:
    """Returns the attempt without some parts; a digest of nothing is dropped, too."""
    for name in names:
        attempt = edited(attempt, name, lambda part: ())
    return attempt


def value(attempt: Attempt, name: str) -> bytes:
    """Returns the value of a part, empty where there is none."""
    wanted = name.encode()
    for part in attempt.parts:
        if isinstance(part, tuple) and part[0] == wanted:
            return part[1]
    return dict(leaves(attempt.parts)).get(wanted, b"")


def leaves(parts: Iterable[Part]) -> list[tuple[bytes, bytes]]:
    """Returns names and values, also those inside a digest."""
    return [
        leaf
        for part in parts
        for leaf in ([part] if isinstance(part, tuple) else leaves(part.parts))
    ]


def digests(attempt: Attempt) -> list[Hashed]:
    """Returns the parts that are digests."""
    return [part for part in attempt.parts if isinstance(part, Hashed)]


def swap(attempt: Attempt, old: Part, *new: Part) -> Attempt:
    """Returns the attempt with new parts in the place of an old one."""
    at = attempt.parts.index(old)
    return replace(attempt, parts=(*attempt.parts[:at], *new, *attempt.parts[at + 1 :]))
