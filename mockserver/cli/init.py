"""``mockserver init``."""

from importlib import resources
from pathlib import Path

import click

FILES = ("mockserver.toml", "world.yaml", "test_mockserver.py")


@click.command(epilog="Example: mockserver init tests/")
@click.argument("directory", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace files that are there.")
def init(directory: Path, force: bool) -> None:
    """Write a mockserver.toml, a world and a first test.

    They go into DIRECTORY, by default the current one. Each has comments.
    """
    there = [name for name in FILES if (directory / name).exists()]
    if there and not force:
        raise click.ClickException(f"{directory / there[0]} is there already: --force replaces it")
    directory.mkdir(parents=True, exist_ok=True)
    templates = resources.files("mockserver.cli") / "templates"
    for name in FILES:
        text = (templates / f"{name}.txt").read_text(encoding="utf-8")
        (directory / name).write_text(text, encoding="utf-8")
        print(f"wrote {directory / name}")
    print(f"next: python -m pytest {directory / FILES[-1]}, or mockserver serve")
