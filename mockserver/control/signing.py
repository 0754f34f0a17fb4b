"""Signs requests for scripts and pages, and writes a journal entry as a request or a test."""

from typing import Any

from msgspec import Struct

from mockserver.control.journal import find_entry
from mockserver.control.matching import check_credential, check_name
from mockserver.control.routes import ControlCall
from mockserver.engine.world import MAIN
from mockserver.errors import InvalidCall, UnreadableRequest
from mockserver.model.http import UnsignedRequest
from mockserver.model.suggestions import choices
from mockserver.tools.repeated_request import as_pytest, default_request, unsigned_request
from mockserver.tools.request_writers import WRITERS, header_texts, url_at
from mockserver.tools.signed_request import signed_request

REQUEST, PYTEST = "request", "pytest"
FORMS = (*WRITERS, REQUEST, PYTEST)
DESTINATIONS = ("port", "gateway")


class SignRequest(Struct, frozen=True, forbid_unknown_fields=True, rename={"form": "as"}):
    """What to sign: the provider's main read, another request, or that of a journal entry.

    ``path`` lies below the provider's base URL; ``query`` is percent-encoded. ``to`` is the
    provider's own port or the gateway.
    """

    provider: str | None = None
    credential: str | None = None
    method: str | None = None
    path: str | None = None
    query: str | None = None
    body: str | None = None
    entry: int | None = None
    form: str = "curl"
    to: str = "port"


def sign(call: ControlCall) -> dict[str, Any]:
    """Returns a signed request, or its text in the form that is wanted."""
    wanted: SignRequest = call.body
    for name, value, known in (("as", wanted.form, FORMS), ("to", wanted.to, DESTINATIONS)):
        if value not in known:
            raise InvalidCall(f"no form {value[:40]}", f"$.{name}", choices(value, known))
    entry = None if wanted.entry is None else find_entry(call, str(wanted.entry))
    name = entry.provider if entry is not None else wanted.provider or ""
    if not name:
        raise InvalidCall("nothing to sign", "$.provider", "give a provider, or an entry")
    check_name("provider", name, call.sandbox.states, "$.")
    provider = call.sandbox.states[name].provider
    if wanted.form == PYTEST:
        if entry is None:
            raise InvalidCall("a test needs an entry", "$.entry", "give an entry's number")
        return {"as": PYTEST, "text": as_pytest(entry, provider, _rules(call, entry.fault))}
    label = wanted.credential or (entry.credential if entry is not None else "") or MAIN
    check_credential(call.sandbox, name, label, "$.credential")
    with call.sandbox.lock:
        key = call.sandbox.states[name].keyring.with_label(label)
    if key is None:
        raise InvalidCall(f"no credential {label}", "$.credential", "see the sandbox")
    request = _unsigned(wanted, provider, key) if entry is None else _again(entry, provider, key)
    base_url = call.app.base_url(name, call.sandbox.id, call.origin)
    if wanted.to == "gateway":
        base_url = call.app.gateway_url(name, call.sandbox.id, call.origin)
    now = call.sandbox.clock.real()  # as a client does, whatever the skew
    signed = signed_request(provider, key, base_url, now, request)
    if wanted.form == REQUEST:
        return {"as": REQUEST, "request": _document(signed, base_url)}
    try:
        return {"as": wanted.form, "text": WRITERS[wanted.form](signed, base_url)}
    except UnicodeDecodeError:
        raise InvalidCall("the body is no text", "$.entry", "export the journal as HAR") from None


def _unsigned(wanted: SignRequest, provider: Any, key: Any) -> UnsignedRequest:
    path, query = wanted.path, wanted.query
    for name, text in (("path", path), ("query", query), ("method", wanted.method)):
        if text is not None and not (text.isascii() and text.isprintable() and " " not in text):
            raise InvalidCall("cannot be sent as it is", f"$.{name}", "percent-encode it")
    if path is not None and not path.startswith("/"):
        raise InvalidCall("a path begins with /", "$.path", "it lies below the base URL")
    return default_request(
        provider,
        key,
        method=wanted.method,
        path=None if path is None else path.encode(),
        query=None if query is None else query.lstrip("?").encode(),
        body=None if wanted.body is None else wanted.body.encode(),
    )


def _again(entry: Any, provider: Any, key: Any) -> UnsignedRequest:
    try:
        return unsigned_request(entry, provider, key)
    except UnreadableRequest as error:
        raise InvalidCall(str(error), "$.entry") from None


def _rules(call: ControlCall, fault: str) -> list[Any]:
    """Returns the rules in force that had an effect on an entry."""
    with call.sandbox.lock:
        rules = call.sandbox.rulebook.rules
        return [rules[name].rule.source for name in fault.split(", ") if name in rules]


def _document(signed: UnsignedRequest, base_url: str) -> dict[str, Any]:
    return {
        "method": signed.method,
        "url": url_at(base_url, signed),
        "headers": header_texts(signed),
        "body": signed.body.decode("utf-8", "replace"),
    }
