"""Why a signature is wrong: by which mistakes it would come out as the client's."""

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
from mockserver.providers.cpg.mistakes.table import BACKSLASH_N, HMAC, MISTAKES
from mockserver.providers.cpg.mistakes.way import (
    ALGORITHM,
    ALGORITHMS,
    NAMES,
    SigningRecipe,
    digest,
    message,
    right_ways,
    secrets_of,
)

LONGEST = 8 * 1024  # bytes of a string on which mistakes are tried
WORK = 1024 * 1024  # bytes that are hashed for one explanation
PIECE = 16  # hex digits by which a signature is known that was cut

UNKNOWN = "no known mistake reproduces this signature"
TOO_LONG = "a signature of a string that is too long to try known mistakes on"
RIGHT_SIZE = 32  # bytes of an HMAC-SHA256
CUT = Mistake("signature cut short", "Send the whole signature: 64 hex digits.")
LONGER = Mistake("more than the signature", "Send the signature alone: 64 hex digits.")
WRITINGS = {*WRITING, CUT, LONGER}
SIGNED = (b"x-cpg-key", b"x-cpg-timestamp", b"x-cpg-signature")


def signature_explained(refused: RejectedRequest) -> Explanation:
    """Returns by which mistakes a signature came about, or honestly that none is known."""
    key: Key = refused.keyring.find(refused.request.header(b"x-cpg-key"))
    text = refused.request.header(b"x-cpg-signature")
    case = b"any" if refused.quirks["signature_case"] == "any" else b"lower"
    odd, raw = digest_of(text, case)
    rights = right_ways(refused, key)
    made = _made(rights, raw) if raw else None
    if made is not None:
        mistakes, way = (*odd, *made[0]), made[1]
    else:
        mistakes, way = _piece(rights, text)
    if not mistakes:
        return _unsolved(refused, key, rights[0], text, raw)
    right = next(right for right in rights if right.given is way.given)
    expected, received = _strings(refused, right, way)
    for wanted, came in _aspects(key, right, way, mistakes):
        expected, received = f"{expected}; {wanted}", f"{received}; {came}"
    return explanation_for(mistakes, expected, received)


def _made(
    rights: Sequence[SigningRecipe], raw: bytes
) -> tuple[tuple[Mistake, ...], SigningRecipe] | None:
    """Returns the mistakes that make a digest, and their way. Its size tells the algorithm."""
    algorithm = ALGORITHMS[len(raw)]
    first: tuple[Mistake, ...] = ()
    if algorithm != ALGORITHM:
        rights = [replace(way, algorithm=algorithm) for way in rights]
        first = (Mistake(f"{NAMES[algorithm]} for SHA-256", HMAC),)
    longest = max(len(message(way)) for way in rights)
    if longest > LONGEST:
        return None
    for way in rights:
        if digest(way) == raw:
            return first, way
    tries = min(TRIES_MAX - 2 * len(rights), WORK // (longest + 1))
    found = solve(rights[0], MISTAKES, lambda way: digest(way) == raw, *rights[1:], tries=tries)
    return found and ((*first, *found[0]), found[1])


def _piece(
    rights: Sequence[SigningRecipe], text: bytes
) -> tuple[tuple[Mistake, ...], SigningRecipe]:
    """Looks for a signature that was right before it was cut, or before something was added."""
    for way in rights:
        whole = digest(way).hex().encode()
        if PIECE <= len(text) < len(whole) and whole.startswith(text):
            return (CUT,), way
        if text != whole and whole in text:
            return (LONGER,), way
    return (), rights[0]


# What people read


def _strings(refused: RejectedRequest, right: SigningRecipe, way: SigningRecipe) -> tuple[str, str]:
    """Returns the string to sign and the one that was signed, without secrets."""
    secrets = secrets_of(refused)
    wanted, came = (redact_secrets(_readable(w), secrets) for w in (right, way))
    return (printable(wanted), printable(came)) if wanted == came else highlight_diff(wanted, came)


def _readable(way: SigningRecipe) -> bytes:
    """Returns the string of a way, where a secret or a body may not stand."""
    body = way.given.request.body
    if body and way.body == body:
        way = replace(way, body=b"(the body itself, %d bytes)" % len(body))
    return message(replace(way, secret=fingerprinted(way.secret, "secret").encode()))


def _aspects(
    key: Key, right: SigningRecipe, way: SigningRecipe, mistakes: Sequence[Mistake]
) -> Iterator[tuple[str, str]]:
    """Yields what differs beside the string: each as it should be, and as it is."""
    if (way.keyed, way.algorithm) != (right.keyed, right.algorithm):
        yield _method(right), _method(way)
    if way.secret != right.secret:
        yield f"with {_secret(key, right)}", f"with {_secret(key, way)}"
    if way.separator == BACKSLASH_N:  # which is shown as a newline is
        yield "joined by newlines", "joined by a backslash and an n each"
    written = [mistake.name for mistake in mistakes if mistake in WRITINGS]
    if written:
        yield "in 64 digits of lower-case hex", ", ".join(written)


def _method(way: SigningRecipe) -> str:
    name = NAMES[way.algorithm]
    return f"HMAC-{name}" if way.keyed == "HMAC" else f"{name} as {way.keyed}"


def _secret(key: Key, way: SigningRecipe) -> str:
    """Returns what stands for a secret; what was added to the right one can be read."""
    own = key.secret.encode()
    label = way.given.others.get(way.secret, key.label)
    if way.secret == way.key_id:
        return fingerprinted(way.secret, f"{key.label} key_id")
    if way.secret == own or way.secret in way.given.others:
        return fingerprinted(way.secret, f"{label} secret")
    if own and own in way.secret:
        return printable(way.secret.replace(own, fingerprinted(own, f"{label} secret").encode()))
    return fingerprinted(way.secret, "another text")


def _unsolved(
    refused: RejectedRequest, key: Key, right: SigningRecipe, text: bytes, raw: bytes
) -> Explanation:
    headers = refused.request.headers
    twice = [name for name in SIGNED if len({v for n, v in headers if n == name}) > 1]
    expected = printable(redact_secrets(_readable(right), secrets_of(refused)))
    fix = (
        f"Compare the string that you sign with the one expected, then the secret"
        f" ({_secret(key, right)}). {HMAC} Write it in lower-case hex."
    )
    if twice:
        names = ", ".join(name.decode() for name in twice)
        fix = "Send each header once: of two the first counts."
        return Explanation(f"header sent twice: {names}", expected, UNKNOWN, fix)
    received = TOO_LONG if len(message(right)) > LONGEST else _honest(text, raw)
    return Explanation("bad signature", expected, received, fix)


def _honest(text: bytes, raw: bytes) -> str:
    if len(raw) == RIGHT_SIZE:
        return UNKNOWN
    if raw and raw.hex().encode() in text.lower():
        name = NAMES[ALGORITHMS[len(raw)]]
        return f"{UNKNOWN}: it has {len(raw)} bytes, as {name} makes them, not {RIGHT_SIZE}"
    return f"{UNKNOWN}: its {len(text)} characters are no {RIGHT_SIZE}-byte digest in hex or base64"
