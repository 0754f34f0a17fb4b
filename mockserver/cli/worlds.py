"""``mockserver worlds``."""

import click

from mockserver.files import worlds as files


@click.command
def worlds() -> None:
    """List the shipped worlds."""
    for name in files.shipped():
        first_line = files.find(name).read_text(encoding="utf-8").partition("\n")[0]
        print(f"{name:8}  {first_line.lstrip('# ')}")
