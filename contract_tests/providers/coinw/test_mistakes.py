"""Why CoinW refused: every wrong request is told by the rule that it breaks.

The requests are signed by a signer of our own that takes the mistake as a parameter.
"""

import base64
import gzip
import hashlib
import hmac
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, quote_plus, unquote_to_bytes, urlencode

import pytest

from contract_tests.support.raw import exchange, get
from mockserver import HandClock, MockServer
from mockserver.explain import TRIES_MAX, signature
from mockserver.explain.attempts import digest, message

NOW = 1_747_444_800
SECOND = 10**9
PRIVATE = "/api/v1/private"
SECRET = hashlib.sha256(b"main").hexdigest()  # can be read as hex and as base64
OTHER_SECRET = hashlib.sha256(b"other").hexdigest()
UNSOLVED = "no known mistake reproduces this signature"
FORM = ("Content-Type", "application/x-www-form-urlencoded")
JSON = ("Content-Type", "application/json")
WANTED = "api_key and sign, each once, in the query or in a form"
BOTH_PLACES = "the parameters api_key and sign, none of them empty"

KEYS = {
    "main": {"api_key": "main-api-key", "secret_key": SECRET},
    "other": {"api_key": "other-api-key", "secret_key": OTHER_SECRET},
    "revoked": {"api_key": "revoked-api-key", "secret_key": SECRET, "revoked": True},
}


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MockServer]:
    """A server whose keys have secrets of their own, and whose time stands still."""
    world = tmp_path_factory.mktemp("world") / "mistakes.yaml"
    keys = {label: key | {"account": "main"} for label, key in KEYS.items()}
    world.write_text(json.dumps({"coinw": {"keys": keys, "accounts": {"main": {}}}}))
    with MockServer(str(world), limits="off", real=HandClock(NOW * SECOND)) as server:
        yield server


@pytest.fixture
def server(standing: MockServer) -> MockServer:
    standing.reset()
    return standing


# The signer

Pairs = tuple[tuple[str, str], ...]
KEY = ("api_key", "main-api-key")
COMMAND = ("command", "returnBalances")


def md5(key: bytes, text: bytes) -> bytes:
    return hashlib.md5(text).digest()


@dataclass(frozen=True)
class Call:
    """A request, and everything that makes its signature; right unless it was changed."""

    query: Pairs = ()
    form: Pairs = ()
    signed: Pairs = (KEY,)
    secret: str = SECRET
    secret_name: str = "secret_key="
    before: bool = False
    behind: bool = True
    equals: str = "="
    joiner: str = "&"
    head: str = ""
    end: str = ""
    text: bytes = b""
    digest: Callable[[bytes, bytes], bytes] = md5
    write: Callable[[bytes], str] = lambda d: d.hex().upper()
    headers: tuple[tuple[str, str], ...] = field(default=())

    def string(self) -> bytes:
        if self.text:
            return self.text
        parts = [name + self.equals + value for name, value in self.signed]
        secret = [self.secret_name + self.secret]
        parts = secret * self.before + parts + secret * self.behind
        return (self.head + self.joiner.join(parts) + self.end).encode()

    def signature(self) -> str:
        return self.write(self.digest(self.secret.encode(), self.string()))


def call(query: Pairs = (), form: Pairs = ()) -> Call:
    """Returns a call that is signed right: what follows ``command`` in the query is signed."""
    return Call(query, form, tuple(sorted((KEY, *query, *form))))


READ = call()
ASKED = call(query=(("zone", "a b/c,d"), ("note", "1+1"), ("Market", "btc")))
POSTED = call(form=(("symbol", "BTC_USDT"), ("amount", "1,2"), ("empty", "")))
BOTH = call(query=(("zone", "1"),), form=(("note", "2"),))
TILDE = call(query=(("note", "~1, 2"),))
THREE = call(query=(("zone", "1"), ("amount", "2")))
REQUESTS = {"read": READ, "asked": ASKED, "posted": POSTED, "both": BOTH, "tilde": TILDE, "three": THREE}  # fmt: skip


def target_and_body(wrong: Call) -> tuple[str, bytes]:
    auth = [KEY, ("sign", wrong.signature())]
    query = urlencode([COMMAND, *wrong.query, *([] if wrong.form else auth)])
    return f"{PRIVATE}?{query}", urlencode([*wrong.form, *auth]).encode() if wrong.form else b""


def send(server: MockServer, wrong: Call) -> bytes:
    target, body = target_and_body(wrong)
    headers = dict([FORM]) if body else {}
    return exchange(server.coinw.base_url, get(target, headers | dict(wrong.headers), "POST", body))


def post(
    server: MockServer, target: str, headers: dict[str, str] | None = None, body: str = ""
) -> dict[str, Any]:
    """Posts what is given as it is, and returns reason and explanation."""
    server.clear_journal()
    exchange(server.coinw.base_url, get(target, headers or {}, "POST", body.encode()))
    entry = server.journal[-1]
    return {"reason": entry.reason} | (entry.explanation or {})


def explanation_of(
    server: MockServer, wrong: Call, reason: str = "bad_signature"
) -> dict[str, str]:
    """Sends a wrong request, holds why it was refused and returns the explanation."""
    server.clear_journal()  # a long one takes long to read
    send(server, wrong)
    entry = server.journal[-1]
    assert entry.reason == reason
    assert entry.explanation is not None
    return entry.explanation


# Mistakes, each as a change of the signer

Change = Callable[[Call], Call]


def put(**members: Any) -> Change:
    return lambda c: replace(c, **members)


def resigned(change: Callable[[Pairs], Any]) -> Change:
    return lambda c: replace(c, signed=tuple(change(c.signed)))


def secret(change: Callable[[str], str]) -> Change:
    return lambda c: replace(c, secret=change(c.secret))


def written(change: Callable[[str], str]) -> Change:
    return resigned(lambda pairs: [(change(name), change(value)) for name, value in pairs])


def as_sent(*, key: int) -> Change:
    """Signs in the order sent, the key at a place; a command comes first, all else last."""

    def change(c: Call) -> Call:
        rest = [pair for pair in c.signed if pair[0] not in dict((KEY, *c.query, *c.form))]
        pairs = [pair for pair in (*c.query, *c.form) if pair[0] in dict(c.signed)]
        pairs = pairs if KEY not in c.signed else [*pairs[:key], KEY, *pairs[key:]]
        first = [pair for pair in rest if pair == COMMAND]
        return replace(c, signed=(*first, *pairs, *(pair for pair in rest if pair != COMMAND)))

    return change


def hmac_by(name: str, *, with_secret: bool = False) -> Change:
    return put(digest=lambda key, text: hmac.digest(key, text, name), behind=with_secret)


def hash_by(name: str) -> Change:
    return put(digest=lambda key, text: hashlib.new(name, text).digest())


def left_out(name: str) -> Change:
    return resigned(lambda pairs: [pair for pair in pairs if pair[0] != name])


def query_string(c: Call) -> Call:
    raw = urlencode([COMMAND, *c.query, *([] if c.form else [KEY])])
    raw += "&" + urlencode([*c.form, KEY]) if c.form else ""
    return replace(c, text=f"{raw}&secret_key={SECRET}".encode())


def whole_case(change: Callable[[bytes], bytes]) -> Change:
    return lambda c: replace(c, text=change(c.string()))


ANY = ("read", "asked", "posted", "both")
UNSORTED = "command signed + parameters not sorted"
SEVERAL = ("asked", "posted", "both")
LAST = 99

MISTAKES: list[tuple[str, str, tuple[str, ...], Change]] = [
    # name of the row, rule, requests, change
    ("command among the parameters", "command signed", ANY, resigned(lambda p: sorted((*p, COMMAND)))),
    ("as sent, the key last", "parameters not sorted", ("asked", "posted"), as_sent(key=LAST)),
    ("as sent, the key first", "parameters not sorted", SEVERAL, as_sent(key=0)),
    ("the secret forgotten", "secret not signed", ANY, put(behind=False)),
    ("the secret alone, behind an ampersand", "secret without its name", ANY, put(secret_name="")),
    ("the secret glued on", "secret without its name", ANY, lambda c: replace(c, behind=False, end=SECRET)),
    ("secret=", "secret under another name", ANY, put(secret_name="secret=")),
    ("secretKey=", "secret under another name", ANY, put(secret_name="secretKey=")),
    ("api_secret=", "secret under another name", ANY, put(secret_name="api_secret=")),
    ("apiSecret=", "secret under another name", ANY, put(secret_name="apiSecret=")),
    ("SECRET_KEY=", "secret under another name", ANY, put(secret_name="SECRET_KEY=")),
    ("key=", "secret under another name", ANY, put(secret_name="key=")),
    ("the secret sorted in", "secret sorted in", SEVERAL, lambda c: replace(c, behind=False, signed=tuple(sorted((*c.signed, ("secret_key", c.secret)))))),
    ("the secret in front", "secret first", ANY, put(before=True, behind=False)),
    ("the secret alone in front", "secret first", ANY, put(before=True, behind=False, secret_name="")),
    ("the secret glued in front", "secret first", ANY, lambda c: replace(c, behind=False, head=SECRET)),
    ("values encoded", "values URL-encoded", ("asked", "posted"), written(quote_plus)),
    ("values encoded, a space as %20", "values URL-encoded", ("asked",), written(lambda text: quote(text, safe=""))),
    ("values encoded, the slash left", "values URL-encoded", ("asked",), written(quote)),
    ("escapes in lower case", "values URL-encoded", ("tilde",), written(lambda text: quote_plus(text).replace("%2C", "%2c"))),
    ("a tilde escaped", "values URL-encoded", ("tilde",), written(lambda text: quote(text, safe="").replace("~", "%7E"))),
    ("the command first, nothing sorted", UNSORTED, ("read", "three"), lambda c: replace(c, signed=(COMMAND, *c.query, KEY))),
    ("the command last, nothing sorted", UNSORTED, ("three",), lambda c: replace(c, signed=(*c.query, KEY, COMMAND))),
    ("the command amid, nothing sorted", UNSORTED, ("three",), lambda c: replace(c, signed=(*c.query[:1], COMMAND, KEY, *c.query[1:]))),
    ("values decoded", "values decoded twice", ("asked",), written(lambda text: text.replace("+", " "))),
    ("a plus for a space", "plus signed for a space", ("asked",), written(lambda text: text.replace(" ", "+"))),
    ("the key forgotten", "api_key not signed", ("asked", "posted", "both"), left_out("api_key")),
    ("an empty sign", "sign signed", ANY, resigned(lambda p: sorted((*p, ("sign", ""))))),
    ("only the form", "query not signed", ("both",), left_out("zone")),
    ("only the query", "form not signed", ("both",), left_out("note")),
    ("only the query of many", "form not signed", ("posted",), resigned(lambda p: [KEY])),
    ("nothing but the key", "query not signed", ("asked",), resigned(lambda p: [KEY])),
    ("one parameter forgotten", "a parameter not signed", ("asked",), left_out("zone")),
    ("empty values skipped", "empty parameters not signed", ("posted",), left_out("empty")),
    ("an ampersand at the end", "& after the string", ANY, put(end="&")),
    ("echo's newline", "newline after the secret", ANY, put(end="\n")),
    ("a CRLF at the end", "newline after the secret", ANY, put(end="\r\n")),
    ("joined by nothing", "another separator between parameters", ANY, put(joiner="")),
    ("joined by a comma", "another separator between parameters", ANY, put(joiner=",")),
    ("joined by newlines", "another separator between parameters", ANY, put(joiner="\n")),
    ("names and values glued", "= missing or another character", ANY, lambda c: replace(c, equals="", secret_name="secret_key")),
    ("values alone", "names not signed", ANY, lambda c: replace(c, signed=tuple(("", value) for _, value in c.signed), equals="", joiner="", secret_name="")),
    ("sorted backwards", "parameters in another order", ("asked", "posted"), resigned(lambda p: p[::-1])),
    ("sorted by value", "parameters in another order", ("asked",), resigned(lambda p: sorted(p, key=lambda pair: pair[1]))),
    ("sorted without regard to case", "parameters in another order", ("asked",), resigned(lambda p: sorted(p, key=lambda pair: pair[0].lower()))),
    ("the query string", "query signed as it is sent", ("asked", "posted"), query_string),
    ("the path in front", "path signed", ANY, lambda c: replace(c, head=f"{PRIVATE}?")),
    ("all in capitals", "string in one case", ANY, whole_case(bytes.upper)),
    ("all in small letters", "string in one case", ("posted",), whole_case(bytes.lower)),
    ("JSON", "JSON signed", ANY, lambda c: replace(c, text=json.dumps(dict(c.signed) | {"secret_key": SECRET}, separators=(",", ":")).encode())),
    ("a line end from a file", "newline after the secret", ANY, put(secret=SECRET + "\n")),
    ("a line end of Windows", "newline after the secret", ANY, put(secret=SECRET + "\r\n")),
    ("a blank before the secret", "whitespace around the secret", ANY, put(secret=" " + SECRET)),
    ("a blank behind the secret", "whitespace around the secret", ANY, put(secret=SECRET + " ")),
    ("quotes from a .env file", "quotes around the secret", ANY, put(secret=f'"{SECRET}"')),
    ("the secret encoded", "secret written in hex or base64", ANY, put(secret=SECRET.encode().hex())),
    ("the secret in capitals", "secret in another case", ANY, put(secret=SECRET.upper())),
    ("a variable that is not set", "no secret", ANY, put(secret="")),
    ("a variable that is undefined", "no secret", ANY, put(secret="undefined")),
    ("the key for the secret", "api_key and secret swapped", ANY, put(secret=KEY[1])),
    ("key and secret swapped", "api_key and secret swapped", ANY, lambda c: replace(c, secret=KEY[1], signed=tuple((n, SECRET if (n, v) == KEY else v) for n, v in c.signed))),
    ("another key's secret", "another key's secret", ANY, put(secret=OTHER_SECRET)),
    ("HMAC-MD5", "HMAC-MD5 for MD5", ANY, hmac_by("md5")),
    ("HMAC-MD5, the secret in the string too", "HMAC-MD5 for MD5", ANY, hmac_by("md5", with_secret=True)),
    ("HMAC-SHA256", "HMAC-SHA256 for MD5", ANY, hmac_by("sha256")),
    ("HMAC-SHA256, the secret in the string too", "HMAC-SHA256 for MD5", ANY, hmac_by("sha256", with_secret=True)),
    ("HMAC-SHA256 in small letters", "lower-case hex + HMAC-SHA256 for MD5", ANY, lambda c: replace(hmac_by("sha256")(c), write=bytes.hex)),
    ("HMAC-SHA256 in base64", "base64 for hex + HMAC-SHA256 for MD5", ANY, lambda c: replace(hmac_by("sha256")(c), write=lambda d: base64.b64encode(d).decode())),
    ("HMAC-SHA512", "HMAC-SHA512 for MD5", ANY, hmac_by("sha512")),
    ("SHA-256", "SHA256 for MD5", ANY, hash_by("sha256")),
    ("SHA-1", "SHA1 for MD5", ANY, hash_by("sha1")),
    ("small letters", "lower-case hex", ANY, put(write=bytes.hex)),
    ("base64", "base64 for hex", ANY, put(write=lambda d: base64.b64encode(d).decode())),
    ("base64 of the hex", "base64 of the hex", ANY, put(write=lambda d: base64.b64encode(d.hex().upper().encode()).decode())),
    ("quotes", "quotes around the signature", ANY, put(write=lambda d: f'"{d.hex().upper()}"')),
    ("md5=", "prefix before the signature", ANY, put(write=lambda d: f"md5={d.hex().upper()}")),
    ("half a signature", "signature cut short", ANY, put(write=lambda d: d.hex().upper()[:16])),
    ("a signature twice", "more than the signature", ANY, put(write=lambda d: d.hex().upper() * 2 + ",")),
]  # fmt: skip

ROWS = [(f"{about}, {name}", rule, REQUESTS[name], change) for about, rule, names, change in MISTAKES for name in names]  # fmt: skip


@pytest.mark.parametrize(("about", "rule", "right", "change"), ROWS, ids=[row[0] for row in ROWS])
def test_a_known_mistake_is_named(
    server: MockServer, about: str, rule: str, right: Call, change: Change
) -> None:
    explanation = explanation_of(server, change(right))
    assert explanation["rule"] == rule
    assert explanation["expected"] != explanation["received"]
    assert explanation["fix"]


# Two mistakes at once: those of one line are of one kind, and hide each other

LIKELY = [
    {"command among the parameters"},
    {"the key forgotten", "an empty sign", "only the form", "only the query"},
    {"as sent, the key last", "as sent, the key first"},
    {"the secret forgotten", "the secret alone, behind an ampersand", "secret=", "api_secret=", "the secret in front"},
    {"values encoded", "values encoded, a space as %20"},
    {"an ampersand at the end", "echo's newline"},
    {"joined by nothing", "joined by a comma"},
    {"a blank before the secret", "a blank behind the secret", "quotes from a .env file", "the key for the secret", "another key's secret"},
    {"HMAC-MD5", "HMAC-SHA256", "HMAC-SHA512", "SHA-256"},
    {"small letters", "base64", "base64 of the hex", "quotes", "md5="},
]  # fmt: skip
BY_NAME = {about: (rule, names, change) for about, rule, names, change in MISTAKES}

# A newline is the string's and the secret's at once, where the right secret comes last.
NOT_LAST = (
    LIKELY[7] - {"a blank before the secret"}
    | LIKELY[8] - {"SHA-256"}
    | {"the secret forgotten", "the secret in front"}
)
COINCIDE = {
    ("read", "joined by nothing", "the secret alone, behind an ampersand"): ["secret without its name"],
}  # fmt: skip


def rules(name: str, one: str, other: str) -> list[str]:
    """Returns what must be said of two mistakes; of one that has no effect beside the other nothing."""
    right = REQUESTS[name]
    coincide = COINCIDE.get((name, *sorted((one, other))))
    if coincide:
        return coincide
    (rule, _, change), (other_rule, _, other_change) = BY_NAME[one], BY_NAME[other]
    if "echo's newline" in (one, other) and NOT_LAST & {one, other}:
        rule, other_rule = (
            r.replace("newline after the secret", "newline after the string")
            for r in (rule, other_rule)
        )
    both = other_change(change(right)).signature()
    first = [] if both == other_change(right).signature() else rule.split(" + ")
    return sorted(first + ([] if both == change(right).signature() else other_rule.split(" + ")))


def pairs(name: str) -> Iterator[tuple[str, str]]:
    for n, kind in enumerate(LIKELY):
        for others in LIKELY[n + 1 :]:
            for one in sorted(kind):
                for other in sorted(others):
                    if name in BY_NAME[one][1] and name in BY_NAME[other][1]:
                        yield one, other


@pytest.mark.parametrize("name", ANY)
def test_two_known_mistakes_are_both_named(server: MockServer, name: str) -> None:
    wrong, count = [], 0
    for one, other in pairs(name):
        count += 1
        change, other_change = BY_NAME[one][2], BY_NAME[other][2]
        explanation = explanation_of(server, other_change(change(REQUESTS[name])))["rule"]
        if sorted(explanation.split(" + ")) != rules(name, one, other):
            wrong.append((one, other, explanation))
    assert wrong == []
    assert count > 100


# What people read


def veil(value: str, label: str) -> str:
    return f"{label}:{hashlib.sha256(value.encode()).hexdigest()[:8]}"


MAIN = veil(SECRET, "main secret_key")
OTHER = veil(OTHER_SECRET, "other secret_key")
OWN_KEY = veil(KEY[1], "main api_key")
STRING = f"api_key={OWN_KEY}&secret_key={MAIN}"
HEX = "in 32 digits of upper-case hex"


def test_both_strings_are_shown_with_what_differs_between_marks(server: MockServer) -> None:
    wrong = replace(ASKED, signed=tuple(sorted((*ASKED.signed, COMMAND))))
    rest = f"note=1+1&zone=a b/c,d&secret_key={MAIN}"
    assert explanation_of(server, wrong) == {
        "rule": "command signed",
        "expected": f"Market=btc&api_key={OWN_KEY}&>><<{rest}",
        "received": f"Market=btc&api_key={OWN_KEY}&>>command=returnBalances&<<{rest}",
        "fix": "Do not sign command: it only names the operation.",
    }


SHOWN = [
    # change, expected, received
    (put(secret_name="secret="), f"api_key={OWN_KEY}&secret>>_key<<={MAIN}", f"api_key={OWN_KEY}&secret>><<={MAIN}"),
    (put(secret=SECRET + "\n"), f"{STRING}>><<", rf"{STRING}>>\n<<"),
    (put(secret=f'"{SECRET}"'), f"api_key={OWN_KEY}&secret_key=>>{MAIN}<<", f'api_key={OWN_KEY}&secret_key=>>"{MAIN}"<<'),
    (put(secret=KEY[1]), f"api_key={OWN_KEY}&secret_key=main >>secret_key:{MAIN[-8:]}<<", f"api_key={OWN_KEY}&secret_key=main >>api_key:{OWN_KEY[-8:]}<<"),
    (put(secret=OTHER_SECRET), f"api_key={OWN_KEY}&secret_key=>>main secret_key:{MAIN[-8:]}<<", f"api_key={OWN_KEY}&secret_key=>>other secret_key:{OTHER[-8:]}<<"),
    (put(behind=False), f"api_key={OWN_KEY}>>&secret_key={MAIN}<<", f"api_key={OWN_KEY}>><<"),
    (put(write=bytes.hex), f"{STRING}; {HEX}", f"{STRING}; lower-case hex"),
    (put(write=lambda d: d.hex().upper()[:31]), f"{STRING}; {HEX}", f"{STRING}; signature cut short"),
    (hmac_by("md5", with_secret=True), f"{STRING}; MD5", f"{STRING}; HMAC-MD5 with {MAIN}"),
    (hash_by("sha256"), f"{STRING}; MD5", f"{STRING}; SHA256"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "expected", "received"), SHOWN, ids=[r[2] for r in SHOWN])
def test_what_differs_is_shown_without_any_secret(
    server: MockServer, change: Change, expected: str, received: str
) -> None:
    explanation = explanation_of(server, change(READ))
    assert (explanation["expected"], explanation["received"]) == (expected, received)


NO_DIGEST = "characters are no digest of 16 bytes in hex or base64"
UNKNOWN = [
    ("made up", put(write=lambda d: "AB" * 16), f"{UNSOLVED} (redacted:843355d4)"),
    ("with another secret", put(secret="nobody knows"), f"{UNSOLVED} (redacted:33611a30)"),
    ("no hex", put(write=lambda d: "Z" * 32), f"{UNSOLVED}: its 32 {NO_DIGEST}"),
    ("too short to be known", put(write=lambda d: d.hex()[:11]), f"{UNSOLVED}: its 11 {NO_DIGEST}"),
    ("of another size", put(write=lambda d: "AB" * 32), f"{UNSOLVED}: it has 32 bytes, the size of SHA256, not 16"),
    ("of no size", put(write=lambda d: "AB" * 17), f"{UNSOLVED}: its 34 {NO_DIGEST}"),
]  # fmt: skip


@pytest.mark.parametrize(("about", "change", "received"), UNKNOWN, ids=[r[0] for r in UNKNOWN])
def test_what_no_known_mistake_makes_is_said_to_be_so(
    server: MockServer, about: str, change: Change, received: str
) -> None:
    assert explanation_of(server, change(READ)) == {
        "rule": "bad signature",
        "expected": STRING,
        "received": received,
        "fix": f"Compare the string that you sign with the expected one, then the secret in it ({MAIN})."
        " Use a plain MD5 of the string, not an HMAC: the secret is part of the string."
        " Write it in upper-case hex.",
    }


# What is missing

SIGN = READ.signature()
READING = f"{PRIVATE}?command=returnBalances"
IN_HEADER = "Send api_key as a parameter, not as a header."
NO_FORM = "Send a form with Content-Type: application/x-www-form-urlencoded, or use the query; JSON is not read."
IS_FUTURES = "This is the scheme of the futures API: spot takes api_key and sign as parameters."
MULTIPART = (
    '--b\r\nContent-Disposition: form-data; name="api_key"\r\n\r\nmain-api-key\r\n'
    f'--b\r\nContent-Disposition: form-data; name="sign"\r\n\r\n{SIGN}\r\n--b--\r\n'
)
NO_KEY = [
    # about, target, headers, body, rule, received, fix
    ("an empty key", f"{READING}&api_key=&sign={SIGN}", {}, "", "empty api_key", "nothing in the parameter api_key", "Check that the variable that holds the key is set."),
    ("JSON", READING, dict([JSON]), f'{{"api_key":"main-api-key","sign":"{SIGN}"}}', "api_key in a body that is not a form", "the key main in the member api_key", NO_FORM),
    ("a form that is not told", READING, {}, f"api_key=main-api-key&sign={SIGN}", "api_key in a body that is not a form", "the key main in the member api_key", NO_FORM),
    ("a header", READING, {"X-COINW-APIKEY": "main-api-key"}, "", "api_key in a header", "the key main in the header x-coinw-apikey", IN_HEADER),
    ("headers, without a time", READING, {"api_key": "main-api-key", "sign": SIGN}, "", "api_key in a header", "the key main in the header api_key", IN_HEADER),
    ("the futures' headers", READING, {"api_key": "main-api-key", "sign": SIGN, "timestamp": str(NOW)}, "", "the futures' scheme", "the key main in the header api_key", IS_FUTURES),
    ("the futures' body", READING, {"X-COINW-APIKEY": "main-api-key", **dict([JSON])}, f'{{"timestamp":{NOW}000,"signature":"{SIGN}"}}', "api_key in a header", "the key main in the header x-coinw-apikey", IN_HEADER),
    ("another name", f"{READING}&apiKey=main-api-key&sign={SIGN}", {}, "", "api_key under another name", "the key main in the parameter apiKey", "Call the parameter api_key."),
    ("multipart", READING, {"Content-Type": "multipart/form-data; boundary=b"}, MULTIPART, "api_key in a body that is not a form", "the key main in the member api_key", NO_FORM),
    ("another name in the form", READING, dict([FORM]), f"API_KEY=main-api-key&sign={SIGN}", "api_key under another name", "the key main in the member API_KEY", "Call the parameter api_key."),
]  # fmt: skip


@pytest.mark.parametrize(
    ("about", "target", "headers", "body", "rule", "received", "fix"),
    NO_KEY,
    ids=[row[0] for row in NO_KEY],
)
def test_a_key_that_is_not_where_it_belongs_is_told(  # noqa: PLR0917
    server: MockServer,
    about: str,
    target: str,
    headers: dict[str, str],
    body: str,
    rule: str,
    received: str,
    fix: str,
) -> None:
    assert post(server, target, headers, body) == {
        "reason": "missing_credential",
        "rule": rule,
        "expected": WANTED,
        "received": received,
        "fix": fix,
    }


def test_a_form_without_its_key_is_named(server: MockServer) -> None:
    assert post(server, READING, dict([FORM]), f"sign={SIGN}") == {
        "reason": "missing_credential",
        "rule": "missing api_key",
        "expected": BOTH_PLACES,
        "received": "sign",
        "fix": "Send api_key.",
    }


def test_a_form_in_gzip_is_named(server: MockServer) -> None:
    form = gzip.compress(f"api_key=main-api-key&sign={SIGN}".encode(), mtime=0)
    exchange(server.coinw.base_url, get(READING, dict([FORM]), "POST", form))
    explanation = server.journal[-1].explanation
    assert (explanation["rule"], explanation["received"]) == ("compressed body", "a body in gzip")


NO_SIGN = [
    (f"{READING}&api_key=main-api-key", {}, "", "missing sign", "api_key", "Send sign."),
    (f"{READING}&api_key=main-api-key&sign=", {}, "", "empty sign", "api_key", "Check that the variables that hold sign are set."),
    (f"{READING}&api_key=main-api-key&signature={SIGN}", {}, "", "missing sign", "api_key, the parameter signature", "Send sign, not the parameter signature."),
    (f"{READING}&api_key=main-api-key", {"Sign": SIGN}, "", "missing sign", "api_key, the header sign", "Send sign, not the header sign."),
    (f"{READING}&api_key=main-api-key", dict([JSON]), f'{{"sign":"{SIGN}"}}', "missing sign", "api_key, the member sign", "Send sign, not the member sign."),
]  # fmt: skip


@pytest.mark.parametrize(("target", "headers", "body", "rule", "received", "fix"), NO_SIGN)
def test_a_signature_that_is_not_where_it_belongs_is_told(  # noqa: PLR0917
    server: MockServer,
    target: str,
    headers: dict[str, str],
    body: str,
    rule: str,
    received: str,
    fix: str,
) -> None:
    assert post(server, target, headers, body) == {
        "reason": "bad_signature",
        "rule": rule,
        "expected": BOTH_PLACES,
        "received": received,
        "fix": fix,
    }


KEY_IDS = [
    # sent as api_key, rule
    (SECRET, "secret for the api_key"),
    (f"'{OTHER_SECRET}'", "secret for the api_key + quotes around the key"),
    ('"main-api-key"', "quotes around the key"),
    ("main-api-key\n", "whitespace around the key"),
    ("MAIN-API-KEY", "key in another case"),
    ("Bearer main-api-key", "a scheme such as Bearer before the key"),
    ("main%2Dapi%2Dkey", "key URL-encoded"),
    ("main-api-k", "key cut short"),
    ("mein-api-key", "one character of the key wrong"),
    ("main", "label for the api_key"),
    ("nobody", "unknown_credential"),
]


@pytest.mark.parametrize(("key_id", "rule"), KEY_IDS)
def test_a_key_that_is_not_quite_one_is_told(server: MockServer, key_id: str, rule: str) -> None:
    explanation = post(server, f"{READING}&api_key={quote(key_id, safe='')}&sign={SIGN}")
    assert (explanation["reason"], explanation["rule"]) == ("unknown_credential", rule)


def test_the_secret_for_the_key_is_told_in_full(server: MockServer) -> None:
    assert post(server, f"{READING}&api_key={OTHER_SECRET}&sign={SIGN}") == {
        "reason": "unknown_credential",
        "rule": "secret for the api_key",
        "expected": "the api_key of other",
        "received": f"{veil(OTHER_SECRET, 'value')}, the secret_key of the key other",
        "fix": "Send the api_key; never send the secret, only sign with it.",
    }


def test_a_revoked_key_is_told(server: MockServer) -> None:
    assert post(server, f"{READING}&api_key=revoked-api-key&sign={SIGN}") == {
        "reason": "revoked_credential",
        "rule": "revoked key",
        "expected": "a key that is not revoked",
        "received": "the key revoked, which is revoked",
        "fix": "Use another key: a revoked key stays revoked.",
    }


def test_anothers_key_is_known_where_it_does_not_belong(server: MockServer) -> None:
    box = server.sandbox(world="default")
    foreign = box.cpg.credentials["key_id"]
    for target, headers in (
        (f"{READING}&api_key={foreign}&sign={SIGN}", {}),
        (READING, {"X-CPG-Key": foreign}),
    ):
        explanation = post(server, target, headers)
        assert explanation["rule"] == "foreign credential"
        assert "the cpg key main" in explanation["fix"]


ONCE = "once, in the query or in the form: two values contradict each other."
TWICE = [
    ("&note=1&note=2", "", "note", "1 and 2 in the query"),
    ("&note=1", "note=2", "note", "1 in the query, 2 in the form"),
    ("", "note=1&note=2&note=3&note=4", "note", "1 and 2 and 3 in the form"),
    ("", "command=returnCompleteBalances", "command", "returnBalances in the query, returnCompleteBalances in the form"),
    ("&api_key=other-api-key", "", "api_key", f"{veil('main-api-key', 'value')} and {veil('other-api-key', 'value')} in the query"),
    ("", "sign=AB", "sign", f"{veil(SIGN, 'value')} in the query, {veil('AB', 'value')} in the form"),
    ("&note=1", f"note={SECRET}", "note", f"1 in the query, {MAIN} in the form"),
    ("&secret_key=1", f"secret_key={SECRET}", "secret_key", f"{veil('1', 'value')} in the query, {veil(SECRET, 'value')} in the form"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "body", "name", "received"), TWICE)
def test_a_parameter_with_two_values_is_named_with_both(
    server: MockServer, query: str, body: str, name: str, received: str
) -> None:
    target = f"{READING}&api_key=main-api-key&sign={SIGN}{query}"
    assert post(server, target, dict([FORM]), body) == {
        "reason": "bad_request",
        "rule": f"{name} sent twice",
        "expected": f"one value of {name}",
        "received": received,
        "fix": f"Send {name} {ONCE}",
    }


# The futures' scheme as parameters


@pytest.mark.parametrize(
    ("tail", "write"),
    [
        ("?command=returnBalances&api_key=main-api-key", lambda d: base64.b64encode(d).decode()),
        ("?api_key=main-api-key&command=returnBalances", bytes.hex),
        ("?command=returnBalances", bytes.hex),
        ("", bytes.hex),
    ],
)
def test_the_scheme_of_the_futures_is_known(
    server: MockServer, tail: str, write: Callable[[bytes], str]
) -> None:
    signed = hmac.digest(SECRET.encode(), f"{NOW}000POST{PRIVATE}{tail}".encode(), "sha256")
    query = urlencode([COMMAND, KEY, ("sign", write(signed))])
    explanation = post(server, f"{PRIVATE}?{query}", {"timestamp": f"{NOW}000"})
    assert (explanation["rule"], explanation["fix"]) == ("the futures' scheme", IS_FUTURES)
    assert f"{NOW}000POST{PRIVATE}" in explanation["received"]
    explanation = post(server, f"{PRIVATE}?{query}", {"timestamp": f"{NOW}001"})
    assert explanation["rule"] == "bad signature"


# Quirks and sandboxes


def test_capitals_are_no_matter_where_a_quirk_allows_both(server: MockServer) -> None:
    wrong = replace(ASKED, behind=False, write=bytes.hex)
    assert explanation_of(server, wrong)["rule"] == "lower-case hex + secret not signed"
    server.set_quirks({"coinw.signature_case": "any"})
    assert explanation_of(server, wrong)["rule"] == "secret not signed"


def test_the_command_is_missed_where_a_quirk_wants_it(server: MockServer) -> None:
    server.set_quirks({"coinw.sign_covers_command": "true"})
    assert explanation_of(server, READ)["rule"] == "command not signed"
    covered = replace(READ, signed=(KEY, COMMAND))
    assert explanation_of(server, replace(covered, behind=False))["rule"] == "secret not signed"
    send(server, covered)
    assert server.journal[-1].reason == ""


def test_a_sandboxs_own_keys_are_named(server: MockServer) -> None:
    box = server.sandbox()
    mine = box.coinw.credentials
    key = ("api_key", mine["api_key"])
    wrong = replace(READ, signed=(key,), secret=SECRET)
    query = urlencode([COMMAND, key, ("sign", wrong.signature())])
    request = get(f"/~{box.id}{PRIVATE}?{query}", {}, "POST")
    exchange(server.coinw.base_url, request)
    assert box.journal[-1].explanation["rule"] == "bad signature"
    wrong = replace(wrong, secret=mine["secret_key"] + " ")
    query = urlencode([COMMAND, key, ("sign", wrong.signature())])
    exchange(server.coinw.base_url, get(f"/~{box.id}{PRIVATE}?{query}", {}, "POST"))
    assert box.journal[-1].explanation["rule"] == "whitespace around the secret"


# What holds for all


def test_the_right_request_is_good_after_every_wrong_one(server: MockServer) -> None:
    for _, _, names, change in MISTAKES:
        right = REQUESTS[names[0]]
        send(server, change(right))
        assert server.journal[-1].reason == "bad_signature"
        send(server, right)
        assert server.journal[-1].reason == ""
        server.clear_journal()


def test_no_more_ways_are_tried_than_the_bound_allows(
    server: MockServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def counted_digest(attempt: Any) -> bytes:
        sizes.append(len(message(attempt)))
        return digest(attempt)

    monkeypatch.setattr(signature, "digest", counted_digest)
    for right in (ASKED, POSTED, BOTH):
        for made in (md5, lambda key, text: hmac.digest(key, text, "sha256")):
            sizes.clear()
            explanation_of(server, replace(right, secret="nobody knows", digest=made))
            assert len(sizes) == TRIES_MAX
    sizes.clear()
    explanation_of(server, replace(call(query=(("q", "a" * 7000),)), secret="nobody knows"))
    assert 100 < len(sizes) < TRIES_MAX
    assert sum(sizes) < 2 * 1024 * 1024


def test_what_is_too_long_is_not_tried(server: MockServer) -> None:
    for size, rule in ((8000, "secret not signed"), (9000, "bad signature")):
        explanation = explanation_of(
            server, replace(call(query=(("q", "a" * size),)), behind=False)
        )
        assert explanation["rule"] == rule
    assert (
        explanation["received"]
        == "a signature of a string that is too long to try known mistakes on"
    )
    wrong = replace(call(form=(("q", "a" * 20_000),)), behind=False)
    assert explanation_of(server, wrong)["rule"] == "bad_signature"  # what holds for every provider


# One byte changed on the way

SEED = 490
CHANGES = 300
PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


def changed(rng: random.Random, right: Call, part: str) -> tuple[str, str, str, str]:
    """Returns target and body of which one byte of a value is another, and the part before, after."""
    auth = urlencode([KEY, ("sign", right.signature())])
    before = {
        "query": urlencode(right.query),
        "form": urlencode(right.form),
        "sign": right.signature(),
    }[part]
    n = rng.choice([n for n, sign in enumerate(before) if sign not in "&="])
    sign = rng.choice([s for s in PRINTABLE if s != before[n] and s not in "&=#%+"])
    after = before[:n] + sign + before[n + 1 :]
    if part == "sign":
        auth = urlencode([KEY, ("sign", after)])
    query = after if part == "query" else urlencode(right.query)
    form = after if part == "form" else urlencode(right.form)
    target = "&".join(filter(None, [READING, query, "" if form else auth]))
    return target, f"{form}&{auth}" if form else "", before, after


def test_one_changed_byte_is_never_taken_for_a_mistake_that_was_not_made(
    server: MockServer,
) -> None:
    rng, met = random.Random(SEED), Counter[str]()
    for _ in range(CHANGES):
        part, right = rng.choice([("query", ASKED), ("form", POSTED), ("sign", READ)])
        target, body, before, after = changed(rng, right, part)
        explanation = post(server, target, dict([FORM]) if body else {}, body)
        if part == "sign" and after.upper() == before:
            expected = {"lower-case hex"}
        elif unquote_to_bytes(before) == unquote_to_bytes(after):
            expected = {""}
        else:
            expected = {"bad signature"}
        assert explanation.get("rule", "") in expected, (part, before, after)
        met[explanation.get("rule", "")] += 1
    assert met["bad signature"] > CHANGES // 2
    assert met["lower-case hex"] > 0


# Secrets


def writings(secret: str) -> set[str]:
    """Returns the ways in which a secret may stand in a text."""
    raw = secret.encode()
    bases = {base64.b64encode(raw), base64.urlsafe_b64encode(raw)}
    return {
        secret,
        quote(secret, safe=""),
        raw.hex(),
        raw.hex().upper(),
        *(base.decode().rstrip("=") for base in bases),
        repr(bytes.fromhex(secret))[2:-1] if len(secret) == 64 else secret,
    }


def hidden_in(texts: str, *more: str) -> list[str]:
    secrets = [value for key in KEYS.values() for value in (key["api_key"], key["secret_key"])]
    return [text for secret in (*secrets, *more) for text in writings(secret) if text in texts]


def test_no_secret_stands_in_an_explanation_of_a_mistake(server: MockServer) -> None:
    for _, _, names, change in MISTAKES:
        for name in names:
            wrong = change(REQUESTS[name])
            texts = " ".join(explanation_of(server, wrong).values())
            assert hidden_in(texts, REQUESTS[name].signature(), SECRET.upper()) == []
            assert wrong.signature() not in texts
            assert KEY[1].upper() not in texts


ESCAPED = "".join(f"%{ord(sign):02x}" for sign in SECRET)
B64 = base64.b64encode(SECRET.encode()).decode()


@pytest.mark.parametrize(
    "known", [SECRET, SECRET.upper(), B64, SECRET.encode().hex(), "other-api-key"]
)
def test_no_secret_stands_in_the_explanation_of_a_careless_request(
    server: MockServer, known: str
) -> None:
    auth = f"api_key=main-api-key&sign={SIGN}"
    escaped = "".join(f"%{ord(sign):02x}" for sign in known)
    for value in (known, escaped):
        for target, headers, body in (
            (f"{READING}&{auth}&note={value}", {}, ""),
            (f"{READING}&{auth}&secret_key={value}", {}, ""),
            (f"{READING}&{auth}&{value}=1", {}, ""),
            (f"{READING}&{auth}&note=1&note={value}", {}, ""),
            (f"{READING}&{auth}&{value}=1&{value}=2", {}, ""),
            (f"{READING}&api_key={value}&sign={SIGN}", {}, ""),
            (f"{READING}&api_key=main-api-key&sign={value}", {}, ""),
            (f"{READING}&api_key=main-api-key&{value}=1", {}, ""),
            (READING, {"X-Key": known}, ""),
            (READING, dict([FORM]), f"sign={value}&{value}=1"),
            (READING, dict([JSON]), json.dumps({"api_key": "main-api-key", "secret": known})),
            (READING, dict([JSON]), json.dumps({"api_key": known})),
        ):
            explanation = post(server, target, headers, body)
            assert len(explanation) == 5
            assert hidden_in(" ".join(explanation.values()), SECRET.upper()) == [], explanation
