"""The data files of a provider: its OpenAPI document and its facts."""

from functools import cache
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mockserver.files import strict_yaml
from mockserver.files.advice import theme_of
from mockserver.model.typed_data import convert
from mockserver.providers import folder

ASSUMED = "assumed"


class Fact(Struct, frozen=True, forbid_unknown_fields=True):
    """One behaviour of a real API.

    ``source`` names where it is known from; ``status`` is ``documented``, ``observed`` or
    ``assumed``; ``proof`` is the pytest id of a test below ``contract_tests``. ``code`` is empty
    where a line with the comment ``# fact: ID`` does what the fact says; else it is ``none:`` and
    the reason why no line does.

    The rest is about an assumed fact alone: ``harm`` (1 to 100) if it is wrong, ``advice`` to be
    safe, and ``quirks``, each as ``NAME=VALUE``, with which the server behaves in another way.
    """

    id: str
    fact: str
    source: str
    status: str
    proof: str = ""
    code: str = ""
    harm: int = 0
    advice: str = ""
    quirks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.status not in ("documented", "observed", "assumed"):
            raise ValueError("status is documented, observed or assumed")
        if self.code and not self.code.startswith("none: "):
            raise ValueError("code is absent, or none: and a reason")
        if self.status != ASSUMED and (self.harm or self.advice or self.quirks):
            raise ValueError("harm, advice and quirks are for assumed facts")


@cache
def openapi_document(provider: str) -> dict[str, Any]:
    """Returns a provider's OpenAPI document; raises FileNotFoundError where there is none."""
    text = (folder(provider) / "openapi.yaml").read_text(encoding="utf-8")
    data: dict[str, Any] = strict_yaml.load(text)
    return data


def facts(provider: str) -> list[Fact]:
    """Returns a provider's facts in the order of its file; empty without a file."""
    file = folder(provider) / "facts.yaml"
    if not file.is_file():
        return []
    text = file.read_text(encoding="utf-8")
    with strict_yaml.located(text):
        rows: list[Fact] = convert(strict_yaml.load(text), list[Fact])
    return [_completed(provider, fact) if fact.status == ASSUMED else fact for fact in rows]


def _completed(provider: str, fact: Fact) -> Fact:
    """Returns an assumed fact with harm and advice, and with the full names of its quirks."""
    theme = theme_of(fact.id)
    quirks = tuple(f"{provider}.{quirk}" for quirk in fact.quirks)
    advice = fact.advice or theme.advice
    return replace(fact, harm=fact.harm or theme.harm, advice=advice, quirks=quirks)
