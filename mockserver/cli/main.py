"""The command ``mockserver``. Every mistake is one line and exit status 2."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

import click

# Each command lives in the module of its name, which is imported when the command runs.
# Its line here is the first sentence of the command's docstring.
COMMANDS = {
    "serve": "Serve every provider until stopped.",
    "curl": "Print a signed curl line for PROVIDER's main read.",
    "explain": "Explain why a pasted request would be refused.",
    "providers": "List the providers: operations, limits, quirks, reasons.",
    "worlds": "List the shipped worlds.",
    "scenarios": "List the shipped scenarios.",
    "facts": "List the facts about the providers' APIs, each with source and status.",
    "generate": "Print a generated world, the same for the same seed.",
    "check": "Check a world or scenario FILE without serving it.",
    "schema": "Print the JSON Schema (draft 7) of a KIND of file: world, scenario or config.",
    "certify": "Grade a client: a report card of what it survives and gets wrong.",
    "trust": "Print the variables by which clients trust the HTTPS port.",
    "healthcheck": "Exit with 0 if the server at URL is healthy, with 1 if not.",
    "init": "Write a mockserver.toml, a world and a first test.",
    "completion": "Print the script by which a SHELL completes commands and names.",
}
# Those that speak to a server that runs.
RUNNING = {
    "status": "Show a running server: sandboxes, clock, base URLs.",
    "requests": "Print the last requests of a running server, one line each.",
    "reset": "Return a running server's sandbox to its initial state.",
    "clock": "Show or change the clocks of a running server.",
    "fail": "Set a fault rule on a running server, for PROVIDER or for all of them.",
    "play": "Play SCENARIO, a shipped name or a file, on a running server.",
    "stop": "Stop the scenario that plays on a running server.",
    "verify": "Count the requests that a running server received.",
    "snapshot": "Save, restore, fork and export the state of a running server.",
    "export": "Print the present state of a running server as a world file.",
}


class CommandGroup(click.Group):
    """The commands by name. ``--help`` reads the tables above and imports none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the names, as help lists them."""
        return [*COMMANDS, *RUNNING]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports a command; returns None for an unknown name."""
        if cmd_name not in COMMANDS and cmd_name not in RUNNING:
            return None
        command: click.Command = getattr(import_module(f"mockserver.cli.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the section of the commands."""
        for title, commands in (("Commands", COMMANDS), ("With a running server", RUNNING)):
            with formatter.section(title):
                formatter.write_dl(list(commands.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Finds the command; raises UsageError that names the nearest one."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            from mockserver.model import suggestions

            raise click.UsageError(suggestions.unknown("command", name, self.list_commands(ctx)))
        return super().resolve_command(ctx, args)


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="exchange-mockserver")
def cli() -> None:
    """Serve a fake exchange: balance APIs with their real authentication and rejects."""
    if any(name.startswith("MOCKSERVER_") for name in os.environ):
        from mockserver.cli import variables

        variables.check_names(os.environ)


def main(args: Sequence[str] | None = None, prog_name: str | None = None) -> NoReturn:
    """Runs the command line."""
    _open_closed_streams()
    try:
        status = cli.main(args, prog_name=prog_name, standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(2)
    except click.ClickException as error:
        _fail(_message(error))
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        _discard(sys.stdout)
        sys.exit(0)
    except OSError as error:
        _discard(sys.stdout)
        _fail(str(error) if error.filename else f"cannot write to stdout: {error.strerror}")
    sys.exit(status if isinstance(status, int) else 0)


def _open_closed_streams() -> None:
    """Opens standard descriptors that the caller closed, so that no socket gets their number."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _fail(message: str) -> NoReturn:
    """Writes one line to stderr, if it can be written, and exits with status 2."""
    try:
        click.echo(f"mockserver: {message}", err=True)
    except OSError:
        _discard(sys.stderr)
    sys.exit(2)


def _discard(stream: Any) -> None:
    """Redirects a stream to the null device, so that flushing it at exit raises no error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _message(error: click.ClickException) -> str:
    """Returns an error in one line; a wrong value from the environment names its variable."""
    from mockserver.cli import variables

    if isinstance(error, click.BadParameter) and error.ctx and error.param:
        variable = variables.source_of(error.ctx, error.param.name or "")
        if variable:
            return variables.wrong_value(variable, error.message)
    return error.format_message()
