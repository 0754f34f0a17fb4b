"""What lies beside a provider's code: its OpenAPI document and its facts."""

from functools import cache
from typing import Any

from msgspec import Struct

from mockserver.files import strict_yaml
from mockserver.providers import folder


class Fact(Struct, frozen=True, forbid_unknown_fields=True):
    """One behaviour, where it is known from, how sure it is, and the test that proves it.

    ``proof`` is a test's name below ``contract_tests``, of one row or of all.
    """

    id: str
    fact: str
    source: str
    status: str
    proof: str = ""

    def __post_init__(self) -> None:
        if self.status not in ("documented", "observed", "assumed"):
            raise ValueError("status is documented, observed or assumed")


@cache
def openapi_document(provider: str) -> dict[str, Any]:
    """Returns a provider's OpenAPI document; raises FileNotFoundError while it has none."""
    text = (folder(provider) / "openapi.yaml").read_text(encoding="utf-8")
    data: dict[str, Any] = strict_yaml.load(text)
    return data


def facts(provider: str) -> list[Fact]:
    """Returns a provider's facts, in the order of its file; none while it has no file."""
    file = folder(provider) / "facts.yaml"
    if not file.is_file():
        return []
    text = file.read_text(encoding="utf-8")
    found: list[Fact] = strict_yaml.convert(text, strict_yaml.load(text), (), list[Fact])
    return found
