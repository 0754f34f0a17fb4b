"""``mockserver facts``."""

import click
import msgspec

from mockserver.cli import completion, options
from mockserver.files import documents
from mockserver.model import suggestions
from mockserver.providers import discover

STATUSES = ("documented", "observed", "assumed")


@click.command(
    params=[
        click.Argument(["provider"], required=False, shell_complete=completion.PROVIDERS),
        click.Option(
            ["--status"], type=options.NameChoice(STATUSES), help="Only facts of this status."
        ),
        click.Option(["--search"], metavar="TEXT", help="Only facts that contain this text."),
        options.JSON,
    ],
    epilog="Example: mockserver facts cpg --status assumed --search signature",
)
def facts(provider: str | None, status: str | None, search: str | None, as_json: bool) -> None:
    """List the facts about the providers' APIs, each with source and status.

    A text is found in upper or lower case, in the id, the source, the sentence or the proof.
    """
    known = list(discover())
    if provider is not None and provider not in known:
        raise click.UsageError(suggestions.unknown("provider", provider, known))
    entries = [
        fact
        for name in known
        if provider in (None, name)
        for fact in documents.facts(name)
        if status in (None, fact.status) and (search or "").lower() in _words(fact)
    ]
    if as_json:
        print(msgspec.json.encode(entries).decode())
        return
    for fact in entries:
        proof = f"\n    {fact.proof}" if fact.proof else ""
        print(f"{fact.id}  [{fact.status}, {fact.source}]\n    {fact.fact}{proof}")


def _words(fact: documents.Fact) -> str:
    return "\n".join((fact.id, fact.source, fact.fact, fact.proof or "")).lower()
