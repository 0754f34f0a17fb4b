"""``mockserver facts``."""

import click
import msgspec

from mockserver.cli import completion, options
from mockserver.files import documents
from mockserver.files.assumptions import by_harm
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
        click.Option(
            ["--by"],
            type=options.NameChoice(["harm"]),
            help="Order by the harm if a fact is wrong, with advice how to be safe.",
        ),
        options.JSON,
    ],
    epilog="Examples: mockserver facts cpg --search signature; mockserver facts --by harm",
)
def facts(
    provider: str | None, status: str | None, search: str | None, by: str | None, as_json: bool
) -> None:
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
    entries = by_harm(entries) if by else entries
    if as_json:
        print(msgspec.json.encode(entries).decode())
        return
    for fact in entries:
        proof = f"\n    {fact.proof}" if fact.proof else ""
        harm = f", harm {fact.harm}" if by and fact.harm else ""
        advice = f"\n    {_advice(fact)}" if by and fact.harm else ""
        print(f"{fact.id}  [{fact.status}, {fact.source}{harm}]\n    {fact.fact}{advice}{proof}")


def _advice(fact: documents.Fact) -> str:
    """Returns how to be safe from an assumption that is wrong."""
    if not fact.quirks:
        return fact.advice
    quirks = ", ".join(fact.quirks)
    return f"{fact.advice} Test it: pytest --mockserver-quirks {fact.id} ({quirks})"


def _words(fact: documents.Fact) -> str:
    return "\n".join((fact.id, fact.source, fact.fact, fact.proof or "")).lower()
