"""Keys that clients send in plain text: where a request carries them, and how they are altered."""

import base64
import binascii
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec
from msgspec import Struct

from mockserver.explain.solver import Mistake, explanation_for, solve
from mockserver.explain.text import common_prefix, fingerprinted, printable
from mockserver.explain.vocabulary import Explanation, RejectedRequest
from mockserver.model.http import Request
from mockserver.model.query import raw_pairs
from mockserver.model.redaction import PUBLIC_HEADERS, is_secret_name
from mockserver.model.signing_recipe import SigningRecipe

BODY_MAX = 16 * 1024  # bytes of a body in which keys are looked for
NAME_MAX = 40  # bytes of a name that are shown
VALUES_MAX = 64  # headers, parameters and members that are searched
KEY_MAX = 512  # bytes of a value that may be a key
PART_MIN = 6  # bytes of a key that identify it
GZIP = b"\x1f\x8b"
MULTIPART = re.compile(
    rb'form-data; name="([^"\r\n]{1,64})"(?:\r\n[^\r\n]{0,200}){0,8}?\r\n\r\n([^\r\n]{0,512})'
)


class SentValue(Struct, frozen=True):
    """A value that a request carries; ``where`` is ``header``, ``parameter`` or ``member``."""

    where: str
    name: str
    value: bytes

    @property
    def place(self) -> str:
        """The place in words, such as ``the header x-api-key``."""
        return f"the {self.where} {printable(self.name.encode(), NAME_MAX)}"


def sent_values(request: Request) -> Iterator[SentValue]:
    """Yields the values of headers and parameters, and of the members or fields of the body."""
    for name, value in request.headers:
        yield SentValue("header", name.decode("latin-1"), value)
    for name, value in raw_pairs(request.query):
        yield SentValue("parameter", name.decode("utf-8", "replace"), value)
    body = uncompressed(request.body) or request.body
    if len(body) <= BODY_MAX:
        yield from _body_values(body)


def candidates(request: Request) -> list[SentValue]:
    """Returns the first values that are not empty, and not in a header of every client."""
    return [
        sent
        for sent in islice(sent_values(request), VALUES_MAX)
        if sent.value
        and not (sent.where == "header" and sent.name.encode("latin-1") in PUBLIC_HEADERS)
    ]


def is_named_like_key(sent: SentValue) -> bool:
    """Returns whether the name of a value says that it is a key, or another credential."""
    return is_secret_name(sent.name.encode()) or "key" in sent.name.lower()


def uncompressed(body: bytes) -> bytes:
    """Returns the first BODY_MAX bytes of a body in gzip; empty for any other body."""
    if not body.startswith(GZIP):
        return b""
    try:
        return zlib.decompressobj(wbits=31).decompress(body, BODY_MAX)
    except zlib.error:
        return b""


def _body_values(body: bytes) -> Iterator[SentValue]:
    """Yields the texts of a JSON object, or the fields of a form of either kind."""
    if body.startswith(b"--") and MULTIPART.search(body):
        for field in MULTIPART.finditer(body):
            yield SentValue("member", field[1].decode("utf-8", "replace"), field[2])
        return
    try:
        members = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        members = {name.decode("utf-8", "replace"): value for name, value in raw_pairs(body)}
    for name, value in members.items():
        raw = value.encode("utf-8", "replace") if isinstance(value, str) else value
        if raw and isinstance(raw, bytes):
            yield SentValue("member", name, raw)


def match_altered_key(
    value: bytes, keys: Mapping[bytes, str], whole: bool = False
) -> tuple[tuple[Mistake, ...], str] | None:
    """Returns the mistakes that turned a key into a value, and the label of the key.

    ``keys`` maps keys to labels. ``whole`` accepts only mistakes that leave the key itself
    intact. There are no mistakes where the value is a key; returns None where it is no form of
    one.
    """
    if value in keys:
        return (), keys[value]
    if not value or len(value) > KEY_MAX:
        return None
    tables = (WRAPPERS,) if whole else ((*WRAPPERS, *_damages(keys)), (_surplus(keys),))
    solutions = (solve(value, table, keys.__contains__) for table in tables)
    solution = next(filter(None, solutions), None)
    return solution and (solution[0], keys[solution[1]])


def explain_unknown_key(rejected: RejectedRequest, recipe: SigningRecipe) -> Explanation | None:
    """Explains an unknown key of a recipe: one that was altered, a secret, or a label."""
    presented, name = recipe.key_at.reader()(rejected.request), recipe.key_text
    ids = {getattr(key, recipe.key).encode(): key.label for key in rejected.keys}
    match = match_altered_key(presented, ids)
    if match is not None:
        received = f"{fingerprinted(presented)}, not quite it"
        return explanation_for(match[0], f"the {name} of {match[1]}", received)
    secrets = {getattr(key, recipe.secret).encode(): key.label for key in rejected.keys}
    match = match_altered_key(presented, secrets)
    if match is not None:
        place = f" in {recipe.key_at.name}" if recipe.key_at.where == "header" else ""
        fix = f"Send the {name}{place}; never send the secret, only sign with it."
        sent = Mistake(f"secret for the {name}", fix)
        received = f"{fingerprinted(presented)}, the {recipe.secret} of the key {match[1]}"
        return explanation_for((sent, *match[0]), f"the {name} of {match[1]}", received)
    label = presented.decode("latin-1")
    if label in ids.values():
        fix = f"Send the {name} itself: {label} is only its label in this sandbox."
        return Explanation(f"label for the {name}", f"the {name} of {label}", label, fix)
    return None


def explain_revoked_key(rejected: RejectedRequest) -> Explanation:
    """Explains a revoked key."""
    label = rejected.facts.get("credential", "")
    return Explanation(
        "revoked key",
        "a key that is not revoked",
        f"the key {label}, which is revoked",
        "Use another key: a revoked key stays revoked.",
    )


# How a key is taken out of what surrounds it: each returns the inner values, or none


def _without_quotes(value: bytes) -> list[bytes]:
    inner = value[1:] if value[:2] in (b"b'", b'b"') else value
    return [inner.strip(b"\"'`<>{}[]")]


def _without_scheme(value: bytes) -> list[bytes]:
    scheme, *rest = value.split(None, 1) or [b""]
    return rest if scheme.isalpha() else []


def _without_name(value: bytes) -> list[bytes]:
    named = re.fullmatch(rb"[\w-]{1,40}\s{0,3}[:=]\s{0,3}(.+)", value)
    return [named[1]] if named else []


def _from_base64(value: bytes) -> list[bytes]:
    try:
        decoded = base64.b64decode(value, validate=True)
    except binascii.Error:
        return []
    return [decoded, decoded.partition(b":")[0]]


QUOTES = Mistake(
    "quotes around the key", "Send the key without quotes or brackets.", _without_quotes
)
WHITESPACE = Mistake(
    "whitespace around the key", "Strip whitespace and line ends.", lambda v: [v.strip()]
)
SCHEME = Mistake(
    "a scheme such as Bearer before the key",
    "Send the key without a scheme before it.",
    _without_scheme,
)
WRAPPERS = (
    QUOTES,
    WHITESPACE,
    SCHEME,
    Mistake("name before the key", "Send the value alone, without its name.", _without_name),
    Mistake(
        "key URL-encoded", "Send the key without encoding it.", lambda v: [unquote_to_bytes(v)]
    ),
    Mistake("key in base64", "Send the key without encoding it.", _from_base64),
    QUOTES,  # again, for those inside another wrapper
    WHITESPACE,
)


# How a key is completed or corrected


def _damages(keys: Mapping[bytes, str]) -> tuple[Mistake, ...]:
    """Returns the mistakes that alter a key itself; each applies where one key alone fits."""

    def recased(value: bytes) -> list[bytes]:
        return _unambiguous([key for key in keys if key.lower() == value.lower()])

    def completed(value: bytes) -> list[bytes]:
        fitting = _unambiguous([k for k in keys if k.startswith(value) or k.endswith(value)])
        return [key for key in fitting if len(value) >= max(PART_MIN, len(key) // 2)]

    def corrected(value: bytes) -> list[bytes]:
        long = [key for key in keys if len(key) >= PART_MIN]
        return _unambiguous([key for key in long if _one_character_off(key, value)])

    return (
        Mistake("key in another case", "Send the key's exact upper and lower case.", recased),
        Mistake("key cut short", "Send the whole key.", completed),
        Mistake("one character of the key wrong", "Copy the key again.", corrected),
    )


def _surplus(keys: Mapping[bytes, str]) -> Mistake:
    """Returns the mistake that leaves a key at one end of a longer value."""

    def extracted(value: bytes) -> list[bytes]:
        long = [key for key in keys if len(key) >= PART_MIN]
        return [key for key in long if value.startswith(key) or value.endswith(key)]

    return Mistake("more than the key", "Send the key and nothing else.", extracted)


def _unambiguous(keys: list[bytes]) -> list[bytes]:
    return keys if len(keys) == 1 else []


def _one_character_off(one: bytes, other: bytes) -> bool:
    prefix = common_prefix(one, other)
    suffix = common_prefix(one[prefix:][::-1], other[prefix:][::-1])
    return max(len(one), len(other)) - prefix - suffix == 1


def nearest(name: str, known: Iterable[str]) -> str:
    """Returns the most similar of the known names, in any case; empty where none is similar."""
    from difflib import get_close_matches

    names = {known_name.lower(): known_name for known_name in known}
    matches = get_close_matches(name.lower()[:KEY_MAX], names, 1)
    return names[matches[0]] if matches else ""
