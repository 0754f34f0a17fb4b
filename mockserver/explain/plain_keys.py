"""Explains keys that are sent in plain text, by a provider's KeyRules."""

from collections.abc import Mapping

from mockserver.explain.keys import SCHEME, SentValue, match_altered_key, sent_values
from mockserver.explain.solver import Mistake, explanation_for
from mockserver.explain.text import fingerprinted
from mockserver.explain.vocabulary import Explanation, RejectedRequest
from mockserver.model.rule_table import KeyRules

UNSET = "Check that the variable that holds the key is set."
NETRC = (
    " Basic may come from ~/.netrc: requests puts it in the place of the header, unless"
    " trust_env is False."
)


def labels_by_key(rejected: RejectedRequest) -> Mapping[bytes, str]:
    """Returns the labels of the keys by key."""
    return {key.api_key.encode(): key.label for key in rejected.keys}


def explain_missing_key(rejected: RejectedRequest, rules: KeyRules) -> Explanation | None:
    """Explains a key in a wrong place, an empty place, or a login in the place of a key."""
    keys = labels_by_key(rejected)
    for sent in sent_values(rejected.request):
        match = match_altered_key(sent.value, keys, whole=True)
        if match is not None:
            mistakes = _placement_mistakes(sent, match[0], rules)
            received = f"the key {match[1]} in {sent.place}"
            return explanation_for(mistakes, rules.expected, received)
    return _explain_empty(rejected, rules) or _explain_basic(rejected, rules)


def _placement_mistakes(
    sent: SentValue, alterations: tuple[Mistake, ...], rules: KeyRules
) -> tuple[Mistake, ...]:
    schemed = {place.name.lower() for place in rules.places if place.scheme}
    if sent.where == "header" and sent.name in schemed:
        rest = (mistake for mistake in alterations if mistake is not SCHEME)
        return (Mistake(*rules.no_scheme), *rest)
    return (Mistake(*rules.misplaced[sent.where]), *alterations)


def _explain_empty(rejected: RejectedRequest, rules: KeyRules) -> Explanation | None:
    """Explains a place without a key; returns None where none was sent."""
    for place in rules.places:
        where = "header" if place.where == "header" else "parameter"
        name = place.name.lower() if where == "header" else place.name
        nothing = (b"", place.scheme.lower().encode())
        for sent in sent_values(rejected.request):
            if (sent.where, sent.name) == (where, name) and sent.value.strip().lower() in nothing:
                text = rules.empty.format(f"the {where} {place.name}")
                return Explanation("empty key", rules.expected, text, UNSET)
    return None


def _explain_basic(rejected: RejectedRequest, rules: KeyRules) -> Explanation | None:
    """Explains a login in the header where a scheme and a key belong."""
    scheme = next((place.scheme for place in rules.places if place.scheme), "")
    value = rejected.request.header(b"authorization")
    if not scheme or not value.lower().startswith(b"basic "):
        return None
    rule, fix = f"Basic in place of {scheme}", f"Send {scheme} and the key.{NETRC}"
    return Explanation(rule, rules.expected, "Basic and a login in Authorization", fix)


def explain_wrong_key(rejected: RejectedRequest, rules: KeyRules) -> Explanation | None:
    """Explains an unknown key: it hides a right one, was altered, or is a label."""
    keys = labels_by_key(rejected)
    values = [place.reader()(rejected.request) for place in rules.places]
    presented = next(filter(None, values), b"")
    other = keys.get(values[-1])
    if values[0] and other is not None:
        rule, received, fix = rules.shadowed
        text = received.format(sent=fingerprinted(values[0]), label=other)
        return Explanation(rule, rules.expected, text, fix)
    match = match_altered_key(presented, keys)
    if match is not None:
        received = f"{fingerprinted(presented)}, which is similar to it"
        return explanation_for(match[0], f"the key {match[1]}", received)
    label = presented.decode("latin-1")
    if label in keys.values():
        fix = f"Send the key itself: {label} is only its label in this mock."
        return Explanation("label for the key", f"the key {label}", f"its label {label}", fix)
    return None
