"""A fake exchange that real clients believe.

Names are loaded when they are first used, so that importing the package is cheap.
``app`` is an ASGI application of the default settings.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from mockserver import errors
    from mockserver.client.auth import Auth
    from mockserver.client.clock import Clock
    from mockserver.client.journal import JournalEntry
    from mockserver.client.provider import ProviderHandle
    from mockserver.client.sandbox import Sandbox
    from mockserver.client.server import HandClock, MockServer
    from mockserver.http.app import create_app
    from mockserver.model.world import Row as Balance
    from mockserver.version import __version__ as __version__

    app: Starlette

__all__ = [
    "Auth",
    "Balance",
    "Clock",
    "HandClock",
    "JournalEntry",
    "MockServer",
    "ProviderHandle",
    "Sandbox",
    "app",
    "create_app",
    "errors",
]

_HOMES = {
    "Auth": "mockserver.client.auth",
    "Clock": "mockserver.client.clock",
    "HandClock": "mockserver.client.server",
    "JournalEntry": "mockserver.client.journal",
    "MockServer": "mockserver.client.server",
    "ProviderHandle": "mockserver.client.provider",
    "Sandbox": "mockserver.client.sandbox",
    "__version__": "mockserver.version",
    "create_app": "mockserver.http.app",
}


def __getattr__(name: str) -> Any:
    if name == "app":
        value = import_module(_HOMES["create_app"]).create_app()
    elif name == "Balance":
        value = import_module("mockserver.model.world").Row
    elif name == "errors":
        value = import_module("mockserver.errors")
    elif name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value
