"""Explains why a web page of another origin was refused; ``engine/cors`` refuses it."""

from mockserver.explain.text import printable
from mockserver.explain.vocabulary import Explanation
from mockserver.model.http import Request

ORIGIN_MAX = 200  # bytes of an Origin that are shown


def foreign_origin(request: Request, provider: str) -> Explanation:
    """Explains the refusal of a foreign page."""
    return Explanation(
        "foreign origin",
        "no Origin, a loopback one, or the server's own",
        origin_of(request),
        how_to_allow(provider),
    )


def origin_of(request: Request) -> str:
    """Returns the Origin of a request, printable."""
    return printable(request.header(b"origin"), ORIGIN_MAX)


def how_to_allow(provider: str) -> str:
    """Returns the sentence that says how to allow web pages."""
    return f"A web page sent this; set the quirk {provider}.cors=on, or --cors, to allow pages."
