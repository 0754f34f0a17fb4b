"""The providers' OpenAPI documents and the facts behind them."""

from functools import cache
from typing import Any

import msgspec

from mockserver.control.routes import ControlCall
from mockserver.errors import ControlError
from mockserver.files import documents
from mockserver.model.suggestions import choices


def provider_document(call: ControlCall) -> dict[str, Any]:
    """Returns a provider's document; its server is the provider below the gateway."""
    name, providers = call.path["provider"], call.app.providers
    if name not in providers:
        raise ControlError(404, f"no provider {name}", hint=choices(name, providers))
    try:
        document = documents.openapi_document(name)
    except FileNotFoundError:
        raise ControlError(404, f"{name} has no document", hint="add its openapi.yaml") from None
    return document | {"servers": [{"url": call.app.gateway_url(name, origin=call.origin)}]}


def facts(call: ControlCall) -> dict[str, Any]:
    """Returns the facts about every provider's API, each with source and status."""
    return {"facts": [row for name in call.app.providers for row in _facts(name)]}


@cache
def _facts(provider: str) -> list[dict[str, Any]]:
    return [
        {"provider": provider, **msgspec.to_builtins(fact)} for fact in documents.facts(provider)
    ]
