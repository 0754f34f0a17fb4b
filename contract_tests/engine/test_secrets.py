"""Nothing secret is kept or shown: whatever a client sends, and wherever it puts it.

Every credential of every provider is sent to every provider, in the ways of clients that
are right and of clients that are wrong; then all that people may read is searched for it.
"""

import http.client
import itertools
import json
import logging
import random
import re
import socket
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from urllib.parse import quote, quote_plus, urlencode, urlsplit

import pytest
import requests
from msgspec.structs import replace

from contract_tests.clients.senders import dial
from contract_tests.support.processes import serving
from contract_tests.support.secret_members import members, secret_members
from mockserver import MockServer
from mockserver.client.provider import ProviderHandle
from mockserver.client.remote import RemoteServer
from mockserver.files import worlds
from mockserver.model.http import UnsignedRequest
from mockserver.providers import discover

DEADLINE = 30  # seconds
SEED = 490


Members = Mapping[str, str]


# What is secret


def signatures(draft: UnsignedRequest) -> Iterator[str]:
    """Yields what a signed request proves itself with; words shorter than a digest are none."""
    lines = b"\n".join(b"%b: %b" % line for line in (*draft.headers, (b"query", draft.query)))
    form = r"^(?:authorization: bearer |x-cpg-signature: |query: .*\bsign=)([\w.-]{32,})"
    yield from re.findall(form, lines.decode(), re.IGNORECASE | re.MULTILINE)


def writings(secret: str) -> set[str]:
    """Returns the ways in which a secret may stand in a text; of a PEM each line counts."""
    lines = [line for line in secret.splitlines() if line and not line.startswith("-----")]
    ways = (str, quote, partial(quote, safe=""), quote_plus, lambda line: json.dumps(line)[1:-1])
    return {way(line) for line in lines for way in ways}


class Known(NamedTuple):
    """Every secret there is, with what it is."""

    secrets: dict[str, str]

    def of(self, provider: str, credential: Mapping[str, Any]) -> None:
        self.secrets.update({s: what for what, s in secret_members(provider, credential)})

    def signed(self, provider: str, draft: UnsignedRequest) -> None:
        self.secrets.update(dict.fromkeys(signatures(draft), f"{provider} signature"))

    def within(self, text: str) -> set[str]:
        """Returns what of it stands in a text."""
        return {
            what
            for secret, what in self.secrets.items()
            if any(way in text for way in writings(secret))
        }


# How it is sent


class Sent(NamedTuple):
    """What is added to a provider's main read."""

    query: str = ""
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


JSON = (("Content-Type", "application/json"),)
FORM = (("Content-Type", "application/x-www-form-urlencoded"),)
PARTS = (("Content-Type", "multipart/form-data; boundary=cut"),)

# The names under which the exchanges of this world, and others, ask for keys.
OTHER_NAMES = ("apiKey", "apiSecret", "passphrase")


def renamed(texts: Members, *names: str) -> dict[str, str]:
    return dict(zip(names, texts.values(), strict=False))


def as_json(texts: Any) -> Sent:
    return Sent(body=json.dumps(texts).encode(), headers=JSON)


def as_form(texts: Members) -> Sent:
    return Sent(body=urlencode(texts).encode(), headers=FORM)


def as_parts(texts: Members) -> Sent:
    part = '--cut\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
    body = "".join(part.format(name, value) for name, value in texts.items()) + "--cut--\r\n"
    return Sent(body=body.encode(), headers=PARTS)


def as_headers(*names: str) -> Callable[[Members], Sent]:
    """Puts every secret, one line each, into headers of these names."""

    def shape(texts: Members) -> Sent:
        values = (value.replace("\n", " ") for value in texts.values())
        return Sent(headers=tuple((name, value) for value in values for name in names))

    return shape


def basic(texts: Members) -> Sent:
    user = b64encode(":".join(texts.values()).encode()).decode()
    return Sent(headers=(("Authorization", f"Basic {user}"),))


def escaped(texts: Members) -> Sent:
    each = ("".join(f"%{byte:02x}" for byte in value.encode()) for value in texts.values())
    return Sent(query="&".join(f"api_key={value}" for value in each))


SHAPES: dict[str, Callable[[Members], Sent]] = {
    "not at all": lambda texts: Sent(),
    "in the query": lambda texts: Sent(query=urlencode(texts)),
    "in the query, in capitals": lambda texts: Sent(
        query=urlencode({name.upper(): value for name, value in texts.items()})
    ),
    "in the query, every byte escaped": escaped,
    "in a form, under other names": lambda texts: as_form(renamed(texts, *OTHER_NAMES)),
    "in the parts of a form": as_parts,
    "in JSON, under other names": lambda texts: as_json(renamed(texts, *OTHER_NAMES)),
    "in JSON, under no name that is known": lambda texts: as_json(renamed(texts, "a", "b", "c")),
    "in JSON, as a name": lambda texts: as_json(dict.fromkeys(texts.values(), 1)),
    "in JSON, where it belongs": lambda texts: as_json({"connectionFields": dict(texts)}),
    "in JSON within a text": lambda texts: as_json({"payload": json.dumps(dict(texts))}),
    "in JSON that is cut short, where it belongs": lambda texts: Sent(
        body=json.dumps({"connectionFields": dict(texts)}).encode()[:-1], headers=JSON
    ),
    "in the headers of every provider": as_headers("X-API-KEY", "X-CoinAPI-Key", "X-CPG-Key"),
    "as a bearer's token": lambda texts: Sent(
        headers=tuple(("Authorization", f"Bearer {v}".replace("\n", " ")) for v in texts.values())
    ),
    "as a user's password": basic,
    "in headers that no provider has": as_headers("Api-Key", "X-Secret"),
}


def unsigned(handle: ProviderHandle, sent: Sent) -> UnsignedRequest:
    """Returns a provider's main read with what is added."""
    example, url = handle.example, urlsplit(handle.base_url)
    query = "&".join(filter(None, (example.query.decode(), sent.query)))
    path = url.path.encode() + example.path
    lines = tuple((k.encode(), v.encode()) for k, v in sent.headers) or example.headers
    body = sent.body or example.body
    return UnsignedRequest(example.method, url.netloc, path, query.encode(), lines, body)


def signed(handle: ProviderHandle, sent: Sent) -> UnsignedRequest:
    """Returns it signed by ``main``."""
    draft = unsigned(handle, sent)
    return handle.provider.sign(draft, SimpleNamespace(**handle.credentials), time.time_ns())


def changed(handle: ProviderHandle, sent: Sent) -> UnsignedRequest:
    """Returns it signed, with a byte of what was signed changed on the way."""
    draft = signed(handle, sent)
    if draft.query:
        return replace(draft, query=draft.query.replace(b"command", b"Command") + b"&x=")
    return replace(draft, path=draft.path.replace(b"/balances", b"/%62alances"))


WAYS = (unsigned, signed, changed)


def ask(connection: socket.socket, draft: UnsignedRequest) -> bytes:
    """Sends a draft and returns the answer, headers too."""
    lines = [f"{draft.method} {draft.target.decode()} HTTP/1.1", f"Host: {draft.host}"]
    lines += [f"{k.decode()}: {v.decode()}" for k, v in draft.headers]
    lines += [f"Content-Length: {len(draft.body)}", "", ""]
    connection.sendall("\r\n".join(lines).encode() + draft.body)
    answer = http.client.HTTPResponse(connection, method=draft.method)
    answer.begin()
    return str(answer.headers).encode() + answer.read()


def ask_every_provider(sandbox: Any, shape: Callable[[Members], Sent], known: Known) -> str:
    """Sends every credential to every provider; returns all the answers."""
    handles = [getattr(sandbox, name) for name in discover()]
    given = [h.credentials for h in handles] + [sandbox.cdp.credential("es256")]
    answers = []
    for handle in handles:
        with dial(handle.base_url) as connection:
            for way, credential in itertools.product(WAYS, given):
                draft = way(handle, shape(members(credential)))
                known.signed(handle.provider.name, draft)
                answers.append(ask(connection, draft))
    return b"\n".join(answers).decode()


# Where it could be seen


@pytest.fixture(scope="module")
def running() -> Iterator[MockServer]:
    """A server whose keys no other server has, so that what is found is what was sent."""
    world = worlds.load("default").with_fresh_keys(random.Random(SEED).randbytes)
    with MockServer(world) as server:
        yield server


@pytest.fixture
def known(server: MockServer) -> Known:
    found = Known({})
    for name in discover():
        handle: ProviderHandle = getattr(server, name)
        for credential in (handle.credentials, *handle.others.values()):
            found.of(name, credential)
    return found


@contextmanager
def following(server: MockServer) -> Iterator[Callable[[int], str]]:
    """Follows the journal's stream; what is yielded returns so many entries of it."""
    url = f"{server.url}/__admin/sandboxes/default/requests/stream"
    with requests.get(url, stream=True, timeout=DEADLINE) as answer:
        lines = answer.iter_lines()
        assert next(lines) == b": following"
        data = (line for line in lines if line.startswith(b"data: "))
        yield lambda count: b"\n".join(itertools.islice(data, count)).decode()


def over_http(server: MockServer, path: str) -> str:
    url = f"{server.url}/__admin/sandboxes/default/{path}"
    return requests.get(url, timeout=DEADLINE).text


def seen(server: MockServer) -> dict[str, str]:
    """Returns all that people may read of what was asked, by where."""
    last = server.journal[-1].n
    return {
        "the journal": repr(server.journal),
        "the journal itself": repr(server.app.sandboxes.default.journal.entries),
        "the list": over_http(server, "requests?limit=1000"),
        "one entry": over_http(server, f"requests/{last}"),
        "the HTTP archive": over_http(server, "requests.har"),
    }


def leaks(known: Known, places: Mapping[str, str]) -> dict[str, set[str]]:
    """Returns the secrets that can be seen, by where."""
    return {place: found for place, text in places.items() if (found := known.within(text))}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_no_secret_is_kept_or_shown_however_it_was_sent(
    server: MockServer,
    known: Known,
    caplog: pytest.LogCaptureFixture,
    shape: Callable[[Members], Sent],
) -> None:
    with following(server) as entries, caplog.at_level(logging.DEBUG, "mockserver"):
        answers = ask_every_provider(server, shape, known)
        count = len(server.journal)
        places = seen(server) | {
            "the stream": entries(count),
            "the answers": answers,
            "the log": caplog.text + repr([r.__dict__ for r in caplog.records]),
        }
    assert count == len(discover()) * len(WAYS) * (len(discover()) + 1)
    assert leaks(known, places) == {}


def test_no_line_of_the_http_library_tells_a_request(
    server: MockServer, known: Known, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        ask_every_provider(server, SHAPES["in the query"], known)
    lines = (record for record in caplog.records if record.name.startswith("uvicorn"))
    assert [record.getMessage() for record in lines] == []


LOGGED = ("in the query", "in JSON within a text", "in headers that no provider has")


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_is_on_the_lines_of_a_server(tmp_path: Path, form: str) -> None:
    known = Known({})
    with serving("--log-format", form, cwd=tmp_path) as (process, told):
        sandbox = RemoteServer(told["gateway"]).default
        for name in discover():
            handle: ProviderHandle = getattr(sandbox, name)
            for credential in (handle.credentials, *handle.others.values()):
                known.of(name, credential)
        with ThreadPoolExecutor(1) as pool:
            lines = pool.submit(process.stderr.read)  # as they come: a full pipe would stop it
            for name in LOGGED:
                ask_every_provider(sandbox, SHAPES[name], known)
            process.terminate()
            stderr = lines.result(DEADLINE)
    assert stderr.count("missing_credential") >= len(LOGGED)
    assert known.within(stderr) == set()


def test_a_secret_that_the_answer_echoes_is_not_kept(server: MockServer) -> None:
    key = server.coinapi.credentials["api_key"]
    url = f"{server.coinapi.base_url}/v1/balances?exchange_id={key}"
    answer = requests.get(url, headers={"X-CoinAPI-Key": key}, timeout=10)
    assert key in answer.text, "the provider repeats what was asked for"
    entry = server.journal[-1]
    assert "exchange_id" in entry.response["body"]
    assert key not in repr(entry)
