"""``mockserver providers``."""

import json
from typing import Any

import click

from mockserver.cli import options
from mockserver.control.sandboxes import describe
from mockserver.providers import discover


@click.command(params=[options.JSON], epilog="Example: mockserver providers --json")
def providers(as_json: bool) -> None:
    """List the providers: operations, limits, quirks, reasons."""
    descriptions = {name: describe(provider) for name, provider in discover().items()}
    if as_json:
        print(json.dumps(descriptions))
        return
    for name, description in descriptions.items():
        print("\n".join(_lines(name, discover()[name].base_path, description)))


def _lines(name: str, base_path: str, description: dict[str, Any]) -> list[str]:
    """Returns a provider's description as lines of text."""
    operations = description["operations"]
    lines = [f"{name}: {description['title']}"]
    lines += [f"  {o['method']:6} {base_path}{o['path']}  ({o['id']})" for o in operations]
    limits = ", ".join(f"{name}.{limit} {text}" for limit, text in description["limits"].items())
    lines.append(f"  limits: {limits}")
    for key, quirk in description["quirks"].items():
        choices = f" ({' | '.join(quirk['choices'])})" if quirk["choices"] else ""
        lines.append(f"  quirk {name}.{key}={quirk['default']}{choices}: {quirk['about']}")
    return [*lines, "  reasons: " + ", ".join(description["reasons"])]
