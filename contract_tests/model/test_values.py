"""Values on the wire: times, amounts, page tokens, queries, digests and tokens."""

import gc
import re
from decimal import Decimal, Inexact
from typing import Any

import pytest

from contract_tests.support.rows import each
from mockserver.model import amounts as amount
from mockserver.model import paging, query, signing, times
from mockserver.model.amounts import Amount, decode_hook
from mockserver.model.http import Request, UnsignedRequest
from mockserver.model.json_members import once_each
from mockserver.model.jwt import Key as JwtKey
from mockserver.model.jwt import Token, genuine, read, sign
from mockserver.model.signing_recipe import digest_builder
from mockserver.model.times import MILLISECOND, SECOND
from mockserver.providers.cpg import auth as cpg

TENTH = SECOND // 10


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
    value = times.parse_instant(written)
    assert (value, type(value)) == (nanoseconds, int)
    if not written.startswith("0001"):  # strftime pads no year
        assert times.instant_text(nanoseconds) == shown


@pytest.mark.parametrize("seconds", [253_402_300_800, 10**15])
def test_a_moment_behind_the_last_year_is_shown_as_its_last_second(seconds: int) -> None:
    assert times.instant_text(seconds * SECOND + TENTH) == "9999-12-31T23:59:59.1Z"


NO_MOMENTS = [
    "", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01 00:00:00Z", "2026-01-01T00:00Z",
    "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00.1234567890Z", "2026-01-01T00:00:00+0100",
    "2026-02-30T00:00:00Z", "2026-01-01T25:00:00Z", "2026-01-01T00:00:00Z ", "2026-01-01T00:00:00z",
    "0000-01-01T00:00:00Z", "\u0662026-01-01T00:00:00Z", "9" * 41,
]  # fmt: skip


@pytest.mark.parametrize("text", NO_MOMENTS)
def test_a_text_that_is_no_moment_is_quoted_up_to_forty_signs(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(repr(text[:40]))} is no time"):
        times.parse_instant(text)


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
    value = times.parse_duration(written)
    assert (value, type(value)) == (nanoseconds, int)


@pytest.mark.parametrize("wrong", ["5 s", "--5s", "5", None, True, b"5s"])
def test_a_value_that_is_no_duration_is_quoted(wrong: Any) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(repr(wrong))} is no duration"):
        times.parse_duration(wrong)


# Amounts


@pytest.mark.parametrize(
    "written", [1.5, None, "1e3", "x" * 41, "-0.0", "1" * 81, f"0.{'0' * 40}1"]
)
def test_a_value_that_is_no_amount_is_refused(written: object) -> None:
    with pytest.raises(ValueError):
        Amount.parse(written)


def test_garbage_collection_does_not_search_amounts() -> None:
    assert not any(map(gc.is_tracked, (Amount("1.5"), Amount.parse("1.5"))))


@pytest.mark.parametrize("written", ["0", "0.0", "-1", "-0.5", "9" * 80, f"0.{'0' * 39}1"])
def test_an_amount_within_the_bounds_keeps_its_digits(written: str) -> None:
    value = Amount.parse(written)
    assert (str(value.as_tuple()), type(value)) == (str(Decimal(written).as_tuple()), Decimal)


@pytest.mark.parametrize(("size", "good"), [("1e40", True), ("1e-40", True), ("1e41", False), ("1e-41", False)])  # fmt: skip
def test_an_exponent_lies_within_forty(size: str, good: bool) -> None:
    if good:
        amount.check_size(Decimal(size))
    else:
        with pytest.raises(ValueError, match="40 after the point"):
            amount.check_size(Decimal(size))


STRIPPED = {
    "400.000": "400", "100": "100", "0.10": "0.1", "0.00": "0", "-2.50": "-2.5", "1" + "0" * 79: "1" + "0" * 79,
}  # fmt: skip


@pytest.mark.parametrize(("written", "left"), STRIPPED.items())
def test_zeros_behind_the_point_are_stripped_and_no_others(written: str, left: str) -> None:
    amount_left = amount.stripped(Amount(written))
    assert (str(amount_left), type(amount_left)) == (left, Decimal)


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
    results = [amount.plus(a, b), amount.minus(a, b), amount.times(a, b)]
    assert [str(result) for result in results] == ["0.35", "-0.15", "0.025"]
    assert [type(result) for result in results] == [Decimal] * 3


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


UNSEALED = [
    ("another secret's", SEALED[1][2]),
    ("one sign changed", "Z" + SEALED[0][2][1:]),
    ("shorter than a seal", "AAAA"),
    ("nothing", ""),
    ("the other alphabet", "//79vBefIG4m7FEjR0WoIIeC/Q=="),
    ("a sign of no alphabet", SEALED[0][2] + "\n"),
    ("no padding", SEALED[0][2][:-2]),
    ("no ASCII", "\xe9" + SEALED[0][2]),
    ("bits behind the last byte", SEALED[0][2][:-3] + "R=="),
    ("4097 signs", "A" * 4097),
]


@each("token", UNSEALED)
def test_a_page_token_that_was_not_sealed_so_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match=r"^the token "):
        paging.unseal(b"k", token)


def test_a_page_token_has_at_most_4096_signs() -> None:
    longest = paging.seal(b"k", b"x" * (3072 - paging.SEAL_SIZE))
    assert len(longest) == 4096
    assert paging.unseal(b"k", longest) == b"x" * (3072 - paging.SEAL_SIZE)
    with pytest.raises(ValueError, match=r"^the token is too long$"):
        paging.unseal(b"k", paging.seal(b"k", b"x" * (3073 - paging.SEAL_SIZE)))


# Queries and forms

PAIRS = [
    (b"", []),
    (b"a=1&b=2", [(b"a", b"1"), (b"b", b"2")]),
    (b"&a=1&&", [(b"a", b"1")]),
    (b"a", [(b"a", b"")]),
    (b"a=b=%63", [(b"a", b"b=c")]),
    (b"a=x+y&b+c=1", [(b"a", b"x y"), (b"b c", b"1")]),
    (b"a=%2B+%2b", [(b"a", b"+ +")]),
    (b"%61=%2F&plain=1", [(b"a", b"/"), (b"plain", b"1")]),
    (b"a=%E5%B8%81&b=%ff", [(b"a", "\u5e01".encode()), (b"b", b"\xff")]),
    (b"a=%zz&b=%", [(b"a", b"%zz"), (b"b", b"%")]),
    (b"a=1&a=2;c=3", [(b"a", b"1"), (b"a", b"2;c=3")]),
]


@pytest.mark.parametrize(("written", "pairs"), PAIRS)
def test_a_query_is_decoded_in_order(written: bytes, pairs: list[tuple[bytes, bytes]]) -> None:
    assert query.raw_pairs(written) == tuple(pairs)
    assert query.pairs(written) == [
        (name.decode("utf-8", "replace"), value.decode("utf-8", "replace")) for name, value in pairs
    ]


def test_bytes_that_are_no_utf_8_are_replaced_in_names_and_values() -> None:
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
    (b"/api/", b"/api", b"/api", b"/"),
    (b"/api//v1", b"/api", b"/api", b"//v1"),
    (b"/%61pi/v1%2Fb", b"/api", b"/%61pi", b"/v1%2Fb"),
    (b"/a/b/c", b"/a/b", b"/a/b", b"/c"),
    (b"/a%2Fb/c/d", b"/a/b", b"/a%2Fb/c/d", b""),
    (b"/api", b"/api", b"/api", b""),
    (b"/apis/v1", b"/api", b"/apis/v1", b""),
    (b"//api/v1", b"/api", b"//api/v1", b""),
    (b"/API/v1", b"/api", b"/API/v1", b""),
]


@pytest.mark.parametrize(("path", "base_path", "before", "below"), SPLITS)
def test_a_request_has_its_path_below_the_base_path_and_keeps_the_full_one(
    path: bytes, base_path: bytes, before: bytes, below: bytes
) -> None:
    requested = b"/~x" + path
    request_ = Request.of("GET", path, b"", [], b"", base_path=base_path, raw_target_path=requested)
    assert (request_.before_path, request_.path) == (before, below)
    assert (request_.full_path, request_.raw_target_path) == (path, requested)
    assert request_.paths == ((path,) if not before else (path, below))


FORM = [(b"content-type", b"application/x-www-form-urlencoded")]

PARAMETERS = [
    ("the query's", request(b"a=1&a=2"), b"1"),
    ("the query's before the form's", request(b"a=1", FORM, b"a=2"), b"1"),
    ("the form's", request(b"b=1", FORM, b"b=2&a=3&a=4"), b"3"),
    ("none of a body that is no form", request(b"", [], b"a=1"), b""),
    ("an empty one", request(b"a=", FORM, b"a=2"), b""),
    ("none", request(b"b=1", FORM, b"b=2"), b""),
]


@each("request_, value", PARAMETERS)
def test_a_parameter_is_looked_for_in_the_query_first(request_: Request, value: bytes) -> None:
    assert query.parameter(request_, b"a") == value


# Messages

HEADERS = [(b"x-a", b"1"), (b"x-b", b""), (b"x-a", b"2"), (b"x-b", b"3")]


@pytest.mark.parametrize(("name", "value"), [(b"x-a", b"1"), (b"x-b", b""), (b"X-A", b""), (b"x", b"")])  # fmt: skip
def test_the_first_header_of_a_name_counts(name: bytes, value: bytes) -> None:
    assert request(headers=HEADERS).header(name) == value


@pytest.mark.parametrize(("query_", "target"), [(b"", b"/p"), (b"a=%2f", b"/p?a=%2f")])
def test_a_target_has_a_question_mark_before_a_query_only(query_: bytes, target: bytes) -> None:
    assert UnsignedRequest("GET", "", b"/p", query_).target == target


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
def test_a_seeded_value_is_a_blake2b_of_its_parts(parts: Any, size: Any, expected: str) -> None:
    assert signing.seeded(*parts, **size).hex() == expected


def test_parts_are_kept_apart() -> None:
    assert signing.seeded(1, "ab", "c") != signing.seeded(1, "a", "bc")


# Members


def test_a_member_is_given_once() -> None:
    assert once_each([("a", 1), ("b", 2)]) == {"a": 1, "b": 2}
    assert once_each([]) == {}
    with pytest.raises(ValueError, match="twice"):
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


UNREADABLE = [
    b"", b"e30.e30", b"e30=.e30.", b"e3 0.e30.", b"e31.e30.", b"e30.e30.//79", b"e30.e30.e30.",
    b"e.e30.", b"W10.e30.", b"e30.NDkw.", b"eyJhIjoxLCJhIjoyfQ.e30.", b"eyJjcml0IjpbXX0.e30.",
    b"eyJiNjQiOnRydWV9.e30.", b"e30.e30." + b"A" * 8185,
]  # fmt: skip


@pytest.mark.parametrize("written", UNREADABLE)
def test_a_token_that_is_not_written_as_it_must_be_is_refused(written: bytes) -> None:
    with pytest.raises(ValueError):
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
