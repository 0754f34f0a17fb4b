"""Why a ``sign`` is wrong: by which mistakes it would come out as the client's."""

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
from mockserver.providers.coinw.mistakes.table import MD5, MISTAKES
from mockserver.providers.coinw.mistakes.way import (
    ALGORITHM,
    ALGORITHMS,
    NAMES,
    SigningRecipe,
    digest,
    given_by,
    message,
    right_way,
    secrets_of,
)

LONGEST = 8 * 1024  # bytes of a string on which mistakes are tried
WORK = 1024 * 1024  # bytes that are hashed for one explanation
PIECE = 12  # hex digits by which a signature is known that was cut

UNKNOWN = "no known mistake reproduces this signature"
TOO_LONG = "a signature of a string that is too long to try known mistakes on"
RIGHT_SIZE = 16  # bytes of an MD5
CUT = Mistake("signature cut short", "Send the whole signature: 32 hex digits.")
LONGER = Mistake("more than the signature", "Send the signature alone: 32 hex digits.")
WRITINGS = {*WRITING, CUT, LONGER}


def signature_explained(refused: RejectedRequest, key: Key, text: bytes) -> Explanation:
    """Returns by which mistakes a signature came about, or honestly that none is known."""
    case = b"any" if refused.quirks["signature_case"] == "any" else b"upper"
    odd, raw = digest_of(text, case)
    right = right_way(given_by(refused, key))
    made = _made(right, raw) if raw else None
    if made is None:
        mistakes, way = _piece(right, text)
    else:
        mistakes, way = ((*odd, *made[0]) if not made[1].text else made[0]), made[1]
    secrets = secrets_of(refused)
    if not mistakes:
        return _unsolved(right, text, raw, secrets)
    wanted, came = (redact_secrets(_readable(w, secrets), secrets) for w in (right, way))
    expected, received = (
        (printable(wanted), printable(came)) if wanted == came else highlight_diff(wanted, came)
    )
    for one, other in _aspects(right, way, mistakes):
        expected, received = f"{expected}; {one}", f"{received}; {other}"
    return explanation_for(mistakes, expected, received)


def _made(right: SigningRecipe, raw: bytes) -> tuple[tuple[Mistake, ...], SigningRecipe] | None:
    """Returns the mistakes that make a digest, and their way. Its size tells the algorithm."""
    longest = len(message(right))
    if longest > LONGEST:
        return None
    rights = _by_algorithm(right, ALGORITHMS[len(raw)])
    for way in rights:
        if digest(way) == raw:
            return _algorithm(way), way
    tries = min(TRIES_MAX - len(rights) - 1, WORK // (longest + 1))
    found = solve(rights[0], MISTAKES, lambda way: digest(way) == raw, *rights[1:], tries=tries)
    return found and ((*_algorithm(found[1]), *found[0]), found[1])


def _by_algorithm(right: SigningRecipe, algorithm: str) -> list[SigningRecipe]:
    """Returns the ways that are right but for the algorithm: an HMAC has the secret as its key."""
    if algorithm == ALGORITHM:
        return [right]
    plain = replace(right, algorithm=algorithm)
    return [replace(plain, keyed="HMAC", place="nowhere"), replace(plain, keyed="HMAC"), plain]


def _algorithm(way: SigningRecipe) -> tuple[Mistake, ...]:
    """Returns the mistake that lies in the algorithm alone; a whole other scheme is none."""
    if way.algorithm == ALGORITHM or way.text:
        return ()
    return (Mistake(f"{_method(way)} for MD5", MD5),)


def _piece(right: SigningRecipe, text: bytes) -> tuple[tuple[Mistake, ...], SigningRecipe]:
    """Looks for a signature that was right before it was cut, or before something was added."""
    whole = digest(right).hex().encode()
    text = text.lower()
    if PIECE <= len(text) < len(whole) and whole.startswith(text):
        return (CUT,), right
    if text != whole and whole in text:
        return (LONGER,), right
    return (), right


# What people read


def _readable(way: SigningRecipe, secrets: dict[str, str]) -> bytes:
    """Returns the string of a way, where no secret may stand."""
    pairs = tuple(
        (redact_secrets(name, secrets), redact_secrets(value, secrets)) for name, value in way.pairs
    )
    return message(replace(way, pairs=pairs, secret=_secret(way)))


def _secret(way: SigningRecipe) -> bytes:
    """Returns what stands for a secret; what was added to the right one can be read."""
    key = way.given.key
    own = key.secret_key.encode()
    if way.secret in way.given.others:
        return fingerprinted(way.secret, f"{way.given.others[way.secret]} secret_key").encode()
    if way.secret == key.api_key.encode():
        return fingerprinted(way.secret, f"{key.label} api_key").encode()
    if own and own in way.secret:
        return way.secret.replace(own, fingerprinted(own, f"{key.label} secret_key").encode())
    return fingerprinted(way.secret, "another text").encode()


def _aspects(
    right: SigningRecipe, way: SigningRecipe, mistakes: Sequence[Mistake]
) -> Iterator[tuple[str, str]]:
    """Yields what differs beside the string: each as it should be, and as it is."""
    if (way.keyed, way.algorithm) != (right.keyed, right.algorithm):
        keyed = f" with {printable(_secret(way))}" if way.keyed else ""
        yield _method(right), _method(way) + keyed
    written = [mistake.name for mistake in mistakes if mistake in WRITINGS]
    if written:
        yield "in 32 digits of upper-case hex", ", ".join(written)


def _method(way: SigningRecipe) -> str:
    name = NAMES[way.algorithm]
    return f"HMAC-{name}" if way.keyed else name


def _unsolved(
    right: SigningRecipe, text: bytes, raw: bytes, secrets: dict[str, str]
) -> Explanation:
    received = TOO_LONG if len(message(right)) > LONGEST else _honest(text, raw)
    return Explanation(
        "bad signature",
        printable(redact_secrets(_readable(right, secrets), secrets)),
        received,
        "Compare the string that you sign with the one expected, then the secret in it"
        f" ({printable(_secret(right))}). {MD5} Write it in upper-case hex.",
    )


def _honest(text: bytes, raw: bytes) -> str:
    if len(raw) == RIGHT_SIZE:
        return UNKNOWN
    if raw and raw.hex().encode() in text.lower():
        name = NAMES[ALGORITHMS[len(raw)]]
        return f"{UNKNOWN}: it has {len(raw)} bytes, as {name} makes them, not {RIGHT_SIZE}"
    return f"{UNKNOWN}: its {len(text)} characters are no {RIGHT_SIZE}-byte digest in hex or base64"
