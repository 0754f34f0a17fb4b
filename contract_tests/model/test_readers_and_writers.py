"""The wire ring alone: each reader and writer as rows, values from standards where there are."""

import gc
import inspect
import re
import sys
from decimal import Decimal, Inexact
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from contract_tests.support.openapi import Document, Mismatch
from mockserver.engine.ledger import LedgerAccounts
from mockserver.engine.world import random_like
from mockserver.errors import DataError, json_path
from mockserver.files import strict_yaml
from mockserver.model import amounts as amount
from mockserver.model import paging, query, redaction, secret_index, signing, times, typed_data
from mockserver.model.amounts import Amount, decode_hook
from mockserver.model.http import Request, Response, UnsignedRequest
from mockserver.model.json_members import once_each
from mockserver.model.jwt import Key as JwtKey
from mockserver.model.jwt import Token, genuine, read, sign
from mockserver.model.provider import Limit, Quirk, by_address, by_key
from mockserver.model.redaction import Secrets
from mockserver.model.reject import Reject
from mockserver.model.signing_recipe import digest_builder
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
from mockserver.providers.cpg import auth as cpg

TENTH = SECOND // 10


def exactly(told: str) -> str:
    """Returns the pattern of a whole message."""
    return f"^{re.escape(told)}$"


# Moments: the first two are examples of RFC 3339, the seconds those of `date -d`

MOMENTS = [
    ("1985-04-12T23:20:50.52Z", 482_196_050_520_000_000, "1985-04-12T23:20:50.52Z"),
    ("1996-12-19T16:39:57-08:00", 851_042_397 * SECOND, "1996-12-20T00:39:57Z"),
    ("1937-01-01T12:00:27.87+00:20", -1_041_337_172_130_000_000, "1937-01-01T11:40:27.87Z"),
    ("1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z"),
    ("2026-01-01T00:00:00.000000001Z", 1_767_225_600 * SECOND + 1, "2026-01-01T00:00:00.000000001Z"),
    ("2026-01-01T00:00:00.123456789Z", 1_767_225_600_123_456_789, "2026-01-01T00:00:00.123456789Z"),
    ("2026-01-01T00:00:00.5Z", 1_767_225_600_500_000_000, "2026-01-01T00:00:00.5Z"),
    ("2026-01-01T00:00:00.0100Z", 1_767_225_600_010_000_000, "2026-01-01T00:00:00.01Z"),
    ("9999-12-31T23:59:59Z", 253_402_300_799 * SECOND, "9999-12-31T23:59:59Z"),
    ("0001-01-01T00:00:00Z", -62_135_596_800 * SECOND, "0001-01-01T00:00:00Z"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "nanoseconds", "shown"), MOMENTS)
def test_a_moment_is_read_to_the_nanosecond_and_shown_in_utc(
    written: str, nanoseconds: int, shown: str
) -> None:
    found = times.parse_instant(written)
    assert (found, type(found)) == (nanoseconds, int)
    if not written.startswith("0001"):  # strftime pads no year
        assert times.instant_text(nanoseconds) == shown


@pytest.mark.parametrize("seconds", [253_402_300_800, 10**15])
def test_a_moment_behind_the_last_year_is_shown_as_its_last_second(seconds: int) -> None:
    assert times.instant_text(seconds * SECOND + TENTH) == "9999-12-31T23:59:59.1Z"


NO_MOMENTS = [
    "", "now", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01 00:00:00Z", "2026-01-01T00:00Z",
    "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00.1234567890Z", "2026-01-01T00:00:00+0100",
    "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01T25:00:00Z", "2026-01-01T00:00:00Z ",
    "2026-01-01T00:00:00z", "0000-01-01T00:00:00Z", "\u0662026-01-01T00:00:00Z",
]  # fmt: skip


@pytest.mark.parametrize("written", NO_MOMENTS)
def test_what_is_no_moment_is_refused(written: str) -> None:
    told = f"{written!r} is no time: write 2026-01-01T00:00:00Z"
    with pytest.raises(ValueError, match=exactly(told)):
        times.parse_instant(written)


def test_of_a_long_text_that_is_no_moment_forty_signs_are_told() -> None:
    with pytest.raises(ValueError, match=f"^'{'9' * 40}' is no time"):
        times.parse_instant("9" * 41)


# Durations

DURATIONS = [
    (0, "0s"), (1, "0.000001ms"), (MILLISECOND, "1ms"), (250 * MILLISECOND, "250ms"), (SECOND, "1s"),
    (SECOND + 1, "1000.000001ms"), (-1500 * MILLISECOND, "-1500ms"), (1500 * MILLISECOND, "1500ms"), (61 * SECOND, "61s"),
    (3600 * SECOND, "3600s"), (-400 * SECOND, "-400s"),
]  # fmt: skip


@pytest.mark.parametrize(("nanoseconds", "shown"), DURATIONS)
def test_a_duration_is_written_in_whole_seconds_or_milliseconds(
    nanoseconds: int, shown: str
) -> None:
    assert times.duration_text(nanoseconds) == shown


@pytest.mark.parametrize(
    ("written", "nanoseconds"),
    [("0s", 0), ("999999999ms", 999_999_999_000_000), ("-400s", -400 * SECOND), ("1m", 60 * SECOND)],
)  # fmt: skip
def test_a_duration_is_read_as_a_whole_number(written: str, nanoseconds: int) -> None:
    found = times.parse_duration(written)
    assert (found, type(found)) == (nanoseconds, int)


@pytest.mark.parametrize("wrong", ["5 s", "--5s", "5", None, True, b"5s"])
def test_what_is_no_duration_is_told_in_its_own_words(wrong: Any) -> None:
    told = f"{wrong!r} is no duration: write 250ms, 61s, 1m30s or 1h"
    with pytest.raises(ValueError, match=exactly(told)):
        times.parse_duration(wrong)


# Amounts

REFUSED_AMOUNTS = [
    (1.5, 'an amount is a quoted string: write "1.5"'),
    (None, 'an amount is a quoted string: write "None"'),
    ("1e3", "'1e3' is no amount: digits, one point, as in \"0.5\""),
    ("x" * 41, f"'{'x' * 40}' is no amount: digits, one point, as in \"0.5\""),
    ("-0.0", "'-0.0' is nothing with a sign: write 0"),
    ("1" * 81, "an amount has at most 80 digits, 40 after the point"),
    (f"0.{'0' * 40}1", "an amount has at most 80 digits, 40 after the point"),
]


@pytest.mark.parametrize(("written", "told"), REFUSED_AMOUNTS)
def test_a_refused_amount_is_told_why(written: object, told: str) -> None:
    with pytest.raises(ValueError, match=exactly(told)):
        Amount.parse(written)


def test_garbage_collection_does_not_search_amounts() -> None:
    assert not any(map(gc.is_tracked, (Amount("1.5"), Amount.parse("1.5"))))


@pytest.mark.parametrize("written", ["0", "0.0", "-1", "-0.5", "9" * 80, f"0.{'0' * 39}1"])
def test_an_amount_within_the_bounds_keeps_its_digits(written: str) -> None:
    found = Amount.parse(written)
    assert (str(found.as_tuple()), type(found)) == (str(Decimal(written).as_tuple()), Decimal)


@pytest.mark.parametrize(("size", "good"), [("1e40", True), ("1e-40", True), ("1e41", False), ("1e-41", False)])  # fmt: skip
def test_an_exponent_lies_within_forty(size: str, good: bool) -> None:
    if good:
        amount.check_size(Decimal(size))
    else:
        with pytest.raises(ValueError, match="40 after the point"):
            amount.check_size(Decimal(size))


STRIPPED = [
    ("400.000", "400"), ("10", "10"), ("100", "100"), ("1500.0", "1500"), ("0.10", "0.1"),
    ("0.00", "0"), ("7", "7"), ("-2.50", "-2.5"), ("1" + "0" * 79, "1" + "0" * 79),
]  # fmt: skip


@pytest.mark.parametrize(("written", "left"), STRIPPED)
def test_zeros_behind_the_point_are_stripped_and_no_others(written: str, left: str) -> None:
    found = amount.stripped(Amount(written))
    assert (str(found), type(found)) == (left, Decimal)


TEXTS = [
    ("1.5", None, "1.5"), ("1.50", None, "1.50"), ("2.3E-7", None, "0.00000023"),
    ("1E+3", None, "1000"), ("1.5", 8, "1.50000000"), ("7", 0, "7"), ("7", 1, "7.0"),
    ("1.50", 1, "1.5"), ("0", 40, "0." + "0" * 40),
]  # fmt: skip


@pytest.mark.parametrize(("written", "decimals", "shown"), TEXTS)
def test_an_amount_is_written_in_plain_digits(
    written: str, decimals: int | None, shown: str
) -> None:
    assert amount.text(Decimal(written), decimals) == shown
    if decimals is None:
        assert bytes(amount.number(Decimal(written))) == shown.encode()


def test_an_amount_is_never_rounded() -> None:
    with pytest.raises(Inexact):
        amount.text(Decimal("1.25"), 1)


def test_sums_differences_and_products_are_exact() -> None:
    a, b = Decimal("0.1"), Decimal("0.25")
    found = [amount.plus(a, b), amount.minus(a, b), amount.times(a, b)]
    assert [str(f) for f in found] == ["0.35", "-0.15", "0.025"]
    assert [type(f) for f in found] == [Decimal] * 3


def test_nothing_but_amounts_is_read_by_the_hook() -> None:
    assert str(decode_hook(Amount, "1.50")) == "1.50"
    with pytest.raises(NotImplementedError, match="complex"):
        decode_hook(complex, "1")


# Page tokens: base64url of the content and its keyed BLAKE2b-128

SEALED = [
    (b"k", b"content!!", "Y29udGVudCEhkZ5MfihiwAAk4F6Q2xV6LQ=="),
    (b"secret", b"", "Uq4vts435VMwD7-R2NzvOg=="),
    (b"k", b"\xff\xfe\xfd", "__79vBefIG4m7FEjR0WoIIeC_Q=="),
]


@pytest.mark.parametrize(("secret", "content", "token"), SEALED)
def test_a_page_token_is_the_content_and_its_seal(
    secret: bytes, content: bytes, token: str
) -> None:
    assert paging.seal(secret, content) == token
    assert paging.unseal(secret, token) == content


CHANGED = "the token was changed, or comes from elsewhere"
UNSEALED = [
    ("another secret's", SEALED[1][2], CHANGED),
    ("one sign changed", "Z" + SEALED[0][2][1:], CHANGED),
    ("shorter than a seal", "AAAA", CHANGED),
    ("nothing", "", CHANGED),
    ("the other alphabet", "//79vBefIG4m7FEjR0WoIIeC/Q==", "the token is padded in another way"),
    ("a sign of no alphabet", SEALED[0][2] + "\n", "the token is no base64"),
    ("no padding", SEALED[0][2][:-2], "the token is no base64"),
    ("no ASCII", "\xe9" + SEALED[0][2], "the token is no base64"),
    ("bits behind the last byte", SEALED[0][2][:-3] + "R==", "the token is padded in another way"),
    ("4097 signs", "A" * 4097, "the token is too long"),
]  # fmt: skip


@pytest.mark.parametrize(("about", "token", "told"), UNSEALED, ids=[row[0] for row in UNSEALED])
def test_a_page_token_that_was_not_sealed_so_is_refused(about: str, token: str, told: str) -> None:
    with pytest.raises(ValueError, match=exactly(told)):
        paging.unseal(b"k", token)


def test_a_page_token_has_at_most_4096_signs() -> None:
    longest = paging.seal(b"k", b"x" * (3072 - paging.SEAL_SIZE))
    assert len(longest) == 4096
    assert paging.unseal(b"k", longest) == b"x" * (3072 - paging.SEAL_SIZE)
    with pytest.raises(ValueError, match=exactly("the token is too long")):
        paging.unseal(b"k", paging.seal(b"k", b"x" * (3073 - paging.SEAL_SIZE)))


# Queries and forms

PAIRS = [
    (b"", []),
    (b"a=1&b=2", [(b"a", b"1"), (b"b", b"2")]),
    (b"&a=1&&", [(b"a", b"1")]),
    (b"a", [(b"a", b"")]),
    (b"a=", [(b"a", b"")]),
    (b"=1", [(b"", b"1")]),
    (b"a=b=c", [(b"a", b"b=c")]),
    (b"a=b=%63", [(b"a", b"b=c")]),
    (b"a=x+y&b+c=1", [(b"a", b"x y"), (b"b c", b"1")]),
    (b"a=x%20y", [(b"a", b"x y")]),
    (b"a=%2B+%2b", [(b"a", b"+ +")]),
    (b"%61=%2F&plain=1", [(b"a", b"/"), (b"plain", b"1")]),
    (b"a=%E5%B8%81&b=%ff", [(b"a", "\u5e01".encode()), (b"b", b"\xff")]),
    (b"a=%zz&b=%", [(b"a", b"%zz"), (b"b", b"%")]),
    (b"a=1&a=2;c=3", [(b"a", b"1"), (b"a", b"2;c=3")]),
    (b"a=X%58", [(b"a", b"XX")]),
]


@pytest.mark.parametrize(("written", "found"), PAIRS)
def test_a_query_is_decoded_in_order(written: bytes, found: list[tuple[bytes, bytes]]) -> None:
    assert query.raw_pairs(written) == tuple(found)
    assert query.pairs(written) == [
        (name.decode("utf-8", "replace"), value.decode("utf-8", "replace")) for name, value in found
    ]


def test_what_is_no_utf_8_is_replaced_in_names_and_values() -> None:
    assert query.pairs(b"%ff=%fe") == [("\ufffd", "\ufffd")]


@pytest.mark.parametrize(
    ("name", "value"), [("a", "1"), ("b", "x y"), ("c", ""), ("d", ""), ("A", "")]
)
def test_the_first_of_several_values_counts(name: str, value: str) -> None:
    assert query.first(b"a=1&b=x+y&a=2&c=&b=z", name) == value


FORMS = [
    (b"application/x-www-form-urlencoded", True),
    (b"Application/X-WWW-Form-Urlencoded ; charset=utf-8", True),
    (b"application/x-www-form-urlencoded;charset=utf-8", True),
    (b"application/json", False),
    (b"text/plain; application/x-www-form-urlencoded", False),
    (b"", False),
]


@pytest.mark.parametrize(("media_type", "form"), FORMS)
def test_parameters_are_those_of_the_query_and_of_a_form(media_type: bytes, form: bool) -> None:
    assert query.is_form(media_type) is form
    body = ((b"a", b"2"), (b"c", b"3")) if form else ()
    assert query.parameters(b"a=1&b", media_type, b"a=2&c=3") == ((b"a", b"1"), (b"b", b""), *body)
    assert query.parameters(b"a=1", media_type, b"") == ((b"a", b"1"),)


def request(
    query: bytes = b"", headers: list[tuple[bytes, bytes]] | None = None, body: bytes = b""
) -> Request:
    return Request("POST", b"/p", query, headers or [], body, "192.0.2.1", b"/p")


# A raw path, the base path, what stands before the path below it, that path
SPLITS = [
    (b"/v1/b", b"", b"", b"/v1/b"),
    (b"/api/v1/b", b"/api", b"/api", b"/v1/b"),
    (b"/api/", b"/api", b"/api", b"/"),
    (b"/api//v1", b"/api", b"/api", b"//v1"),
    (b"/%61pi/v1%2Fb", b"/api", b"/%61pi", b"/v1%2Fb"),
    (b"/a/b/c", b"/a/b", b"/a/b", b"/c"),
    (b"/a/%62/c", b"/a/b", b"/a/%62", b"/c"),
    (b"/a%2Fb/c/d", b"/a/b", b"/a%2Fb/c/d", b""),
    (b"/api", b"/api", b"/api", b""),
    (b"/apis/v1", b"/api", b"/apis/v1", b""),
    (b"/v1/b", b"/api", b"/v1/b", b""),
    (b"//api/v1", b"/api", b"//api/v1", b""),
    (b"/API/v1", b"/api", b"/API/v1", b""),
    (b"*", b"/api", b"*", b""),
]


@pytest.mark.parametrize(("path", "base_path", "before", "below"), SPLITS)
def test_a_request_has_its_path_below_the_base_path_and_keeps_the_full_one(
    path: bytes, base_path: bytes, before: bytes, below: bytes
) -> None:
    dialled = b"/~x" + path
    asked = Request.of("GET", path, b"", [], b"", base_path=base_path, raw_target_path=dialled)
    assert (asked.before_path, asked.path) == (before, below)
    assert (asked.full_path, asked.raw_target_path) == (path, dialled)
    assert asked.paths == ((path,) if not before else (path, below))


FORM = [(b"content-type", b"application/x-www-form-urlencoded")]

PARAMETERS = [
    ("the query's", request(b"a=1&a=2"), b"1"),
    ("the query's before the form's", request(b"a=1", FORM, b"a=2"), b"1"),
    ("the form's", request(b"b=1", FORM, b"b=2&a=3&a=4"), b"3"),
    ("none of a body that is no form", request(b"", [], b"a=1"), b""),
    ("an empty one", request(b"a=", FORM, b"a=2"), b""),
    ("none", request(b"b=1", FORM, b"b=2"), b""),
]


@pytest.mark.parametrize(("about", "asked", "value"), PARAMETERS, ids=[r[0] for r in PARAMETERS])
def test_a_parameter_is_looked_for_in_the_query_first(
    about: str, asked: Request, value: bytes
) -> None:
    assert query.parameter(asked, b"a") == value


# Messages

HEADERS = [(b"x-a", b"1"), (b"x-b", b""), (b"x-a", b"2"), (b"x-b", b"3")]


@pytest.mark.parametrize(("name", "value"), [(b"x-a", b"1"), (b"x-b", b""), (b"X-A", b""), (b"x", b"")])  # fmt: skip
def test_the_first_header_of_a_name_counts(name: bytes, value: bytes) -> None:
    assert request(headers=HEADERS).header(name) == value


@pytest.mark.parametrize(("asked", "target"), [(b"", b"/p"), (b"a=%2f", b"/p?a=%2f")])
def test_a_target_has_a_question_mark_before_a_query_only(asked: bytes, target: bytes) -> None:
    assert UnsignedRequest("GET", "", b"/p", asked).target == target


# Digests: FIPS 180-4 and RFC 4231

EMPTY = b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
ABC = b"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
JEFE = b"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
LONG_KEY = b"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"


def test_digests_are_those_of_the_standards() -> None:
    assert (signing.sha256_hex(b""), signing.sha256_hex(b"abc")) == (EMPTY, ABC)
    digest = digest_builder(cpg.RECIPE)
    assert digest(b"Jefe", b"what do ya want for nothing?") == JEFE
    message = b"Test Using Larger Than Block-Size Key - Hash Key First"
    assert digest(b"\xaa" * 131, message) == LONG_KEY


@pytest.mark.parametrize(("a", "b", "same"), [(b"a", b"a", True), (b"a", b"b", False), (b"a", b"", False), (b"", b"", True)])  # fmt: skip
def test_digests_are_the_same_byte_for_byte(a: bytes, b: bytes, same: bool) -> None:
    assert signing.same(a, b) is same


SEEDED = [
    ((490, "a", 7), {}, "e4de5d504e293f55eb86f8e969480d3b1e5aa7cb2f5af01169bc63776b96faa6"),
    ((490,), {"size": 4}, "fc99062e"),
]


@pytest.mark.parametrize(("parts", "size", "expected"), SEEDED)
def test_what_the_seed_decides_is_a_blake2b_of_its_parts(
    parts: Any, size: Any, expected: str
) -> None:
    assert signing.seeded(*parts, **size).hex() == expected


def test_parts_are_kept_apart() -> None:
    assert signing.seeded(1, "ab", "c") != signing.seeded(1, "a", "bc")


# Members

SAME_TWICE = "a member is given twice"


def test_a_member_is_given_once() -> None:
    assert once_each([("a", 1), ("b", 2)]) == {"a": 1, "b": 2}
    assert once_each([]) == {}
    with pytest.raises(ValueError, match=exactly(SAME_TWICE)):
        once_each([("a", 1), ("b", 2), ("a", 1)])


# Compact JWS

SEED = JwtKey("EdDSA", b"\x11" * 32)

READ = [
    (b"e30.e30.", {}, {}, b""),
    (b"eyJhIjoxfQ.eyJiIjpbMl19.BcWX", {"a": 1}, {"b": [2]}, b"\x05\xc5\x97"),
    (b"e30.e30.__79", {}, {}, b"\xff\xfe\xfd"),
    (b"e30.e30.YWI", {}, {}, b"ab"),
]


@pytest.mark.parametrize(("written", "header", "claims", "signature"), READ)
def test_a_token_is_taken_apart(
    written: bytes, header: dict[str, Any], claims: dict[str, Any], signature: bytes
) -> None:
    signed = written.rpartition(b".")[0]
    assert read(written) == Token(header, claims, signed, signature)


ANOTHER_WAY = "a part is written in another way"
NO_BASE64 = "a part is no base64url"
UNREADABLE = [
    (b"", "a token has three parts"),
    (b"e30.e30", "a token has three parts"),
    (b"e30=.e30.", NO_BASE64),
    (b"e3 0.e30.", NO_BASE64),
    (b"e31.e30.", ANOTHER_WAY),
    (b"e30.e30.//79", NO_BASE64),
    (b"e30.e30.e30.", NO_BASE64),
    (b"e.e30.", NO_BASE64),
    (b"W10.e30.", "a part is no object"),
    (b"e30.NDkw.", "a part is no object"),
    (b"eyJhIjoxLCJhIjoyfQ.e30.", SAME_TWICE),
    (b"eyJjcml0IjpbXX0.e30.", "the header asks for an extension"),
    (b"eyJiNjQiOnRydWV9.e30.", "the header asks for an extension"),
    (b"e30.e30." + b"A" * 8185, "the token is too long"),
]


@pytest.mark.parametrize(("written", "told"), UNREADABLE)
def test_a_token_that_is_not_written_as_it_must_be_is_refused(written: bytes, told: str) -> None:
    with pytest.raises(ValueError, match=exactly(told)):
        read(written)


def test_a_token_is_written_without_spaces_and_its_alg_comes_first() -> None:
    token = sign({"kid": "k", "typ": "JWT"}, {"sub": "s", "uris": ["a", "b"]}, SEED)
    # What stands here is the base64url of the two objects, without a space.
    assert token.split(b".")[:2] == [
        b"eyJhbGciOiJFZERTQSIsImtpZCI6ImsiLCJ0eXAiOiJKV1QifQ",
        b"eyJzdWIiOiJzIiwidXJpcyI6WyJhIiwiYiJdfQ",
    ]


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256"])
def test_a_token_is_genuine_for_its_key_its_algorithm_and_its_bytes(algorithm: str) -> None:
    key = JwtKey(algorithm, b"\x11" * 32)
    token = read(sign({"kid": "k"}, {"sub": "s"}, key))
    assert genuine(token, key)
    assert len(token.signature) == 64
    swapped = token.signature[32:] + token.signature[:32]
    other = {"EdDSA": "ES256", "ES256": "EdDSA"}[algorithm]
    assert not genuine(token, JwtKey(algorithm, b"\x12" * 32))
    assert not genuine(token, JwtKey(other, b"\x11" * 32))
    for signature in (swapped, token.signature[:-1], token.signature + b"\0", b"", b"\0" * 64):
        assert not genuine(Token(token.header, token.claims, token.signed, signature), key)
    assert not genuine(Token(token.header, token.claims, token.signed + b"A", token.signature), key)


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
    found = strict_yaml.load(text)
    assert (found, type(found)) == (data, type(data))


DEEP = "[" * 100 + "]" * 100
NESTED = "line 1: $: nested too deeply"
WRONG = [
    ("a: 1\nb: 2\na: 3\n", "line 3: $: the key a is given twice"),
    ("a:\n  1: x\n", "line 2: $: the key 1 must be text: quote it"),
    ("a: 1\n~: 1\n", "line 2: $: the key ~ must be text: quote it"),
    ("{a: {true: x}}", "line 1: $: the key true must be text: quote it"),
    ("[&x 1, *x]", "line 1: $: aliases (*name) are not read: write the value out"),
    ("a: 1\nb: 2\nc: !!str 3\n", "line 3: $: tags (tag:yaml.org,2002:str) are not read: leave them out"),
    ("a: !mine {}\n", "line 1: $: tags (!mine) are not read: leave them out"),
    (f"[{DEEP}]", NESTED),
    ("a: " * 101 + "1", "line 1: $: mapping values are not allowed in this context"),
    ("a: 1\nb: [\n", "line 3: $: did not find expected node content"),
    ("a: \x00\n", "line 1: $: unacceptable character #x0000: control characters are not allowed"),
    ("a\x1b: 1", "line 1: $: unacceptable character #x001b: control characters are not allowed"),
    ('"\\x1b": 1\n"\\x1b": 2\n', "line 2: $: the key \\x1b is given twice"),
    ('"\\n": 1\n"\\n": 2\n', "line 2: $: the key \\x0a is given twice"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "told"), WRONG, ids=range(len(WRONG)))
def test_a_document_is_refused_with_its_line(text: str, told: str) -> None:
    with pytest.raises(DataError, match=exactly(told)) as refused:
        strict_yaml.load(text)
    found = refused.value
    assert f"line {found.line}: {json_path(found.path)}: {found.message}" == told


@pytest.mark.parametrize(
    "text", [DEEP, f"[{'[], ' * 200}]", f"[{'{a: []}, ' * 200}]"], ids=["deep", "wide", "both"]
)
def test_a_document_may_be_a_hundred_deep_and_as_wide_as_it_likes(text: str) -> None:
    assert isinstance(strict_yaml.load(text), list)


def test_a_document_that_the_stack_cannot_hold_is_refused() -> None:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 150)
    try:
        with pytest.raises(DataError, match=exactly(NESTED)):
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
    ("price: '1.x'\n", 1, "$.price", "'1.x' is no amount: digits, one point, as in \"0.5\""),
    ("price: '1'\nother: 1\n", 2, "$.other", "Object contains unknown field `other`"),
    ('price: "1"\n"a\\nb": 1\n', 2, '$["a\\nb"]', "Object contains unknown field `a\\x0ab`"),
    ("points:\n  a: {X: 1}\n  b: {X: z}\n", 3, "$.points.b.X", "Expected `int`, got `str`"),
    ("points:\n  a: {X: 1}\n  b:\n    X: 1\n    Y: 2\n", 5, "$.points.b.Y", "Object contains unknown field `Y`"),
    ("points:\n  a: {X: 1}\n  b: {}\n", 3, "$.points.b", "Object missing required field `X`"),
    ("shelf:\n- X: 1\n- X: z\n", 3, "$.shelf[1].X", "Expected `int`, got `str`"),
    ("shelf:\n- X: 1\n- X: 1\n  tags:\n  - 1\n  - z\n", 6, "$.shelf[1].tags[1]", "Expected `int`, got `str`"),
    ("deep:\n  a: {b: {c: 1}}\n  d:\n    e: {f: 1}\n    g:\n      h: 1\n      i: z\n", 7, "$.deep.d.g.i", "Expected `int`, got `str`"),
    ("[]", 1, "$", "Expected `object`, got `array`"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "path", "what"), SHOPS)
def test_what_has_the_wrong_type_is_found_in_the_text(
    text: str, line: int, path: str, what: str
) -> None:
    with pytest.raises(DataError) as refused, strict_yaml.located(text):
        convert(strict_yaml.load(text), Shop)
    found = refused.value
    assert (found.line, json_path(found.path), found.message) == (line, path, what)


def test_what_stands_below_a_path_is_found_there() -> None:
    text = "a: 1\npart:\n  shelf:\n  - X: z\n"
    with pytest.raises(DataError) as refused, strict_yaml.located(text), at("part"):
        convert({"shelf": [{"X": "z"}]}, Shop)
    assert str(refused.value).startswith("line 4: $.part.shelf[0].X: Expected")


def test_a_path_ends_where_no_key_alone_is_to_blame() -> None:
    found = typed_data._path({"a": {"b": 1}}, [".a", "[...]"], lambda data: False)  # noqa: SLF001
    assert found == ("a",)


def test_what_fits_is_typed() -> None:
    text = "price: '1.50'\npoints: {a: {X: 1}}\n"
    found = convert(strict_yaml.load(text), Shop)
    assert (str(found.price), type(found.price), found.points) == ("1.50", Decimal, {"a": Point(1)})


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
def test_a_place_is_told_by_the_line_where_its_path_ends(
    path: tuple[str | int, ...], line: int, shown: str
) -> None:
    text = "---\na:\n  b:\n  - 1\n  - x: 1\n    c: 2\n  d: text\n"
    with pytest.raises(DataError) as refused, strict_yaml.located(text):
        raise DataError("odd", path)
    assert str(refused.value) == f"line {line}: {shown}: odd"


def test_what_is_wrong_is_told_in_one_line() -> None:
    told = DataError("x\x1b\ud800", ("a\nb",), 3)
    assert told.message == "x\\x1b\\ud800"
    assert str(told) == 'line 3: $["a\\nb"]: x\\x1b\\ud800'


# Documents of providers

PET = {"$ref": "#/components/responses/Pet"}
DOCUMENT = {
    "paths": {
        "/pets": {
            "parameters": [],
            "get": {
                "operationId": "getPets",
                "responses": {
                    "200": PET,
                    "400": {"content": {"text/plain": {"schema": {"type": "integer"}}}},
                },
            },
            "post": {
                "operationId": "addPet",
                "responses": {"200": {"content": {"a/json": {"schema": {"type": "array"}}}}},
            },
        }
    },
    "components": {
        "responses": {
            "Pet": {"$ref": "#/components/responses/Any"},
            "Any": {"content": {"a/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}},
        },
        "schemas": {"Pet": {"type": "object", "required": ["name"]}},
    },
}


def test_operations_are_known_by_their_ids() -> None:
    found = Document(DOCUMENT).operations()
    assert {id: row[:2] for id, row in found.items()} == {
        "getPets": ("GET", "/pets"),
        "addPet": ("POST", "/pets"),
    }
    assert found["addPet"][2]["operationId"] == "addPet"


ANSWERS = [
    ("getPets", 200, b"a/json", b'{"name":1}', ""),
    ("getPets", 200, b"a/json", b"{}", "^getPets 200: .*name"),
    ("getPets", 200, b"a/json", b"[]", "^getPets 200: .*object"),
    ("getPets", 200, b"text/plain", b"1", "^getPets 200: media type 'text/plain' is not declared$"),
    ("getPets", 200, None, b"{}", "^getPets 200: media type '' is not declared$"),
    ("getPets", 201, b"a/json", b"{}", "^getPets: status 201 is not declared$"),
    ("getPets", 400, b"text/plain", b"7", ""),
    ("getPets", 400, b"text/plain", b'"7"', "^getPets 400: .*integer"),
    ("addPet", 200, b"a/json", b"[]", ""),
    ("addPet", 200, b"a/json", b"{}", "^addPet 200: .*array"),
]


def test_an_answer_is_held_against_its_own_declaration() -> None:
    document = Document(DOCUMENT)
    for operation, status, media_type, body, told in ANSWERS * 2:
        headers = ((b"content-type", media_type),) if media_type else ()
        response = Response(status, ((b"x-other", b"1"), *headers), body)
        if told:
            with pytest.raises(Mismatch, match=told):
                document.check(operation, response)
        else:
            document.check(operation, response)


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
    found = LIMIT.read(written)
    assert found == Limit("reads", count, span, rolling=True)
    assert found.text == shown


NO_LIMITS = ["", "OFF", "/60s", "120/0s", "120/-5s", "-1/60s", "1.5/60s", "9" * 13 + "/1s", "\u0661/1s", "\u00b2/1s"]  # fmt: skip


@pytest.mark.parametrize("count", ["5", 5])
def test_a_limit_that_is_a_count_alone_is_refused_with_what_may_be_meant(count: Any) -> None:
    told = f"write N/DURATION, as in 5/{times.duration_text(LIMIT.window)}, or off; not {count!r}"
    with pytest.raises(ValueError, match=exactly(told)):
        LIMIT.read(count)


@pytest.mark.parametrize("written", NO_LIMITS)
def test_what_is_no_limit_is_refused(written: str) -> None:
    told = f"write N/DURATION, as in 120/60s, or off; not {written!r}"
    with pytest.raises(ValueError, match=exactly(told)):
        LIMIT.read(written)


@pytest.mark.parametrize(("written", "span"), [("1/2/1s", "2/1s"), ("120/", ""), ("120/60", "60")])
def test_a_limit_with_no_duration_is_told_so(written: str, span: str) -> None:
    with pytest.raises(ValueError, match=f"^'{span}' is no duration"):
        LIMIT.read(written)


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
    (CHOICE, "", "'' is none of any, upper"),
    (CHOICE, "ANY", "'ANY' is none of any, upper"),
    (SPAN, "-1ms", "'-1ms' lies below zero"),
    (SPAN, "on", "'on' is no duration: write 250ms, 61s, 1m30s or 1h"),
    (COUNT, "", "'' is no whole number"),
    (COUNT, "-1", "'-1' is no whole number"),
    (COUNT, "1.0", "'1.0' is no whole number"),
    (COUNT, "\u0661", "'\u0661' is no whole number"),
    (COUNT, "9" * 13, f"'{'9' * 13}' is no whole number"),
]


@pytest.mark.parametrize(("quirk", "written", "told"), NO_QUIRKS)
def test_a_value_that_a_quirk_lacks_is_refused(quirk: Quirk, written: str, told: str) -> None:
    with pytest.raises(ValueError, match=exactly(told)):
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
    made = {random_like(text, bytes([n])) for n in range(50)}
    assert [one for one in made if not re.fullmatch(shape, one)] == []
    assert len(made) == (50 if text else 1)
    assert random_like(text, b"1") == random_like(text, b"1")


def test_callers_are_counted_by_label_or_by_address() -> None:
    assert by_key(request(), SimpleNamespace(label="main")) == "main"
    assert by_address(request(), None) == "192.0.2.1"


# Redaction; the digits are the first of `sha256sum`

PRINTED = [
    (b"plain", "plain"), (b"\xc3\xa9\xe5\xb8\x81", "\u00e9\u5e01"), (b"\xff\x00", "\\xff\\x00"),
    (b"a\r\n\tb", "a\\x0d\\x0a\\x09b"), ("\u202e".encode(), "\\x202e"), (b"", ""),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "shown"), PRINTED)
def test_what_is_printed_is_one_line(raw: bytes, shown: str) -> None:
    assert redaction.printable(raw) == shown


def test_a_fingerprint_is_a_label_and_eight_digits() -> None:
    assert secret_index.fingerprint(b"abc") == "redacted:ba7816bf"
    assert secret_index.fingerprint(b"abc", "main") == "main:ba7816bf"


TELLING = [
    (b"api_key", True), (b"API-Key", True), (b"apiK%65y", True), (b"key_id", True), (b"x-auth", True),
    (b"Cookie", True), (b"jwt", True), (b"passphrase", True), (b"key", False), (b"currency", False),
    (b"pageToken", False), (b"next_page_token", False), (b"otherPageToken", True), (b"", False),
]  # fmt: skip


@pytest.mark.parametrize(("name", "tells"), TELLING)
def test_a_name_tells_a_secret_however_it_is_written(name: bytes, tells: bool) -> None:
    assert redaction.is_secret_name(name) is tells


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


@pytest.mark.parametrize(("about", "sent", "kept"), BODIES, ids=[row[0] for row in BODIES])
def test_a_body_keeps_all_but_its_secrets(about: str, sent: bytes, kept: bytes) -> None:
    assert REDACTOR.body(sent) == kept


def test_each_line_of_a_secret_is_looked_for_also_as_a_form_or_a_header_writes_it() -> None:
    secret = "-----BEGIN X-----\nab/C d\nshort\nabcdefg\n-----END X-----\n"
    assert redaction.written_forms(secret) == [b"ab/C d", b"ab/c d", b"ab/C+d", b"abcdefg"]
    assert redaction.written_forms("five5") == []


# Worlds

ROWS = [
    ("0", "0", ""), ("1", "1", ""), ("1.5", "0.5", ""),
    ("1", "1.1", "held 1.1 must lie between 0 and total 1"),
    ("1", "-0.1", "held -0.1 must lie between 0 and total 1"),
    ("-1", "0", "held 0 must lie between 0 and total -1"),
    ("0.00000023", "1", "held 1 must lie between 0 and total 0.00000023"),
    ("1" * 81, "0", "an amount has at most 80 digits, 40 after the point"),
    ("1", f"0.{'0' * 40}1", "an amount has at most 80 digits, 40 after the point"),
]  # fmt: skip


@pytest.mark.parametrize(("total", "held", "told"), ROWS)
def test_a_row_holds_something_between_nothing_and_all(total: str, held: str, told: str) -> None:
    def made() -> Row:
        return Row(asset="A", total=Amount(total), held=Amount(held))

    if told:
        with pytest.raises(ValueError, match=exactly(told)):
            made()
    else:
        assert made().touched("control") == made()


@pytest.mark.parametrize(
    ("rows", "good"), [(0, True), (1_000_000, True), (-1, False), (1_000_001, False)]
)
def test_a_recipe_is_for_a_million_rows_at_most(rows: int, good: bool) -> None:
    if good:
        assert Recipe(rows).rows == rows
    else:
        with pytest.raises(ValueError, match=exactly("rows must lie between 0 and 1000000")):
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


def test_what_a_provider_leaves_out_says_so() -> None:
    assert Credential().regenerate(b"") is None
    with pytest.raises(NotImplementedError):
        Event().changes(None)  # type: ignore[arg-type]
