"""Keys that are sent as they are: where a request carries them, and what was done to them."""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec
from msgspec import Struct

from mockserver.explain.solver import Mistake, explanation_for, solve
from mockserver.explain.text import common, fingerprinted, printable
from mockserver.explain.vocabulary import Explanation
from mockserver.model.http import Request
from mockserver.model.query import raw_pairs

LOOKED_AT_MAX = 16 * 1024  # bytes of a body in which a key is looked for
NAME_MAX = 40  # bytes of a name that are shown
KEY_MAX = 512  # bytes of a value that may be a key


class SentValue(Struct, frozen=True):
    """A value that a request carries in a ``header``, a ``parameter`` or a ``member``."""

    where: str
    name: str
    value: bytes

    @property
    def place(self) -> str:
        """Where it is, in words."""
        return f"the {self.where} {printable(self.name.encode(), NAME_MAX)}"


def sent_values(request: Request) -> Iterator[SentValue]:
    """Yields the values of headers and parameters, and of members and fields of a body."""
    for name, value in request.headers:
        yield SentValue("header", name.decode("latin-1"), value)
    for name, value in raw_pairs(request.query):
        yield SentValue("parameter", name.decode("utf-8", "replace"), value)
    if len(request.body) <= LOOKED_AT_MAX:
        yield from _in_body(request.body)


def _in_body(body: bytes) -> Iterator[SentValue]:
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
    """Returns what was done to a key before it was sent, maybe nothing, and the key's label.

    ``keys`` are labels by key. ``whole`` looks only for what leaves a key as it is inside.
    Returns None where the value is none of the keys.
    """
    if value in keys:
        return (), keys[value]
    if not value or len(value) > KEY_MAX:
        return None
    tables = (WRAPPERS,) if whole else ((*WRAPPERS, *_damage(keys)), (_more(keys),))
    solutions = (solve(value, table, keys.__contains__) for table in tables)
    found = next(filter(None, solutions), None)
    return found and (found[0], keys[found[1]])


def explain_unknown_key(
    presented: bytes,
    ids: Mapping[bytes, str],
    secrets: Mapping[bytes, str],
    names: tuple[str, str],
    secret_sent: Mistake,
) -> Explanation | None:
    """Explains an unknown key id: one that was changed, a secret, or only a key's label.

    ``ids`` and ``secrets`` are labels by value, ``names`` what the provider calls the two.
    """
    id, secret = names
    found = match_altered_key(presented, ids)
    if found is not None:
        done, label = found
        return explanation_for(
            done, f"the {id} of {label}", f"{fingerprinted(presented)}, not quite it"
        )
    found = match_altered_key(presented, secrets)
    if found is not None:
        done, label = found
        told = f"{fingerprinted(presented)}, the {secret} of the key {label}"
        return explanation_for((secret_sent, *done), f"the {id} of {label}", told)
    label = presented.decode("latin-1")
    if label in ids.values():
        fix = f"Send the {id} itself: {label} is only what the key is called here."
        return Explanation(f"label for the {id}", f"the {id} of {label}", label, fix)
    return None


def _quotes(value: bytes) -> list[bytes]:
    inner = value[1:] if value[:2] in (b"b'", b'b"') else value
    return [inner.strip(b"\"'`<>{}[]")]


def _scheme(value: bytes) -> list[bytes]:
    word, *rest = value.split(None, 1) or [b""]
    return rest if word.isalpha() else []


def _name(value: bytes) -> list[bytes]:
    named = re.fullmatch(rb"[\w-]{1,40}\s{0,3}[:=]\s{0,3}(.+)", value)
    return [named[1]] if named else []


def _base64(value: bytes) -> list[bytes]:
    try:
        raw = base64.b64decode(value, validate=True)
    except binascii.Error:
        return []
    return [raw, raw.partition(b":")[0]]


QUOTED = Mistake("quotes round the key", "Send the key without quotes or brackets.", _quotes)
BLANK = Mistake("blanks round the key", "Strip blanks and line ends.", lambda v: [v.strip()])
WRAPPERS = (
    QUOTED,
    BLANK,
    Mistake("word before the key", "Send the key without a scheme in front.", _scheme),
    Mistake("name before the key", "Send the value alone, without its name.", _name),
    Mistake("key URL-encoded", "Send the key as it is.", lambda v: [unquote_to_bytes(v)]),
    Mistake("key in base64", "Send the key as it is.", _base64),
    QUOTED,  # once more: what is found inside of another one
    BLANK,
)

CUT_MIN = 6  # bytes of a key that are left


def _damage(keys: Mapping[bytes, str]) -> tuple[Mistake, ...]:
    """Returns the mistakes that change a key itself, where only one key can be meant."""

    def recased(value: bytes) -> list[bytes]:
        return _only([key for key in keys if key.lower() == value.lower()])

    def completed(value: bytes) -> list[bytes]:
        found = _only([key for key in keys if key.startswith(value) or key.endswith(value)])
        return [key for key in found if len(value) >= max(CUT_MIN, len(key) // 2)]

    def corrected(value: bytes) -> list[bytes]:
        long = [key for key in keys if len(key) >= CUT_MIN]
        return _only([key for key in long if _one_sign_off(key, value)])

    return (
        Mistake("key in another case", "Send capitals and small letters as they are.", recased),
        Mistake("key cut short", "Send the whole key.", completed),
        Mistake("one sign of the key wrong", "Copy the key anew.", corrected),
    )


def _more(keys: Mapping[bytes, str]) -> Mistake:
    """Returns the mistake that leaves a key at one end of a longer value."""

    def freed(value: bytes) -> list[bytes]:
        long = [key for key in keys if len(key) >= CUT_MIN]
        return [key for key in long if value.startswith(key) or value.endswith(key)]

    return Mistake("more than the key", "Send the key and nothing else.", freed)


def _only(found: list[bytes]) -> list[bytes]:
    return found if len(found) == 1 else []


def _one_sign_off(one: bytes, other: bytes) -> bool:
    start = common(one, other)
    end = common(one[start:][::-1], other[start:][::-1])
    return max(len(one), len(other)) - start - end == 1


def nearest(given: str, known: Iterable[str]) -> str:
    """Returns which of some names was probably meant, or nothing; however it is capitalised."""
    from difflib import get_close_matches

    names = {name.lower(): name for name in known}
    found = get_close_matches(given.lower()[:KEY_MAX], names, 1)
    return names[found[0]] if found else ""
