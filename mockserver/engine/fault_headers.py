"""Headers that force the fate of one request, in sandboxes with ``fault_headers``.

``X-Mockserver-Reject: rate_limited`` rejects it for a reason of the provider;
``X-Mockserver-Deliver: reset``, ``cut=0.3`` or a JSON object says how the response is sent.
"""

import json
from typing import Any

from msgspec import Struct

from mockserver.errors import DataError
from mockserver.faults.matching import ActiveRule, Firing
from mockserver.faults.plan import RawAnswer
from mockserver.faults.shorthand import expanded
from mockserver.model.http import PLAIN, Request, Response
from mockserver.model.provider import Provider

REJECT, DELIVER = "X-Mockserver-Reject", "X-Mockserver-Deliver"


class FaultHeaders(Struct, frozen=True):
    """The gate that reads the headers; it is there only where they are switched on."""


def forced(provider: Provider, request: Request, now: int, seed: int) -> list[Firing]:
    """Returns the rules that the request's headers are; raises RawAnswer (400) for a wrong one."""
    firings = []
    for header in (REJECT, DELIVER):
        text = request.header(header.lower().encode()).decode("latin-1").strip()
        if text:
            rule = {"name": header.lower(), "match": {"provider": provider.name}}
            parsed = _parse(provider, header, rule | _fault(header, text))
            firings.append(Firing(ActiveRule(parsed, now, "", seed)))
    return firings


def _fault(header: str, text: str) -> dict[str, Any]:
    if header == REJECT:
        return {"answer": {"reject": text}}
    name, equals, value = text.partition("=")
    if text.startswith("{"):
        return {"deliver": expanded(_json(text))}
    return {"deliver": {name.strip(): _json(value.strip())} if equals else expanded(text)}


def _json(text: str) -> Any:
    """Returns the value of a JSON text, or the text if it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _parse(provider: Provider, header: str, data: dict[str, Any]) -> Any:
    from mockserver.faults.parsing import RuleParser  # slow to import, and rarely needed

    try:
        return RuleParser({provider.name: provider}).parse(data)
    except (DataError, RecursionError) as error:
        message = error.message if isinstance(error, DataError) else "nested too deeply"
        body = f"{header}: {message}\n".encode()
        raise RawAnswer(Response(400, PLAIN, body)) from None
