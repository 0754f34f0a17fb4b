"""What each mutation makes of a good body, to the byte."""

import codecs
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from contract_tests.support.mutation_reads import (
    AMOUNTS,
    JSON,
    LESS,
    LONG,
    MIB,
    ODD,
    ODDER,
    READS,
    TINY,
    Change,
    ask,
    envelope,
    fetch,
    plain,
    swap,
)
from mockserver import MockServer
from mockserver.faults import json_path, kinds, mutations
from mockserver.faults.response_body import CONTENT_TYPE, MUTABLE_BODY_MAX
from mockserver.model.http import Response
from mockserver.model.provider import Provider
from mockserver.providers import discover


@pytest.mark.parametrize("name", READS)
def test_the_good_answers_are_these(rich: MockServer, name: str) -> None:
    assert fetch(rich, name) == (JSON, READS[name].body)


# A row: what mutates which read into what


class Row(NamedTuple):
    """A mutation, the read that it mutates, and what becomes of the body and its media type."""

    mutate: dict[str, Any]
    read: str
    change: Change
    media_type: bytes = JSON


def same(body: bytes) -> bytes:
    return body


def without(*texts: str) -> Change:
    return swap(*(text for old in texts for text in (old, "")))


def rows_of(name: str) -> tuple[bytes, bytes, bytes, bytes]:
    """Cuts a body of two rows into what is before, the rows, and what is behind."""
    body = READS[name].body
    marks = {
        "cdp": (b'{"asset":{"symbol":"long"', b'{"asset":{"symbol":"odd"', b"]}"),
        "coinapi": (b'{"asset_id_exchange":"LONG"', b'{"asset_id_exchange":"ODD"', b"]}]"),
        "coinstats": (b'{"coinId":"long"', b'{"coinId":"odd"', b'],"portfolio"'),
        "coinw": (b'"LONG":', b'"ODD":', b'},"msg"'),
        "coinw complete": (b'"LONG":', b'"ODD":', b'},"msg"'),
        "cpg": (b'{"currency":"LONG"', b'{"currency":"ODD"', b'],"data_count"'),
    }
    first, second, end = (body.index(mark) for mark in marks[name])
    return body[:first], body[first : second - 1], body[second:end], body[end:]


def rows_left(name: str, *numbers: int) -> Change:
    """Leaves these rows of a read's body, in this order."""
    before, *rows, after = rows_of(name)
    return lambda body: before + b",".join(rows[n] for n in numbers) + after


# Written amounts, and the same with an exponent
EXPONENTS = {
    LONG: "1.234567890123456789123456789012345678901E+18",
    LESS: "1.234567890123456789123456559012345678901E+18",
    ODD: "9.00719925474099310E+15",
    ODDER: "9.00719925474099309999977E+15",
    "9007199254740991.60": "9.00719925474099160E+15",
    TINY: "2.3E-7",
    "1.50": "1.50E+0",
    "0": "0E+0",
    f"0.{'0' * 21}": "0E-21",
}

ALTERNATIVES = "|".join(re.escape(text) for text in sorted(EXPONENTS, key=len, reverse=True))
AMOUNT = re.compile(rf'(?<=[:"])({ALTERNATIVES})(?=[,"}}])')


def exponents(body: bytes) -> bytes:
    return AMOUNT.sub(lambda match: EXPONENTS[match[1]], body.decode()).encode()


EXTRA = '"somethingNew":{"since":"2026-01-01T00:00:00Z","values":[1,"2",null]}'


def one_more(name: str, of_rows: bool, of_answer: bool) -> Change:
    """Adds the new member at the end of each row and of the answer."""
    before, first, second, after = rows_of(name)
    if of_rows:
        first, second = (row[:-1] + f",{EXTRA}}}".encode() for row in (first, second))
    if of_answer:
        after = after[:-1] + f",{EXTRA}}}".encode()
    return lambda body: before + first + b"," + second + after


CHARSETS = ("utf-8", "us-ascii", "iso-8859-1", "windows-1252", "shift_jis", "gb18030", "utf-16", "utf-32")  # fmt: skip


def in_charset(charset: str) -> Change:
    return lambda body: body.decode().encode(charset, "replace")


EVERYWHERE: dict[str, tuple[Any, Change]] = {
    "bom": (True, lambda body: b"\xef\xbb\xbf" + body),
    "double_json": (True, lambda body: body + body),
    "invalid_utf8": (
        True,
        lambda body: body[: body.index(b'"') + 1] + b"\xff" + body[body.index(b'"') + 1 :],
    ),
    "exponent": (True, exponents),
    "stale": (True, same),  # the first answer is the right one
    "repeat_token": (True, same),  # all of these lists end with their first page
    "expire_token": (True, same),
    "repeat_row": (True, same),
}

PARTS = [(0, 0), (0.5, 2), (0.25, 4)]  # a fraction, and the whole divided by this

ROWED = {  # whether a row, and the answer, is an object to which a member can be added
    "cdp": (True, True),
    "coinapi": (True, False),
    "coinstats": (True, True),
    "coinw": (False, True),
    "coinw complete": (True, True),
    "cpg": (True, True),
}

LISTED = ("cdp", "coinapi", "coinstats", "cpg")  # rows in an array; in an object they have names

TABLE = [
    *(Row({m: value}, "cpg", wanted) for m, (value, wanted) in EVERYWHERE.items()),
    *(Row({"exponent": True}, r, exponents) for r in READS if r != "cpg"),
    *(Row({"extra": True}, r, one_more(r, *ROWED[r])) for r in READS),
    *(Row({"empty_page": True}, r, rows_left(r)) for r in READS),
    *(Row({"drop_row": 0}, r, rows_left(r, 1)) for r in READS),
    *(Row({"drop_row": 2}, r, same) for r in READS),
    *(Row({"duplicate_row": 1}, r, rows_left(r, 0, 1, 1)) for r in LISTED),
    Row({"duplicate_row": 2}, "cpg", same),
    *(Row({"duplicate_row": 0}, r, same) for r in sorted(READS.keys() - set(LISTED))),
    *(
        Row({"truncate_json": part}, "cdp", lambda body, n=n: body[: len(body) // n] if n else b"")
        for part, n in PARTS
    ),
    Row({"media_type": "text/html"}, "cdp", same, b"text/html"),
    *(
        Row({"charset": c}, "cdp", in_charset(c), f"application/json; charset={c}".encode())
        for c in CHARSETS
    ),
    # Paths: a member, a row, every row, every member, a quoted name; arrays, objects, leaves
    Row({"drop": "$.data_count"}, "cpg", without(',"data_count":2')),
    Row({"drop": "$.data[0].held"}, "cpg", without(f'"held":"0.{"0" * 21}",')),
    Row({"drop": "$.data[*].network"}, "cpg", without('"network":"ETH",', '"network":"TRX",')),
    Row({"drop": "$.data[*]"}, "cpg", rows_left("cpg")),
    Row({"drop": "$.*"}, "cpg", lambda body: b"{}"),
    Row({"drop": "$.balances[*].asset.name"}, "cdp", without(',"name":"Lång €"', ',"name":"Odd"')),
    Row(
        {"drop": "$.balances[*].amount.*.available"},
        "cdp",
        without(f'"available":"{LONG}",', f'"available":"{ODDER}",'),
    ),
    Row({"drop": "$[0].data[1].locked"}, "coinapi", without('"locked":0,')),
    Row({"drop": "$[*]"}, "coinapi", lambda body: b"[]"),
    Row({"drop": "$.data.LONG"}, "coinw", rows_left("coinw", 1)),
    Row({"drop": "$.data.*.onOrders"}, "coinw complete", without('"onOrders":"0",', f'"onOrders":"{TINY}",')),
    Row({"null": "$.data"}, "cpg", lambda body: rows_of("cpg")[0][:-1] + b"null" + rows_of("cpg")[3][1:]),
    Row({"null": "$.balances[1]"}, "cdp", lambda body: b"%b%b,null%b" % (rows_of("cdp")[0], rows_of("cdp")[1], b"]}")),
    Row({"null": "$[*].data[*].rate_usd"}, "coinapi", swap('"rate_usd":0', '"rate_usd":null', '"rate_usd":1.50', '"rate_usd":null')),
    Row({"null": "$.data.*"}, "coinw", swap(f'"{LONG}"', "null", f'"{ODDER}"', "null")),
    Row({"retype": "$[*].data[*].balance"}, "coinapi", swap(f'"balance":{LONG}', f'"balance":"{LONG}"', f'"balance":{ODD}', f'"balance":"{ODD}"')),
    Row({"retype": "$.data.*"}, "coinw", swap(f'"{LONG}"', LONG, f'"{ODDER}"', ODDER)),
    Row({"retype": "$.balances[0].amount.long.total"}, "cdp", swap(f'"total":"{LONG}"', f'"total":{LONG}')),
    Row({"retype": "$.balances[1].asset.name"}, "cdp", swap('"name":"Odd"', '"name":["Odd"]')),
    Row({"retype": "$.success"}, "coinw", swap('"success":true', '"success":"true"')),
    Row({"retype": "$.data"}, "cpg", swap('"data":[', '"data":{"items":[', '],"data_count"', ']},"data_count"')),
    Row({"retype": "$.data.ODD"}, "coinw complete", swap('"ODD":{', '"ODD":[{', '}},"msg"', '}]},"msg"')),
    Row({"enum": "$.balances[*].asset.type"}, "cdp", lambda body: body.replace(b'"crypto"', b'"something_new"')),
    Row({"enum": "$[0].data[0].last_updated_by"}, "coinapi", lambda body: body.replace(b'"BALANCE_MANAGER"', b'"SOMETHING_NEW"', 1)),
    Row({"enum": "$.message"}, "cpg", swap('"OK"', '"SOMETHING_NEW"')),
    Row({"enum": "$.data_count"}, "cpg", swap('"data_count":2', '"data_count":"SOMETHING_NEW"')),
    # Several in one rule: what is said of the tree comes before what is said of the bytes,
    # else in the order written
    Row({"bom": True, "drop": "$.data_count"}, "cpg", lambda body: b"\xef\xbb\xbf" + body.replace(b',"data_count":2', b"")),
    Row({"truncate_json": 0.5, "null": "$.data"}, "coinw", lambda body: b'{"code":"200","data":null,"msg":"SUCCESS","success":true,"failed":false}'[:36]),
    Row({"double_json": True, "truncate_json": 0.25}, "cdp", lambda body: body[: len(body) // 2]),
    Row({"bom": True, "charset": "us-ascii"}, "cpg", lambda body: b"?" + body, b"application/json; charset=us-ascii"),
    Row({"charset": "us-ascii", "bom": True}, "cpg", lambda body: codecs.BOM_UTF8 + body, b"application/json; charset=us-ascii"),
    Row({"drop_row": 0, "duplicate_row": 0}, "cdp", rows_left("cdp", 1, 1)),
    Row({"duplicate_row": 0, "drop_row": 2}, "cdp", rows_left("cdp", 0, 0)),
    Row({"duplicate_row": 0, "null": "$.balances[0].asset"}, "cdp", lambda body: doubled("cdp", null_asset, same)),
    Row({"null": "$.balances[0].asset", "duplicate_row": 0}, "cdp", lambda body: doubled("cdp", null_asset, null_asset)),
    Row({"retype": "$.balances[0].amount.long.total", "exponent": True}, "cdp", lambda body: exponents(body).replace(f'"total":"{EXPONENTS[LONG]}"'.encode(), f'"total":{EXPONENTS[LONG]}'.encode())),
    Row({"enum": "$.balances[0].amount.long.*", "exponent": True}, "cdp", lambda body: exponents(body).replace(EXPONENTS[LONG].encode(), b"SOMETHING_NEW")),
    Row({"null": "$.balances", "extra": True, "drop_row": 0, "exponent": True}, "cdp", lambda body: f'{{"balances":null,{EXTRA}}}'.encode()),
    Row({"stale": True, "drop": "$.data_count"}, "cpg", without(',"data_count":2')),
]  # fmt: skip


def null_asset(row: bytes) -> bytes:
    return re.sub(rb'"asset":\{[^}]*\}', b'"asset":null', row)


def doubled(name: str, first: Change, second: Change) -> bytes:
    """Writes a read whose first row comes twice, each changed in its own way."""
    before, row, other, after = rows_of(name)
    return before + b",".join((first(row), second(row), other)) + after


@pytest.mark.parametrize("row", TABLE, ids=[f"{row.read} {row.mutate}" for row in TABLE])
def test_a_mutation_does_what_it_says_and_nothing_else(rich: MockServer, row: Row) -> None:
    rich.fail("mutate", provider=READS[row.read].provider, mutate=row.mutate)
    before = READS[row.read].body
    response = fetch(rich, row.read)
    assert response == (row.media_type, row.change(before))
    assert rich.journal[-1].fault == (None if response == (JSON, before) else "mutate")
    rich.clear_faults()
    assert fetch(rich, row.read) == (JSON, before), "the next one gets what was kept, unchanged"


def test_no_mutation_is_left_out() -> None:
    tried = {name for row in TABLE for name in row.mutate} | {"digits", "gzip"}
    assert tried == set(kinds.kinds(kinds.MUTATIONS))


def test_every_amount_is_written_with_an_exponent() -> None:
    assert {
        name: len(AMOUNT.findall(read.body.decode())) for name, read in READS.items()
    } == AMOUNTS
    assert not set(EXPONENTS.values()) & set(EXPONENTS)


@pytest.mark.parametrize("path", ["$.nothing", "$.balances[2]", "$.balances[0].asset.name.first"])
def test_a_path_that_leads_nowhere_changes_nothing(rich: MockServer, path: str) -> None:
    for mutation in ("drop", "null", "retype", "enum"):
        rich.fail(mutate={mutation: path})
    assert fetch(rich, "cdp") == (JSON, READS["cdp"].body)


# Digits: cut, or drawn


def with_digits(body: bytes, count: int) -> str:
    """Returns the pattern of a body whose amounts have so many digits behind the point."""
    pieces = AMOUNT.split(body.decode())
    return "".join(
        _digits(piece, count) if n % 2 else re.escape(piece) for n, piece in enumerate(pieces)
    )


def _digits(amount: str, count: int) -> str:
    before, _, after = amount.partition(".")
    drawn = max(count - len(after), 0)
    point = r"\." if count else ""
    return f"{before}{point}{after[:count]}[1-9]{{{drawn}}}"


@pytest.mark.parametrize(
    ("name", "count"), [*((name, 2) for name in READS), ("cdp", 0), ("cdp", 18), ("cdp", 60)]
)
def test_digits_are_cut_or_drawn_and_what_is_kept_is_exact(
    rich: MockServer, name: str, count: int
) -> None:
    rich.fail(mutate={"digits": count})
    media_type, body = fetch(rich, name)
    assert media_type == JSON
    assert re.fullmatch(with_digits(READS[name].body, count), body.decode())


WORLD = {
    "coinapi": {
        "keys": {"main": {"api_key": "k", "account": "a"}},
        "accounts": {
            "a": {
                "exchanges": ["X"],
                "balances": [
                    {"asset": "A", "venue": "X", "total": "1", "rate_usd": "1", "traded": "1"}
                ],
            }
        },
    }
}


def drawn(server: MockServer, seed: int) -> list[bytes]:
    """Returns two answers of a new sandbox, whose amounts have drawn digits."""
    sandbox = server.sandbox(seed=seed, world=WORLD)
    sandbox.fail("drawn", mutate={"digits": 30})
    with sandbox.coinapi.client(transport=server.transport) as client:
        return [client.get("/v1/balances").content for _ in range(2)]


def test_drawn_digits_differ_by_amount_and_match_and_repeat_with_the_seed(
    server: MockServer,
) -> None:
    first, second = drawn(server, 1)
    assert drawn(server, 1) == [first, second]
    assert drawn(server, 2)[0] != first
    digits = re.findall(rb"\.([1-9]{30})", first + second)
    assert len(digits) == len(set(digits)) == 10


# Several rules


# Rules in order, what they make together, and how many of them change something
COMBINED: list[tuple[str, list[dict[str, Any]], Change, int]] = [
    ("one after the other", [{"drop": "$.data[0]"}, {"null": "$.data[0].held"}], lambda body: rows_left("cpg", 1)(body).replace(b'"held":"1.50"', b'"held":null'), 2),
    ("the tree before the bytes", [{"bom": True}, {"drop": "$.data_count"}], lambda body: b"\xef\xbb\xbf" + body.replace(b',"data_count":2', b""), 2),
    ("bytes in order", [{"double_json": True}, {"bom": True}], lambda body: b"\xef\xbb\xbf" + body * 2, 2),
    ("what is old comes before all", [{"truncate_json": 0.5}, {"drop": "$.data_count"}, {"stale": True}], lambda body: body.replace(b',"data_count":2', b"")[: (len(body) - 15) // 2], 2),
]  # fmt: skip


@pytest.mark.parametrize(
    ("about", "mutations", "change", "effective"), COMBINED, ids=[row[0] for row in COMBINED]
)
def test_rules_mutate_in_their_order(
    rich: MockServer, about: str, mutations: list[dict[str, Any]], change: Change, effective: int
) -> None:
    names = [rich.cpg.fail(f"rule-{n}", mutate=mutate) for n, mutate in enumerate(mutations)]
    assert fetch(rich, "cpg") == (JSON, change(READS["cpg"].body))
    assert sorted(rich.journal[-1].fault.split(", ")) == names[:effective]


def test_only_rules_that_match_and_fire_mutate(rich: MockServer) -> None:
    rich.cpg.fail("second", requests=2, mutate={"drop": "$.message"})
    rich.cpg.fail("other", operation="ping", mutate={"drop": "$.data"})
    rich.cpg.fail("nobody", credential="empty", mutate={"drop": "$.success"})
    good_body, mutate = READS["cpg"].body, READS["cpg"].body.replace(b'"message":"OK",', b"")
    assert [fetch(rich, "cpg")[1] for _ in range(3)] == [good_body, mutate, good_body]
    assert [entry.fault for entry in rich.journal[-3:]] == [None, "second", None]


# What mutations may make of a body together


BOUNDS = [
    (0, MUTABLE_BODY_MAX),
    (MUTABLE_BODY_MAX // 10, MUTABLE_BODY_MAX),
    (MIB, 10 * MIB),
    (2 * MIB, 20 * MIB),
]


@pytest.mark.parametrize(("size", "most"), BOUNDS)
def test_a_body_grows_to_its_bound_and_no_further(size: int, most: int) -> None:
    assert MUTABLE_BODY_MAX == 8 * MIB
    response = plain(b"x" * size)
    assert response.try_change(lambda: setattr(response, "body", b"y" * most))
    assert response.body == b"y" * most

    def too_much() -> None:
        response.headers[CONTENT_TYPE] = b"text/html"
        response.body = b"z" * (most + 1)

    assert not response.try_change(too_much)
    assert response.changed == Response(200, ((CONTENT_TYPE, JSON),), b"y" * most)


# Rules that are all the same: how large the body of the next is, and the media type in the end
GROWING: list[tuple[dict[str, Any], Callable[[int], int], bytes]] = [
    ({"double_json": True}, lambda size: 2 * size, b"text/html"),
    ({"charset": "utf-32"}, lambda size: 4 * size + 4, b"text/html; charset=utf-32"),
]


@pytest.mark.parametrize(("mutate", "grown", "media_type"), GROWING, ids=["double", "charset"])
def test_rules_that_would_make_too_much_together_are_left_out(
    server: MockServer, mutate: dict[str, Any], grown: Callable[[int], int], media_type: bytes
) -> None:
    sizes = [len(fetch(server, "cpg")[1])]
    while sizes[-1] <= MUTABLE_BODY_MAX:
        sizes.append(grown(sizes[-1]))
    rules = [{"name": f"r{n:02}", "mutate": mutate} for n in range(1, 31)]
    server.play({"rules": [*rules, {"name": "small", "mutate": {"media_type": "text/html"}}]})
    answer = fetch(server, "cpg")
    assert (answer[0], len(answer[1])) == (media_type, sizes[-2])
    fit = [f"r{n:02}" for n in range(1, len(sizes) - 1)]
    assert sorted(server.journal[-1].fault.split(", ")) == [*fit, "small"]


def wrapped(value: str, times: int) -> str:
    """Writes a list wrapped so many times, in an object and in an array in turn."""
    for _ in range(times):
        value = f'{{"items":{value}}}' if value[0] == "[" else f"[{value}]"
    return value


DEEP = 1_200


def test_a_mutation_that_fails_leaves_the_answer_as_it_was_before_it() -> None:
    response, path = plain(b'{"data":[1]}'), json_path.parse("$.data")
    done = [
        response.try_change(lambda: mutations.retype(response, path, None, {})) for _ in range(DEEP)
    ]
    count = done.count(True)
    assert 100 < count < DEEP
    assert done == [True] * count + [False] * (DEEP - count)
    assert response.body.decode() == f'{{"data":{wrapped("[1]", count)}}}'
    assert response.headers == {CONTENT_TYPE: JSON}


def test_rules_too_many_for_a_tree_end_in_no_error(rich: MockServer) -> None:
    mutate = [{"name": f"r{n}", "mutate": {"retype": "$.data"}} for n in range(DEEP)]
    rich.play({"rules": mutate})
    media_type, body = fetch(rich, "cpg")
    before, behind = (body.count(sign) for sign in (b'{"items":', b'"}'))
    assert (media_type, before > 50, behind) == (JSON, True, 2)
    assert body.startswith(b'{"success":true,"message":"OK","data":')
    assert body.endswith(b',"data_count":2}')
    assert rich.journal[-1].fault.startswith("r0, r1, ")


def test_a_media_type_is_encoded_once() -> None:
    value, answers = (
        kinds.find(kinds.MUTATIONS, "media_type").parse("text/html"),
        [plain(b"{}") for _ in range(2)],
    )
    for answer in answers:
        mutations.media_type(answer, value, None, {})
    assert value == b"text/html"
    assert all(answer.headers[CONTENT_TYPE] is value for answer in answers)


# What is refused, or given raw, is never mutated


def everything() -> list[dict[str, Any]]:
    """Returns every mutation, each as a rule of its own."""
    mutations = {name: value for row in TABLE for name, value in row.mutate.items()}
    return [{name: value} for name, value in (mutations | {"digits": 3}).items()]


def refusals(server: MockServer, provider: Provider) -> dict[str, tuple[int, Any, bytes]]:
    """Returns how the main read is refused, by the label of each key that it is refused to."""
    handle = getattr(server, provider.name)
    example, responses = handle.example, {}
    target = f"{example.path.decode()}?{example.query.decode()}".rstrip("?")
    headers = {name.decode(): value.decode() for name, value in example.headers}
    sent = {"content": example.body, "headers": headers}
    for label in handle.others:
        answer = ask(server, provider.name, example.method, target, label, **sent)
        if server.journal[-1].reason:
            responses[label] = (answer.status_code, answer.headers.raw, answer.content)
    return responses


@pytest.mark.parametrize("provider", discover().values(), ids=list(discover()))
def test_a_refusal_is_never_mutated(server: MockServer, provider: Provider) -> None:
    plain = refusals(server, provider)
    assert len(plain) >= len(provider.errors)
    server.reset()
    for mutate in everything():
        server.fail(mutate=mutate)
    assert refusals(server, provider) == plain
    assert {entry.fault for entry in server.journal if entry.reason} == {None}


def test_a_raw_answer_is_never_mutated(server: MockServer) -> None:
    server.fail("raw", status=200, headers={"Content-Type": "application/json"}, body='{"a":"1"}')
    server.fail("mutate", mutate={"double_json": True, "media_type": "text/html"})
    assert fetch(server, "cpg") == (JSON, b'{"a":"1"}')
    assert server.journal[-1].fault == "raw"


# Bodies that are no objects


EMPTY = {
    "zero-bytes": {
        "": b"",
        "bom": codecs.BOM_UTF8,
        "invalid_utf8": b"\xff",
    },
    "null": {
        "": envelope("null"),
        "bom": codecs.BOM_UTF8 + envelope("null"),
        "charset": envelope("null").decode().encode("utf-16"),
        "double_json": envelope("null") * 2,
        "extra": envelope("null")[:-1] + f",{EXTRA}}}".encode(),
        "invalid_utf8": b'{"\xff' + envelope("null")[2:],
        "retype": envelope('""'),
        "enum": envelope('"SOMETHING_NEW"'),
        "truncate_json": envelope("null")[: len(envelope("null")) // 2],
        "drop": envelope("null").replace(b'"data":null,', b""),
    },
}

TAKEN: dict[str, Any] = {
    "drop": "$.data",
    "null": "$.data",
    "retype": "$.data",
    "enum": "$.data",
    "drop_row": 0,
    "duplicate_row": 0,
    "digits": 3,
    "charset": "utf-16",
    "media_type": "text/html",
    "truncate_json": 0.5,
    "gzip": "good",
}


@pytest.mark.parametrize("mutation", [*kinds.kinds(kinds.MUTATIONS)])
@pytest.mark.parametrize("empty", EMPTY)
def test_a_mutation_of_an_empty_body_changes_nothing_or_the_bytes_alone(
    server: MockServer, empty: str, mutation: str
) -> None:
    server.set_quirks({"coinw.empty": empty})
    server.coinw.fail(mutate={mutation: TAKEN.get(mutation, True)})
    answer = ask(server, "coinw", "POST", READS["coinw"].target, "empty")
    expected = EMPTY[empty]
    if (empty, mutation) == ("zero-bytes", "charset"):
        expected = {"charset": codecs.BOM_UTF16}  # which is what nothing is in UTF-16
    assert answer.status_code == 200
    assert answer.content == expected.get(mutation, EMPTY[empty][""])


def test_an_empty_array_has_no_rows_and_no_text(server: MockServer) -> None:
    server.coinapi.fail(mutate={"extra": True, "drop_row": 0, "exponent": True, "bom": True})
    assert ask(server, "coinapi", "GET", "/v1/balances", "empty").content == codecs.BOM_UTF8 + b"[]"
    server.clear_faults()
    server.coinapi.fail(mutate={"invalid_utf8": True})
    assert ask(server, "coinapi", "GET", "/v1/balances", "empty").content == b"[]\xff"
