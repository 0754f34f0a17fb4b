"""How commands speak to a server that runs: ``--url``, ``--sandbox``, and one line per error."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click

from mockserver.cli import completion, options
from mockserver.errors import ControlError, SettingError

URL = click.Option(
    ["--url"],
    envvar="MOCKSERVER_URL",
    show_envvar=True,
    help="URL of the server's gateway. Default: this machine, the port of mockserver.toml.",
)
SANDBOX = click.Option(["--sandbox"], default="default", show_default=True, help="Sandbox id.")
OPTIONS = [URL, SANDBOX]
# Members of a request to match, as options of ``requests`` and ``verify``.
FILTERS = [
    click.Option(
        ["--provider"], shell_complete=completion.PROVIDERS, help="Only requests to this provider."
    ),
    click.Option(
        ["--operation"],
        shell_complete=completion.OPERATIONS,
        help="Only requests of this operation; balances is any provider's main read.",
    ),
    click.Option(
        ["--reason"],
        shell_complete=completion.REASONS,
        help="Only requests that were refused for this reason.",
    ),
    click.Option(["--status"], type=click.IntRange(100, 999), help="Only this HTTP status."),
]


class RunningServer:
    """The server at a gateway's URL, and one of its sandboxes; every error is one line."""

    def __init__(self, url: str | None, sandbox: str) -> None:
        from mockserver.client.provider import quoted
        from mockserver.client.remote import RemoteServer

        self.url = (url or f"http://127.0.0.1:{options.gateway_port()}").rstrip("/")
        self.sandbox = sandbox
        self._path = f"/sandboxes/{quoted(sandbox)}"
        try:
            self._server = RemoteServer(self.url)
        except SettingError as error:
            raise click.UsageError(f"--url: {error}") from None

    def server(self, method: str, path: str, body: Any = None, query: Any = None) -> Any:
        """Makes a call of the control API."""
        with self._errors():
            return self._server.call(method, path, body, query)

    def call(self, method: str, path: str, body: Any = None, query: Any = None) -> Any:
        """Makes a call below the sandbox."""
        return self.server(method, self._path + path, body, query)

    def stream(self) -> Iterator[Mapping[str, Any]]:
        """Yields the sandbox's requests from now on, as entries of the journal."""
        with self._errors():
            yield from self._server.events(f"{self._path}/requests/stream")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except ControlError as error:
            if error.status == 409 and "nearest" in error.facts:
                raise
            raise click.ClickException(one_line(error)) from None
        except OSError as error:
            hint = "start one with `mockserver serve`, or give --url"
            raise click.ClickException(f"{error}: {hint}") from None


def one_line(error: ControlError) -> str:
    """Returns a refusal with its place: an option, or a path in the data."""
    place = re.sub(r"^(\?|\$\.(match|when|answer)\.)", "--", error.at)
    if place == error.at:
        place = error.at.removeprefix("$").removeprefix(".")
    return ": ".join(filter(None, (place, error.error, error.hint)))


def running_command(name: str, *params: click.Parameter, **settings: Any) -> Callable[..., Any]:
    """Returns the decorator of a command that speaks to a running server, with its options."""
    return click.command(name, params=[*params, *OPTIONS], **settings)


def print_json(data: Any) -> None:
    """Prints one line of JSON."""
    print(json.dumps(data, ensure_ascii=False))
