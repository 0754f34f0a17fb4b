"""The values that explanations are made from, and the explanation itself."""

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Protocol

from msgspec import Struct

from mockserver.model.http import Request
from mockserver.model.provider import Keyring
from mockserver.model.rule_table import Rule


class Explanation(Struct, frozen=True):
    """The first broken rule, the expected and the received value, and how to fix the request."""

    rule: str
    expected: str
    received: str
    fix: str


class LabelledKeys(Keyring, Protocol):
    """A keyring that also lists its credentials."""

    @property
    def labels(self) -> Mapping[str, Any]:
        """The credentials by label."""


class RejectedRequest(Struct, frozen=True):
    """A rejected request, with secrets; only redacted explanations may leave the engine.

    ``reason`` and ``facts`` are those of the Reject, ``auth_now`` is the auth clock in
    nanoseconds since the epoch.
    """

    request: Request
    reason: str
    facts: Mapping[str, Any]
    keyring: LabelledKeys
    quirks: Mapping[str, Any]
    auth_now: int

    @property
    def keys(self) -> list[Any]:
        """The credentials of the world, without the built-in ``reject-REASON`` ones."""
        return [key for key in self.keyring.labels.values() if not key.rejects]


Explainer = Callable[[RejectedRequest], Explanation | None]


def by_reason(explainers: Mapping[str, Explainer]) -> Explainer:
    """Returns a function that explains a reject by its reason, None where no explainer has it."""

    def explain(rejected: RejectedRequest) -> Explanation | None:
        explainer = explainers.get(rejected.reason)
        return None if explainer is None else explainer(rejected)

    return explain


def first_explanation(table: Sequence[Rule], **case: Any) -> Explanation | None:
    """Returns what the first row that matches a case says of it, or None.

    A row's test takes the case as a namespace. The texts may contain ``{member}`` of the case and
    ``{match}``, the result of the test; a text that a row lacks is that of the last row.
    """
    members, last = SimpleNamespace(**case), table[-1]
    for rule in table:
        match = rule.matches(members)
        if match:
            expected, received = rule.expected or last.expected, rule.received or last.received
            texts = (rule.name, expected, received, rule.fix or last.fix)
            return Explanation(*(text.format(match=match, **case) for text in texts))
    return None
