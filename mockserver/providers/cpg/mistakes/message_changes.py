"""Wrong bodies, strings, secrets and digests in what is signed for X-CPG.

Each change takes a recipe and returns recipes with one mistake, none where it does not apply.
"""

import base64
import hashlib
import json

from msgspec.structs import replace

from mockserver.caches import MIB, cached
from mockserver.model.signing import sha256_hex
from mockserver.providers.cpg.mistakes.field_changes import Change, Recipes, order_without
from mockserver.providers.cpg.mistakes.recipe import ORDER, SigningRecipe

REWRITTEN_BODY_MAX = 8 * 1024  # bytes of a body that is parsed, or signed itself, as a trial
OTHERS_MAX = 16  # other keys whose secrets are tried


def hash_of(*texts: bytes) -> Change:
    """Hashes other texts in place of the body."""
    return lambda recipe: [replace(recipe, body=sha256_hex(text)) for text in texts]


def no_body_hash(recipe: SigningRecipe) -> Recipes:
    """Leaves the field of the body's hash empty, or out."""
    return [replace(recipe, body=b""), replace(recipe, order=order_without(recipe, "body"))]


def body_itself(recipe: SigningRecipe) -> Recipes:
    """Signs the body instead of its hash."""
    body = recipe.inputs.request.body
    return [replace(recipe, body=body)] if 0 < len(body) <= REWRITTEN_BODY_MAX else []


def with_body(change: Change, has_body: bool = True) -> Change:
    """Applies a change only to requests with a body, or only to those without one."""
    return lambda recipe: change(recipe) if bool(recipe.inputs.request.body) is has_body else []


COMPACT, SPACED = (",", ":"), (", ", ": ")


def rewritten_json(*separators: tuple[str, str], sort: bool = False) -> Change:
    """Hashes the body's JSON with other separators, or sorted."""
    return lambda recipe: [
        replace(recipe, body=text)
        for style in separators
        for text in _rewritten_hashes((recipe.inputs.request.body, style, sort))
    ]


Style = tuple[bytes, tuple[str, str], bool]  # a body, separators, whether members are sorted


@cached("cpg body hashes", size=lambda style: 400 + len(style[0]), room=1 * MIB, at_once=True)
def _rewritten_hashes(style: Style) -> tuple[bytes, ...]:
    body, separators, sort = style
    if not 0 < len(body) <= REWRITTEN_BODY_MAX:
        return ()
    try:
        data = json.loads(body)
        texts = [
            json.dumps(data, separators=separators, sort_keys=sort, ensure_ascii=ascii)
            for ascii in (True, False)
        ]
        return tuple(sha256_hex(text.encode()) for text in texts)
    except (ValueError, RecursionError):
        return ()


def body_hash_recoded(recipe: SigningRecipe) -> Recipes:
    """Writes the body's hash other than in lower-case hex, or hashes it once more."""
    hexed = recipe.inputs.body_hash
    raw = bytes.fromhex(hexed.decode())
    texts = (hexed.upper(), base64.b64encode(raw), raw, b"sha256=" + hexed, sha256_hex(hexed))
    return [replace(recipe, body=text) for text in texts]


def other_body_hash(recipe: SigningRecipe) -> Recipes:
    """Hashes the body with another algorithm."""
    body = recipe.inputs.request.body
    if len(body) > REWRITTEN_BODY_MAX:
        return []
    return [
        replace(recipe, body=hashlib.new(name, body, usedforsecurity=False).hexdigest().encode())
        for name in ("md5", "sha1", "sha512")
    ]


# The canonical string as a whole


def joined_by(*separators: bytes) -> Change:
    """Joins the fields with other separators."""
    return lambda recipe: [replace(recipe, separator=separator) for separator in separators]


def _orders() -> tuple[tuple[str, ...], ...]:
    orders: dict[tuple[str, ...], None] = {ORDER[::-1]: None}
    for n, name in enumerate(ORDER):
        others = ORDER[:n] + ORDER[n + 1 :]
        for m in range(len(ORDER)):
            orders[(*others[:m], name, *others[m:])] = None
            swapped = list(ORDER)
            swapped[n], swapped[m] = ORDER[m], name
            orders[tuple(swapped)] = None
    return tuple(orders)


# One field moved, two swapped, or all reversed.
ORDERS = _orders()
LIKELY_ORDERS = (
    ("method", "path", "query", "body", "timestamp"),
    ("method", "timestamp", "path", "query", "body"),
)


def reordered(*orders: tuple[str, ...]) -> Change:
    """Joins the fields in other orders."""
    return lambda recipe: [
        replace(recipe, order=tuple(name for name in order if name in recipe.order))
        for order in orders
    ]


def with_key_id(recipe: SigningRecipe) -> Recipes:
    """Signs the key id as well: first, second or last."""
    positions = (0, 1, len(recipe.order))
    return [
        replace(recipe, order=(*recipe.order[:n], "key_id", *recipe.order[n:])) for n in positions
    ]


def webhook_scheme(recipe: SigningRecipe) -> Recipes:
    """Signs as the gateway signs its own webhooks: the timestamp, and the body itself."""
    body = recipe.inputs.request.body
    if len(body) > REWRITTEN_BODY_MAX:
        return []
    return [replace(recipe, order=("timestamp", "body"), body=body)]


def other_exchange_scheme(recipe: SigningRecipe) -> Recipes:
    """Signs as other exchanges do: timestamp, method, target and body without a separator."""
    body = recipe.inputs.request.body
    if not recipe.query or len(body) > REWRITTEN_BODY_MAX:
        return []  # without a query two other mistakes explain it
    path = recipe.path + b"?" + recipe.query
    order = ("timestamp", "method", "path", "body")
    return [replace(recipe, path=path, body=body, order=order, separator=b"")]


# Secret and digest


def secret_of_another_key(recipe: SigningRecipe) -> Recipes:
    """Signs with the secrets of other keys."""
    secrets = list(recipe.inputs.other_secrets)[:OTHERS_MAX]
    return [replace(recipe, secret=secret) for secret in secrets]


def key_id_as_secret(recipe: SigningRecipe) -> Recipes:
    """Signs with the key id as the secret."""
    return [replace(recipe, secret=recipe.key_id)]


def plain_hash(construction: str, secret_first: bool) -> Change:
    """Hashes secret and string without an HMAC: the secret joined directly, or as a field."""

    def change(recipe: SigningRecipe) -> Recipes:
        order = ("secret", *recipe.order) if secret_first else (*recipe.order, "secret")
        return [
            replace(recipe, construction=construction),
            replace(recipe, construction="hash without secret", order=order),
        ]

    return change


def other_algorithm(recipe: SigningRecipe) -> Recipes:
    """Signs with another algorithm whose digests have the same size."""
    algorithms = {"sha256": ("sha3_256", "blake2s")}.get(recipe.algorithm, ())
    return [replace(recipe, algorithm=name) for name in algorithms]
