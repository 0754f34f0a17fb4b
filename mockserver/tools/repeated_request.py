"""Makes a request of a journal entry anew: unsigned, or as a test that repeats its outcome."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from mockserver.engine.journal import JournalEntry
from mockserver.errors import UnreadableRequest
from mockserver.model.http import UnsignedRequest, split_base_path
from mockserver.model.provider import Provider
from mockserver.tools.pasted_request import REDACTED

CONTENT_TYPE = b"content-type"

TEST = '''\
SCENARIO = {scenario}


def test_client_meets_{name}(sandbox):
    """Repeats request {n} of a journal: {method} {provider} {operation}, answered by {status}."""
{set_up}    ...  # call your client with sandbox.{provider}.base_url and .credentials
    sandbox.verify({match}, at_least=1)
'''


def unsigned_request(entry: JournalEntry, provider: Provider, key: Any) -> UnsignedRequest:
    """Returns an entry's request without its signature, with a path below the base URL.

    Parameters that were redacted are left out, for the signature to add them. Of a body with
    redacted members the provider's example takes the place. Raises UnreadableRequest where that
    is no main read.
    """
    path, _, query = entry.target.partition(b"?")
    prefix = rb"^(/" + provider.name.encode() + rb")?(/~[^/]*)?(?=/)"
    path = re.sub(prefix, b"", path)
    path = split_base_path(path, provider.base_path.encode())[1] or path
    pairs = [pair for pair in query.split(b"&") if pair and not REDACTED.search(pair)]
    body = entry.request_body
    if REDACTED.search(body):
        if entry.operation != provider.main:
            raise UnreadableRequest("the body of this request is redacted: sign it yourself")
        body = provider.example(key).body
    lines = entry.request_headers.split(b"\r\n")
    headers = tuple(
        (name, value)
        for name, _, value in (line.partition(b": ") for line in lines)
        if name == CONTENT_TYPE and body
    )
    return UnsignedRequest(entry.method, "", path, b"&".join(pairs), headers, body)


def default_request(provider: Provider, key: Any, **members: bytes | str | None) -> UnsignedRequest:
    """Returns the provider's main read; members that are not None replace its own.

    With a ``path``, nothing else of the main read stays. A body gets a Content-Type by its form.
    """
    given = {name: value for name, value in members.items() if value is not None}
    request = provider.example(key)
    if "path" in given:
        method = "POST" if given.get("body") else "GET"
        request = UnsignedRequest(method, "", b"/")
    request = replace(request, **given)
    if request.body and not any(name.lower() == CONTENT_TYPE for name, _ in request.headers):
        is_json = request.body.lstrip()[:1] in (b"{", b"[")
        kind = b"application/json" if is_json else b"application/x-www-form-urlencoded"
        request = replace(request, headers=(*request.headers, (b"Content-Type", kind)))
    return request


def as_pytest(
    entry: JournalEntry, provider: Provider, rules: Sequence[Mapping[str, Any]] = ()
) -> str:
    """Returns a test that repeats the outcome of an entry, by its fault rules or by a reject."""
    if not rules and entry.reason in provider.errors:
        match = {"provider": entry.provider}
        if entry.operation:
            match["operation"] = entry.operation
        once = {"requests": "1"}
        rule = {"name": "repeated", "match": match, "when": once}
        rules = [rule | {"answer": {"reject": entry.reason}}]
    scenario = {"name": f"request-{entry.n}", "rules": list(rules)}
    wanted = {
        name: getattr(entry, name)
        for name in ("provider", "operation", "status", "reason")
        if getattr(entry, name)
    }
    return TEST.format(
        scenario=_python(scenario) if rules else "None",
        name=re.sub(r"\W", "_", entry.reason or f"status_{entry.status}"),
        n=entry.n,
        method=entry.method,
        provider=entry.provider,
        operation=entry.operation or "(no operation)",
        status=entry.status,
        set_up="    sandbox.play(SCENARIO)\n" if rules else "",
        match=", ".join(f"{name}={value!r}" for name, value in wanted.items()),
    )


def _python(data: Any) -> str:
    """Returns JSON data as a Python literal."""
    text = json.dumps(data, indent=4)
    words = {"true": "True", "false": "False", "null": "None"}
    token = re.compile(r'"(?:[^"\\]|\\.)*"|\b(?:true|false|null)\b')
    return token.sub(lambda found: words.get(found[0], found[0]), text)
