"""Tables of what clients do wrong: ``explain`` interprets them, providers fill them."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct

from mockserver.model.key_placement import KeyPlacement


class Rule(Struct, frozen=True):
    """A row: the name of what is wrong, a test, the fix, what was received and expected.

    ``explain.first_explanation`` reads the texts as templates.
    """

    name: str
    matches: Callable[..., Any]
    fix: str = ""
    received: str = ""
    expected: str = ""


def first_rule(table: Iterable[Rule], *values: Any) -> Rule | None:
    """Returns the first row whose test the values pass."""
    return next((rule for rule in table if rule.matches(*values)), None)


class KeyRules(Struct, frozen=True, kw_only=True):
    """What is said of a key that is not right.

    ``places`` are where it is read, the first that is not empty counts; ``expected`` says so.
    ``misplaced`` has rule and fix by SentValue.where. ``key`` and ``secret`` are members of the
    credential, ``name`` is what the key is called.
    """

    places: tuple[KeyPlacement, ...]
    expected: str = ""
    misplaced: Mapping[str, tuple[str, str]] = {}
    key: str = "api_key"
    secret: str = ""
    name: str = "key"

    def of(self, label: str) -> str:
        """Returns the key of a label, in words."""
        return f"the {self.name} of {label}" if self.secret else f"the {self.name} {label}"
