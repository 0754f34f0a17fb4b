"""``mockserver check``."""

import json

import click

from mockserver.cli import options
from mockserver.errors import FileError, json_path
from mockserver.files import lookup, scenarios, strict_yaml, worlds


@click.command(params=[options.JSON], epilog="Example: mockserver check world.yaml")
@click.argument("file")
def check(file: str, as_json: bool) -> int:
    """Check a world or scenario FILE without serving it.

    Exits with 0 if it is good, with 2 if not.
    """
    try:
        kind, name, size, unit = _summary(file)
    except FileError as error:
        if not as_json:
            raise click.ClickException(str(error)) from None
        at = json_path(error.path)
        wrong = {"file": error.file, "line": error.line, "at": at, "error": error.message}
        print(json.dumps({"good": False} | wrong))
        return 2
    if as_json:
        print(json.dumps({"good": True, "file": file, "kind": kind, "name": name, unit: size}))
    else:
        print(f"{file}: {kind} {name} is good, {size} {unit}")
    return 0


def _summary(file: str) -> tuple[str, str, int, str]:
    """Returns kind, name, size and its unit of a good file or shipped name; raises FileError."""
    shipped = file in scenarios.shipped()
    data = {} if shipped else lookup.read_file(worlds.find(file), strict_yaml.load)
    if shipped or (isinstance(data, dict) and data.keys() & scenarios.MEMBERS):
        scenario = scenarios.load(file)
        return "scenario", scenario.name, len(scenario.rules), "rules"
    world = worlds.load(file)
    ledgers = [account for part in world.parts.values() for account in part.accounts.values()]
    return "world", world.name, sum(len(ledger.rows) for ledger in ledgers), "rows"
