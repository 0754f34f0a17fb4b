"""``mockserver curl``: a signed request as a line for the shell."""

import time
from typing import Any

import click

from mockserver.cli import completion, options
from mockserver.cli.banner import base_url
from mockserver.errors import FileError
from mockserver.files import worlds
from mockserver.model import suggestions
from mockserver.model.provider import Provider
from mockserver.providers import discover
from mockserver.tools.request_writers import as_curl
from mockserver.tools.signed_request import signed_example


@click.command(
    params=[options.WORLD], epilog="Example: mockserver curl cpg --credential empty | sh"
)
@click.argument("provider", shell_complete=completion.PROVIDERS)
@click.option(
    "--credential",
    default="main",
    show_default=True,
    shell_complete=completion.LABELS,
    help="Credential label, e.g. main.",
)
@click.option("--query", default="", help="Query to add, percent-encoded.")
@click.option("--url", help="The provider's base URL. Default: on the gateway's default ports.")
@click.pass_context
def curl(
    context: click.Context, provider: str, credential: str, query: str, url: str | None, world: str
) -> None:
    """Print a signed curl line for PROVIDER's main read.

    It signs for the current time: `mockserver curl cpg | sh` sends it at once.
    """
    providers = discover()
    if provider not in providers:
        raise click.UsageError(suggestions.unknown("provider", provider, providers))
    if context.get_parameter_source("world") is click.core.ParameterSource.DEFAULT:
        world = options.from_file().get("world", world)
    key = _key(world, provider, credential)
    base = (url or base_url(providers[provider], options.gateway_port())).rstrip("/")
    if not (query.isascii() and query.isprintable() and " " not in query):
        raise click.UsageError(f"--query {query!r} cannot be sent as it is: percent-encode it")
    print(curl_line(providers[provider], key, base, query.lstrip("?"), time.time_ns()))


def _key(world: str, provider: str, label: str) -> Any:
    """Returns a provider's credential by its label in a world; raises UsageError."""
    try:
        keys = worlds.load(world).parts[provider].all_keys.values()
    except FileError as error:
        raise click.UsageError(str(error)) from None
    by_label = {key.label: key for key in keys}
    if not by_label:
        raise click.UsageError(f"the world {world} has no keys of {provider}: give another --world")
    if label not in by_label:
        choices = suggestions.choices(label, by_label)
        raise click.UsageError(f"no credential {label} for {provider}: {choices}")
    return by_label[label]


def curl_line(provider: Provider, key: Any, base: str, query: str, now: int) -> str:
    """Returns a curl line for a provider's main read at a base URL.

    ``query`` is added to the read's own; ``now`` is the time of signing, in nanoseconds
    since the epoch.
    """
    signed = signed_example(provider, key, base, now, query)
    return as_curl(signed, base)
