"""Words for a recipe: in the names of mistakes, and what to do instead."""

import hashlib
from collections.abc import Mapping
from functools import lru_cache

from mockserver.explain.text import listed
from mockserver.model.signing_recipe import ALGORITHMS, Hashed, SigningRecipe

# The likely algorithm by the bytes of its digests, and names as people write them.
BY_SIZE = {size: name for name, size in reversed(ALGORITHMS.items())}
NAMES = {name: name.upper().replace("SHA", "SHA-") for name in ALGORITHMS}
NAMES |= {"sha3_256": "SHA3-256", "blake2s": "BLAKE2s"}
COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven")


def algorithm_name(algorithm: str, is_hmac: bool) -> str:
    """Returns ``HMAC-SHA256`` or ``MD5``."""
    name = NAMES[algorithm].replace("-", "")
    return f"HMAC-{name}" if is_hmac else name


def time_name(recipe: SigningRecipe) -> str:
    """Returns ``timestamp``, or what the API calls it, such as ``API-Nonce``."""
    name = recipe.timestamp_at.name if recipe.timestamp_at else "timestamp"
    return "timestamp" if "timestamp" in name.lower() else name


def words(recipe: SigningRecipe) -> Mapping[str, str]:
    """Returns the words of a recipe that stand in the names of mistakes."""
    hashes = [part for part in recipe.parts if isinstance(part, Hashed)]
    body_alone = any(part.parts == ("body",) for part in hashes)
    return {
        "key": recipe.key_text,
        "sign": recipe.signature_at.name,
        "operation": recipe.operation,
        "time": time_name(recipe),
        "joiner": recipe.joiner.decode(),
        "digest": algorithm_name(recipe.algorithm, recipe.is_hmac),
        "encoding": recipe.encoding,
        "hash": "body hash" if body_alone else "hash",
        "hashed": "hashed" if hashes else "signed",
        "unhashed": "body itself signed" if body_alone else "parts not hashed",
        "no_query": "no line for the query" if recipe.joiner == b"\n" else "query left out",
    }


@lru_cache(16)
def fixes(recipe: SigningRecipe) -> Mapping[str, str]:
    """Returns what to do instead, one sentence for each kind of mistake."""
    return _part_fixes(recipe) if recipe.parts else _parameter_fixes(recipe)


def _part_fixes(recipe: SigningRecipe) -> Mapping[str, str]:
    texts = {"timestamp": time_name(recipe), "target": "path with its ?query"}
    names = [_part_text(part, texts) for part in recipe.parts]
    count = COUNTS[len(names)]
    every = "both" if count == "two" else f"all {count}"
    time = recipe.timestamp_at.name if recipe.timestamp_at else "the request"
    name = algorithm_name(recipe.algorithm, is_hmac=True)
    body, nothing = "Sign the body's bytes exactly as they are sent", "nothing"
    hashed = f"Sign {listed([text for text in names if text.startswith('the ')])}"
    for part in recipe.parts:
        if isinstance(part, Hashed) and part.parts == ("body",):
            empty = hashlib.new(part.algorithm, usedforsecurity=False).hexdigest()
            how = f"{part.written} {NAMES[part.algorithm]}"
            hashed = body = f"Sign the {how} of the body's bytes exactly as they are sent"
            nothing = f"of nothing: {empty[:8]}...{empty[-4:]}"
    alone, mark, no_query = "alone", "without the ?", "no query, "
    if recipe.has_target:
        alone, mark, no_query = "with its ?query", "with the ? before it", ""
    return {
        "query": f"Sign the query exactly as it is sent, in its order and encoding, {mark}.",
        "path": f"Sign the path {alone}, as it is on the request line: no host, {no_query}nothing"
        " added.",
        "method": "Sign the method that is sent, in upper case.",
        "sent": "Sign the bytes that are sent: compress the body first, or not at all.",
        "parts": f"Sign {listed(names)}: {every}, in this order.",
        "join": _join_text(recipe.joiner, count),
        "digest": f"Use {name}: the secret is its key, the string its message.",
        "time": f"Sign the same text that you send in {time}: make it once.",
        "secret": f"Sign with the secret that belongs to the {recipe.key_text} in"
        f" {recipe.key_at.name}.",
        "decode": f"Decode the secret from {recipe.encoding} before you sign with it.",
        "hash": f"{hashed}, not {'the body itself' if hashed == body else 'these themselves'}.",
        "hashed": f"{hashed}.",
        "body": f"{body}.",
        "nothing": f"{body}; without a body, {nothing}.",
        "json": f"{body}: write the JSON once, hash it, and send that same text.",
    }


def _part_text(part: str | Hashed, texts: Mapping[str, str]) -> str:
    if isinstance(part, str):
        return texts.get(part, part)
    if part.parts == ("body",):
        return "body hash"
    inner = listed([_part_text(one, texts) for one in part.parts])
    return f"the {part.written} {NAMES[part.algorithm]} of {inner}"


def _join_text(joiner: bytes, count: str) -> str:
    if joiner == b"\n":
        return f"Join the {count} fields with one newline (\\n), without one after the last."
    between = repr(joiner.decode("latin-1")) if joiner else "nothing"
    return f"Join the {count} fields with {between} between them, and nothing after the last."


def _parameter_fixes(recipe: SigningRecipe) -> Mapping[str, str]:
    key, sign, operation = recipe.key_at.name, recipe.signature_at.name, recipe.operation
    equals, joiner = recipe.equals.decode(), recipe.joiner.decode()
    name = algorithm_name(recipe.algorithm, is_hmac=False)
    sort = "Sort the parameters by name, byte by byte; do not sort the secret with them."
    every = f"Sign every parameter of query and form, {key} too, but not {sign} itself."
    uncovered = f"Do not sign {operation}: it only names the operation."
    return {
        "sort": sort,
        "every": every,
        "operation": uncovered,
        "unsorted": f"{uncovered} {sort}",
        "raw": "Sign names and values raw, as they are before they are URL-encoded.",
        "newline": "Remove the line end after the string: it comes from echo, or from the"
        " secret's file.",
        "place": f"Append {joiner}{recipe.placed_as}{equals} and the secret at the very end.",
        "join": f"Join name{equals}value by {joiner}, with nothing before them and nothing after"
        " the secret.",
        "secret": f"Append the secret that belongs to the {key}.",
        "digest": f"Use a plain {name} of the string, not an HMAC: the secret is part of the"
        " string.",
    }
