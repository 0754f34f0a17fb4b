"""``mockserver scenarios``."""

import json

import click

from mockserver.cli import options
from mockserver.files import scenarios as files


@click.command(params=[options.JSON])
def scenarios(as_json: bool) -> None:
    """List the shipped scenarios.

    Each with what happens in it, and what a good client does.
    """
    loaded = [files.load(name) for name in files.shipped()]
    if as_json:
        rows = [{"name": s.name, "about": s.about, "client": s.client} for s in loaded]
        print(json.dumps(rows))
        return
    for scenario in loaded:
        print(f"{scenario.name}\n    {scenario.about}\n    A good client: {scenario.client}")
