"""The known mistakes of clients of CoinW spot.

The requests are signed by a signer of our own that takes the mistake as a parameter.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

from contract_tests.support.mistake_table import (
    OTHER_SECRET,
    SECRET,
    UNSOLVED,
    WRITINGS,
    Change,
    MistakeTable,
    fingerprint,
)
from contract_tests.support.raw import get

PRIVATE = "/api/v1/private"
READING = f"{PRIVATE}?command=returnBalances"
FORM = ("Content-Type", "application/x-www-form-urlencoded")
JSON = ("Content-Type", "application/json")

KEYS = {
    "main": {"api_key": "main-api-key", "secret_key": SECRET},
    "other": {"api_key": "other-api-key", "secret_key": OTHER_SECRET},
    "revoked": {"api_key": "revoked-api-key", "secret_key": SECRET, "revoked": True},
}

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
    key: tuple[str, str] = KEY
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


def raw(wrong: Call) -> bytes:
    """Returns a call as it is sent."""
    auth = [wrong.key, ("sign", wrong.signature())]
    query = urlencode([COMMAND, *wrong.query, *([] if wrong.form else auth)])
    body = urlencode([*wrong.form, *auth]).encode() if wrong.form else b""
    headers = dict([FORM]) if body else {}
    return get(f"{PRIVATE}?{query}", headers | dict(wrong.headers), "POST", body)


# Mistakes, each as a change of the signer


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


def both(name: str, one: str, other: str) -> list[str]:
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


MAIN = fingerprint(SECRET, "main secret_key")
OTHER = fingerprint(OTHER_SECRET, "other secret_key")
OWN_KEY = fingerprint(KEY[1], "main api_key")
STRING = f"api_key={OWN_KEY}&secret_key={MAIN}"
HEX = "in 32 digits of upper-case hex"

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

NO_DIGEST = "characters are no digest of 16 bytes in hex or base64"
UNKNOWN = [
    ("made up", put(write=lambda d: "AB" * 16), f"{UNSOLVED} (redacted:843355d4)"),
    ("with another secret", put(secret="nobody knows"), f"{UNSOLVED} (redacted:33611a30)"),
    ("no hex", put(write=lambda d: "Z" * 32), f"{UNSOLVED}: its 32 {NO_DIGEST}"),
    ("too short to be known", put(write=lambda d: d.hex()[:11]), f"{UNSOLVED}: its 11 {NO_DIGEST}"),
    ("of another size", put(write=lambda d: "AB" * 32), f"{UNSOLVED}: it has 32 bytes, the size of SHA256, not 16"),
    ("of no size", put(write=lambda d: "AB" * 17), f"{UNSOLVED}: its 34 {NO_DIGEST}"),
]  # fmt: skip

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

SIGN = READ.signature()


def _careless(known: str) -> list[bytes]:
    """Returns requests that send a secret in a wrong place."""
    auth = f"api_key=main-api-key&sign={SIGN}"
    rows = [
        (f"{READING}&{auth}&note={known}", {}, ""),
        (f"{READING}&{auth}&secret_key={known}", {}, ""),
        (f"{READING}&{auth}&{known}=1", {}, ""),
        (f"{READING}&{auth}&note=1&note={known}", {}, ""),
        (f"{READING}&{auth}&{known}=1&{known}=2", {}, ""),
        (f"{READING}&api_key={known}&sign={SIGN}", {}, ""),
        (f"{READING}&api_key=main-api-key&sign={known}", {}, ""),
        (f"{READING}&api_key=main-api-key&{known}=1", {}, ""),
        (READING, {"X-Key": known}, ""),
        (READING, dict([FORM]), f"sign={known}&{known}=1"),
        (READING, dict([JSON]), json.dumps({"api_key": "main-api-key", "secret": known})),
        (READING, dict([JSON]), json.dumps({"api_key": known})),
    ]
    return [get(target, headers, "POST", body.encode()) for target, headers, body in rows]


def _long(size: int, where: str = "query") -> Call:
    return replace(call(**{where: (("q", "a" * size),)}), behind=False)


TABLE = MistakeTable(
    provider="coinw",
    keys=KEYS,
    raw=raw,
    requests=REQUESTS,
    mistakes=MISTAKES,
    likely=LIKELY,
    both=both,
    right=READ,
    shown=SHOWN,
    unknown=UNKNOWN,
    unknown_text={
        "expected": STRING,
        "fix": f"Compare the string that you sign with the expected one, then the secret in it ({MAIN})."
        " Use a plain MD5 of the string, not an HMAC: the secret is part of the string."
        " Write it in upper-case hex.",
    },
    long=[
        (_long(8000), "secret not signed"),
        (_long(9000), "bad signature"),
        (_long(20_000, "form"), "bad_signature"),  # what holds for every provider
    ],
    bounded=[
        replace(right, secret="nobody knows", digest=make)
        for right in (ASKED, POSTED, BOTH)
        for make in (md5, lambda key, text: hmac.digest(key, text, "sha256"))
    ],
    bounded_by_size=[replace(call(query=(("q", "a" * 7000),)), secret="nobody knows")],
    key_name="api_key",
    with_key=lambda key: replace(READ, key=("api_key", key)),
    keys_sent=KEY_IDS,
    careless=[
        request
        for known in (*WRITINGS, "other-api-key")
        for text in (known, "".join(f"%{ord(sign):02x}" for sign in known))
        for request in _careless(text)
    ],
)  # fmt: skip
