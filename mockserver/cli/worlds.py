"""``mockserver worlds``."""

import click

from mockserver.files import worlds as files


@click.command
def worlds() -> None:
    """List the shipped worlds."""
    for name in files.shipped():
        print(f"{name:8}  {files.about(name)}")
