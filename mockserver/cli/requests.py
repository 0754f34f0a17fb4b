"""``mockserver requests``."""

import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import click

from mockserver.cli import banner, options
from mockserver.cli.running import FILTERS, RunningServer, print_json, running_command
from mockserver.http.log import has_colours
from mockserver.tools.request_line import RequestLine


@running_command(
    "requests",
    *FILTERS,
    click.Option(
        ["--last"],
        type=click.IntRange(0, 1_000),
        default=20,
        show_default=True,
        help="How many of the last requests to print.",
    ),
    click.Option(["--follow", "-f"], is_flag=True, help="Go on with new requests until Ctrl-C."),
    options.JSON,
    epilog="""\b
Examples:
  mockserver requests --provider cpg --status 401
  mockserver requests --follow""",
)
def requests(
    last: int, follow: bool, as_json: bool, url: str | None, sandbox: str, **filters: Any
) -> None:
    """Print the last requests of a running server, one line each.

    A refused request has its reason and an explanation. With --json, one line of JSON is printed
    for each.
    """
    server = RunningServer(url, sandbox)
    wanted = {name: str(value) for name, value in filters.items() if value is not None}
    events = server.stream() if follow else iter(())
    if follow:
        next(events)  # the stream is open: no request falls between the two
    shown = server.call("GET", "/requests", None, wanted | {"last": str(last)})["requests"]
    for entry in shown:
        _print(entry, as_json)
    newest = shown[-1]["n"] if shown else 0
    operations = _operations(server) if follow and "operation" in wanted else {}
    for entry in events:
        if entry and entry["n"] > newest and _matches(entry, wanted, operations):
            _print(entry, as_json)


def _operations(server: RunningServer) -> dict[str, str]:
    """Returns the operation that is each provider's main read."""
    from mockserver.providers import discover

    return {name: provider.main for name, provider in discover().items()}


def _matches(entry: Mapping[str, Any], wanted: Mapping[str, str], mains: Mapping[str, str]) -> bool:
    for name, value in wanted.items():
        main = name == "operation" and value == "balances"
        expected = mains.get(entry["provider"], "") if main else value
        if str(entry[name]) != expected:
            return False
    return True


def _print(entry: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(entry)
    else:
        line, width = _line(entry), banner.columns()
        print(line.on_terminal(width, has_colours()) if width else line.plain())
    sys.stdout.flush()


def _line(entry: Mapping[str, Any]) -> RequestLine:
    why = entry["explanation"]
    return RequestLine(
        _local_time(entry["time"]),
        entry["provider"],
        entry["method"],
        entry["target"],
        entry["status"],
        entry["reason"],
        entry["credential"],
        entry["fault"] or "",
        entry["delivery"] or "",
        entry["duration_us"],
        f"{why['rule']}. {why['fix']}" if why else "",
    )


def _local_time(instant: str) -> str:
    """Returns the time of day of an instant of the sandbox clock, in the local time zone."""
    moment = datetime.fromisoformat(instant[:19] + "+00:00").astimezone()
    fraction = instant[19:-1][1:4]
    return f"{moment:%H:%M:%S}.{fraction:0<3}"
