"""``mockserver clock``."""

from collections.abc import Mapping
from typing import Any

import click

from mockserver.cli import options
from mockserver.cli.running import RunningServer, print_json, running_command
from mockserver.model import suggestions

# Changes that take a value, with the member of the control API that each sets.
VALUED = {
    "advance": "advance",
    "set": "set",
    "rate": "rate",
    "skew": "skew",
    "skew-to": "auth_time",
}
SWITCHES = {"freeze": True, "unfreeze": False}
CHANGES = (*VALUED, *SWITCHES)


@running_command(
    "clock",
    click.Argument(["change"], required=False, shell_complete=lambda c, p, i: _changes(i)),
    click.Argument(["value"], required=False),
    options.JSON,
    context_settings={"ignore_unknown_options": True},  # -400s is a duration
    epilog="""\b
Examples:
  mockserver clock advance 61s
  mockserver clock set 2027-01-01T00:00:00Z
  mockserver clock skew -400s""",
)
def clock(
    change: str | None, value: str | None, as_json: bool, url: str | None, sandbox: str
) -> None:
    """Show or change the clocks of a running server.

    CHANGE is advance DURATION, set INSTANT, rate FACTOR or freeze and unfreeze for the sandbox
    clock, skew DURATION or skew-to INSTANT for the auth clock.
    """
    server = RunningServer(url, sandbox)
    if change is None:
        shown = server.call("GET", "/clock")
    else:
        shown = server.call("POST", "/clock", _body(change, value))
    if as_json:
        print_json(shown)
    else:
        print("\n".join(f"{name:9} {_text(value)}" for name, value in shown.items()))


def _body(change: str, value: str | None) -> Mapping[str, Any]:
    """Returns the body of a change; raises UsageError."""
    if change in SWITCHES:
        if value is not None:
            raise click.UsageError(f"{change} takes no value, not {value!r}")
        return {"freeze": SWITCHES[change]}
    if change not in VALUED:
        raise click.UsageError(suggestions.unknown("change", change, CHANGES))
    if value is None:
        raise click.UsageError(f"{change} takes a value: {EXAMPLES[change]}")
    if change != "rate":
        return {VALUED[change]: value}
    try:
        return {"rate": float(value)}
    except ValueError:
        raise click.UsageError(f"rate takes a number, such as 60, not {value!r}") from None


EXAMPLES = {
    "advance": "61s",
    "set": "2027-01-01T00:00:00Z",
    "rate": "60",
    "skew": "-400s",
    "skew-to": "2027-01-01T00:00:00Z",
}


def _changes(incomplete: str) -> list[str]:
    return [name for name in CHANGES if name.startswith(incomplete)]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
