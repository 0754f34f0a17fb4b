"""``mockserver verify``."""

from collections.abc import Mapping
from typing import Any

import click

from mockserver.cli import completion, options
from mockserver.cli.running import FILTERS, RunningServer, print_json, running_command
from mockserver.errors import ControlError

NUMBERS = ("exactly", "at_least", "at_most")
COUNT = click.IntRange(0)


@running_command(
    "verify",
    *FILTERS,
    click.Option(["--method"], help="Only this method."),
    click.Option(["--target"], help="Only this path, with or without its query."),
    click.Option(
        ["--credential"],
        shell_complete=completion.LABELS,
        help="Only requests of the key with this label.",
    ),
    click.Option(
        ["--header"],
        multiple=True,
        metavar="NAME=VALUE",
        help="Only requests with this header. May be given several times.",
    ),
    click.Option(["--exactly"], type=COUNT, help="The expected number."),
    click.Option(["--at-least"], type=COUNT, help="The least expected number. Default: 1."),
    click.Option(["--at-most"], type=COUNT, help="The largest expected number."),
    options.JSON,
    epilog="Example: mockserver verify --provider cpg --reason rate_limited --at-most 2",
)
def verify(as_json: bool, url: str | None, sandbox: str, **given: Any) -> int:
    """Count the requests that a running server received.

    Exits with 0 if the number is as expected, with 1 if not.
    """
    server = RunningServer(url, sandbox)
    body = _body(given)
    try:
        result = server.call("POST", "/requests/verify", body)
    except ControlError as error:
        if as_json:
            print_json(error.body)
        else:
            for line in (
                f"{_counted(error.facts['count'])}, expected {_expected(body)}",
                *_nearest(error),
            ):
                print(line)
        return 1
    if as_json:
        print_json(result)
    else:
        print(_counted(result["count"]))
    return 0


def _body(given: Mapping[str, Any]) -> dict[str, Any]:
    members = {name: value for name, value in given.items() if value not in (None, ())}
    numbers = {name: members.pop(name) for name in NUMBERS if name in members}
    for text in members.get("header", ()):
        if "=" not in text:
            raise click.UsageError(f"--header {text}: write NAME=VALUE")
    if "header" in members:
        members["header"] = dict(text.split("=", 1) for text in members["header"])
    return {"match": members, **(numbers or {"at_least": 1})}


def _counted(count: int) -> str:
    return "1 request matches" if count == 1 else f"{count} requests match"


def _expected(body: Mapping[str, Any]) -> str:
    return ", ".join(f"{n.replace('_', ' ')} {body[n]}" for n in NUMBERS if n in body)


def _nearest(error: ControlError) -> list[str]:
    """Returns a line for each of the nearest requests, with what differs."""
    lines = []
    for miss in error.facts["nearest"]:
        entry, differs = miss["request"], miss["differs"].items()
        what = ", ".join(f"{k} is {v['found']}, not {v['wanted']}" for k, v in differs)
        lines.append(f"  {entry['provider']} {entry['method']} {entry['target']}: {what}")
    return lines
