"""Explains a wrong ``sign`` of CoinW: finds the known mistakes that reproduce it."""

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
from mockserver.providers.coinw.auth import Key
from mockserver.providers.coinw.mistakes.recipe import (
    ALGORITHM,
    ALGORITHMS,
    NAMES,
    SigningRecipe,
    digest,
    message,
    right_recipe,
    secret_labels,
    signing_inputs,
)
from mockserver.providers.coinw.mistakes.table import MD5, MISTAKES

MESSAGE_MAX = 8 * 1024  # bytes of a canonical string on which mistakes are tried
HASHED_MAX = 1024 * 1024  # bytes that are hashed for one explanation
PREFIX_MIN = 12  # hex digits by which a truncated signature is recognised

UNKNOWN = "no known mistake reproduces this signature"
TOO_LONG = "a signature of a string that is too long to try known mistakes on"
RIGHT_SIZE = 16  # bytes of an MD5
CUT = Mistake("signature cut short", "Send the whole signature: 32 hex digits.")
LONGER = Mistake("more than the signature", "Send the signature alone: 32 hex digits.")
ENCODING_MISTAKES = {*WRITING, CUT, LONGER}

Solution = tuple[tuple[Mistake, ...], SigningRecipe]


def explain_signature(rejected: RejectedRequest, key: Key, signature: bytes) -> Explanation:
    """Returns the mistakes that reproduce the signature, or says that none is known."""
    case = b"any" if rejected.quirks["signature_case"] == "any" else b"upper"
    encoding_mistakes, raw = digest_of(signature, case)
    right = right_recipe(signing_inputs(rejected, key))
    solution = _solve(right, raw) if raw else None
    if solution is None:
        mistakes, client = _partial(right, signature)
    else:
        mistakes, client = solution
        if not client.signed_text:
            mistakes = (*encoding_mistakes, *mistakes)
    secrets = secret_labels(rejected)
    if not mistakes:
        return _unsolved(right, signature, raw, secrets)
    expected, received = _message_diff(right, client, secrets)
    for expected_part, received_part in _other_differences(right, client, mistakes):
        expected, received = f"{expected}; {expected_part}", f"{received}; {received_part}"
    return explanation_for(mistakes, expected, received)


def _solve(right: SigningRecipe, raw: bytes) -> Solution | None:
    """Returns the mistakes that reproduce a digest; its size names the algorithm."""
    longest = len(message(right))
    if longest > MESSAGE_MAX:
        return None
    rights = _by_algorithm(right, ALGORITHMS[len(raw)])
    for recipe in rights:
        if digest(recipe) == raw:
            return _algorithm_mistake(recipe), recipe
    tries = min(TRIES_MAX - len(rights) - 1, HASHED_MAX // (longest + 1))
    solution = solve(
        rights[0], MISTAKES, lambda recipe: digest(recipe) == raw, *rights[1:], tries=tries
    )
    return solution and ((*_algorithm_mistake(solution[1]), *solution[0]), solution[1])


def _by_algorithm(right: SigningRecipe, algorithm: str) -> list[SigningRecipe]:
    """Returns the recipes that are right but for the algorithm, as a hash and as an HMAC."""
    if algorithm == ALGORITHM:
        return [right]
    plain = replace(right, algorithm=algorithm)
    return [
        replace(plain, is_hmac=True, placement="nowhere"),
        replace(plain, is_hmac=True),
        plain,
    ]


def _algorithm_mistake(recipe: SigningRecipe) -> tuple[Mistake, ...]:
    """Returns the mistake of another algorithm; none where another scheme was used as a whole."""
    if recipe.algorithm == ALGORITHM or recipe.signed_text:
        return ()
    return (Mistake(f"{_algorithm_name(recipe)} for MD5", MD5),)


def _partial(right: SigningRecipe, signature: bytes) -> Solution:
    """Recognises a right signature that is truncated, or has something added."""
    whole = digest(right).hex().encode()
    signature = signature.lower()
    if PREFIX_MIN <= len(signature) < len(whole) and whole.startswith(signature):
        return (CUT,), right
    if signature != whole and whole in signature:
        return (LONGER,), right
    return (), right


# Texts of the explanation


def _message_diff(
    right: SigningRecipe, client: SigningRecipe, secrets: dict[str, str]
) -> tuple[str, str]:
    """Returns the string to sign and the one that the client signed, without secrets."""
    expected, received = (
        redact_secrets(_without_secrets(recipe, secrets), secrets) for recipe in (right, client)
    )
    if expected == received:
        return printable(expected), printable(received)
    return highlight_diff(expected, received)


def _without_secrets(recipe: SigningRecipe, secrets: dict[str, str]) -> bytes:
    """Returns a recipe's string without the secret and without secret parameters."""
    pairs = tuple(
        (redact_secrets(name, secrets), redact_secrets(value, secrets))
        for name, value in recipe.pairs
    )
    return message(replace(recipe, pairs=pairs, secret=_secret_text(recipe)))


def _secret_text(recipe: SigningRecipe) -> bytes:
    """Returns a fingerprint of the secret; what the client added to the right one stays legible."""
    key = recipe.inputs.key
    own = key.secret_key.encode()
    label = recipe.inputs.other_secrets.get(recipe.secret)
    if label is not None:
        return fingerprinted(recipe.secret, f"{label} secret_key").encode()
    if recipe.secret == key.api_key.encode():
        return fingerprinted(recipe.secret, f"{key.label} api_key").encode()
    if own and own in recipe.secret:
        return recipe.secret.replace(own, fingerprinted(own, f"{key.label} secret_key").encode())
    return fingerprinted(recipe.secret, "another text").encode()


def _other_differences(
    right: SigningRecipe, client: SigningRecipe, mistakes: Sequence[Mistake]
) -> Iterator[tuple[str, str]]:
    """Yields what differs besides the string: expected and received."""
    if (client.is_hmac, client.algorithm) != (right.is_hmac, right.algorithm):
        hmac_key = f" with {printable(_secret_text(client))}" if client.is_hmac else ""
        yield _algorithm_name(right), _algorithm_name(client) + hmac_key
    encodings = [mistake.name for mistake in mistakes if mistake in ENCODING_MISTAKES]
    if encodings:
        yield "in 32 digits of upper-case hex", ", ".join(encodings)


def _algorithm_name(recipe: SigningRecipe) -> str:
    name = NAMES[recipe.algorithm]
    return f"HMAC-{name}" if recipe.is_hmac else name


def _unsolved(
    right: SigningRecipe, signature: bytes, raw: bytes, secrets: dict[str, str]
) -> Explanation:
    received = TOO_LONG if len(message(right)) > MESSAGE_MAX else _unknown(signature, raw)
    return Explanation(
        "bad signature",
        printable(redact_secrets(_without_secrets(right, secrets), secrets)),
        received,
        "Compare the string that you sign with the expected one, then the secret in it"
        f" ({printable(_secret_text(right))}). {MD5} Write it in upper-case hex.",
    )


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
