"""Explains keys that are in a wrong place, altered, or another's."""

from collections.abc import Callable, Iterator, Mapping

from mockserver.explain.keys import KEY_MAX, SCHEME, match_altered_key
from mockserver.explain.sent_values import SentValue, candidates, sent_values
from mockserver.explain.solver import Mistake, explanation_for
from mockserver.explain.text import fingerprinted
from mockserver.explain.vocabulary import Explanation, RejectedRequest
from mockserver.model import jwt
from mockserver.model.provider import Provider
from mockserver.model.rule_table import KeyRules

UNSET = "Check that the variable that holds the key is set."
NETRC = (
    " Basic may come from ~/.netrc: requests puts it in the place of the header, unless"
    " trust_env is False."
)

OwnerOf = Callable[[bytes], str]  # the owner of a credential in words, "" for an unknown one


def labels_by_key(rejected: RejectedRequest, member: str) -> Mapping[bytes, str]:
    """Returns the labels of the keys by one of their members, such as ``api_key``."""
    return {getattr(key, member).encode(): key.label for key in rejected.keys}


# Credentials of another provider or sandbox


def foreign_key(
    rejected: RejectedRequest, provider: Provider, owner_of: OwnerOf
) -> Explanation | None:
    """Explains a foreign credential; None where there is none, or one of our own beside it."""
    own = {getattr(key, provider.key).encode() for key in rejected.keyring.labels.values()}
    places = {
        value: place
        for sent in candidates(rejected.request)
        for place, value in _possible_keys(sent)
        if 0 < len(value) <= KEY_MAX
    }
    if not own.isdisjoint(places):
        return None
    for value, place in places.items():
        owner = owner_of(value)
        if owner:
            return Explanation(
                "foreign credential",
                "a key of this provider in this sandbox",
                f"{fingerprinted(value)} in {place}, which is {owner}",
                f"Send a key of this sandbox: this one is {owner}.",
            )
    return None


def _possible_keys(sent: SentValue) -> Iterator[tuple[str, bytes]]:
    """Yields the place in words and the value: whole, after a scheme, and the id in a token."""
    _, space, rest = sent.value.partition(b" ")
    token = rest.strip() if space else sent.value
    yield from ((sent.place, sent.value), (sent.place, token))
    if token.count(b".") == 2:
        try:
            yield f"the kid of the token in {sent.place}", jwt.read(token).header["kid"].encode()
        except (ValueError, KeyError, AttributeError):
            return


# Keys in a wrong place


def explain_missing_key(rejected: RejectedRequest, rules: KeyRules) -> Explanation | None:
    """Explains a key in a wrong place, an empty place, or a login in the place of a key."""
    keys = labels_by_key(rejected, rules.key)
    for sent in candidates(rejected.request):
        match = match_altered_key(sent.value, keys, whole=True)
        if match is not None:
            mistakes = _placement_mistakes(sent, match[0], rules)
            received = f"the key {match[1]} in {sent.place}"
            return explanation_for(mistakes, rules.expected, received)
    return _explain_empty(rejected, rules) or _explain_basic(rejected, rules)


def _placement_mistakes(
    sent: SentValue, alterations: tuple[Mistake, ...], rules: KeyRules
) -> tuple[Mistake, ...]:
    for place in rules.places:
        if place.scheme and sent.is_at(place):
            fix = f"Write the word {place.scheme} and one space before the key."
            rest = (mistake for mistake in alterations if mistake is not SCHEME)
            return (Mistake(f"no {place.scheme}", fix), *rest)
    return (Mistake(*rules.misplaced[sent.where]), *alterations)


def _explain_empty(rejected: RejectedRequest, rules: KeyRules) -> Explanation | None:
    """Explains a place without a key; returns None where none was sent."""
    for sent in sent_values(rejected.request):
        for place in rules.places:
            nothing = (b"", place.scheme.lower().encode())
            if sent.is_at(place) and sent.value.strip().lower() in nothing:
                received = f"nothing in the {sent.where} {place.name}"
                return Explanation(f"empty {rules.name}", rules.expected, received, UNSET)
    return None


def _explain_basic(rejected: RejectedRequest, rules: KeyRules) -> Explanation | None:
    """Explains a login in the header where a scheme and a key belong."""
    scheme = next((place.scheme for place in rules.places if place.scheme), "")
    value = rejected.request.header(b"authorization")
    if not scheme or not value.lower().startswith(b"basic "):
        return None
    rule, fix = f"Basic in place of {scheme}", f"Send {scheme} and the key.{NETRC}"
    return Explanation(rule, rules.expected, "Basic and a login in Authorization", fix)


# Unknown keys


def explain_unknown_key(rejected: RejectedRequest, rules: KeyRules) -> Explanation | None:
    """Explains an unknown key: it hides a right one, or is what ``explain_altered_key`` knows."""
    keys = labels_by_key(rejected, rules.key)
    values = [place.reader()(rejected.request) for place in rules.places]
    presented = next(filter(None, values), b"")
    if presented != values[-1] and values[-1] in keys:
        first, last = rules.places[0], rules.places[-1]
        label = keys[values[-1]]
        received = f"{fingerprinted(presented)} in {first.text}, the key {label} in {last.text}"
        fix = f"Omit {first.text}, or send the right key in it."
        return Explanation(f"{first.name} before {last.name}", rules.expected, received, fix)
    return explain_altered_key(rejected, rules, presented)


def explain_altered_key(
    rejected: RejectedRequest, rules: KeyRules, presented: bytes
) -> Explanation | None:
    """Explains a value that is an altered key, a secret, or a label."""
    keys, name = labels_by_key(rejected, rules.key), rules.name
    match = match_altered_key(presented, keys)
    if match is not None:
        received = f"{fingerprinted(presented)}, which is similar to it"
        return explanation_for(match[0], rules.of(match[1]), received)
    secrets = labels_by_key(rejected, rules.secret) if rules.secret else {}
    match = match_altered_key(presented, secrets)
    if match is not None:
        fix = f"Send the {name}; never send the secret, only sign with it."
        mistakes = (Mistake(f"secret for the {name}", fix), *match[0])
        received = f"{fingerprinted(presented)}, the {rules.secret} of the key {match[1]}"
        return explanation_for(mistakes, rules.of(match[1]), received)
    label = presented.decode("latin-1")
    if label in keys.values():
        fix = f"Send the {name} itself: {label} is only its label in this sandbox."
        return Explanation(f"label for the {name}", rules.of(label), f"its label {label}", fix)
    return None
