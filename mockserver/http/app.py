"""The ASGI door: a Starlette application whose routes are the providers, pages and control API.

It can be mounted in another Starlette or FastAPI application, driven by Starlette's test client,
and served by ``uvicorn mockserver:app``. A delivery other than a delay is answered by 501 there.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import wraps
from typing import ParamSpec

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Host, Mount, Route

from mockserver.control.endpoint import routes as control_routes
from mockserver.http.asgi import ProviderApp
from mockserver.http.exchange import Exchange, create_exchange
from mockserver.http.metrics import routes as metrics_routes
from mockserver.http.pages import not_found
from mockserver.http.pages import routes as page_routes
from mockserver.web.pages import routes as web_routes

P = ParamSpec("P")


def compose(exchange: Exchange) -> Starlette:
    """Returns the Starlette application of an exchange, which is its ``state.exchange``."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with exchange.running():
            yield

    app = Starlette(
        routes=[
            *page_routes,
            *metrics_routes,
            *control_routes,
            *_providers(exchange),
            *web_routes,
        ],
        exception_handlers={404: not_found},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # a path is a provider's own, slash or none
    app.state.exchange = exchange
    return app


def _providers(exchange: Exchange) -> list[BaseRoute]:
    """Returns routes to the providers: by Host, then by the first segment of the path."""
    routes: list[BaseRoute] = [
        Host(host, ProviderApp(exchange, name), name=f"{name} at {host}")
        for name, provider in exchange.providers.items()
        for host in (f"{name}.localhost", *provider.hosts)
    ]
    for name in exchange.providers:
        app = ProviderApp(exchange, name, f"/{name}")
        routes += [Mount(f"/{name}", app, name=name), Route(f"/{name}", app, name=f"{name} root")]
    return routes


def _in_starlette(create: Callable[P, Exchange]) -> Callable[P, Starlette]:
    @wraps(create)
    def create_app(*args: P.args, **kwargs: P.kwargs) -> Starlette:
        return compose(create(*args, **kwargs))

    return create_app


create_app = _in_starlette(create_exchange)
