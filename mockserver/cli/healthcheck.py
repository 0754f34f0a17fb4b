"""``mockserver healthcheck``."""

import json
import urllib.request

import click

from mockserver.cli import options

TIMEOUT = 2  # seconds


@click.command(params=[options.JSON])
@click.argument("url", required=False)
def healthcheck(url: str | None, as_json: bool) -> int:
    """Exit with 0 if the server at URL is healthy, with 1 if not.

    URL is a gateway's or a provider's. Default: the gateway on this machine.
    """
    url = (url or f"http://127.0.0.1:{options.gateway_port()}").rstrip("/") + "/healthz"
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # without a proxy
        with opener.open(url, timeout=TIMEOUT) as response:
            text, failure = response.read().decode().strip(), ""
    except (OSError, ValueError) as error:
        text, failure = "", str(error)
    if as_json:
        print(json.dumps({"url": url, "healthy": not failure, "error": failure or None}))
    elif failure:
        click.echo(f"mockserver: {url}: {failure}", err=True)
    else:
        print(text)
    return 1 if failure else 0
