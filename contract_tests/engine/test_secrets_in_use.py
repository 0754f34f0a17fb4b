"""Every secret in use on a server is redacted: wherever it is sent, however it is written.

The secrets of all sandboxes and the admin token are sent to every sandbox, in every place that
a request has; then the journal, the HTTP archive, the stream, the log and the explanations are
searched for them, after every escape was taken off.
"""

import itertools
import json
import logging
import re
import socket
import threading
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote

import pytest
import requests

from contract_tests.clients.senders import DEADLINE, dial
from mockserver import MockServer
from mockserver.engine.redactor import (
    BODY_MAX,
    HEADERS_MAX,
    TARGET_MAX,
    JournalRedactor,
    SecretsInUse,
)
from mockserver.engine.sandboxes import Sandboxes
from mockserver.explain.time_budget import TimeBudget
from mockserver.model import jwt
from mockserver.model.http import Request
from mockserver.model.redaction import HIDDEN_MIN, Redactor
from mockserver.model.secret_index import LAYERS_MAX
from mockserver.providers import discover

ADMIN_TOKEN = "adm1n/t0ken+4711"
AUTHORIZED = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # what may be the name of a header
BATCH = 6  # secrets in one request: so few that nothing is cut off


def escaped(sign: str, form: str) -> str:
    return sign if sign.isalnum() else form.format(ord(sign))


def each(form: str) -> Callable[[str], str]:
    """Writes a secret with its first character, and all but letters and digits, escaped."""
    return lambda s: form.format(ord(s[0])) + "".join(escaped(sign, form) for sign in s[1:])


WRITINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    r"\/": lambda secret: secret.replace("/", r"\/"),
    "%2f": each("%{:02x}"),
    "%2F": each("%{:02X}"),
    r"\u": each("\\u00{:02x}"),
    r"\U": each("\\u00{:02X}"),
}


class Place(NamedTuple):
    """Where a request has secrets: a template for each, and what stands between them."""

    where: str
    template: str
    joiner: str = ""
    media_type: str = "text/plain"


PLACES = {
    "path": Place("path", "/{}"),
    "query value": Place("query", "note={}", "&"),
    "query name": Place("query", "{}=1", "&"),
    "query value within a text": Place("query", "note=x{}y", "&"),
    "command": Place("query", "command={}", "&"),
    "header value": Place("headers", "X-Note: {}", "\r\n"),
    "header name": Place("headers", "{}: 1", "\r\n"),
    "header name behind a prefix": Place("headers", "CB-ACCESS-{}: 1", "\r\n"),
    "Accept": Place("headers", "Accept: {}", "\r\n"),
    "Content-Type": Place("headers", "Content-Type: {}", "\r\n"),
    "Host": Place("host", "{}"),
    "JSON value": Place("body", '{{"note":"{}"}}', ",", "application/json"),
    "JSON name": Place("body", '{{"{}":1}}', ",", "application/json"),
    "form value": Place("body", "note={}", "&", "application/x-www-form-urlencoded"),
    "form name": Place("body", "{}=1", "&", "application/x-www-form-urlencoded"),
    "text": Place("body", "so {} it", " "),
}
ONE_EACH = ("command", "Accept", "Content-Type", "Host")  # more are refused


def head_and_body(place: Place, texts: list[str]) -> bytes:
    """Returns a request that has texts in a place."""
    filled = place.joiner.join(place.template.format(text) for text in texts)
    if place.template.startswith("{{"):
        filled = f"[{filled}]"
    target = {"path": filled, "query": f"/v1/balances?{filled}"}.get(place.where, "/v1/balances")
    lines = [f"POST {target} HTTP/1.1", f"Host: {filled if place.where == 'host' else 'localhost'}"]
    if place.where == "headers":
        lines.append(filled)
    body = filled if place.where == "body" else ""
    if body:
        lines.append(f"Content-Type: {place.media_type}")
    lines += [f"Content-Length: {len(body.encode())}", "", body]
    return "\r\n".join(lines).encode()


def sendable(place: Place, text: str) -> bool:
    """Tells whether HTTP lets a text be in a place."""
    names = place.where == "headers" and ": 1" in place.template
    return not names or re.fullmatch(TOKEN, text.encode()) is not None


def batches(name: str, place: Place, texts: list[str]) -> Iterator[list[str]]:
    sent = [text for text in texts if sendable(place, text)]
    size = 1 if name in ONE_EACH else BATCH
    for at in range(0, len(sent), size):
        yield sent[at : at + size]


def ask(connection: socket.socket, data: bytes) -> None:
    connection.sendall(data)
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
    while len(body) < length:
        body += connection.recv(65536)


def secrets_of(sandboxes: Sandboxes) -> set[str]:
    """Returns what is secret of the keys of all sandboxes; of a PEM each line."""
    keys = (
        (state.provider, key)
        for sandbox in sandboxes
        for state in sandbox.states.values()
        for key in state.keyring.labels.values()
        if not key.rejects
    )
    lines = (line for p, key in keys for text in p.secrets.of(key) for line in text.splitlines())
    return {line for line in lines if len(line) >= HIDDEN_MIN and not line.startswith("-----")}


ESCAPES = re.compile(r"\\u00([0-9a-fA-F]{2})|\\([/\"\\])")


def bare(text: str) -> Iterator[str]:
    """Yields a text, and what it is with ever more escapes taken off, in small letters."""
    for _ in range(LAYERS_MAX + 2):
        yield text.lower()
        text = unquote(ESCAPES.sub(lambda m: m[2] or chr(int(m[1], 16)), text), "latin-1")


def leaks(secrets: set[str], texts: dict[str, str]) -> dict[str, list[str]]:
    matches = {
        name: sorted({s for layer in bare(text) for s in secrets if s.lower() in layer})
        for name, text in texts.items()
    }
    return {name: some for name, some in matches.items() if some}


@pytest.fixture(scope="module")
def guarded() -> Iterator[MockServer]:
    """A server with an admin token and three sandboxes, which explains every refusal."""
    with MockServer(admin_token=ADMIN_TOKEN, limits="off") as server:
        for id in ("one", "two"):
            url = f"{server.url}/__admin/sandboxes/{id}"
            created = requests.put(url, json={}, headers=AUTHORIZED, timeout=DEADLINE)
            assert created.ok, created.text
        server.app.sandboxes.default.explanation_budget = TimeBudget(lambda: 0)
        yield server


def read(server: MockServer, path: str) -> str:
    url = f"{server.url}/__admin/sandboxes/default/{path}"
    return requests.get(url, headers=AUTHORIZED, timeout=DEADLINE).text


def stream(server: MockServer, count: int, lines: list[str], ready: threading.Event) -> None:
    """Reads so many entries of the journal's stream."""
    url = f"{server.url}/__admin/sandboxes/default/requests/stream"
    with requests.get(url, headers=AUTHORIZED, stream=True, timeout=DEADLINE) as answer:
        received = (line.decode() for line in answer.iter_lines())
        next(received)
        ready.set()
        data = (line for line in received if line.startswith("data: "))
        lines += itertools.islice(data, count)


# Every place has plain and escaped secrets; each part of a request has every escape.
PARTS = ("path", "query value", "header value", "JSON value")
PLACED = [(w, p) for p in PLACES for w in WRITINGS if p in PARTS or w in ("plain", r"\u")]


@pytest.mark.parametrize(("writing", "place"), PLACED)
def test_no_secret_in_use_is_shown_of_any_sandbox(
    guarded: MockServer, caplog: pytest.LogCaptureFixture, writing: str, place: str
) -> None:
    secrets = secrets_of(guarded.app.sandboxes) | {ADMIN_TOKEN}
    assert len(secrets) > 3 * len(discover())
    texts = [WRITINGS[writing](secret) for secret in sorted(secrets)]
    sent = [head_and_body(PLACES[place], some) for some in batches(place, PLACES[place], texts)]
    providers = {name: guarded.app.base_url(name) for name in discover()}
    guarded.app.sandboxes.default.journal.clear()
    lines: list[str] = []
    ready = threading.Event()
    count = len(sent) * len(providers)
    follower = threading.Thread(target=stream, args=(guarded, count, lines, ready))
    follower.start()
    assert ready.wait(DEADLINE)
    with caplog.at_level(logging.DEBUG, "mockserver"):
        for url in providers.values():
            with dial(url) as connection:
                for data in sent:
                    ask(connection, data)
    follower.join(DEADLINE)
    entries = guarded.app.sandboxes.default.journal.entries
    assert len(entries) == len(lines) == count
    assert all(entry.explanation for entry in entries if entry.reason)
    shown = {
        "journal": read(guarded, "requests?limit=1000"),
        "journal itself": repr(entries),
        "HAR": read(guarded, "requests.har"),
        "stream": "\n".join(lines),
        "log": caplog.text,
        "explanations": json.dumps([repr(entry.explanation) for entry in entries]),
    }
    assert leaks(secrets, shown) == {}


# What is cut


SECRET = b"ERERERERERERERERERERERERERERERERHQSrIydCu0qzoTaL1GFeTm0CJKtxoBa6+FIKMyyXeHNw=="


def journal() -> JournalRedactor:
    redactor = JournalRedactor(Redactor([]))
    redactor.put("one", [SECRET])
    return redactor


def request(**parts: Any) -> Request:
    plain = {"query": b"", "headers": [], "body": b"", "raw_target_path": b"/"}
    return Request(method="POST", path=b"/", peer="127.0.0.1", **(plain | parts))


CUT: dict[str, tuple[int, Callable[[bytes], tuple[Request, bytes]]]] = {
    "target": (TARGET_MAX, lambda text: (request(raw_target_path=text), b"")),
    "query": (TARGET_MAX - 2, lambda text: (request(query=text), b"")),
    "header": (HEADERS_MAX - 5, lambda text: (request(headers=[(b"x-a", text)]), b"")),
    "body": (BODY_MAX, lambda text: (request(body=text), b"")),
    "answer": (BODY_MAX, lambda text: (request(body=SECRET), text)),
}


@pytest.mark.parametrize("behind", [b"", b"z" * 100_000], ids=["at the end", "before more"])
@pytest.mark.parametrize("overlap", [1, 8, 40, len(SECRET) - 1])
@pytest.mark.parametrize("part", CUT)
def test_a_text_is_redacted_before_it_is_cut(part: str, overlap: int, behind: bytes) -> None:
    limit, make = CUT[part]
    for form in (SECRET, b"".join(b"%%%02x" % byte for byte in SECRET)):
        text = b" " * (limit - overlap) + form + behind
        texts = journal().redact(*make(text), refused=True)
        assert [t for t in texts if SECRET[:1] in t or b"%45" in t] == []
        assert max(map(len, texts)) <= BODY_MAX


@pytest.mark.parametrize("name", ["coinw", "cpg", "cdp", "coinapi", "coinstats"])
def test_an_explanation_is_redacted_before_it_is_cut(guarded: MockServer, name: str) -> None:
    """A name or value that is shown in part shows no part of another provider's secret."""
    secret = guarded.app.sandboxes.default.states["cdp"].keyring.with_label("main").key_secret
    named = "".join(sign for sign in secret.lower() if sign.isalnum())
    index = guarded.app.sandboxes.default.journal.redactor
    index.put("a name", [named.encode()])
    url = guarded.app.base_url(name)
    query = f"command={secret}&timestamp={secret}&{secret}=1&{secret}=2".replace("+", "%2b")
    headers = {"X-CPG-Timestamp": secret, f"X-{named}": "cpg_test_key", named: "test-key"}
    requests.post(f"{url}/api/v1/private?{query}", headers=headers, timeout=DEADLINE)
    requests.get(f"{url}/v1/balances?{query}", headers=headers, timeout=DEADLINE)
    explanations = [
        repr(entry.explanation) for entry in guarded.app.sandboxes.default.journal.entries
    ][-2:]
    assert [text for text in explanations if secret[:12] in text or named[:12] in text] == []
    index.drop("a name")


# The shape of a JWT


def token(size: int = 1) -> bytes:
    key = jwt.Key("EdDSA", bytes(32))
    return jwt.sign({"kid": "a", "typ": "JWT"}, {"sub": "a" * size}, key)


def loose(head: bytes) -> bytes:
    return b".".join(urlsafe_b64encode(part).rstrip(b"=") for part in (head, b"{}", b"signature"))


JWTS = {
    "compact": token(),
    "long": token(3000),
    "with blanks": loose(b'{ "alg": "none" }'),
    "on lines": loose(b'{\n  "alg": "none"\n}'),
    "on Windows's lines": loose(b'{\r\n  "alg": "none"\r\n}'),
    "indented by a tab": loose(b'{\t"alg": "none"}'),
    "without a signature": token().rpartition(b".")[0] + b".",
    "encrypted": token() + b".YWJj.YWJj",
}


@pytest.mark.parametrize("around", [b"%s", b"x=%s", b'{"x":"%s"}', b"Bearer %s, more", b"x_%s"])
@pytest.mark.parametrize("name", JWTS)
def test_what_has_the_shape_of_a_jwt_is_redacted_everywhere(name: str, around: bytes) -> None:
    text = around % JWTS[name]
    parts = request(
        raw_target_path=b"/" + text, query=text, body=text, headers=[(b"x-a", text), (text, b"")]
    )
    texts = journal().redact(parts, text, refused=True)
    payload = JWTS[name].split(b".")[1]
    assert [text_kept for text_kept in texts if payload in text_kept] == []
    assert [text_kept for text_kept in texts if b"redacted:" not in text_kept] == []


PLAIN = [
    b"www.example.com/v1.2.3", b"eyes.and.ears", b"python-requests/2.32.3", b"eyJhbGci",
    b"key.keyboard_layouts.eyJ.x", b"1.2.3.4", b"new.newspapers-of-today.x.y", b"a.b",
]  # fmt: skip


@pytest.mark.parametrize("text", PLAIN)
def test_text_of_another_shape_is_not_redacted(text: bytes) -> None:
    assert journal().index.redact(text) is text


# The index


def test_a_secret_is_found_below_a_bounded_number_of_escapes() -> None:
    index = journal().index
    text = SECRET
    for layers in range(1, LAYERS_MAX + 2):
        text = (
            b"".join(b"%%%02x" % byte for byte in text)
            if layers == 1
            else text.replace(b"%", b"%25")
        )
        assert (index.redact(text) == text) is (layers > LAYERS_MAX), layers


@pytest.mark.parametrize(
    ("form", "count"),
    [("{:06d}", 1), ("{:06d}", 1100), ("k{:05d}", 100), ("key-{:05d}-x", 1100)],
)
def test_a_secret_is_found_however_many_there_are(form: str, count: int) -> None:
    index = SecretsInUse()
    secrets = [form.format(n).encode() for n in range(count)]
    for n, secret in enumerate(secrets):
        index.put(n, [secret])
    for secret in (secrets[0], secrets[count // 2], secrets[-1]):
        redacted = index.redact(b"x" + secret + b"y%20, " + secret)
        assert re.fullmatch(rb"xredacted:\w{8}y%20, redacted:\w{8}", redacted)
    for n in range(count):
        index.drop(n)
    assert index.redact(secrets[0]) == secrets[0]
    assert not index._secrets  # noqa: SLF001
    assert len(index._anchors) + len(index._plain) <= 1024  # noqa: SLF001


def test_of_secrets_that_are_alike_the_one_that_is_there_is_found() -> None:
    index = SecretsInUse()
    index.put("one", [b"main-api-key", b"other-api-key"])
    assert [span.start for span in index.find(b"main-api-key")] == [0]
    assert index.redact(b"main-api-key") == b"redacted:b0cbeea8"


def test_a_secret_of_two_owners_stays_until_both_are_gone() -> None:
    index = SecretsInUse()
    index.put("one", [SECRET])
    index.put("two", [SECRET])
    index.put("one", [])
    assert index.redact(SECRET).startswith(b"redacted:")
    index.drop("two")
    assert index.redact(SECRET) == SECRET


def test_a_sandbox_that_is_dropped_takes_its_secrets_along() -> None:
    server = MockServer()
    before = set(server.app.sandboxes.default.journal.redactor.index._secrets)  # noqa: SLF001
    sandbox = server.sandbox()
    index = server.app.sandboxes.default.journal.redactor.index
    assert len(index._secrets) > len(before)  # noqa: SLF001
    server.drop(sandbox)
    assert set(index._secrets) == before  # noqa: SLF001
