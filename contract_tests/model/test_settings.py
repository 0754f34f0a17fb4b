"""What is read from files and settings, and what is redacted: each reader as rows."""

import inspect
import re
import sys
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from contract_tests.support.rows import each
from mockserver.engine.ledger import LedgerAccounts
from mockserver.engine.world import random_like
from mockserver.errors import DataError, SettingError, json_path
from mockserver.files import strict_yaml
from mockserver.model import redaction, secret_index, typed_data
from mockserver.model.amounts import Amount
from mockserver.model.http import Request
from mockserver.model.provider import Limit, Quirk, by_address, by_key
from mockserver.model.redaction import Secrets
from mockserver.model.reject import Reject
from mockserver.model.times import MILLISECOND, SECOND
from mockserver.model.typed_data import at, convert
from mockserver.model.world import (
    Account,
    Credential,
    Event,
    KeyRevoked,
    Recipe,
    Row,
    Section,
    SetKey,
    View,
    key_with_label,
)


def exactly(message: str) -> str:
    """Returns the pattern of a whole message."""
    return f"^{re.escape(message)}$"


# Strict YAML

LOADED = [
    ("", None), ("~", None), ("null", None), ("a: ~\nb:\n", {"a": None, "b": None}),
    ("true", True), ("True", "True"), ("no", "no"), ("7", 7), ("-0", 0), ("012", "012"),
    ("1.5", 1.5), ("1e3", 1000.0), (".5", 0.5), ("1_000", "1_000"), ("'7'", "7"),
    ("9" * 18, 10**18 - 1), ("9" * 19, float("9" * 19)), ("a: {b: [1, {c: d}]}", {"a": {"b": [1, {"c": "d"}]}}),
    ("{null: 1}", {"null": 1}), ("{NULL: 1}", {"NULL": 1}), ("<<: 1", {"<<": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "data"), LOADED)
def test_a_document_is_read_as_plain_data(text: str, data: Any) -> None:
    document = strict_yaml.load(text)
    assert (document, type(document)) == (data, type(data))


DEEP = "[" * 100 + "]" * 100
# A document, the line of the mistake and a word of its message.
WRONG = [
    ("a: 1\nb: 2\na: 3\n", 3, "key a is given twice"),
    ("a:\n  1: x\n", 2, "key 1 must be text"),
    ("a: 1\n~: 1\n", 2, "key ~ must be text"),
    ("[&x 1, *x]", 1, "aliases"),
    ("a: 1\nb: 2\nc: !!str 3\n", 3, "tags"),
    ("a: !mine {}\n", 1, "tags"),
    (f"[{DEEP}]", 1, "nested too deeply"),
    ("a: " * 101 + "1", 1, "mapping values"),
    ("a: 1\nb: [\n", 3, "did not find expected node content"),
    ("a\x1b: 1", 1, "unacceptable character #x001b"),
    ('"\\x1b": 1\n"\\x1b": 2\n', 2, "key \\x1b is given twice"),
]


@pytest.mark.parametrize(("text", "line", "message"), WRONG)
def test_a_document_is_refused_with_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(DataError) as refused:
        strict_yaml.load(text)
    assert (refused.value.line, refused.value.path) == (line, ())
    assert message in refused.value.message


@pytest.mark.parametrize(
    "text", [DEEP, f"[{'[], ' * 200}]", f"[{'{a: []}, ' * 200}]"], ids=["deep", "wide", "both"]
)
def test_a_document_may_be_a_hundred_deep_and_as_wide_as_it_likes(text: str) -> None:
    assert isinstance(strict_yaml.load(text), list)


def test_a_document_that_the_stack_cannot_hold_is_refused() -> None:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 150)
    try:
        with pytest.raises(DataError, match="nested too deeply"):
            strict_yaml.load("{a: " * 90 + "1" + "}" * 90)
    finally:
        sys.setrecursionlimit(before)


class Point(msgspec.Struct, forbid_unknown_fields=True):
    X: int
    tags: list[int] = []


class Shop(msgspec.Struct, forbid_unknown_fields=True):
    price: Amount = Amount("0")
    points: dict[str, Point] = {}
    shelf: list[Point] = []
    deep: dict[str, dict[str, dict[str, int]]] = {}


SHOPS = [
    ("price: '1.x'\n", 1, "$.price"),
    ("price: '1'\nother: 1\n", 2, "$.other"),
    ('price: "1"\n"a\\nb": 1\n', 2, '$["a\\nb"]'),
    ("points:\n  a: {X: 1}\n  b: {X: z}\n", 3, "$.points.b.X"),
    ("points:\n  a: {X: 1}\n  b:\n    X: 1\n    Y: 2\n", 5, "$.points.b.Y"),
    ("points:\n  a: {X: 1}\n  b: {}\n", 3, "$.points.b"),
    ("shelf:\n- X: 1\n- X: 1\n  tags:\n  - 1\n  - z\n", 6, "$.shelf[1].tags[1]"),
    ("deep:\n  a: {b: {c: 1}}\n  d:\n    e: {f: 1}\n    g:\n      h: 1\n      i: z\n", 7, "$.deep.d.g.i"),
    ("[]", 1, "$"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "path"), SHOPS)
def test_a_value_of_the_wrong_type_is_located(text: str, line: int, path: str) -> None:
    with pytest.raises(DataError) as refused, strict_yaml.located(text):
        convert(strict_yaml.load(text), Shop)
    assert (refused.value.line, json_path(refused.value.path)) == (line, path)


def test_data_below_a_path_is_located_there() -> None:
    text = "a: 1\npart:\n  shelf:\n  - X: z\n"
    with pytest.raises(DataError) as refused, strict_yaml.located(text), at("part"):
        convert({"shelf": [{"X": "z"}]}, Shop)
    assert str(refused.value).startswith("line 4: $.part.shelf[0].X: Expected")


def test_a_path_ends_where_no_key_alone_is_to_blame() -> None:
    path = typed_data._path({"a": {"b": 1}}, [".a", "[...]"], lambda data: False)  # noqa: SLF001
    assert path == ("a",)


def test_data_that_fits_is_typed() -> None:
    text = "price: '1.50'\npoints: {a: {X: 1}}\n"
    shop = convert(strict_yaml.load(text), Shop)
    assert (str(shop.price), type(shop.price), shop.points) == ("1.50", Decimal, {"a": Point(1)})


PLACES = [
    ((), 1, "$"),
    (("a",), 2, "$.a"),
    (("a", "b"), 3, "$.a.b"),
    (("a", "b", 1), 5, "$.a.b[1]"),
    (("a", "b", 1, "c"), 6, "$.a.b[1].c"),
    (("a", "nowhere", "b"), 2, "$.a.nowhere.b"),
    (("nowhere",), 1, "$.nowhere"),
    (("a", "b", "c"), 3, "$.a.b.c"),
    (("a", "d", 0), 7, "$.a.d[0]"),
]


@pytest.mark.parametrize(("path", "line", "shown"), PLACES)
def test_a_location_is_the_line_where_its_path_ends(
    path: tuple[str | int, ...], line: int, shown: str
) -> None:
    text = "---\na:\n  b:\n  - 1\n  - x: 1\n    c: 2\n  d: text\n"
    with pytest.raises(DataError) as refused, strict_yaml.located(text):
        raise DataError("odd", path)
    assert str(refused.value) == f"line {line}: {shown}: odd"


def test_a_message_is_one_line() -> None:
    error = DataError("x\x1b\ud800", ("a\nb",), 3)
    assert error.message == "x\\x1b\\ud800"
    assert str(error) == 'line 3: $["a\\nb"]: x\\x1b\\ud800'


# Rejects

ALLOWS = [({}, ()), ({"allow": []}, ()), ({"allow": ["GET", "PUT"]}, ((b"allow", b"GET, PUT"),))]


@pytest.mark.parametrize(("facts", "allow"), ALLOWS)
def test_a_reject_carries_its_reason_and_its_facts(facts: dict[str, Any], allow: Any) -> None:
    reject = Reject("bad_method", **facts)
    assert (reject.reason, reject.facts, reject.allow) == ("bad_method", facts, allow)
    assert str(reject) == "bad_method"


# Limits, quirks and secrets of a provider

LIMIT = Limit("reads", 5, 10 * SECOND, rolling=True)

LIMITS = [
    ("off", None, 10 * SECOND, "off"),
    ("120/60s", 120, 60 * SECOND, "120/60s"),
    ("0/1ms", 0, MILLISECOND, "0/1ms"),
    ("007/1m", 7, 60 * SECOND, "7/60s"),
    ("1/1001ms", 1, 1001 * MILLISECOND, "1/1001ms"),
    ("9" * 12 + "/1h", 10**12 - 1, 3600 * SECOND, "9" * 12 + "/3600s"),
]


@pytest.mark.parametrize(("written", "count", "span", "shown"), LIMITS)
def test_a_limit_is_read_and_written(
    written: str, count: int | None, span: int, shown: str
) -> None:
    limit = LIMIT.read(written)
    assert limit == Limit("reads", count, span, rolling=True)
    assert limit.text == shown


NO_LIMITS = [
    "", "OFF", "/60s", "120/0s", "120/-5s", "-1/60s", "1.5/60s", "9" * 13 + "/1s", "\u0661/1s", "5", 5,
    "1/2/1s", "120/", "120/60",
]  # fmt: skip


@pytest.mark.parametrize("written", NO_LIMITS)
def test_a_value_that_is_no_limit_is_refused(written: Any) -> None:
    with pytest.raises(SettingError):
        LIMIT.read(written)


def test_a_limit_that_is_a_count_alone_is_refused_with_an_example() -> None:
    with pytest.raises(SettingError, match="as in 5/10s, or off; not 5"):
        LIMIT.read(5)


CHOICE = Quirk("case", "any", "About.", choices=("any", "upper"))
SPAN = Quirk("window", "300s", "About.", choices=("off",), duration=True)
COUNT = Quirk("size", "10", "About.", number=True)

QUIRKS = [
    (CHOICE, "any", "any"), (CHOICE, "upper", "upper"),
    (SPAN, "off", "off"), (SPAN, "0s", 0), (SPAN, "1ms", MILLISECOND), (SPAN, "5m", 300 * SECOND),
    (COUNT, "0", 0), (COUNT, "100", 100), (COUNT, "9" * 12, 10**12 - 1),
]  # fmt: skip


@pytest.mark.parametrize(("quirk", "written", "value"), QUIRKS)
def test_a_quirk_has_the_values_it_says(quirk: Quirk, written: str, value: Any) -> None:
    assert quirk.read(written) == value


NO_QUIRKS = [
    (CHOICE, ""), (CHOICE, "ANY"), (SPAN, "-1ms"), (SPAN, "on"), (COUNT, ""), (COUNT, "-1"), (COUNT, "1.0"),
    (COUNT, "\u0661"), (COUNT, "9" * 13),
]  # fmt: skip


@pytest.mark.parametrize(("quirk", "written"), NO_QUIRKS)
def test_a_value_that_a_quirk_lacks_is_refused(quirk: Quirk, written: str) -> None:
    with pytest.raises(SettingError, match=f"^{written!r} "):
        quirk.read(written)


def test_the_secrets_of_a_credential_are_its_own_and_those_it_maps() -> None:
    key = SimpleNamespace(secret="s1", fields={"apiKey": "s2", "apiSecret": "s3"}, label="main")
    assert Secrets(values=("secret", "fields")).of(key) == ["s1", "s2", "s3"]
    assert Secrets(values=()).of(key) == []


class Key(Credential, frozen=True, kw_only=True):
    token: str
    account: str
    fields: dict[str, str] = {}
    level: int = 1


def test_unless_its_provider_says_otherwise_every_text_of_a_credential_is_secret() -> None:
    key = Key(label="main", token="t", account="a", fields={"b": "s"})
    assert Secrets().of(key) == ["t", "s"]


# A text, and the shape of what takes its place
SHAPES = [
    ("a-fake-token", r"[a-z]-[a-z]{4}-[a-z]{7}"),
    ("sk_TEST_0123456789", r"[a-z]{2}_[A-Z]{4}_[0-9]{10}"),
    ("00ff" * 8, r"[0-9a-f]{32}"),
    ("B0A7-C0DE-4900", r"[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}"),
    ("123456789012", r"[0-9]{12}"),
    ("k1", r"[a-z][0-9][a-z]{10}"),
    ("é" + 12 * "a", "é[a-z]{12}"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "shape"), SHAPES)
def test_a_new_secret_has_the_shape_of_the_old_one(text: str, shape: str) -> None:
    texts = {random_like(text, bytes([n])) for n in range(50)}
    assert [one for one in texts if not re.fullmatch(shape, one)] == []
    assert len(texts) == (50 if text else 1)
    assert random_like(text, b"1") == random_like(text, b"1")


def test_callers_are_counted_by_label_or_by_address() -> None:
    sent = Request("POST", b"/p", b"", [], b"", "192.0.2.1", b"/p")
    assert by_key(sent, SimpleNamespace(label="main")) == "main"
    assert by_address(sent, None) == "192.0.2.1"


# Redaction; the digits are the first of `sha256sum`

PRINTED = [
    (b"plain", "plain"), (b"\xc3\xa9\xe5\xb8\x81", "\u00e9\u5e01"), (b"\xff\x00", "\\xff\\x00"),
    (b"a\r\n\tb", "a\\x0d\\x0a\\x09b"), ("\u202e".encode(), "\\x202e"), (b"", ""),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "shown"), PRINTED)
def test_a_printed_text_is_one_line(raw: bytes, shown: str) -> None:
    assert redaction.printable(raw) == shown


def test_a_fingerprint_is_a_label_and_eight_digits() -> None:
    assert secret_index.fingerprint(b"abc") == "redacted:ba7816bf"
    assert secret_index.fingerprint(b"abc", "main") == "main:ba7816bf"


NAMES = [
    (b"api_key", True), (b"API-Key", True), (b"apiK%65y", True), (b"key_id", True), (b"x-auth", True),
    (b"Cookie", True), (b"jwt", True), (b"passphrase", True), (b"key", False), (b"currency", False),
    (b"pageToken", False), (b"next_page_token", False), (b"otherPageToken", True), (b"", False),
]  # fmt: skip


@pytest.mark.parametrize(("name", "secret"), NAMES)
def test_a_secret_is_known_by_its_name_however_it_is_written(name: bytes, secret: bool) -> None:
    assert redaction.is_secret_name(name) is secret


DECLARED = [
    Secrets(frozenset({b"x-odd"}), frozenset({b"q"}), frozenset({"fields"})),
    Secrets(frozenset({b"x-even"}), frozenset({b"r"}), frozenset({"inner"})),
]
REDACTOR = redaction.Redactor(DECLARED)


NAMED_HEADERS = [
    (b"host", False), (b"x-odd", True), (b"x-even", True), (b"x-mine", False),
    (b"x-api-key", True), (b"user-agent", False),
]  # fmt: skip


@pytest.mark.parametrize(("name", "secret"), NAMED_HEADERS)
def test_a_header_is_redacted_by_its_name(name: bytes, secret: bool) -> None:
    assert REDACTOR.header(name, b"abc") == (b"redacted:ba7816bf" if secret else b"abc")


QUERIES = [
    (b"", b""),
    (b"a=1&q=abc&b", b"a=1&q=redacted:ba7816bf&b"),
    (b"r=abc;a=1", b"r=redacted:ba7816bf;a=1"),
    (b"sign=%61bc&a=1", b"sign=redacted:ba7816bf&a=1"),
    (b"q=&a=1", b"q=&a=1"),
    (b"q=a=b", b"q=redacted:42144f39"),
    (b"q&secret", b"q&secret"),
    (b"Q=abc&api%5fkey=abc", b"Q=abc&api%5fkey=redacted:ba7816bf"),
]


@pytest.mark.parametrize(("sent", "kept"), QUERIES)
def test_a_query_keeps_all_but_the_values_of_secrets(sent: bytes, kept: bytes) -> None:
    assert REDACTOR.query(sent) == kept


BODIES = [
    ("nothing", b"", b""),
    ("nothing telling", b'{"a": 1}', b'{"a": 1}'),
    ("a declared member", b'{"inner":"abc"}', b'{"inner":"redacted:ba7816bf"}'),
    ("below a declared member", b'{"fields":{"x":"abc"}}', b'{"fields":{"redacted:2d711642":"redacted:ba7816bf"}}'),
    ("in a list", b'{"inner":["abc",{"y":7}],"n":7}', b'{"inner":["redacted:ba7816bf",{"redacted:a1fce436":"redacted:7902699b"}],"n":7}'),
    ("an array of objects", b'[{"n":1},{"secret":"abc"}]', b'[{"n":1},{"secret":"redacted:ba7816bf"}]'),
    ("behind spaces", b' \n{"secret": "abc"}', b'{"secret":"redacted:ba7816bf"}'),
    ("numbers that are secret", b'{"secret":[7]}', b'{"secret":["redacted:7902699b"]}'),
    ("its neighbours", b'{"secret":"abc","n":7}', b'{"secret":"redacted:ba7816bf","redacted:1b16b1df":"redacted:7902699b"}'),
    ("a secret that is repeated", b'{"a":"so abcd it","inner":{"x":"abcd"}}', b'{"a":"so redacted:88d4266f it","inner":{"redacted:2d711642":"redacted:88d4266f"}}'),
    ("one of three signs repeated", b'{"a":"so abc it","inner":{"x":"abc"}}', b'{"a":"so abc it","inner":{"redacted:2d711642":"redacted:ba7816bf"}}'),
    ("a repeated one with a quote", b'{"a":"ab\\"cd","inner":{"x":"ab\\"cd"}}', b'{"a":"redacted:4b23a99d","inner":{"redacted:2d711642":"redacted:4b23a99d"}}'),
    ("no JSON", b'{"secret":"abc"', b"redacted:2f1e5a38"),
    ("nested without end", b'{"secret":' + b"[" * 5000, b"redacted:0627c87d"),
    ("a form", b"secret=abc&n=7", b"secret=redacted:ba7816bf&n=7"),
    ("neither", b"<secret>abc</secret>", b"redacted:2953778a"),
]  # fmt: skip


@each("sent, kept", BODIES)
def test_a_body_keeps_all_but_its_secrets(sent: bytes, kept: bytes) -> None:
    assert REDACTOR.body(sent) == kept


def test_each_line_of_a_secret_is_looked_for_also_as_a_form_or_a_header_writes_it() -> None:
    secret = "-----BEGIN X-----\nab/C d\nshort\nabcdefg\n-----END X-----\n"
    assert redaction.written_forms(secret) == [b"ab/C d", b"ab/c d", b"ab/C+d", b"abcdefg"]
    assert redaction.written_forms("five5") == []


# Worlds

ROWS = [
    ("0", "0", True), ("1", "1", True), ("1.5", "0.5", True), ("1", "1.1", False), ("1", "-0.1", False),
    ("-1", "0", False), ("0.00000023", "1", False), ("1" * 81, "0", False), ("1", f"0.{'0' * 40}1", False),
]  # fmt: skip


@pytest.mark.parametrize(("total", "held", "good"), ROWS)
def test_a_row_holds_something_between_nothing_and_all(total: str, held: str, good: bool) -> None:
    members = {"asset": "A", "total": Amount(total), "held": Amount(held)}
    if good:
        assert Row(**members).touched("control") == Row(**members)
    else:
        with pytest.raises(ValueError):
            Row(**members)


@pytest.mark.parametrize(
    ("rows", "good"), [(0, True), (1_000_000, True), (-1, False), (1_000_001, False)]
)
def test_a_recipe_is_for_a_million_rows_at_most(rows: int, good: bool) -> None:
    if good:
        assert Recipe(rows).rows == rows
    else:
        with pytest.raises(ValueError, match="rows must lie between 0 and 1000000"):
            Recipe(rows)


class Owned(Credential, frozen=True, kw_only=True):
    account: str | None = None


def test_a_key_names_an_account_that_is_there() -> None:
    accounts = {"a": Account()}
    keys = {"bare": Credential(), "none": Owned(), "owned": Owned(account="a")}
    section = Section(keys=keys, accounts=accounts)
    assert (section.credentials(), list(section.records())) == (keys, [])
    message = "$.keys.k.account: key k names account 'b', which is not there"
    with pytest.raises(DataError, match=exactly(message)):
        Section(keys={"k": Owned(account="b")}, accounts=accounts)


def test_a_key_is_revoked_by_its_label() -> None:
    keys = {"main": Credential(label="main"), "other": Credential(label="other")}
    view = View(None, keys, LedgerAccounts({}), {}, {}, 0, 0, 490, "default")
    assert KeyRevoked("other").changes(view) == (SetKey(Credential(label="other", revoked=True)),)
    assert KeyRevoked.named() == "key_revoked"
    assert key_with_label(view, "main") is keys["main"]
    with pytest.raises(ValueError, match=exactly("no credential nobody: there are main, other")):
        key_with_label(view, "nobody")


def test_a_method_that_a_provider_leaves_out_says_so() -> None:
    assert Credential().regenerate(b"") is None
    with pytest.raises(NotImplementedError):
        Event().changes(None)  # type: ignore[arg-type]
