"""Mutations: changes of a successful response.

Each takes the response, the parsed value from the rule, the random draws of this match, and
``memory``, a mapping that belongs to the rule and lasts from one response to the next.
"""

import codecs
import copy
import re
from typing import Any

import msgspec

from mockserver.faults import parameters
from mockserver.faults.chance import Chance
from mockserver.faults.kinds import MUTATIONS, Decorator, register
from mockserver.faults.response_body import (
    CONTENT_TYPE,
    MutableResponse,
    number,
    same_kind,
    text_of,
)
from mockserver.model import compression

# The order of mutations: FIRST replaces the whole body, JSON changes members, BYTES the encoding.
FIRST, JSON, BYTES, LAST = -1, 0, 1, 2

NEW_WORD = "SOMETHING_NEW"
NEW_MEMBER = "somethingNew"
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")

Memory = dict[Any, Any]
LAST_ROWS = "last row of a page, by the token of the next page"
LAST_ROWS_MAX = 64
FIRST_BODIES = "first response body, by caller and request"
FIRST_BODIES_MAX = 64
FIRST_BODIES_SIZE_MAX = 4 * 1024 * 1024  # bytes of them together


def mutation(parse: Any, order: int = JSON, watch: Any = None) -> Decorator:
    """Registers the decorated function as a mutation; its name is the keyword in a rule."""
    return register(MUTATIONS, parse, order, watch)


# Members and rows


@mutation(parameters.json_path)
def drop(response: MutableResponse, path: Any, chance: Chance, memory: Memory) -> None:
    """Removes a member or a row."""
    for parent, key in reversed(response.find(path)):
        del parent[key]


@mutation(parameters.json_path)
def null(response: MutableResponse, path: Any, chance: Chance, memory: Memory) -> None:
    """Replaces a value by null."""
    for parent, key in response.find(path):
        parent[key] = None


@mutation(parameters.json_path)
def retype(response: MutableResponse, path: Any, chance: Chance, memory: Memory) -> None:
    """Writes a value as another type: numbers as text and back, objects as arrays and back."""
    for parent, key in response.find(path):
        parent[key] = _other_type(parent[key])


def _other_type(value: Any) -> Any:
    if isinstance(value, msgspec.Raw):
        return text_of(value)
    if isinstance(value, str):
        return number(value) if NUMBER.fullmatch(value) else [value]
    if isinstance(value, list):
        return {"items": value}
    return [value] if isinstance(value, dict) else {True: "true", False: "false"}.get(value, "")


@mutation(parameters.json_path)
def enum(response: MutableResponse, path: Any, chance: Chance, memory: Memory) -> None:
    """Replaces text by a value that is not documented."""
    for parent, key in response.find(path):
        lower = isinstance(parent[key], str) and parent[key].islower()
        parent[key] = NEW_WORD.lower() if lower else NEW_WORD


@mutation(parameters.true)
def extra(response: MutableResponse, value: Any, chance: Chance, memory: Memory) -> None:
    """Adds an undocumented member to the response and to every row."""
    for node in (response.tree, *(parent[key] for parent, key in response.rows())):
        if isinstance(node, dict):
            node[NEW_MEMBER] = {"since": "2026-01-01T00:00:00Z", "values": [1, "2", None]}


@mutation(parameters.integer(0, 1_000_000))
def drop_row(response: MutableResponse, index: Any, chance: Chance, memory: Memory) -> None:
    """Removes a row."""
    for parent, key in response.rows()[index : index + 1]:
        del parent[key]


@mutation(parameters.integer(0, 1_000_000))
def duplicate_row(response: MutableResponse, index: Any, chance: Chance, memory: Memory) -> None:
    """Repeats a row right after itself."""
    for parent, key in response.rows()[index : index + 1]:
        if isinstance(parent, list):
            parent.insert(key + 1, copy.deepcopy(parent[key]))


# Amounts


@mutation(parameters.integer(0, 60))
def digits(response: MutableResponse, count: Any, chance: Chance, memory: Memory) -> None:
    """Writes amounts with a number of decimals: random digits are added, others cut."""
    for n, ((parent, key), amount) in enumerate(response.amounts()):
        whole, _, decimals = f"{amount:f}".partition(".")
        # A drawn digit is never 0, so that a client cannot lose one unnoticed.
        decimals = (decimals + chance.digits(count, f"digits {n}"))[:count]
        parent[key] = same_kind(parent[key], f"{whole}.{decimals}" if decimals else whole)


@mutation(parameters.true)
def exponent(response: MutableResponse, value: Any, chance: Chance, memory: Memory) -> None:
    """Writes every amount with an exponent, digits and scale kept: ``1.50`` as ``1.50E+0``."""
    for (parent, key), amount in response.amounts():
        parent[key] = same_kind(parent[key], f"{amount:E}")


# Pages


@mutation(parameters.true)
def empty_page(response: MutableResponse, value: Any, chance: Chance, memory: Memory) -> None:
    """Empties a page of its rows; its token stays."""
    for parent, key in reversed(response.rows()):
        del parent[key]


@mutation(parameters.true)
def repeat_token(response: MutableResponse, value: Any, chance: Chance, memory: Memory) -> None:
    """Returns the page's own token as the next one, so that paging never ends."""
    place = response.token()
    if place and response.page:
        parent, key = place
        parent[key] = response.page


@mutation(parameters.true)
def expire_token(response: MutableResponse, value: Any, chance: Chance, memory: Memory) -> None:
    """Returns a token for the next page that has expired."""
    place = response.token()
    if place:
        parent, key = place
        parent[key] = ("B" if parent[key][0] == "A" else "A") + parent[key][1:]


def _remember_last_row(response: MutableResponse, memory: Memory) -> None:
    rows, token = response.rows(), response.token()
    if not rows or token is None:
        return
    (parent, key), (holder, member) = rows[-1], token
    last_rows = memory.setdefault(LAST_ROWS, {})
    last_rows[holder[member]] = copy.deepcopy(parent[key])
    if len(last_rows) > LAST_ROWS_MAX:
        del last_rows[next(iter(last_rows))]


@mutation(parameters.true, watch=_remember_last_row)
def repeat_row(response: MutableResponse, value: Any, chance: Chance, memory: Memory) -> None:
    """Repeats the last row of the previous page as the first."""
    rows, last = response.rows(), memory.get(LAST_ROWS, {}).get(response.page)
    if rows and last is not None and isinstance(rows[0][0], list):
        rows[0][0].insert(0, copy.deepcopy(last))


# The whole answer


def _remember_first_body(response: MutableResponse, memory: Memory) -> None:
    bodies = memory.setdefault(FIRST_BODIES, {})
    room = FIRST_BODIES_SIZE_MAX - sum(map(len, bodies.values()))
    if len(bodies) < FIRST_BODIES_MAX and len(response.body) <= room:
        bodies.setdefault((response.caller, response.request_digest), response.body)


@mutation(parameters.true, FIRST, _remember_first_body)
def stale(response: MutableResponse, value: Any, chance: Chance, memory: Memory) -> None:
    """Repeats the first response that the rule saw for this request."""
    request = (response.caller, response.request_digest)
    response.body = memory.get(FIRST_BODIES, {}).get(request, response.body)


# Bytes and headers


@mutation(parameters.header_value)
def media_type(response: MutableResponse, value: Any, chance: Chance, memory: Memory) -> None:
    """Announces another media type."""
    response.headers[CONTENT_TYPE] = value


@mutation(
    parameters.one_of(
        *("utf-8", "utf-16", "utf-32", "us-ascii"),
        *("iso-8859-1", "windows-1252", "shift_jis", "gb18030"),
    ),
    BYTES,
)
def charset(response: MutableResponse, value: Any, chance: Chance, memory: Memory) -> None:
    """Writes the body in another charset, and says so."""
    kind = response.headers.get(CONTENT_TYPE, b"").partition(b";")[0]
    response.headers[CONTENT_TYPE] = kind + b"; charset=" + value.encode()
    response.body = response.body.decode("utf-8", "replace").encode(value, "replace")


@mutation(parameters.true, BYTES)
def bom(response: MutableResponse, value: Any, chance: Chance, memory: Memory) -> None:
    """Puts a byte order mark in front of the body."""
    response.body = codecs.BOM_UTF8 + response.body


@mutation(parameters.true, BYTES)
def invalid_utf8(response: MutableResponse, value: Any, chance: Chance, memory: Memory) -> None:
    """Puts a byte that UTF-8 never has into the first text of the body."""
    before, quote, after = response.body.partition(b'"')
    response.body = before + quote + b"\xff" + after


@mutation(parameters.fraction, BYTES)
def truncate_json(response: MutableResponse, part: Any, chance: Chance, memory: Memory) -> None:
    """Ends the JSON early, with a matching Content-Length."""
    response.body = response.body[: int(len(response.body) * part)]


@mutation(parameters.true, BYTES)
def double_json(response: MutableResponse, value: Any, chance: Chance, memory: Memory) -> None:
    """Sends the JSON body twice in a row."""
    response.body *= 2


@mutation(parameters.one_of(*compression.FORMS), LAST)
def gzip(response: MutableResponse, form: Any, chance: Chance, memory: Memory) -> None:
    """Compresses the body unconditionally: good, truncated, wrong length, or plain (lying)."""
    if response.body:
        name, value = compression.GZIP
        response.headers[name] = value
        response.gzip = form
