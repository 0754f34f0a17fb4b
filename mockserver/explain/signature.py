"""Explains a wrong signature of a recipe: finds the known mistakes that reproduce it."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from msgspec.structs import replace

from mockserver.explain.attempts import (
    BY_SIZE,
    NAMES,
    Attempt,
    Part,
    digest,
    form_of,
    leaves,
    message,
    right_attempts,
)
from mockserver.explain.digests import WRITING, digest_of
from mockserver.explain.parameter_mistakes import parameter_mistakes, plain_text
from mockserver.explain.part_mistakes import Fixes, algorithm_text, part_mistakes
from mockserver.explain.solver import TRIES_MAX, Mistake, explanation_for, solve
from mockserver.explain.text import fingerprinted, highlight_diff, printable, redact_secrets
from mockserver.explain.vocabulary import Explanation, RejectedRequest
from mockserver.model.http import Request
from mockserver.model.query import raw_pairs
from mockserver.model.redaction import is_secret_name
from mockserver.model.signing_recipe import ALGORITHMS, Hashed, SigningRecipe

MESSAGE_MAX = 8 * 1024  # bytes of a canonical string on which mistakes are tried
HASHED_MAX = 1024 * 1024  # bytes that are hashed for one explanation
KEYS_MAX = 64  # keys whose values are redacted
VALUES_MAX = 64  # values with a secret's name that are redacted
CUT_SHARE = 4  # a signature of at least 1/CUT_SHARE of the digits is recognised as cut short
CUT_MIN = 12  # digits of it

UNKNOWN = "no known mistake reproduces this signature"
TOO_LONG = "a signature of a string that is too long to try known mistakes on"
CUT, LONGER = "signature cut short", "more than the signature"
CASES = {"hex": "lower", "HEX": "upper"}

Solution = tuple[tuple[Mistake, ...], Attempt]


def explain_signature(
    rejected: RejectedRequest,
    recipe: SigningRecipe,
    credential: Any,
    signature: bytes,
    own: tuple[Mistake, ...] = (),
) -> Explanation:
    """Returns the mistakes that reproduce the signature, or says that none is known.

    ``own`` are mistakes that only this provider's clients make.
    """
    any_case = rejected.quirks.get("signature_case") == "any"
    case = "any" if any_case else CASES.get(recipe.written, recipe.written)
    writing, raw = digest_of(signature, case.encode())
    rights = right_attempts(rejected, recipe, credential)
    table = (part_mistakes if recipe.parts else parameter_mistakes)(recipe, own)
    solution = _solve(rights, table, raw) if raw else None
    if solution is None:
        mistakes, client = _partial(rights, signature)
    else:
        mistakes, client = solution
        mistakes = mistakes if client.text else (*writing, *mistakes)
    right = next(right for right in rights if right.of is client.of)
    secrets = secret_labels(rejected, recipe)
    if not mistakes:
        return _unsolved(right, signature, raw, secrets)
    expected, received = _message_diff(right, client, secrets)
    for expected_part, received_part in _other_differences(right, client, mistakes):
        expected, received = f"{expected}; {expected_part}", f"{received}; {received_part}"
    if expected == received:
        names = " + ".join(mistake.name for mistake in mistakes)
        expected, received = f"{expected}; exactly as sent", f"{received}; {names}"
    return explanation_for(mistakes, expected, received)


# The solution


def _solve(rights: Sequence[Attempt], table: Sequence[Mistake], raw: bytes) -> Solution | None:
    """Returns the mistakes that reproduce a digest; its size names the algorithm."""
    recipe = rights[0].of.recipe
    starts = [start for right in rights for start in _by_size(right, len(raw))]
    work = max(map(_work, rights))
    if max(len(message(right)) for right in rights) > MESSAGE_MAX:
        return None
    for start in starts:
        if digest(start) == raw:
            return _algorithm_mistake(recipe, start), start
    tries = min(TRIES_MAX - len(starts) - len(rights), HASHED_MAX // (work + 1))
    solution = solve(starts[0], table, lambda a: digest(a) == raw, *starts[1:], tries=tries)
    return solution and ((*_algorithm_mistake(recipe, solution[1]), *solution[0]), solution[1])


def _work(attempt: Attempt) -> int:
    """Returns the bytes that an attempt hashes, but for those whose digests are cached."""
    several = [p for p in attempt.parts if isinstance(p, Hashed) and len(p.parts) > 1]
    return len(message(attempt)) + sum(len(content) for _, content in leaves(several))


def _by_size(right: Attempt, size: int) -> list[Attempt]:
    """Returns what is right but for the algorithm, whose digests have this size.

    In the place of a plain hash it may be an HMAC.
    """
    if size == ALGORITHMS[right.algorithm]:
        return [right]
    other = replace(right, algorithm=BY_SIZE[size])
    if right.construction == "HMAC":
        return [other]
    keyed = replace(other, construction="HMAC")
    return [replace(keyed, place="nowhere"), keyed, other]


def _algorithm_mistake(recipe: SigningRecipe, client: Attempt) -> tuple[Mistake, ...]:
    """Returns the mistake of another size of digests; none where another scheme was used."""
    if ALGORITHMS[client.algorithm] == ALGORITHMS[recipe.algorithm] or client.text:
        return ()
    if recipe.is_hmac:
        names = NAMES[client.algorithm], NAMES[recipe.algorithm]
    else:
        names = _algorithm_name(client), algorithm_text(recipe)
    return (Mistake(f"{names[0]} for {names[1]}", _algorithm_fix(recipe)),)


def _algorithm_fix(recipe: SigningRecipe) -> str:
    return Fixes(recipe).hmac if recipe.is_hmac else plain_text(recipe)


def _partial(rights: Sequence[Attempt], signature: bytes) -> Solution:
    """Recognises a right signature that is truncated, or has something added."""
    signature = signature.lower()
    for right in rights:
        whole = digest(right).hex().encode()
        digits = f"{len(whole)} hex digits."
        shortest = max(CUT_MIN, len(whole) // CUT_SHARE)
        if shortest <= len(signature) < len(whole) and whole.startswith(signature):
            return (Mistake(CUT, f"Send the whole signature: {digits}"),), right
        if signature != whole and whole in signature:
            return (Mistake(LONGER, f"Send the signature alone: {digits}"),), right
    return (), rights[0]


# Texts of the explanation


def secret_labels(rejected: RejectedRequest, recipe: SigningRecipe) -> dict[str, str]:
    """Returns labels by secret: of keys, and of values with a secret's name."""
    request: Request = rejected.request
    pairs = [*request.headers, *raw_pairs(request.query), *raw_pairs(form_of(request))]
    values = (value.decode("utf-8", "replace") for name, value in pairs if is_secret_name(name))
    labels = dict.fromkeys(islice(values, VALUES_MAX), "value")
    presented, keys = recipe.key_at.reader()(request), rejected.keys
    callers = [key for key in keys if getattr(key, recipe.key).encode() == presented]
    for key in (*keys[:KEYS_MAX], *callers):
        labels[getattr(key, recipe.secret)] = f"{key.label} {recipe.secret}"
        labels[getattr(key, recipe.key)] = f"{key.label} {recipe.key}"
    return labels


def _message_diff(right: Attempt, client: Attempt, secrets: Mapping[str, str]) -> tuple[str, str]:
    """Returns the string to sign and the one that the client signed, without secrets."""
    expected, received = (
        redact_secrets(_without_secrets(attempt, secrets), secrets) for attempt in (right, client)
    )
    if expected == received:
        return printable(expected), printable(received)
    return highlight_diff(expected, received)


def _without_secrets(attempt: Attempt, secrets: Mapping[str, str]) -> bytes:
    """Returns an attempt's string without the secret, without secret values and without a body."""
    body = attempt.of.request.body

    def shown(part: Part) -> Part:
        if not isinstance(part, tuple):
            return part
        name, value = part
        if body and value == body and attempt.of.recipe.parts:
            return name, b"(the body itself, %d bytes)" % len(body)
        return redact_secrets(name, secrets), redact_secrets(value, secrets)

    place = "nowhere" if attempt.place in ("before", "behind") else attempt.place
    parts = tuple(map(shown, attempt.parts))
    return message(replace(attempt, parts=parts, place=place, secret=_secret_text(attempt)))


def _secret_text(attempt: Attempt) -> bytes:
    """Returns a fingerprint of the secret; what the client added to the right one stays legible."""
    of, secret = attempt.of, attempt.secret
    name = of.recipe.secret
    if secret in of.others:
        return fingerprinted(secret, f"{of.others[secret]} {name}").encode()
    if secret == of.key_id:
        return fingerprinted(secret, f"{of.label} {of.recipe.key}").encode()
    if of.secret and of.secret in secret:
        own = fingerprinted(of.secret_text, f"{of.label} {name}").encode()
        return secret.replace(of.secret, own)
    return fingerprinted(secret, "another text").encode()


def _other_differences(
    right: Attempt, client: Attempt, mistakes: Sequence[Mistake]
) -> Iterator[tuple[str, str]]:
    """Yields what differs besides the string: expected and received."""
    recipe, key = right.of.recipe, client.construction == "HMAC"
    if _made(client) != _made(right):
        hmac_key = f" with {printable(_secret_text(client))}" * (key and not recipe.is_hmac)
        yield _algorithm_name(right), _algorithm_name(client) + hmac_key
    if client.secret != right.secret and recipe.is_hmac:
        yield tuple(f"with {printable(_secret_text(a))}" for a in (right, client))  # type: ignore[misc]
    if client.joiner == b"\\n" and right.joiner == b"\n":  # printable() writes both in one way
        yield "joined by newlines", "joined by a backslash and an n each"
    writing = [m.name for m in mistakes if m in WRITING or m.name in (CUT, LONGER)]
    if writing:
        digits = 2 * ALGORITHMS[recipe.algorithm]
        count = f"{digits} digits of " if recipe.written in CASES else ""
        yield f"in {count}{_writing_text(recipe)}", ", ".join(writing)


def _writing_text(recipe: SigningRecipe) -> str:
    """Returns ``lower-case hex``, ``upper-case hex`` or ``base64``."""
    return f"{CASES[recipe.written]}-case hex" if recipe.written in CASES else recipe.written


def _made(attempt: Attempt) -> tuple[str, str, bool]:
    return attempt.construction, attempt.algorithm, attempt.place in ("before", "behind")


def _algorithm_name(attempt: Attempt) -> str:
    name = NAMES[attempt.algorithm]
    if not attempt.of.recipe.is_hmac:
        name = name.replace("-", "")
        return f"HMAC-{name}" if attempt.construction == "HMAC" else name
    if attempt.construction != "hash":
        swapped = attempt.construction != "HMAC"
        return f"{name} as {attempt.construction}" if swapped else f"HMAC-{name}"
    first = attempt.place.startswith(("before", "first"))
    secret = "hash without secret" if attempt.place == "nowhere" else "hash, secret "
    return f"{name} as {secret}" + (
        "" if attempt.place == "nowhere" else "first" if first else "last"
    )


def _unsolved(
    right: Attempt, signature: bytes, raw: bytes, secrets: Mapping[str, str]
) -> Explanation:
    recipe, request = right.of.recipe, right.of.request
    expected = printable(redact_secrets(_without_secrets(right, secrets), secrets))
    in_it = "" if recipe.is_hmac else " in it"
    fix = (
        "Compare the string that you sign with the expected one, then the secret"
        f"{in_it} ({printable(_secret_text(right))}). {_algorithm_fix(recipe)}"
        f" Write it in {_writing_text(recipe)}."
    )
    places = (recipe.key_at, recipe.timestamp_at, recipe.signature_at)
    names = [at.name.lower().encode() for at in places if at and at.where == "header"]
    twice = [name for name in names if len({v for n, v in request.headers if n == name}) > 1]
    if twice:
        fix = "Send each header once: of two the first counts."
        rule = f"header sent twice: {', '.join(name.decode() for name in twice)}"
        return Explanation(rule, expected, UNKNOWN, fix)
    too_long = len(message(right)) > MESSAGE_MAX
    received = TOO_LONG if too_long else _unknown(recipe, signature, raw)
    return Explanation("bad signature", expected, received, fix)


def _unknown(recipe: SigningRecipe, signature: bytes, raw: bytes) -> str:
    size = ALGORITHMS[recipe.algorithm]
    if len(raw) == size:
        return f"{UNKNOWN} ({fingerprinted(signature, 'redacted')})"
    if raw and raw.hex().encode() in signature.lower():
        name = NAMES[BY_SIZE[len(raw)]]
        name = name if recipe.is_hmac else name.replace("-", "")
        return f"{UNKNOWN}: it has {len(raw)} bytes, the size of {name}, not {size}"
    return (
        f"{UNKNOWN}: its {len(signature)} characters are no digest of {size} bytes in hex or base64"
    )
