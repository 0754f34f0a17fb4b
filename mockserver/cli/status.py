"""``mockserver status``."""

from collections.abc import Mapping
from typing import Any

import click

from mockserver.cli import banner, completion, options
from mockserver.cli.running import RunningServer, print_json, running_command
from mockserver.model import suggestions

MIB = 1024 * 1024


@running_command(
    "status",
    click.Argument(["provider"], required=False, shell_complete=completion.PROVIDERS),
    options.JSON,
    epilog="Example: mockserver status cpg",
)
def status(provider: str | None, as_json: bool, url: str | None, sandbox: str) -> None:
    """Show a running server: sandboxes, clock, base URLs.

    With PROVIDER, show its base URL and its credentials in full.
    """
    server = RunningServer(url, sandbox)
    described = server.call("GET", "", None, {"full": "false"})
    if provider is not None:
        known = described["providers"]
        if provider not in known:
            raise click.UsageError(suggestions.unknown("provider", provider, known))
        _print_provider(provider, known[provider], as_json)
        return
    state = {
        "gateway": server.url,
        "health": server.server("GET", "/health"),
        "sandbox": described,
        "clock": server.call("GET", "/clock"),
        "rules": server.call("GET", "/faults")["rules"],
    }
    if as_json:
        print_json(state)
    else:
        print("\n".join(_lines(state)))


def _print_provider(name: str, provider: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(provider)
        return
    print("\n".join(banner.provider_lines(name, provider)))
    for label, credential in provider["others"].items():
        print("\n".join([f"  {label}", *(f"  {row}" for row in banner.member_lines(credential))]))


def _lines(state: Mapping[str, Any]) -> list[str]:
    health, box, clock = state["health"], state["sandbox"], state["clock"]
    memory, sandboxes = health["memory"], health["sandboxes"]
    frozen = ", frozen" if clock["frozen"] else ""
    rate = "" if clock["rate"] == 1 else f", rate {clock['rate']:g}"
    skew = "" if clock["skew"] == "0s" else f", skew {clock['skew']}"
    names = ", ".join(rule["rule"]["name"] for rule in state["rules"])
    return [
        f"gateway   {state['gateway']} {health['status']}",
        f"memory    {memory['used'] / MIB:.1f} of {memory['budget'] / MIB:.0f} MiB",
        f"sandboxes {sandboxes['count']} of {sandboxes['max']}",
        "",
        f"sandbox   {box['id']}: world {box['world']}, seed {box['seed']}",
        f"clock     {clock['now']}{frozen}{rate}{skew}",
        f"scenario  {box['scenario'] or 'none'}",
        f"rules     {names or 'none'}",
        *(f"{name:9} {provider['base_url']}" for name, provider in box["providers"].items()),
    ]
