"""``mockserver certify``: a report card for a client in any language."""

import os
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
REPORTS = ("junit", "json", "html", "badge")
EXTRA = "python -m pip install 'exchange-mockserver[certify]'"
TIME_LIMIT = 20
WAIT_LIMIT = 3600  # seconds; a person takes their time


def _report(name: str, about: str) -> Callable[[Any], Any]:
    help_text = f"Write {about} to FILE."
    return click.option(f"--{name}", f"{name}_file", metavar="FILE", help=help_text)


@click.command(
    context_settings={"allow_interspersed_args": False},
    epilog="Example: mockserver certify --provider cpg -- python my_client.py",
)
@click.option("--provider", default="", help="Provider of the client, e.g. cpg.")
@click.option("--only", multiple=True, metavar="ID,...", help="Run these checks. Repeatable.")
@click.option("--skip", multiple=True, metavar="ID=REASON", help="Leave a check out. Repeatable.")
@click.option("--list", "listing", is_flag=True, help="List the checks and exit.")
@click.option("--seed", default=490, show_default=True, type=int, help="Seed of the sandboxes.")
@click.option("--expected-failures", metavar="FILE", help="YAML file of reasons by check id.")
@click.option("--requirements", metavar="DATE", help="Set that scores. Default: the newest.")
@click.option(
    "--time-limit",
    default=TIME_LIMIT,
    show_default=True,
    type=click.IntRange(1, 600),
    help="Seconds for each run of the client.",
)
@click.option("--fail-fast", is_flag=True, help="Stop at the first must that fails.")
@_report("junit", "JUnit XML")
@_report("json", "the card as JSON")
@_report("html", "the card as one HTML page")
@_report("badge", "the JSON of a badge")
@click.option("--wait", is_flag=True, help="Wait for a client that you start by hand.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def certify(command: Sequence[str], **flags: Any) -> None:
    """Grade a client: a report card of what it survives and gets wrong.

    COMMAND, behind --, reads MOCKSERVER_BASE_URL and the credentials from its environment and
    prints its balances as a JSON array; or it is module:function of a Python function. See
    docs/guides/certify.md. Exit status: 0 if every must passes, 1 if not, 2 for wrong use.
    """
    from mockserver.errors import SettingError

    try:
        status = _certify(list(command), flags)
    except (SettingError, ValueError) as error:
        raise click.UsageError(str(error)) from None
    sys.exit(status)


def _certify(command: list[str], flags: dict[str, Any]) -> int:
    """Runs the suite and writes the reports; returns the exit status."""
    from mockserver.certify import scoring
    from mockserver.certify.card import card
    from mockserver.certify.reports import terminal
    from mockserver.certify.run import Options
    from mockserver.model.suggestions import unknown
    from mockserver.providers import discover

    provider = flags["provider"]
    if not provider:
        raise click.UsageError(f"expected --provider, one of {', '.join(discover())}")
    if provider not in discover():
        raise click.UsageError(unknown("provider", provider, discover()))
    only = [id for ids in flags["only"] for id in ids.replace(" ", "").split(",")]
    checks = scoring.selected(provider, only)
    requirements = scoring.requirements(flags["requirements"] or "")
    if flags["listing"]:
        _list(provider, checks, requirements.levels)
        return 0
    skip = dict(map(_skip, flags["skip"]))
    expected_file = flags["expected_failures"]
    expected = scoring.expected_failures(expected_file) if expected_file else {}
    writers = _writers(flags)
    client = _client(command, flags["wait"])
    options = Options(
        provider=provider,
        requirements=requirements,
        seed=flags["seed"],
        time_limit=WAIT_LIMIT if flags["wait"] else flags["time_limit"],
        skip=skip,
        expected=expected,
        fail_fast=flags["fail_fast"],
    )
    begin = time.monotonic()
    progress = terminal.Progress(sys.stderr, len(checks))
    results = _results(client, options, checks, progress)
    progress.close()
    done = card(results, client, provider, requirements, flags["seed"], time.monotonic() - begin)
    colours = terminal.colours_wanted(sys.stdout, os.environ.get("NO_COLOR"))
    print(terminal.table(done, colours))
    for id in scoring.stale(results, expected):
        print(f"{id} passes, but {expected_file} lists it: remove the line")
    for file, write in writers:
        Path(file).write_bytes(write(done))
    return scoring.exit_status(results, expected)


def _list(provider: str, checks: list[Any], levels: Mapping[str, str]) -> None:
    """Prints the checks with the level that each has in the set, and how many there are."""
    print(f"{'level':<7}{'check':<34}meaning")
    for check in checks:
        print(f"{levels.get(check.id, 'new'):<7}{check.id:<34}{check.about}")
    print(f"{provider}: {len(checks)} checks")


def _results(client: Any, options: Any, checks: list[Any], progress: Any) -> Any:
    """Runs the checks against a server of their own."""
    from mockserver.certify.run import Suite
    from mockserver.client.server import MockServer

    with MockServer() as server:
        return Suite(server, client, options).run(checks, progress)


def _client(command: list[str], wait: bool) -> Any:
    """Returns the client under test."""
    from mockserver.certify.clients.command import CommandClient
    from mockserver.certify.clients.function import FunctionClient, load
    from mockserver.certify.clients.person import PersonClient

    if wait:
        if command:
            raise click.UsageError("--wait is for a client that you start: leave COMMAND out")
        return PersonClient(_ask)
    if not command:
        raise click.UsageError("expected a command behind --, as in -- node client.js, or --wait")
    if len(command) == 1 and FUNCTION.fullmatch(command[0]):
        return FunctionClient(load(command[0]), command[0])
    return CommandClient(command)


def _ask(text: str) -> str:
    print(text, flush=True)
    return sys.stdin.readline()


def _skip(text: str) -> tuple[str, str]:
    """Parses ``ID=REASON``."""
    from mockserver.certify.scoring import known_id

    id, equals, reason = text.partition("=")
    if not equals or not reason.strip():
        raise click.UsageError(f"--skip {text}: expected ID=REASON, as in no-holdings=issue 12")
    return known_id(id), reason


def _writers(flags: dict[str, Any]) -> list[tuple[str, Callable[[Any], bytes]]]:
    """Returns the files to write, each with the function that makes its content."""
    from importlib import import_module

    writers = []
    for name in REPORTS:
        file = flags[f"{name}_file"]
        if not file:
            continue
        if not Path(file).absolute().parent.is_dir():
            raise click.UsageError(f"--{name} {file}: there is no such folder")
        if name == "badge" and not file.endswith(".json"):
            raise click.UsageError(f"--badge {file}: it writes JSON, expected a name in .json")
        if name == "json":
            writers.append((file, lambda done: done.json()))
            continue
        try:
            module = import_module(f"mockserver.certify.reports.{name}")
        except ModuleNotFoundError as error:
            raise click.UsageError(f"--{name} needs {error.name}: {EXTRA}") from None
        writers.append((file, getattr(module, name)))
    return writers
