"""The assumed facts that would do the most harm if they were wrong, and their alternatives."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from mockserver.errors import SettingError
from mockserver.files.documents import ASSUMED, Fact, facts
from mockserver.model.suggestions import unknown

ALL = "all"
HARMFUL_MAX = 20  # assumptions that ``all`` means


class Alternative(Struct, frozen=True):
    """Another behaviour than an assumed one: a quirk that is set."""

    fact: Fact
    quirk: str
    value: str

    @property
    def id(self) -> str:
        """The assumption and the setting, as in the id of a test."""
        return f"{self.fact.id}:{self.quirk}={self.value}"

    @property
    def settings(self) -> dict[str, str]:
        """The quirk, as a sandbox takes it."""
        return {self.quirk: self.value}


def by_harm(entries: Iterable[Fact]) -> list[Fact]:
    """Returns facts in the order of the harm that a wrong one does, the most harmful first."""
    return sorted(entries, key=lambda fact: -fact.harm)


def with_alternatives(providers: Iterable[str]) -> list[Fact]:
    """Returns the assumed facts that have alternatives, the most harmful first."""
    assumed = (fact for name in providers for fact in facts(name) if fact.status == ASSUMED)
    return by_harm(fact for fact in assumed if fact.quirks)


def alternatives(text: str, providers: Iterable[str]) -> list[Alternative]:
    """Returns the alternatives of ``all``, or of facts and quirks by name, separated by commas.

    Raises SettingError for an unknown name.
    """
    known = with_alternatives(providers)
    if text == ALL:
        return [one for fact in known[:HARMFUL_MAX] for one in _of(fact)]
    chosen: dict[str, Alternative] = {}
    for name in text.split(","):
        named = [a for fact in known for a in _of(fact) if name.strip() in (fact.id, a.quirk)]
        if not named:
            raise SettingError(unknown("assumption", name.strip(), _names(known)))
        chosen |= {alternative.id: alternative for alternative in named}
    return [*chosen.values()]


def _of(fact: Fact) -> list[Alternative]:
    pairs = (quirk.partition("=") for quirk in fact.quirks)
    return [Alternative(fact, name, value) for name, _, value in pairs]


def _names(known: Sequence[Fact]) -> list[str]:
    quirks: Mapping[str, None] = {a.quirk: None for fact in known for a in _of(fact)}
    return [ALL, *(fact.id for fact in known), *quirks]
