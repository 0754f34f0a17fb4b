"""``mockserver play``."""

import click

from mockserver.cli import completion, options
from mockserver.cli.fail import print_rules
from mockserver.cli.running import RunningServer, running_command
from mockserver.errors import MockServerError


@running_command(
    "play",
    click.Argument(["scenario"], shell_complete=completion.SCENARIOS),
    options.JSON,
    epilog="Example: mockserver play rate-limit-storm",
)
def play(scenario: str, as_json: bool, url: str | None, sandbox: str) -> None:
    """Play SCENARIO, a shipped name or a file, on a running server.

    It replaces the scenario that plays. `mockserver scenarios` lists the shipped ones.
    """
    from mockserver.client.fault_keywords import scenario_body

    try:
        body = scenario_body(scenario)
    except MockServerError as error:
        raise click.UsageError(str(error)) from None
    print_rules(RunningServer(url, sandbox).call("PUT", "/scenario", body), as_json)
