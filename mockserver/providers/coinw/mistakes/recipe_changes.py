"""Changes that turn a CoinW signing recipe into one with a mistake.

Each change takes a recipe and returns recipes with one mistake, none where it does not apply.
"""

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote, quote_plus, unquote_to_bytes

from msgspec.structs import replace

from mockserver.model.query import FORM, parameter
from mockserver.providers.coinw.mistakes.recipe import ALGORITHM, Pairs, SigningRecipe

PARAMETERS_MAX = 16  # parameters up to which each is omitted as a trial
OTHERS_MAX = 16  # other keys whose secrets are tried
FUTURES = "sha256"

Recipes = Iterable[SigningRecipe]
Change = Callable[[SigningRecipe], Recipes]


def with_values(**members: Any) -> Change:
    """Sets members of the recipe."""
    return lambda recipe: [replace(recipe, **members)]


def with_each(name: str, *values: Any) -> Change:
    """Tries several values of one member."""
    return lambda recipe: [replace(recipe, **{name: value}) for value in values]


def _with(recipe: SigningRecipe, pair: tuple[bytes, bytes]) -> list[SigningRecipe]:
    """Adds a parameter in the order of names, or last where the parameters are not sorted."""
    pairs = (*recipe.pairs, pair)
    is_sorted = recipe.pairs == tuple(sorted(recipe.pairs))
    return [replace(recipe, pairs=tuple(sorted(pairs)) if is_sorted else pairs)]


def _without(recipe: SigningRecipe, names: Iterable[bytes]) -> list[SigningRecipe]:
    return [replace(recipe, pairs=tuple(pair for pair in recipe.pairs if pair[0] not in names))]


# Which parameters


def with_command(recipe: SigningRecipe) -> Recipes:
    """Signs the command, which is right only with the quirk ``sign_covers_command``."""
    return _with(recipe, (b"command", parameter(recipe.inputs.request, b"command")))


def without_command(recipe: SigningRecipe) -> Recipes:
    """Does not sign the command although the quirk ``sign_covers_command`` is set."""
    return _without(recipe, {b"command"})


def where_command(covered: bool, change: Change) -> Change:
    """Applies a change only where the signature covers the command, or only where it does not."""
    return lambda recipe: change(recipe) if recipe.inputs.covers_command is covered else []


def with_sign(recipe: SigningRecipe) -> Recipes:
    """Signs ``sign`` while it is still empty."""
    return _with(recipe, (b"sign", b""))


def without_key(recipe: SigningRecipe) -> Recipes:
    """Does not sign the key."""
    return _without(recipe, {b"api_key"})


def without_query(recipe: SigningRecipe) -> Recipes:
    """Signs only the form."""
    return _without(recipe, {name for name, _ in recipe.inputs.query} - {b"api_key", b"command"})


def without_form(recipe: SigningRecipe) -> Recipes:
    """Signs only the query."""
    return _without(recipe, {name for name, _ in recipe.inputs.form} - {b"api_key", b"command"})


def api_key_alone(recipe: SigningRecipe) -> Recipes:
    """Signs nothing but the key."""
    return _without(recipe, {name for name, _ in recipe.pairs} - {b"api_key"})


def param_omitted(recipe: SigningRecipe) -> Recipes:
    """Does not sign one parameter."""
    names = [name for name, _ in recipe.pairs]
    if len(names) > PARAMETERS_MAX:
        return []
    return [changed for name in names for changed in _without(recipe, {name})]


def empty_params_omitted(recipe: SigningRecipe) -> Recipes:
    """Does not sign empty parameters."""
    return _without(recipe, {name for name, value in recipe.pairs if not value})


# Order


def _in_order(recipe: SigningRecipe, names: list[bytes]) -> list[SigningRecipe]:
    """Sorts the parameters by the order of names; parameters without a name there come last."""
    ranks = {name: n for n, name in enumerate(names)}
    last = len(names)
    return [replace(recipe, pairs=tuple(sorted(recipe.pairs, key=lambda p: ranks.get(p[0], last))))]


def in_sent_order(recipe: SigningRecipe) -> Recipes:
    """Keeps the parameters in the order in which they are sent, with the key in any place."""
    names = [name for name, _ in dict.fromkeys((*recipe.inputs.query, *recipe.inputs.form))]
    others = [name for name in names if name != b"api_key"]
    orders = (
        names,
        [*others, b"api_key"],
        [b"api_key", *others],
        [b"command", b"api_key", *(name for name in others if name != b"command")],
    )
    return [changed for order in orders for changed in _in_order(recipe, order)]


def otherwise_sorted(recipe: SigningRecipe) -> Recipes:
    """Sorts backwards, by value, without regard to case, or key and value as one text."""
    keys: tuple[Callable[[tuple[bytes, bytes]], Any], ...] = (
        lambda pair: pair[1],
        lambda pair: pair[0].lower(),
        lambda pair: pair[0] + b"=" + pair[1],
    )
    orders = [tuple(sorted(recipe.pairs, key=key)) for key in keys]
    return [replace(recipe, pairs=pairs) for pairs in (recipe.pairs[::-1], *orders)]


# Values


def _changed_texts(
    recipe: SigningRecipe, change: Callable[[bytes], bytes | str]
) -> list[SigningRecipe]:
    """Applies a change to every name and value."""

    def changed(text: bytes) -> bytes:
        new = change(text)
        return new if isinstance(new, bytes) else new.encode()

    pairs = tuple((changed(name), changed(value)) for name, value in recipe.pairs)
    return [replace(recipe, pairs=pairs)]


def encoded_values(recipe: SigningRecipe) -> Recipes:
    """Encodes names and values, a space as a plus or as %20."""
    return [
        *_changed_texts(recipe, quote_plus),
        *_changed_texts(recipe, lambda text: quote(text, safe="")),
    ]


def unusually_encoded_values(recipe: SigningRecipe) -> Recipes:
    """Encodes fewer characters than usual."""
    return [
        *_changed_texts(recipe, quote),
        *_changed_texts(recipe, lambda text: quote(text, safe="!'()*,:")),
    ]


def decoded_values(recipe: SigningRecipe) -> Recipes:
    """Decodes the decoded values once more, a plus to itself or to a space."""
    spaced = _changed_texts(recipe, lambda text: unquote_to_bytes(text.replace(b"+", b" ")))
    return [*_changed_texts(recipe, unquote_to_bytes), *spaced]


def plus_for_space(recipe: SigningRecipe) -> Recipes:
    """Signs a plus where the query's plus stands for a space."""
    return _changed_texts(recipe, lambda text: text.replace(b" ", b"+"))


# The string as a whole


def _raw_params(recipe: SigningRecipe) -> list[bytes]:
    """Returns the parameters of query and form as they are sent."""
    request = recipe.inputs.request
    body = request.body if recipe.inputs.form else b""
    return [param for text in (request.query, body) for param in text.split(b"&") if param]


def raw_query(recipe: SigningRecipe) -> Recipes:
    """Signs query and form as they are sent, without ``sign``."""
    parts = [part for part in _raw_params(recipe) if not part.startswith(b"sign=")]
    pairs = tuple((name, value) for name, _, value in (part.partition(b"=") for part in parts))
    return [replace(recipe, pairs=pairs)]


def with_path(recipe: SigningRecipe) -> Recipes:
    """Signs the path before the parameters."""
    path = recipe.inputs.request.full_path
    return [replace(recipe, prefix=prefix) for prefix in (path + b"?", path)]


def with_newline(recipe: SigningRecipe) -> Recipes:
    """Ends the string in a newline, unless a newline after the right secret explains it."""
    own = recipe.inputs.key.secret_key.encode()
    is_last = recipe.placement in ("last", "last, without its name", "appended")
    explained = is_last and recipe.secret == own and not recipe.is_hmac
    return [] if explained else [replace(recipe, suffix=b"\n")]


def values_alone(recipe: SigningRecipe) -> Recipes:
    """Joins the values alone."""
    pairs: Pairs = tuple((b"", value) for _, value in recipe.pairs)
    return [
        replace(recipe, pairs=pairs, equals=b"", separator=separator, secret_name=b"")
        for separator in (b"", recipe.separator)
    ]


# Secret and digest


def secret_of_another_key(recipe: SigningRecipe) -> Recipes:
    """Signs with the secrets of other keys."""
    secrets = list(recipe.inputs.other_secrets)[:OTHERS_MAX]
    return [replace(recipe, secret=secret) for secret in secrets]


def key_and_secret_swapped(recipe: SigningRecipe) -> Recipes:
    """Signs with the key as the secret, and with the secret as the key too."""
    key, secret = recipe.inputs.key.api_key.encode(), recipe.inputs.key.secret_key.encode()
    pairs = tuple((name, secret if value == key else value) for name, value in recipe.pairs)
    return [replace(recipe, secret=key), replace(recipe, secret=key, pairs=pairs)]


def hmac_scheme(recipe: SigningRecipe) -> Recipes:
    """Makes an HMAC, with or without the secret in the string."""
    places = ("nowhere", recipe.placement) if recipe.algorithm == ALGORITHM else ()
    return [replace(recipe, is_hmac=True, placement=place) for place in places]


def futures_scheme(recipe: SigningRecipe) -> Recipes:
    """Signs as for the futures API: an HMAC of timestamp, method, path and parameters."""
    request = recipe.inputs.request
    time = request.header(b"timestamp") or parameter(request, b"timestamp")
    if recipe.algorithm != FUTURES or not time:
        return []
    start = time + request.method.encode() + request.full_path
    query = [part for part in request.query.split(b"&") if not part.startswith(b"sign=")]
    bare = [part for part in query if not part.startswith(b"api_key=")]
    body = b"" if request.header(b"content-type").startswith(FORM) else request.body
    tails = {b"", *(b"?" + b"&".join(parts) for parts in (query, sorted(query), bare) if parts)}
    texts = [start + tail + more for tail in sorted(tails) for more in dict.fromkeys((b"", body))]
    return [replace(recipe, signed_text=text, is_hmac=True) for text in texts]
