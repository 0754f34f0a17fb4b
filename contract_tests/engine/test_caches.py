"""Caches, within bounds of bytes; and what the journal redacts."""

# ruff: noqa: SLF001 - the entries of a cache show within alone

import importlib
import json
import pkgutil
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from sys import getsizeof
from typing import Any

import pytest
import requests
from msgspec import Struct
from msgspec.structs import replace

import mockserver
from mockserver import MockServer, caches
from mockserver.caches import CACHES_MAX, ENTRY_SIZE, KEYS_MIN, MIB, SEEN_SIZE, Cache
from mockserver.engine.redactor import JournalRedactor
from mockserver.engine.router import Router
from mockserver.explain import general, text
from mockserver.http.exchange import create_exchange
from mockserver.model import jwt, redaction
from mockserver.model.http import Request
from mockserver.model.provider import Route
from mockserver.model.redaction import Redactor
from mockserver.providers import discover
from mockserver.providers.cdp import balances as cdp
from mockserver.providers.cdp import keys
from mockserver.providers.coinstats import query as coinstats


@pytest.fixture(autouse=True)
def _listed() -> Iterator[None]:
    """Takes the caches of these tests off the list after each."""
    yield
    caches._BOUNDS.pop("a test", None)


class Upper:
    """Makes texts large, and tells which it was asked for."""

    def __init__(self) -> None:
        self.made: list[bytes] = []

    def __call__(self, key: bytes) -> bytes:
        self.made.append(key)
        return key.upper()


def test_a_cache_remembers_what_was_asked_for_twice() -> None:
    make = Upper()
    cache = Cache("a test", make, size=len, room=MIB)
    assert [cache[key] for key in (b"a", b"a", b"b", b"a", b"b", b"b")] == [*b"A A B A B B".split()]
    assert make.made == [b"a", b"a", b"b", b"b"]


def test_a_cache_remembers_while_there_is_room() -> None:
    make, largest = Upper(), 1000
    cache = Cache("a test", make, size=len, room=KEYS_MIN * (largest + ENTRY_SIZE), at_once=True)
    for n in (largest, largest + 1, largest, largest + 1):
        assert cache[b"b" * n] == b"B" * n
    assert [len(key) for key in make.made] == [largest, largest + 1, largest + 1]
    for n in range(KEYS_MIN - 1):
        assert cache[bytes([n]) * largest] == bytes([n]) * largest
    assert len(cache) == KEYS_MIN
    assert cache[b"c"] == b"C"
    assert list(cache) == [b"c"]


def test_a_cache_keeps_little_of_what_it_met_once() -> None:
    cache = Cache("a test", abs, size=lambda key: 0, room=MIB)
    for n in range(MIB // (ENTRY_SIZE + SEEN_SIZE) + 10):
        assert cache[n] == n
    assert (len(cache), cache.used) == (0, 10 * SEEN_SIZE)


def test_a_cache_remembers_nothing_of_what_was_refused() -> None:
    def refuse(key: bytes) -> bytes:
        raise ValueError(key)

    cache = Cache("a test", refuse, size=len, room=MIB)
    for _ in range(3):
        with pytest.raises(ValueError):
            cache[b"a"]
    assert cache == {}


def test_a_cache_serves_threads() -> None:
    cache = Cache("a test", lambda key: -key, size=lambda key: 0, room=KEYS_MIN * ENTRY_SIZE)
    wrong: list[int] = []

    def ask(start: int) -> None:
        wrong.extend(n for n in range(start, start + 20_000) if cache[n % 300] != -(n % 300))

    threads = [threading.Thread(target=ask, args=[100 * n]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(cache) <= KEYS_MIN + len(threads)


def asked_like(headers: list[tuple[bytes, bytes]], query: bytes, body: bytes) -> Request:
    return Request("POST", b"/a", query, headers, body, "127.0.0.1", b"/a")


def words(n: int) -> bytes:
    """Returns a text of its own for each number, and ever longer."""
    return b"%d" % n + b"a" * n


LARGE_NAME = b"a" * 40 * 1024
VARIED = {
    "values": lambda n: asked_like([(b"x-a", words(n))], b"", b""),
    "names": lambda n: asked_like([(b"%d" % n + LARGE_NAME, b"a")], b"", b""),
    "queries": lambda n: asked_like([], b"token=" + words(n), b""),
    "bodies": lambda n: asked_like([], b"", b'{"apiKey":"%b"}' % words(n)),
}


@pytest.mark.parametrize("varied", VARIED)
def test_redacted_texts_are_cached_within_their_bounds(varied: str) -> None:
    journal = JournalRedactor(Redactor([provider.secrets for provider in discover().values()]))
    for n in range(0, 10_000, 100 if varied == "names" else 8):
        for _ in range(2):
            journal.redact(VARIED[varied](n), b"", refused=False)
    check_bounds()


def test_paths_are_cached_within_their_bounds() -> None:
    router = create_exchange().sandboxes.default.states["cpg"].router
    for n in range(3_000):
        path = b"/v1/withdrawals" + b"/" + words(n)
        for _ in range(2):
            router.find(replace(asked_like([], b"", b""), method="GET", path=path))
    check_bounds()


def check_bounds() -> None:
    bounds = caches.bounds()
    for cache in list(caches._CACHES.values()):  # other tests' servers have some, too
        assert cache.used <= bounds[cache.name], cache.name
        assert deep(cache) <= bounds[cache.name], cache.name


# What caches say that they take


def deep(cache: Cache[Any, Any]) -> int:
    """Returns the bytes of a cache with its entries, as the interpreter counts them."""
    seen: set[int] = set()
    return getsizeof(cache) + sum(_deep(each, seen) for item in cache.items() for each in item)


def _deep(value: Any, seen: set[int]) -> int:
    shared = Router | Route | type | re.Pattern | bool | None
    if isinstance(value, shared) or id(value) in seen or type(value).__module__ in OPAQUE:
        return 0
    seen.add(id(value))
    if isinstance(value, Mapping):
        below = [*value.keys(), *value.values()]
    elif isinstance(value, tuple | list | frozenset | set):
        below = [*value]
    elif isinstance(value, Struct):
        below = [getattr(value, name) for name in value.__struct_fields__]
    else:
        below = [*getattr(value, "__dict__", {}).values()]
    return getsizeof(value) + sum(_deep(each, seen) for each in below)


OPAQUE = ("cryptography.hazmat.bindings._rust.openssl.ed25519",)
ED25519 = jwt.Key("EdDSA", bytes(32))


def signed(n: int) -> jwt.Token:
    claims = {"sub": f"key-{n}", "uris": [f"GET /v2/accounts/{n}"], "iat": n, "exp": n + 120}
    return jwt.read(jwt.sign({"kid": f"key-{n}", "nonce": f"{n:032}"}, claims, ED25519))


def redacted(n: int) -> None:
    headers = [(b"x-%d" % n, b"value %d" % n)]
    path = b"/v1/%d" % n
    journal = JOURNALS[0]
    journal.redact(
        replace(asked_like(headers, b"", b"{}%d" % n), raw_target_path=path), b"", refused=True
    )


JOURNALS = [JournalRedactor(Redactor([]))]
EXCHANGE = {"connectionId": "kraken", "connectionFields": {"apiKey": "a", "apiSecret": "b" * 88}}
# By the name of a cache: makes an n-th entry.
FILL: dict[str, Callable[[int], Any]] = {
    "tokens": lambda n: jwt.read(jwt.sign({}, {"n": n, "uris": ["GET /" + "a" * n]}, ED25519)),
    "verified tokens": lambda n: jwt.genuine(signed(n), ED25519),
    "secret names": lambda n: redaction.is_secret_name(b"x-name-%d" % n),
    "secret values": lambda n: redaction._fingerprinted(b"value-%d" % n),
    "redacted header lines": redacted,
    "redacted header names": redacted,
    "redacted paths": redacted,
    "redacted bodies": redacted,
    "routes": lambda n: ROUTER.find(
        replace(asked_like([], b"", b""), method="GET", path=b"/v2/accounts/%d/balances" % n)
    ),
    "explanations: hex and base64": lambda n: general._codes(
        frozenset(b"a-secret-%d-%d" % (n, m) for m in range(1 + n % 9))
    ),
    "explanations: encodings": lambda n: text._finder(
        tuple((f"a/secret+{n}-{m}", "main") for m in range(1 + n % 9))
    ),
    "coinstats bodies": lambda n: coinstats._parse_body(
        json.dumps(EXCHANGE | {"name": f"name {n}"}).encode()
    ),
    "cdp pages": lambda n: cdp._parse_query(b"pageSize=%d&pageToken=a%d" % (1 + n % 9, n)),
    "cdp keys": lambda n: keys.parse(keys.ed25519_secret(b"%032d" % n)),
}
KEY_OBJECTS = {  # their bytes are OpenSSL's, which the interpreter does not count
    "HMAC keys",
    "Ed25519 signing keys",
    "Ed25519 public keys",
    "P-256 signing keys",
    "P-256 public keys",
}
ROUTER = create_exchange().sandboxes.default.states["cdp"].router


def test_every_cache_is_known_and_all_have_room_in_the_process() -> None:
    for module in pkgutil.walk_packages(mockserver.__path__, "mockserver."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    assert FILL.keys() | KEY_OBJECTS == caches.bounds().keys()
    assert sum(caches.bounds().values()) <= CACHES_MAX


@pytest.mark.parametrize("name", FILL)
def test_a_cache_takes_no_more_than_it_says(name: str) -> None:
    for cache in caches._CACHES.values():  # what other tests left is of other sizes
        cache.clear()
        cache._used = 0
    for n in range(40):
        for _ in range(3):
            FILL[name](n)
    filled = [cache for cache in caches._CACHES.values() if cache.name == name and cache]
    assert filled
    for cache in filled:
        assert deep(cache) <= cache._used


def test_health_has_the_bytes_of_the_caches() -> None:
    with MockServer() as server:
        health = requests.get(server.url + "/__admin/health", timeout=30).json()
        before = health["memory"]["caches"]
        for n in range(20):
            redaction.is_secret_name(b"a-name-of-its-own-%d" % n)
        health = requests.get(server.url + "/__admin/health", timeout=30).json()
        assert health["memory"]["caches"] > before


def test_an_answer_is_searched_where_it_may_repeat_a_secret() -> None:
    """Most answers are not searched: what was asked for had no secret by value."""
    journal = JournalRedactor(Redactor([]))
    journal.put("one", [LONG])
    plain = asked_like([(b"x-a", b"1"), (b"x-api-key", LONG)], b"", b"")
    for _ in range(3):
        assert journal.redact(plain, LONG, refused=False)[3] == LONG
        for odd in (
            ([(b"x-a", LONG)], b"", b""),
            ([(LONG, b"")], b"", b""),
            ([], LONG, b""),
            ([], b"", LONG),
        ):
            assert LONG not in journal.redact(asked_like(*odd), LONG, refused=False)[3]
    assert LONG not in journal.redact(plain, LONG, refused=True)[3]


SHORT, LONG = b"cpg_main", b"cpg_main_s3cret9"
SENT = {
    "the query": ([(b"x-note", SHORT)], b"q=" + LONG, b""),
    "the body": ([(b"x-note", SHORT)], b"", b"note " + LONG),
    "a header": ([(b"x-note", LONG)], b"q=" + SHORT, b""),
    "an escape": ([(b"x-note", SHORT)], b"q=" + LONG.replace(b"_", b"%5f"), b""),
}


@pytest.mark.parametrize("refused", [True, False])
@pytest.mark.parametrize("where", SENT)
def test_of_a_secret_that_holds_another_nothing_is_left(where: str, refused: bool) -> None:
    journal = JournalRedactor(Redactor([]))
    journal.put("one", [SHORT])
    journal.put("other", [LONG])
    texts = journal.redact(asked_like(*SENT[where]), LONG, refused=refused)
    assert [text for text in texts if b"s3cret" in text or SHORT in text] == []
