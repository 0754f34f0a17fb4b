"""The error table: CoinW's own codes, most of them with HTTP status 200.

An error has the members of a success, with ``data`` null. Only the error of an exceeded
limit has two members and a number as ``code``, as CoinW's page shows it.
"""

from typing import Any

import msgspec
from msgspec import Struct

from mockserver.model.http import Headers, Response
from mockserver.model.provider import ErrorContext
from mockserver.model.reject import Reject
from mockserver.model.world import Quirks

JSON: Headers = ((b"content-type", b"application/json"),)  # fact: coinw-media-type

LIMITED = 29001


class Failure(Struct, frozen=True):
    """A row of the table.

    ``status`` is sent for failures of HTTP itself (``of_http``), or where a quirk asks for it;
    other failures have status 200.
    """

    code: int
    message: str
    status: int
    of_http: bool = False


# fact: coinw-no-withdrawal-permission, coinw-user-error, coinw-codes-of-clients
ERRORS = {
    # fact: coinw-unknown-command, coinw-missing-command, coinw-unknown-path
    "no_route": Failure(10002, "API not exist", 404, of_http=True),
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
    "rate_limited": Failure(LIMITED, "API access frequently", 429),
    # fact: coinw-failure, coinw-network-error, coinw-failure-status
    "internal_error": Failure(500, "Operation failure", 500, of_http=True),
    "service_unavailable": Failure(10001, "Internet error", 503, of_http=True),
}


def refuse(reject: Reject, context: ErrorContext) -> Response:
    """Renders a reject; an unknown ``command`` is no failure of HTTP, an unknown path is."""
    error, facts, quirks = ERRORS[reject.reason], reject.facts, context.quirks
    of_http = error.of_http and "parameter" not in facts
    # fact: coinw-errors-http-200, coinw-error-status
    status = error.status if of_http or quirks["error_status"] == "4xx" else 200
    headers = JSON  # fact: coinw-limited-no-headers
    headers += reject.allow
    return Response(status, headers, msgspec.json.encode(_body(error, quirks)))


def _body(error: Failure, quirks: Quirks) -> dict[str, Any]:
    limited = error.code == LIMITED
    # fact: coinw-error-code-text
    is_number = _has_form(quirks["error_code_type"], "number", limited)
    code = error.code if is_number else str(error.code)
    if _has_form(quirks["error_envelope"], "bare", limited):  # fact: coinw-error-envelope
        return {"code": code, "msg": error.message}
    return {"code": code, "data": None, "msg": error.message, "success": False, "failed": True}


def _has_form(value: str, form: str, limited: bool) -> bool:
    """Returns whether a quirk's value gives an error a form; ``documented`` only the limit's."""
    return limited if value == "documented" else value == form  # fact: coinw-limited-body
