"""``mockserver scenarios``."""

import click

from mockserver.files import scenarios as files


@click.command
def scenarios() -> None:
    """List the shipped scenarios.

    Each with what happens in it, and what a good client does.
    """
    for name in files.shipped():
        scenario = files.load(name)
        print(f"{name}\n    {scenario.about}\n    A good client: {scenario.client}")
