"""``mockserver check``."""

import click

from mockserver.errors import FileError
from mockserver.files import lookup, scenarios, strict_yaml, worlds


@click.command
@click.argument("file")
def check(file: str) -> None:
    """Check a world or scenario FILE without serving it."""
    try:
        print(f"{file}: {_summary(file)}")
    except FileError as error:
        raise click.ClickException(str(error)) from None


def _summary(file: str) -> str:
    """Returns a line about a good file or shipped name; raises FileError."""
    shipped = file in scenarios.shipped()
    data = {} if shipped else lookup.read_file(worlds.find(file), strict_yaml.load)
    if shipped or (isinstance(data, dict) and data.keys() & scenarios.MEMBERS):
        scenario = scenarios.load(file)
        return f"scenario {scenario.name} is good, {len(scenario.rules)} rules"
    world = worlds.load(file)
    ledgers = [account for part in world.parts.values() for account in part.accounts.values()]
    return f"world {world.name} is good, {sum(len(ledger.rows) for ledger in ledgers)} rows"
