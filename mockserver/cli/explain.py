"""``mockserver explain``."""

import json
import sys
import time

import click

from mockserver.cli import completion, options
from mockserver.control.journal import entry_document
from mockserver.http.routing import Routing
from mockserver.model import suggestions
from mockserver.model.times import parse_instant
from mockserver.providers import discover
from mockserver.tools import pasted_request
from mockserver.tools.offline_check import check_offline, verdict


@click.command(
    params=[options.WORLD, options.JSON],
    epilog="Example: mockserver explain < request.txt",
)
@click.option(
    "--provider",
    shell_complete=completion.PROVIDERS,
    help="Provider, if neither the URL nor a credential selects it.",
)
@click.option(
    "--at",
    metavar="TIME",
    help="When the request arrived, e.g. 2026-01-01T00:00:00Z. Default: now.",
)
def explain(provider: str | None, at: str | None, world: str, as_json: bool) -> int:
    """Explain why a pasted request would be refused.

    Reads a curl line, a HAR entry or a raw request from stdin. Exits with 0 if the request
    would be accepted, with 1 if it would be refused.
    """
    if provider is not None and provider not in discover():
        raise click.UsageError(suggestions.unknown("provider", provider, discover()))
    try:
        now = time.time_ns() if at is None else parse_instant(at)
        request = pasted_request.read(sys.stdin.buffer.read(pasted_request.SIZE_MAX + 1))
        entry = check_offline(request, world, provider, _routing().find, lambda: now)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if as_json:
        print(json.dumps(entry_document(entry)))
    else:
        print(verdict(entry))
    return 1 if entry.reason else 0


def _routing() -> Routing:
    """Returns the routing of a gateway that was started from here with no flags."""
    providers, port = discover(), options.gateway_port()
    routing = Routing(providers)
    routing.ports = {port + provider.port: name for name, provider in providers.items()}
    return routing
