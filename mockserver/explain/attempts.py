"""Attempts at a signature: everything that it depends on, right or with a client's mistakes."""

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mockserver.explain.vocabulary import RejectedRequest
from mockserver.model.http import Request
from mockserver.model.query import Pairs, is_form, raw_pairs
from mockserver.model.signing_recipe import Hashed, SigningRecipe, hasher, secret_reader

Part = tuple[bytes, bytes] | Hashed  # name and value, or the digest of such
Parts = tuple[Part, ...]
TARGET = "?"  # the algorithm of path and query as one part, joined and not hashed


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
    timestamp: bytes
    label: str
    key_id: bytes
    secret: bytes
    secret_text: bytes
    others: Mapping[bytes, str]
    digests: dict[Hashed, bytes]


class Attempt(Struct, frozen=True, gc=False):
    """A way to make a signature.

    ``equals`` stands between name and value; None writes values alone, as does an empty
    ``secret_name`` for the secret. ``place`` is a key of PLACES, ``construction`` one of
    CONSTRUCTIONS. ``text`` is signed in place of the parts where it is set; ``is_foreign`` says
    that it is the text of another scheme. ``attempt["path"]`` is the value of a part, empty where
    there is none.
    """

    of: SignedRequest
    parts: Parts
    secret: bytes
    equals: bytes | None
    joiner: bytes
    place: str
    secret_name: bytes
    construction: str
    algorithm: str
    prefix: bytes = b""
    suffix: bytes = b""
    text: bytes = b""
    is_foreign: bool = False

    def __getitem__(self, name: str) -> bytes:
        return dict(leaves(self.parts)).get(name.encode(), b"")

    def put(self, **values: bytes) -> "Attempt":
        """Returns the attempt with other values of parts, also inside a digest."""
        parts = self.parts
        for name, value in values.items():
            parts = _replaced(parts, name.encode(), (name.encode(), value))
        return replace(self, parts=parts)

    def drop(self, name: str) -> "Attempt":
        """Returns the attempt without a part; a digest of nothing is dropped, too."""
        return replace(self, parts=_replaced(self.parts, name.encode()))

    def swap(self, old: Part, *new: Part) -> "Attempt":
        """Returns the attempt with new parts in the place of an old one."""
        at = self.parts.index(old)
        return replace(self, parts=(*self.parts[:at], *new, *self.parts[at + 1 :]))

    @property
    def digests(self) -> list[Hashed]:
        """The parts that are digests."""
        hashed = [part for part in self.parts if isinstance(part, Hashed)]
        return [part for part in hashed if part.algorithm != TARGET]

    @property
    def pairs(self) -> list[tuple[bytes, bytes]]:
        """The parts as names and values."""
        return [
            part if isinstance(part, tuple) else (label(part), self.digest_of(part))
            for part in self.parts
        ]

    def digest_of(self, part: Part) -> bytes:
        """Returns the value of a part."""
        if isinstance(part, tuple):
            return part[1]
        digests = self.of.digests
        if part not in digests:
            values = list(map(self.digest_of, part.parts))
            if part.algorithm == TARGET:
                return b"?".join(filter(None, values))
            digests[part] = hasher(part.algorithm, part.written)(b"".join(values))
        return digests[part]


Change = Callable[[Attempt], Iterable[Attempt]]


def label(part: Part) -> bytes:
    """Returns the name of a part; a digest's is that of its parts."""
    return part[0] if isinstance(part, tuple) else b"+".join(map(label, part.parts))


def leaves(parts: Iterable[Part]) -> list[tuple[bytes, bytes]]:
    """Returns names and values, also those inside a digest."""
    inner = ([part] if isinstance(part, tuple) else leaves(part.parts) for part in parts)
    return [leaf for some in inner for leaf in some]


def _replaced(parts: Iterable[Part], name: bytes, *new: Part) -> Parts:
    result: list[Part] = []
    for part in parts:
        if isinstance(part, tuple):
            result += new if part[0] == name else [part]
        elif inner := _replaced(part.parts, name, *new):
            result.append(replace(part, parts=inner))
    return tuple(result)


# The message and its digest

# Where the secret goes: each takes the parts and the secret as written, the secret alone, and
# returns what to join.
PLACES: Mapping[str, Callable[[list[bytes], bytes, bytes], list[bytes]]] = {
    "nowhere": lambda parts, secret, bare: parts,
    "last": lambda parts, secret, bare: [*parts, secret],
    "first": lambda parts, secret, bare: [secret, *parts],
    "appended": lambda parts, secret, bare: [*parts[:-1], b"".join(parts[-1:]) + bare],
    "prepended": lambda parts, secret, bare: [bare + b"".join(parts[:1]), *parts[1:]],
    "sorted in": lambda parts, secret, _: sorted([*parts, secret], key=lambda p: p.split(b"=")[0]),
}


def message(attempt: Attempt) -> bytes:
    """Returns the string that is signed or hashed."""
    if attempt.text:
        return attempt.text
    secret, equals = attempt.secret, attempt.equals
    if equals is None:
        parts = list(map(attempt.digest_of, attempt.parts))
    else:
        parts = [name + equals + value for name, value in attempt.pairs]
        secret = attempt.secret_name + equals + secret if attempt.secret_name else secret
    joined = attempt.joiner.join(PLACES[attempt.place](parts, secret, attempt.secret))
    return attempt.prefix + joined + attempt.suffix


# How secret and message are combined.
SWAPPED = "HMAC, key and message swapped"
CONSTRUCTIONS: Mapping[str, Callable[[bytes, bytes, str], bytes]] = {
    "HMAC": hmac.digest,
    SWAPPED: lambda key, text, name: hmac.digest(text, key, name),
    "hash": lambda key, text, name: hashlib.new(name, text, usedforsecurity=False).digest(),
}


def digest(attempt: Attempt) -> bytes:
    """Returns the signature's bytes."""
    combine = CONSTRUCTIONS[attempt.construction]
    return combine(attempt.secret, message(attempt), attempt.algorithm)


# What is right


def form_of(request: Request) -> bytes:
    """Returns the body where it is a form, or nothing: no other body has parameters."""
    return request.body if is_form(request.header(b"content-type")) else b""


def right_attempts(
    rejected: RejectedRequest, recipe: SigningRecipe, credential: Any
) -> list[Attempt]:
    """Returns the right attempts: over the provider's path, and over the path as requested."""
    request, secret_of = rejected.request, secret_reader(recipe)
    others = {secret_of(key): str(key.label) for key in rejected.keys}
    secret = secret_of(credential)
    others.pop(secret, None)
    of = SignedRequest(
        recipe,
        request,
        request.full_path,
        raw_pairs(request.query),
        raw_pairs(form_of(request)),
        recipe.timestamp_at.reader()(request) if recipe.timestamp_at else b"",
        credential.label,
        getattr(credential, recipe.key).encode(),
        secret,
        getattr(credential, recipe.secret).encode(),
        others,
        {},
    )
    paths = (of.path, request.raw_target_path) if recipe.parts else (of.path,)
    return [_right(replace(of, path=path)) for path in dict.fromkeys(paths)]


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


def _right_parts(of: SignedRequest) -> Parts:
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
        if part == "target":
            return Hashed((read("path"), read("query")), TARGET, "")
        if isinstance(part, str):
            return part.encode(), values[part]
        return replace(part, parts=tuple(map(read, part.parts)))

    return tuple(map(read, of.recipe.parts))


def _right_parameters(of: SignedRequest) -> Parts:
    left_out = {name.encode() for name in of.recipe.left_out}
    signed = {name: value for name, value in (*of.query, *of.form) if name not in left_out}
    return tuple(sorted(signed.items()))
