"""What a reference client makes of an answer, written so that it can be compared."""

from collections.abc import Callable
from typing import Any

from contract_tests.clients.cdp import CdpClient, CdpError
from contract_tests.clients.coinapi import CoinApiError
from contract_tests.clients.coinstats import CoinStatsError
from contract_tests.clients.coinw import CoinWError
from contract_tests.clients.cpg import CpgError
from contract_tests.support.patient_clients import (
    ACCOUNT,
)

ERRORS = (CdpError, CoinApiError, CoinStatsError, CoinWError, CpgError)


MINUTE = 60 * 10**9


def balances(client: Any) -> Any:
    """Calls the main read."""
    return client.balances(ACCOUNT) if isinstance(client, CdpClient) else client.balances()


def written(rows: Any) -> list[str]:
    """Writes rows digit for digit: 1.0 and 1 are equal, but look different here."""
    if isinstance(rows, dict):
        return [repr((name, *_parts(held))) for name, held in rows.items()]
    return [repr(tuple(row)) for row in rows]


def _parts(held: Any) -> tuple[Any, ...]:
    return held if isinstance(held, tuple) else (held,)


def outcome(call: Callable[[], Any]) -> Any:
    """Returns the rows of a call, as they are written, or the code and message of its error."""
    try:
        return written(call())
    except ERRORS as error:
        return error.code, error.message


def complete(client: Any) -> Any:
    return client.complete_balances()


CODES: dict[str, Callable[[int, Any], str]] = {
    "cdp": lambda status, body: body["errorType"],
    "coinapi": lambda status, body: body.get("reject_reason", str(status)),
    "coinstats": lambda status, body: str(status),
    "coinw": lambda status, body: str(body["code"]),
    "cpg": lambda status, body: str(status),
}
MESSAGES = ("errorMessage", "message", "msg", "error")

# The codes after which a client tries again, and how long it waits each time.
PASSING = {
    "cdp": (
        "rate_limit_exceeded",
        "internal_server_error",
        "service_unavailable",
        "endpoint_unavailable",
    ),
    "coinapi": ("429", "500", "503"),
    "coinstats": ("409", "429", "500", "501", "503"),
    "coinw": ("29001", "10001", "500"),
    "cpg": ("429", "500", "503"),
}
PAUSES = {
    "cdp": [1, 2, 4, 8],
    "coinapi": [1, 2, 4, 8],
    "coinstats": [1, 2, 4, 8, 16, 32],
    "coinw": [1, 2, 4, 8],
    "cpg": [1, 2, 4, 8, 16, 32],
}


def refusal(provider: str, status: int, body: Any) -> tuple[str, str]:
    """Returns code and message of an error, read here and apart from the clients."""
    if isinstance(body, str):
        return str(status), body
    message = next(body[name] for name in MESSAGES if name in body)
    return CODES[provider](status, body), message


def pauses(provider: str, code: str, message: str) -> list[int]:
    """Returns how a client waits for an answer to change that never does."""
    helps = code in PASSING[provider] and "credits" not in message
    return PAUSES[provider] if helps else []
