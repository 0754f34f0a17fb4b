"""The card as one HTML page without scripts and without other files."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from mockserver.certify.card import Card
from mockserver.certify.model import VERDICTS


def html(card: Card) -> bytes:
    """Returns the page; every text is escaped."""
    environment = Environment(
        loader=PackageLoader("mockserver.certify.reports", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    counts = {v: sum(check.verdict == v for check in card.checks) for v in VERDICTS}
    present = {verdict: count for verdict, count in counts.items() if count}
    page: str = environment.get_template("card.html.jinja").render(card=card, counts=present)
    return page.encode("utf-8", "replace")
