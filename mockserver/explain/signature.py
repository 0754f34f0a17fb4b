"""Explains a wrong signature of a recipe: finds the known mistakes that reproduce it."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice

from msgspec.structs import replace

from mockserver.explain import parameter_mistakes, part_mistakes
from mockserver.explain.attempts import (
    SWAPPED,
    Attempt,
    Part,
    digest,
    form_of,
    leaves,
    message,
    right_attempts,
)
from mockserver.explain.digests import digest_of
from mockserver.explain.signing_texts import BY_SIZE, algorithm_name, fixes, words
from mockserver.explain.solver import TRIES_MAX, Mistake, explanation_for, solve
from mockserver.explain.text import fingerprinted, highlight_diff, printable, redact_secrets
from mockserver.explain.vocabulary import Explanation, RejectedRequest
from mockserver.model.query import raw_pairs
from mockserver.model.redaction import is_secret_name
from mockserver.model.signing_recipe import ALGORITHMS, SigningRecipe

MESSAGE_MAX = 8 * 1024  # bytes of a canonical string on which mistakes are tried
HASHED_MAX = 1024 * 1024  # bytes that are hashed for one explanation
KEYS_MAX = 64  # keys whose values are redacted
VALUES_MAX = 64  # values with a secret's name that are redacted
CUT_SHARE = 4  # a signature of at least 1/CUT_SHARE of the digits is recognised as cut short
CUT_MIN = 12  # digits of it

UNKNOWN = "no known mistake reproduces this signature"
TOO_LONG = "a signature of a string that is too long to try known mistakes on"
CASES = {"hex": "lower", "HEX": "upper"}
HOW = {  # a secret is hashed, or an HMAC made, by Attempt.place
    SWAPPED: "key and message swapped",
    "nowhere": "without secret",
    **dict.fromkeys(("first", "prepended"), "secret first"),
    **dict.fromkeys(("last", "appended"), "secret last"),
}

Mistakes = tuple[Mistake, ...]
Solution = tuple[Mistakes, Attempt]


def explain_signature(
    rejected: RejectedRequest, recipe: SigningRecipe, own: Mistakes = ()
) -> Explanation:
    """Returns the mistakes that reproduce the signature, or says that none is known.

    ``own`` are mistakes that only this provider's clients make.
    """
    credential = rejected.keyring.find(recipe.key_at.reader()(rejected.request))
    signature = recipe.signature_at.reader()(rejected.request)
    any_case = rejected.quirks.get("signature_case") == "any"
    case = "any" if any_case else CASES.get(recipe.written, recipe.written)
    writing, raw = digest_of(signature, case.encode())
    rights = right_attempts(rejected, recipe, credential)
    solution = _solve(rights, mistakes_of(recipe, own), raw) if raw else None
    signing, client = solution or ((), rights[0])
    if solution is None:
        writing, client = _part_of(rights, signature)
    elif client.is_foreign:
        writing = ()
    right = next(right for right in rights if right.of is client.of)
    secrets = secret_labels(rejected, recipe)
    if not (writing or signing):
        return _unsolved(right, signature, raw, secrets)
    mistakes = (*writing, *signing)
    messages = highlight_diff(_shown(right, secrets), _shown(client, secrets))
    texts = [messages, *_other_differences(right, client, writing)]
    expected, received = ("; ".join(column) for column in zip(*texts, strict=True))
    if expected == received:
        names = " + ".join(mistake.name for mistake in mistakes)
        expected, received = f"{expected}; exactly as sent", f"{received}; {names}"
    return explanation_for(mistakes, expected, received)


# The solution


@lru_cache(16)
def mistakes_of(recipe: SigningRecipe, own: Mistakes = ()) -> Mistakes:
    """Returns the mistakes against a recipe, in its words; ``own`` are those of its provider."""
    tables = part_mistakes if recipe.parts else parameter_mistakes
    rare = (replace(mistake, no_pairs=True) for mistake in tables.RARE)
    names, sentences = words(recipe), fixes(recipe)
    return tuple(
        replace(m, name=m.name.format(**names), fix=sentences.get(m.fix, m.fix))
        for m in (*tables.LIKELY, *rare, *own)
    )


def _solve(rights: Sequence[Attempt], table: Sequence[Mistake], raw: bytes) -> Solution | None:
    """Returns the mistakes that reproduce a digest; its size names the algorithm."""
    starts = [start for right in rights for start in _by_size(right, len(raw))]
    work = max(map(_work, rights))
    if max(len(message(right)) for right in rights) > MESSAGE_MAX:
        return None
    for start in starts:
        if digest(start) == raw:
            return _algorithm_mistake(start), start
    tries = min(TRIES_MAX - len(starts) - len(rights), HASHED_MAX // (work + 1))
    solution = solve(starts[0], table, lambda a: digest(a) == raw, *starts[1:], tries=tries)
    return solution and ((*_algorithm_mistake(solution[1]), *solution[0]), solution[1])


def _work(attempt: Attempt) -> int:
    """Returns the bytes that an attempt hashes, but for those whose digests are cached."""
    several = [part for part in attempt.digests if len(part.parts) > 1]
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


def _algorithm_mistake(client: Attempt) -> Mistakes:
    """Returns the mistake of another size of digests; none where another scheme was used."""
    recipe = client.of.recipe
    if ALGORITHMS[client.algorithm] == ALGORITHMS[recipe.algorithm] or client.is_foreign:
        return ()
    sent = algorithm_name(client.algorithm, client.construction != "hash")
    name = f"{sent} for {algorithm_name(recipe.algorithm, recipe.is_hmac)}"
    return (Mistake(name, fixes(recipe)["digest"]),)


def _part_of(rights: Sequence[Attempt], signature: bytes) -> Solution:
    """Recognises a right signature that is truncated, or has something added."""
    in_base64 = rights[0].of.recipe.written == "base64"
    signature = signature if in_base64 else signature.lower()
    for right in rights:
        raw = digest(right)
        whole = base64.b64encode(raw) if in_base64 else raw.hex().encode()
        digits = f"{len(whole)} {'characters of base64' if in_base64 else 'hex digits'}."
        shortest = max(CUT_MIN, len(whole) // CUT_SHARE)
        if shortest <= len(signature) < len(whole) and whole.startswith(signature):
            return (Mistake("signature cut short", f"Send the whole signature: {digits}"),), right
        if signature != whole and whole in signature:
            fix = f"Send the signature alone: {digits}"
            return (Mistake("more than the signature", fix),), right
    return (), rights[0]


# Texts of the explanation


def secret_labels(rejected: RejectedRequest, recipe: SigningRecipe) -> dict[str, str]:
    """Returns labels by secret: of keys, and of values with a secret's name."""
    request = rejected.request
    pairs = [*request.headers, *raw_pairs(request.query), *raw_pairs(form_of(request))]
    values = (value.decode("utf-8", "replace") for name, value in pairs if is_secret_name(name))
    labels = dict.fromkeys(islice(values, VALUES_MAX), "value")
    presented, keys = recipe.key_at.reader()(request), rejected.keys
    callers = [key for key in keys if getattr(key, recipe.key).encode() == presented]
    for key in (*keys[:KEYS_MAX], *callers):
        for name in (recipe.secret, recipe.key):
            labels[getattr(key, name)] = f"{key.label} {name}"
    return labels


def _shown(attempt: Attempt, secrets: Mapping[str, str]) -> bytes:
    """Returns an attempt's string without the secret, without secret values and without a body."""
    recipe, body = attempt.of.recipe, attempt.of.request.body

    def shown(part: Part) -> Part:
        if not isinstance(part, tuple):
            raw = attempt.digest_of(part) if part.written == "raw" else b""
            return (b"", b"<%d raw bytes: %b>" % (len(raw), raw.hex().encode())) if raw else part
        name, value = part
        if body and value == body and recipe.parts:
            return name, b"(the body itself, %d bytes)" % len(body)
        return redact_secrets(name, secrets), redact_secrets(value, secrets)

    is_joined = recipe.is_hmac and attempt.place in ("appended", "prepended")
    place = "nowhere" if is_joined else attempt.place
    parts, secret = tuple(map(shown, attempt.parts)), _secret_text(attempt)
    return redact_secrets(
        message(replace(attempt, parts=parts, place=place, secret=secret)), secrets
    )


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
    right: Attempt, client: Attempt, writing: Mistakes
) -> Iterator[tuple[str, str]]:
    """Yields what differs besides the string: expected and received."""
    recipe = right.of.recipe
    secrets = [f"with {printable(_secret_text(attempt))}" for attempt in (right, client)]
    if _algorithm(client) != _algorithm(right):
        is_keyed = client.construction == "HMAC" and not recipe.is_hmac
        yield _algorithm(right), _algorithm(client) + (f" {secrets[1]}" if is_keyed else "")
    if client.secret != right.secret and recipe.is_hmac:
        yield secrets[0], secrets[1]
    if client.joiner == b"\\n" and right.joiner == b"\n":  # printable() writes both in one way
        yield "joined by newlines", "joined by a backslash and an n each"
    if writing:
        is_hex = recipe.written in CASES
        count = f"{2 * ALGORITHMS[recipe.algorithm]} digits of " if is_hex else ""
        names = ", ".join(mistake.name for mistake in writing)
        yield f"in {count}{_writing_text(recipe)}", names


def _writing_text(recipe: SigningRecipe) -> str:
    """Returns ``lower-case hex``, ``upper-case hex`` or ``base64``."""
    return f"{CASES[recipe.written]}-case hex" if recipe.written in CASES else recipe.written


def _algorithm(attempt: Attempt) -> str:
    """Returns ``HMAC-SHA256``, ``MD5``, or ``SHA256, secret first``."""
    name = algorithm_name(attempt.algorithm, attempt.construction != "hash")
    if attempt.construction == "HMAC" or not attempt.of.recipe.is_hmac:
        return name
    return f"{name}, {HOW[attempt.place if attempt.construction == 'hash' else SWAPPED]}"


def _unsolved(
    right: Attempt, signature: bytes, raw: bytes, secrets: Mapping[str, str]
) -> Explanation:
    recipe, request = right.of.recipe, right.of.request
    expected = printable(_shown(right, secrets))
    places = (recipe.key_at, recipe.timestamp_at, recipe.signature_at)
    names = [at.name.lower() for at in places if at and at.where == "header"]
    twice = [n for n in names if len({v for name, v in request.headers if name == n.encode()}) > 1]
    if twice:
        fix = "Send each header once: of two the first counts."
        return Explanation(f"header sent twice: {', '.join(twice)}", expected, UNKNOWN, fix)
    in_it = "" if recipe.is_hmac else " in it"
    fix = (
        "Compare the string that you sign with the expected one, then the secret"
        f"{in_it} ({printable(_secret_text(right))}). {fixes(recipe)['digest']}"
        f" Write it in {_writing_text(recipe)}."
    )
    too_long = len(message(right)) > MESSAGE_MAX
    received = TOO_LONG if too_long else _unknown(recipe, signature, raw)
    return Explanation("bad signature", expected, received, fix)


def _unknown(recipe: SigningRecipe, signature: bytes, raw: bytes) -> str:
    size = ALGORITHMS[recipe.algorithm]
    if len(raw) == size:
        return f"{UNKNOWN} ({fingerprinted(signature, 'redacted')})"
    if raw and raw.hex().encode() in signature.lower():
        name = algorithm_name(BY_SIZE[len(raw)], False)
        return f"{UNKNOWN}: it has {len(raw)} bytes, the size of {name}, not {size}"
    return (
        f"{UNKNOWN}: its {len(signature)} characters are no digest of {size} bytes in hex or base64"
    )
