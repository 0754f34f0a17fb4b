"""``mockserver facts``."""

import click
import msgspec

from mockserver.cli import options
from mockserver.files import documents
from mockserver.model import suggestions
from mockserver.providers import discover


@click.command(params=[options.JSON])
@click.argument("provider", required=False)
def facts(provider: str | None, as_json: bool) -> None:
    """List the facts about the providers' APIs, each with source and status."""
    known = list(discover())
    if provider is not None and provider not in known:
        raise click.UsageError(suggestions.unknown("provider", provider, known))
    entries = [fact for name in known if provider in (None, name) for fact in documents.facts(name)]
    if as_json:
        print(msgspec.json.encode(entries).decode())
        return
    for fact in entries:
        proof = f"\n    {fact.proof}" if fact.proof else ""
        print(f"{fact.id}  [{fact.status}, {fact.source}]\n    {fact.fact}{proof}")
