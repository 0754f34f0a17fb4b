"""The error table: CoinW's own codes, most of them with HTTP status 200.

A ``code`` is a number. An error has the members of a success, with ``data`` null; the two bodies
that are printed or were measured, of an exceeded limit and of an unknown path, have two members.
"""

from typing import Any

import msgspec
from msgspec import Struct

from mockserver.model.http import Headers, Response
from mockserver.model.provider import ErrorContext
from mockserver.model.reject import Reject
from mockserver.model.world import Quirks

JSON: Headers = ((b"content-type", b"application/json"),)  # fact: coinw-media-type


class Failure(Struct, frozen=True):
    """A row of the table.

    ``status`` is sent for failures of HTTP itself (``of_http``), or where a quirk asks for it;
    other failures have status 200. ``seen`` says that the host's own answer is known: its code is
    a number, and it has two members.
    """

    code: int
    message: str
    status: int
    of_http: bool = False
    seen: bool = False


# fact: coinw-no-withdrawal-permission, coinw-user-error
ERRORS = {
    # fact: coinw-unknown-path
    "no_route": Failure(404, "Requested address does not exist", 404, of_http=True, seen=True),
    # fact: coinw-post-only
    "bad_method": Failure(405, "Method Not Allowed", 405, of_http=True),
    # fact: coinw-too-large
    "too_large": Failure(413, "Payload Too Large", 413, of_http=True),
    "bad_request": Failure(10003, "Parameter error", 400),  # fact: coinw-parameter-error
    # fact: coinw-key-error
    "missing_credential": Failure(10006, "api_key error", 401),
    "unknown_credential": Failure(10006, "api_key error", 401),
    "revoked_credential": Failure(10006, "api_key error", 401),
    "bad_signature": Failure(10007, "Signature error", 401),  # fact: coinw-signature-error
    "forbidden": Failure(10004, "No trading permission", 403),  # fact: coinw-no-permission
    # fact: coinw-congestion, coinw-bans-answer
    "rate_limited": Failure(29001, "API access frequently", 429, seen=True),
    # fact: coinw-failure, coinw-network-error, coinw-failure-status
    "internal_error": Failure(500, "Operation failure", 500, of_http=True),
    "service_unavailable": Failure(10001, "Internet error", 503, of_http=True),
}
# fact: coinw-unknown-command, coinw-missing-command
UNKNOWN_COMMAND = Failure(10002, "API not exist", 404)

# What the quirk ``error_codes: measured`` puts in place of rows above.
# fact: coinw-codes-of-clients, coinw-error-codes
MISSING_PARAMETER = Failure(904, "Parameter error", 400, of_http=True, seen=True)
MEASURED = {
    "bad_request": Failure(-3, "Parameter error", 400, seen=True),
    "missing_credential": MISSING_PARAMETER,
    "unknown_credential": Failure(1003, "api_key error", 401, seen=True),
    "revoked_credential": Failure(1003, "api_key error", 401, seen=True),
    "bad_signature": Failure(6000, "Signature error", 401, seen=True),
}
MEASURED_COMMAND = Failure(-103, "API not exist", 404, seen=True)


def refuse(reject: Reject, context: ErrorContext) -> Response:
    """Renders a reject; an unknown ``command`` is no failure of HTTP, an unknown path is."""
    quirks = context.quirks
    error = _failure(reject, measured=quirks["error_codes"] == "measured")
    # fact: coinw-errors-http-200, coinw-error-status
    status = error.status if error.of_http or quirks["error_status"] == "4xx" else 200
    headers = JSON  # fact: coinw-limited-no-headers
    headers += reject.allow
    return Response(status, headers, msgspec.json.encode(_body(error, quirks)))


def _failure(reject: Reject, *, measured: bool) -> Failure:
    reason, facts = reject.reason, reject.facts
    if reason == "no_route" and "parameter" in facts:
        return MEASURED_COMMAND if measured else UNKNOWN_COMMAND
    if measured and "missing" in facts:
        return MISSING_PARAMETER
    return MEASURED.get(reason, ERRORS[reason]) if measured else ERRORS[reason]


def _body(error: Failure, quirks: Quirks) -> dict[str, Any]:
    # fact: coinw-error-code-number
    is_number = _has_form(quirks["error_code_type"], "number", error.seen)
    code = error.code if is_number else str(error.code)
    if _has_form(quirks["error_envelope"], "bare", error.seen):  # fact: coinw-error-envelope
        return {"code": code, "msg": error.message}
    return {"code": code, "data": None, "msg": error.message, "success": False, "failed": True}


def _has_form(value: str, form: str, seen: bool) -> bool:
    """Returns whether a quirk's value gives an error a form; ``documented`` only those seen."""
    return seen if value == "documented" else value == form  # fact: coinw-limited-body
