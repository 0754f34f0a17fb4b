"""``mockserver healthcheck``."""

import urllib.request

import click

from mockserver.cli import options

TIMEOUT = 2  # seconds


@click.command
@click.argument("url", required=False)
def healthcheck(url: str | None) -> int:
    """Exit with 0 if the server at URL is healthy, with 1 if not.

    URL is a gateway's or a provider's. Default: the gateway on this machine.
    """
    url = (url or f"http://127.0.0.1:{options.gateway_port()}").rstrip("/") + "/healthz"
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # without a proxy
        with opener.open(url, timeout=TIMEOUT) as response:
            print(response.read().decode().strip())
    except (OSError, ValueError) as error:
        click.echo(f"mockserver: {url}: {error}", err=True)
        return 1
    return 0
