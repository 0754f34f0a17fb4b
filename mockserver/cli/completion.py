"""``mockserver completion``, and what the shell can complete: names of what there is."""

from collections.abc import Callable, Iterable
from typing import Any

import click

SHELLS = ("bash", "zsh", "fish")
Complete = Callable[[click.Context, click.Parameter, str], list[str]]


@click.command(
    epilog="""\b
Examples:
  eval "$(mockserver completion bash)"    in ~/.bashrc
  eval "$(mockserver completion zsh)"     in ~/.zshrc
  mockserver completion fish > ~/.config/fish/completions/mockserver.fish"""
)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the script by which a SHELL completes commands and names.

    It completes commands, options, providers, worlds, scenarios, credential labels, quirks, limits
    and reasons.
    """
    from click.shell_completion import get_completion_class

    from mockserver.cli.main import cli

    kind = get_completion_class(shell)
    if kind is not None:
        print(kind(cli, {}, "mockserver", "_MOCKSERVER_COMPLETE").source())


def _completer(names: Callable[[click.Context], Iterable[str]]) -> Complete:
    """Returns a completer of names; a mistake elsewhere on the line completes nothing."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        try:
            return [name for name in names(context) if name.startswith(incomplete)]
        except (ValueError, click.ClickException):
            return []

    return complete


def _providers(context: click.Context) -> list[str]:
    from mockserver.providers import discover

    return list(discover())


def _worlds(context: click.Context) -> list[str]:
    from mockserver.files import worlds

    return worlds.shipped()


def _scenarios(context: click.Context) -> list[str]:
    from mockserver.files import scenarios

    return scenarios.shipped()


def _labels(context: click.Context) -> list[str]:
    """Returns the labels of the credentials of a world, of the provider that is given, if any."""
    from mockserver.files import worlds

    world = worlds.load(context.params.get("world") or "default")
    named = context.params.get("provider")
    parts = [part for name, part in world.parts.items() if named in (None, name)]
    return sorted({key.label for part in parts for key in part.credentials.values()})


def _settings(kind: str) -> Complete:
    """Returns a completer of ``provider.name=value``, where ``kind`` is quirks or limits."""

    def names(context: click.Context) -> Iterable[str]:
        from mockserver.providers import discover

        for provider in discover().values():
            for setting in getattr(provider, kind):
                values = getattr(setting, "choices", ()) or ("",)
                yield from (f"{provider.name}.{setting.name}={value}" for value in values)

    return _completer(names)


def _operations(context: click.Context) -> list[str]:
    return ["balances", *sorted({r.id for p in _selected(context) for r in p.routes})]


def _reasons(context: click.Context) -> list[str]:
    return sorted({reason for p in _selected(context) for reason in p.errors})


def _selected(context: click.Context) -> list[Any]:
    from mockserver.providers import discover

    named = context.params.get("provider")
    return [provider for name, provider in discover().items() if named in (None, name)]


PROVIDERS = _completer(_providers)
WORLDS = _completer(_worlds)
SCENARIOS = _completer(_scenarios)
LABELS = _completer(_labels)
OPERATIONS = _completer(_operations)
REASONS = _completer(_reasons)
QUIRKS = _settings("quirks")
LIMITS = _settings("limits")
