"""``mockserver worlds``."""

import json

import click

from mockserver.cli import options
from mockserver.files import worlds as files


@click.command(params=[options.JSON])
def worlds(as_json: bool) -> None:
    """List the shipped worlds."""
    if as_json:
        print(json.dumps([{"name": n, "about": files.about(n)} for n in files.shipped()]))
        return
    for name in files.shipped():
        print(f"{name:8}  {files.about(name)}")
