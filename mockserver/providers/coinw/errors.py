"""The error table: CoinW's own codes, most of them under HTTP 200.

An error has the members of a success with ``data`` null; only the one for a full
limit has two members and a number as ``code``, as its page prints it.
"""

from typing import Any

import msgspec
from msgspec import Struct

from mockserver.model.http import Headers, Response
from mockserver.model.provider import ErrorContext
from mockserver.model.reject import Reject
from mockserver.model.world import Quirks

JSON: Headers = ((b"content-type", b"application/json"),)

LIMITED = 29001


class Failure(Struct, frozen=True):
    """A row: ``status`` shows where the failure is one of HTTP itself, or a quirk asks for it."""

    code: int
    message: str
    status: int
    of_http: bool = False


ERRORS = {
    "no_route": Failure(10002, "API not exist", 404, of_http=True),
    "bad_method": Failure(405, "Method Not Allowed", 405, of_http=True),
    "too_large": Failure(413, "Payload Too Large", 413, of_http=True),
    "bad_request": Failure(10003, "Parameter error", 400),
    "missing_credential": Failure(10006, "api_key error", 401),
    "unknown_credential": Failure(10006, "api_key error", 401),
    "revoked_credential": Failure(10006, "api_key error", 401),
    "bad_signature": Failure(10007, "Signature error", 401),
    "forbidden": Failure(10004, "No trading permission", 403),
    "rate_limited": Failure(LIMITED, "API access frequently", 429),
    "internal_error": Failure(500, "Operation failure", 500, of_http=True),
    "service_unavailable": Failure(10001, "Internet error", 503, of_http=True),
}


def refuse(reject: Reject, asked: ErrorContext) -> Response:
    """Renders a reject; a ``command`` that is not known is no failure of HTTP, a path is."""
    error, facts, quirks = ERRORS[reject.reason], reject.facts, asked.quirks
    of_http = error.of_http and "parameter" not in facts
    status = error.status if of_http or quirks["error_status"] == "4xx" else 200
    headers = JSON
    headers += reject.allow
    return Response(status, headers, msgspec.json.encode(_body(error, quirks)))


def _body(error: Failure, quirks: Quirks) -> dict[str, Any]:
    limited = error.code == LIMITED
    code = error.code if _chosen(quirks["error_code_type"], "number", limited) else str(error.code)
    if _chosen(quirks["error_envelope"], "bare", limited):
        return {"code": code, "msg": error.message}
    return {"code": code, "data": None, "msg": error.message, "success": False, "failed": True}


def _chosen(value: str, form: str, limited: bool) -> bool:
    """Tells whether an error takes a form: asked for, or the documented one of a full limit."""
    return limited if value == "documented" else value == form
