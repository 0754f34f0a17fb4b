"""No secret that a client sends is kept, logged or answered: keys by name, and signatures.

What is redacted by value, wherever it is sent, is tested in ``test_secrets_in_use.py``.
"""

import json
import logging
import random
import re
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
import requests
from msgspec.structs import replace

from contract_tests.clients.senders import DEADLINE, dial
from contract_tests.support.processes import serving
from contract_tests.support.raw import get
from contract_tests.support.secret_members import members, secret_members
from contract_tests.support.sockets import read_to_end
from mockserver import MockServer
from mockserver.client.provider import ProviderHandle
from mockserver.client.remote import RemoteServer
from mockserver.files import worlds
from mockserver.model.http import UnsignedRequest
from mockserver.providers import discover

SEED = 490
Members = Mapping[str, str]
Sent = tuple[dict[str, str], bytes]  # headers and body, added to a provider's main read


def as_parts(texts: Members) -> Sent:
    part = '--cut\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
    body = "".join(part.format(name, value) for name, value in texts.items()) + "--cut--\r\n"
    return {"Content-Type": "multipart/form-data; boundary=cut"}, body.encode()


def as_json(value: Any, end: int | None = None) -> Sent:
    return {"Content-Type": "application/json"}, json.dumps(value).encode()[:end]


def as_form(texts: Members) -> Sent:
    return {"Content-Type": "application/x-www-form-urlencoded"}, urlencode(texts).encode()


def one_line(texts: Members) -> str:
    return " ".join(texts.values()).replace("\n", " ")


SHAPES: dict[str, Callable[[Members], Sent]] = {
    "not at all": lambda texts: ({}, b""),
    "in a form, under names of others": lambda texts: as_form(
        dict(zip(("apiKey", "apiSecret", "passphrase"), texts.values(), strict=False))
    ),
    "in the parts of a form": as_parts,
    "in JSON, where it belongs": lambda texts: as_json({"connectionFields": dict(texts)}),
    "in JSON within a text": lambda texts: as_json({"payload": json.dumps(dict(texts))}),
    "in JSON that is cut short": lambda texts: as_json({"connectionFields": dict(texts)}, -1),
    "in a provider's headers": lambda texts: (
        dict.fromkeys(("X-API-KEY", "X-CoinAPI-Key", "X-CPG-Key"), one_line(texts)),
        b"",
    ),
    "as a bearer's token": lambda texts: ({"Authorization": "Bearer " + one_line(texts)}, b""),
    "as a user's password": lambda texts: (
        {"Authorization": "Basic " + b64encode(":".join(texts.values()).encode()).decode()},
        b"",
    ),
}


def request(handle: ProviderHandle, sent: Sent, way: str) -> UnsignedRequest:
    """Returns a provider's main read with what is added: unsigned, signed, or changed since."""
    example, url = handle.example, urlsplit(handle.base_url)
    headers = tuple((k.encode(), v.encode()) for k, v in sent[0].items()) or example.headers
    path, body = url.path.encode() + example.path, sent[1] or example.body
    draft = UnsignedRequest(example.method, url.netloc, path, example.query, headers, body)
    if way == "unsigned":
        return draft
    draft = handle.provider.sign(draft, SimpleNamespace(**handle.credentials), time.time_ns())
    if way == "changed":
        draft = replace(draft, query=draft.query + b"&x=" if draft.query else b"x=")
    return draft


def signatures(draft: UnsignedRequest) -> list[str]:
    """Returns what a signed request proves itself with; words shorter than a digest are none."""
    lines = b"\n".join(b"%b: %b" % line for line in (*draft.headers, (b"query", draft.query)))
    form = r"^(?:authorization: bearer |x-cpg-signature: |query: .*\bsign=)([\w.-]{32,})"
    return re.findall(form, lines.decode(), re.IGNORECASE | re.MULTILINE)


def send_all(sandbox: Any, shape: Callable[[Members], Sent]) -> tuple[set[str], str]:
    """Sends every credential to every provider; returns all secrets sent, and all answers."""
    handles = [getattr(sandbox, name) for name in discover()]
    credentials = [*(h.credentials for h in handles), sandbox.cdp.credential("es256")]
    secrets = {
        line
        for handle, credential in zip([*handles, sandbox.cdp], credentials, strict=True)
        for _, text in secret_members(handle.provider.name, credential)
        for line in text.splitlines()
        if line and not line.startswith("-----")
    }
    answers = b""
    for handle in handles:
        with dial(handle.base_url) as connection:
            for way in ("unsigned", "signed", "changed"):
                for credential in credentials:
                    draft = request(handle, shape(members(credential)), way)
                    secrets.update(signatures(draft))
                    headers = {k.decode(): v.decode() for k, v in draft.headers}
                    target, host = draft.target.decode(), {"Host": draft.host}
                    connection.sendall(get(target, host | headers, draft.method, draft.body))
            connection.sendall(get("/healthz", {"Connection": "close"}))
            answers += read_to_end(connection)
    return secrets, answers.decode()


def leaks(secrets: set[str], texts: Members) -> dict[str, list[str]]:
    """Returns the secrets that stand in texts, plain or escaped."""
    written = {form for s in secrets for form in (s, quote(s), quote(s, safe=""))}
    found = {where: [form for form in written if form in text] for where, text in texts.items()}
    return {where: forms for where, forms in found.items() if forms}


@pytest.fixture(scope="module")
def running() -> Iterator[MockServer]:
    """A server whose keys no other server has, so that what is found is what was sent."""
    world = worlds.load("default").with_fresh_keys(random.Random(SEED).randbytes)
    with MockServer(world) as server:
        yield server


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_no_secret_is_kept_or_shown_in_whatever_form_it_was_sent(
    server: MockServer, caplog: pytest.LogCaptureFixture, shape: Callable[[Members], Sent]
) -> None:
    with caplog.at_level(logging.DEBUG):
        secrets, answers = send_all(server, shape)
    entries = server.app.sandboxes.default.journal.entries
    assert len(entries) == 5 * 3 * 6
    archive = f"{server.url}/__admin/sandboxes/default/requests.har"
    shown = {
        "the journal": repr(server.journal),
        "the journal itself": repr(entries),
        "the HTTP archive": requests.get(archive, timeout=DEADLINE).text,
        "the answers": answers,
        "the log": caplog.text + repr([record.__dict__ for record in caplog.records]),
    }
    assert leaks(secrets, shown) == {}
    assert not any(record.name.startswith("uvicorn") for record in caplog.records)


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_is_on_the_lines_of_a_server(tmp_path: Path, form: str) -> None:
    with serving("--log-format", form, cwd=tmp_path) as (process, started):
        sandbox = RemoteServer(started["gateway"]).default
        with ThreadPoolExecutor(1) as pool:
            lines = pool.submit(process.stderr.read)  # as they come: a full pipe would stop it
            secrets, _ = send_all(sandbox, SHAPES["in JSON within a text"])
            process.terminate()
            stderr = lines.result(DEADLINE)
    assert "missing_credential" in stderr
    assert leaks(secrets, {"stderr": stderr}) == {}


def test_a_secret_that_the_answer_echoes_is_not_kept(server: MockServer) -> None:
    key = server.coinapi.credentials["api_key"]
    url = f"{server.coinapi.base_url}/v1/balances?exchange_id={key}"
    answer = requests.get(url, headers={"X-CoinAPI-Key": key}, timeout=DEADLINE)
    assert key in answer.text, "the provider repeats what was asked for"
    entry = server.journal[-1]
    assert "exchange_id" in entry.response["body"]
    assert key not in repr(entry)
