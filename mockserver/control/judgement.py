"""Judges a request as of now, and leaves no trace: a pasted one, or that of a journal entry."""

from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from mockserver.control.journal import find_entry
from mockserver.control.matching import check_credential, check_name
from mockserver.control.routes import ControlCall
from mockserver.engine.journal import JournalEntry
from mockserver.engine.world import MAIN
from mockserver.errors import InvalidCall, UnreadableRequest
from mockserver.model.http import Request
from mockserver.tools import pasted_request
from mockserver.tools.dry_run import dry_run
from mockserver.tools.offline_check import as_received, destination_of
from mockserver.tools.repeated_request import unsigned_request
from mockserver.tools.signed_request import signed_request


class Judgement(Struct, frozen=True, forbid_unknown_fields=True):
    """What to judge: ``text`` is a curl line, a HAR entry or a raw request; or an entry's number.

    ``provider`` is needed where neither the URL nor a credential selects it. ``sign`` signs the
    request of an entry anew; without it, that is done where the request as received was dropped.
    """

    text: str | None = None
    entry: int | None = None
    provider: str | None = None
    sign: bool | None = None


def judge(call: ControlCall) -> dict[str, Any]:
    """Returns how the sandbox would respond to a request now.

    What is refused although it was signed again is wrong beside the signature.
    """
    wanted: Judgement = call.body
    if (wanted.text is None) == (wanted.entry is None):
        raise InvalidCall("one request at a time", hint="give text, or entry")
    try:
        name, request, signed = _request(call, wanted)
    except UnreadableRequest as error:
        at = "$.text" if wanted.entry is None else "$.entry"
        raise InvalidCall(str(error), at, "a curl line, a HAR entry or a raw request") from None
    return _document(dry_run(call.sandbox, name, request), signed)


def _request(call: ControlCall, wanted: Judgement) -> tuple[str, Request, bool]:
    """Returns provider and request, and whether it is signed again; raises UnreadableRequest."""
    if wanted.entry is None:
        return *_pasted(call, wanted), False
    entry = find_entry(call, str(wanted.entry))
    with call.sandbox.lock:
        found = None if wanted.sign else call.sandbox.history.before(entry.n)
    if found is not None:
        received: Request = found[2].what
        return entry.provider, received, False
    if wanted.sign is False:
        raise UnreadableRequest("the request as received was dropped")
    return *_signed_again(call, entry), True


def _pasted(call: ControlCall, wanted: Judgement) -> tuple[str, Request]:
    providers = call.app.providers
    if wanted.provider is not None:
        check_name("provider", wanted.provider, providers, "$.")
    parsed = pasted_request.read((wanted.text or "").encode())
    name, path = destination_of(parsed, wanted.provider, call.app.routing.find, providers)
    return name, as_received(parsed, path, providers[name].base_path.encode())


def _signed_again(call: ControlCall, entry: JournalEntry) -> tuple[str, Request]:
    name, label = entry.provider, entry.credential or MAIN
    state = call.sandbox.states[name]
    check_credential(call.sandbox, name, label, "$.entry")
    key = state.keyring.with_label(label)
    base_url = call.app.base_url(name, call.sandbox.id, call.origin)
    now = call.sandbox.clock.real()
    unsigned = unsigned_request(entry, state.provider, key)
    signed = signed_request(state.provider, key, base_url, now, unsigned)
    path = state.provider.full_path().encode() + unsigned.path
    headers = [(k.lower(), v) for k, v in signed.headers]
    request = Request.of(
        signed.method,
        path,
        signed.query,
        [(b"host", _host(base_url)), *headers],
        signed.body,
        base_path=state.provider.base_path.encode(),
        raw_target_path=signed.path,
    )
    return name, request


def _host(base_url: str) -> bytes:
    return base_url.partition("://")[2].partition("/")[0].encode()


def _document(entry: JournalEntry, signed_again: bool) -> dict[str, Any]:
    return {
        "accepted": not entry.reason,
        "signed_again": signed_again,
        "provider": entry.provider,
        "operation": entry.operation,
        "credential": entry.credential,
        "status": entry.status,
        "reason": entry.reason,
        "note": entry.note,
        "explanation": asdict(entry.explanation) if entry.explanation is not None else None,
        "response": {
            "headers": {k.decode(): v.decode("latin-1") for k, v in entry.response_headers},
            "body": entry.response_body.decode("utf-8", "replace"),
        },
    }
