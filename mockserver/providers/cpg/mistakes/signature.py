"""Explains a wrong X-CPG signature: finds the known mistakes that reproduce it."""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from mockserver.explain import (
    TRIES_MAX,
    WRITING,
    Explanation,
    Mistake,
    RejectedRequest,
    digest_of,
    explanation_for,
    fingerprinted,
    highlight_diff,
    printable,
    redact_secrets,
    solve,
)
from mockserver.providers.cpg.auth import Key
from mockserver.providers.cpg.mistakes.recipe import (
    ALGORITHM,
    ALGORITHMS,
    NAMES,
    SigningRecipe,
    digest,
    message,
    right_recipes,
    secret_labels,
)
from mockserver.providers.cpg.mistakes.table import BACKSLASH_N, HMAC, MISTAKES

MESSAGE_MAX = 8 * 1024  # bytes of a canonical string on which mistakes are tried
HASHED_MAX = 1024 * 1024  # bytes that are hashed for one explanation
PREFIX_MIN = 16  # hex digits by which a truncated signature is recognised

UNKNOWN = "no known mistake reproduces this signature"
TOO_LONG = "a signature of a string that is too long to try known mistakes on"
RIGHT_SIZE = 32  # bytes of an HMAC-SHA256
CUT = Mistake("signature cut short", "Send the whole signature: 64 hex digits.")
LONGER = Mistake("more than the signature", "Send the signature alone: 64 hex digits.")
ENCODING_MISTAKES = {*WRITING, CUT, LONGER}
AUTH_HEADERS = (b"x-cpg-key", b"x-cpg-timestamp", b"x-cpg-signature")

Solution = tuple[tuple[Mistake, ...], SigningRecipe]


def explain_signature(rejected: RejectedRequest) -> Explanation:
    """Returns the mistakes that reproduce the signature, or says that none is known."""
    key: Key = rejected.keyring.find(rejected.request.header(b"x-cpg-key"))
    signature = rejected.request.header(b"x-cpg-signature")
    case = b"any" if rejected.quirks["signature_case"] == "any" else b"lower"
    encoding_mistakes, raw = digest_of(signature, case)
    rights = right_recipes(rejected, key)
    solution = _solve(rights, raw) if raw else None
    if solution is not None:
        mistakes, client = (*encoding_mistakes, *solution[0]), solution[1]
    else:
        mistakes, client = _partial(rights, signature)
    if not mistakes:
        return _unsolved(rejected, key, rights[0], signature, raw)
    right = next(right for right in rights if right.inputs is client.inputs)
    expected, received = _message_diff(rejected, right, client)
    for expected_part, received_part in _other_differences(key, right, client, mistakes):
        expected, received = f"{expected}; {expected_part}", f"{received}; {received_part}"
    return explanation_for(mistakes, expected, received)


def _solve(rights: Sequence[SigningRecipe], raw: bytes) -> Solution | None:
    """Returns the mistakes that reproduce a digest; its size names the algorithm."""
    algorithm = ALGORITHMS[len(raw)]
    first: tuple[Mistake, ...] = ()
    if algorithm != ALGORITHM:
        rights = [replace(right, algorithm=algorithm) for right in rights]
        first = (Mistake(f"{NAMES[algorithm]} for SHA-256", HMAC),)
    longest = max(len(message(right)) for right in rights)
    if longest > MESSAGE_MAX:
        return None
    for right in rights:
        if digest(right) == raw:
            return first, right
    tries = min(TRIES_MAX - 2 * len(rights), HASHED_MAX // (longest + 1))
    solution = solve(
        rights[0], MISTAKES, lambda recipe: digest(recipe) == raw, *rights[1:], tries=tries
    )
    return solution and ((*first, *solution[0]), solution[1])


def _partial(rights: Sequence[SigningRecipe], signature: bytes) -> Solution:
    """Recognises a right signature that is truncated, or has something added."""
    for right in rights:
        whole = digest(right).hex().encode()
        if PREFIX_MIN <= len(signature) < len(whole) and whole.startswith(signature):
            return (CUT,), right
        if signature != whole and whole in signature:
            return (LONGER,), right
    return (), rights[0]


# Texts of the explanation


def _message_diff(
    rejected: RejectedRequest, right: SigningRecipe, client: SigningRecipe
) -> tuple[str, str]:
    """Returns the string to sign and the one that the client signed, without secrets."""
    secrets = secret_labels(rejected)
    expected, received = (
        redact_secrets(_without_secret(recipe), secrets) for recipe in (right, client)
    )
    if expected == received:
        return printable(expected), printable(received)
    return highlight_diff(expected, received)


def _without_secret(recipe: SigningRecipe) -> bytes:
    """Returns a recipe's string without secret and body."""
    body = recipe.inputs.request.body
    if body and recipe.body == body:
        recipe = replace(recipe, body=b"(the body itself, %d bytes)" % len(body))
    return message(replace(recipe, secret=fingerprinted(recipe.secret, "secret").encode()))


def _other_differences(
    key: Key, right: SigningRecipe, client: SigningRecipe, mistakes: Sequence[Mistake]
) -> Iterator[tuple[str, str]]:
    """Yields what differs besides the string: expected and received."""
    if (client.construction, client.algorithm) != (right.construction, right.algorithm):
        yield _algorithm_name(right), _algorithm_name(client)
    if client.secret != right.secret:
        yield f"with {_secret_text(key, right)}", f"with {_secret_text(key, client)}"
    if client.separator == BACKSLASH_N:  # printable() writes a newline in the same way
        yield "joined by newlines", "joined by a backslash and an n each"
    encodings = [mistake.name for mistake in mistakes if mistake in ENCODING_MISTAKES]
    if encodings:
        yield "in 64 digits of lower-case hex", ", ".join(encodings)


def _algorithm_name(recipe: SigningRecipe) -> str:
    name = NAMES[recipe.algorithm]
    return f"HMAC-{name}" if recipe.construction == "HMAC" else f"{name} as {recipe.construction}"


def _secret_text(key: Key, recipe: SigningRecipe) -> str:
    """Returns a fingerprint of the secret; what the client added to the right one stays legible."""
    own = key.secret.encode()
    label = recipe.inputs.other_secrets.get(recipe.secret, key.label)
    if recipe.secret == recipe.key_id:
        return fingerprinted(recipe.secret, f"{key.label} key_id")
    if recipe.secret == own or recipe.secret in recipe.inputs.other_secrets:
        return fingerprinted(recipe.secret, f"{label} secret")
    if own and own in recipe.secret:
        return printable(recipe.secret.replace(own, fingerprinted(own, f"{label} secret").encode()))
    return fingerprinted(recipe.secret, "another text")


def _unsolved(
    rejected: RejectedRequest, key: Key, right: SigningRecipe, signature: bytes, raw: bytes
) -> Explanation:
    headers = rejected.request.headers
    twice = [name for name in AUTH_HEADERS if len({v for n, v in headers if n == name}) > 1]
    expected = printable(redact_secrets(_without_secret(right), secret_labels(rejected)))
    fix = (
        f"Compare the string that you sign with the expected one, then the secret"
        f" ({_secret_text(key, right)}). {HMAC} Write it in lower-case hex."
    )
    if twice:
        names = ", ".join(name.decode() for name in twice)
        fix = "Send each header once: of two the first counts."
        return Explanation(f"header sent twice: {names}", expected, UNKNOWN, fix)
    received = TOO_LONG if len(message(right)) > MESSAGE_MAX else _unknown(signature, raw)
    return Explanation("bad signature", expected, received, fix)


def _unknown(signature: bytes, raw: bytes) -> str:
    if len(raw) == RIGHT_SIZE:
        return UNKNOWN
    if raw and raw.hex().encode() in signature.lower():
        name = NAMES[ALGORITHMS[len(raw)]]
        return f"{UNKNOWN}: it has {len(raw)} bytes, the size of {name}, not {RIGHT_SIZE}"
    return (
        f"{UNKNOWN}: its {len(signature)} characters are no digest of {RIGHT_SIZE} bytes"
        " in hex or base64"
    )
