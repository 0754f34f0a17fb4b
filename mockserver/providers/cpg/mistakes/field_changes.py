"""Wrong timestamps, methods, paths and queries in what is signed for X-CPG.

Each change takes a recipe and returns recipes with one mistake, none where it does not apply.
"""

from collections.abc import Callable, Iterable
from itertools import permutations
from typing import Any
from urllib.parse import quote, quote_plus, unquote_to_bytes, urlencode

from msgspec.structs import replace

from mockserver.model.query import Pairs, raw_pairs
from mockserver.providers.cpg.mistakes.recipe import SigningRecipe

PARAMETERS_MAX = 16  # parameters of a query that is split
SHUFFLED_MAX = 3  # parameters that are tried in every order

Recipes = Iterable[SigningRecipe]
Change = Callable[[SigningRecipe], Recipes]


def with_values(**members: Any) -> Change:
    """Sets members of the recipe."""
    return lambda recipe: [replace(recipe, **members)]


def without_field(name: str) -> Change:
    """Does not sign a field."""
    return lambda recipe: [replace(recipe, order=order_without(recipe, name))]


def order_without(recipe: SigningRecipe, name: str) -> tuple[str, ...]:
    """Returns the recipe's order without one field."""
    return tuple(field for field in recipe.order if field != name)


# Timestamp and method


def more_digits(*texts: bytes) -> Change:
    """Appends digits to the seconds."""
    return lambda recipe: [replace(recipe, timestamp=recipe.timestamp + text) for text in texts]


def shifted_by(*seconds: int) -> Change:
    """Signs an earlier or a later timestamp."""
    return lambda recipe: [
        replace(recipe, timestamp=b"%d" % (int(recipe.timestamp) + n))
        for n in seconds
        if recipe.timestamp.isdigit()
    ]


def lower_method(recipe: SigningRecipe) -> Recipes:
    """Writes the method in lower case."""
    return [replace(recipe, method=recipe.method.lower())]


def other_method(recipe: SigningRecipe) -> Recipes:
    """Signs another method, or another spelling."""
    methods = (b"GET", b"POST", b"PUT", b"PATCH", b"DELETE", b"HEAD", recipe.method.title())
    return [replace(recipe, method=method) for method in methods]


# Path


def query_in_path(recipe: SigningRecipe) -> Recipes:
    """Signs path and query in one field; the query's own field is missing or empty."""
    if not recipe.query:
        return []
    target = recipe.path + b"?" + recipe.query
    return [
        replace(recipe, path=target, order=order_without(recipe, "query")),
        replace(recipe, path=target, query=b""),
    ]


def query_in_path_too(recipe: SigningRecipe) -> Recipes:
    """Signs the query after the path, and in its own field too."""
    return [replace(recipe, path=recipe.path + b"?" + recipe.query)] if recipe.query else []


def host_in_path(recipe: SigningRecipe) -> Recipes:
    """Puts the host before the path, with and without its port."""
    host = recipe.inputs.host
    hosts = (host, host.partition(b":")[0])
    return [replace(recipe, path=name + recipe.path) for name in hosts if name]


def url_in_path(scheme: bytes) -> Change:
    """Signs the whole URL in place of the path, or of path and query."""

    def change(recipe: SigningRecipe) -> Recipes:
        url = scheme + recipe.inputs.host + recipe.path
        recipes = [replace(recipe, path=url)]
        if recipe.query:
            target, order = url + b"?" + recipe.query, order_without(recipe, "query")
            recipes.append(replace(recipe, path=target, order=order))
        return recipes

    return change


def without_base_path(recipe: SigningRecipe) -> Recipes:
    """Leaves out the path's first segment, which is in a client's base URL."""
    return [replace(recipe, path=recipe.path.replace(_base_path(recipe), b"/", 1))]


def base_path_twice(recipe: SigningRecipe) -> Recipes:
    """Writes the path's first segment twice."""
    base = _base_path(recipe)
    return [replace(recipe, path=recipe.path.replace(base, base[:-1] + base, 1))]


def _base_path(recipe: SigningRecipe) -> bytes:
    """Returns the path's first segment between its slashes."""
    return b"/" + recipe.inputs.request.full_path[1:].partition(b"/")[0] + b"/"


def trailing_slash(recipe: SigningRecipe) -> Recipes:
    """Ends the path in a slash."""
    return [replace(recipe, path=recipe.path + b"/")]


def without_leading_slash(recipe: SigningRecipe) -> Recipes:
    """Starts the path without a slash."""
    return [replace(recipe, path=recipe.path.lstrip(b"/"))]


def path_recoded(recipe: SigningRecipe) -> Recipes:
    """Decodes the path, or encodes it again."""
    plain = unquote_to_bytes(recipe.path)
    return [replace(recipe, path=path) for path in (plain, quote(plain).encode())]


# Query


def with_question_mark(recipe: SigningRecipe) -> Recipes:
    """Signs the query with its question mark."""
    return [replace(recipe, query=b"?" + recipe.query)]


def _params(recipe: SigningRecipe) -> list[bytes]:
    """Returns the raw parameters, none where one alone or too many are sent."""
    params = recipe.query.split(b"&")
    return params if 1 < len(params) <= PARAMETERS_MAX else []


def _joined_queries(recipe: SigningRecipe, *orders: Iterable[bytes]) -> Recipes:
    return [replace(recipe, query=b"&".join(params)) for params in orders]


def sort_query(recipe: SigningRecipe) -> Recipes:
    """Sorts the parameters."""
    return _joined_queries(recipe, sorted(_params(recipe))) if _params(recipe) else []


def in_other_orders(recipe: SigningRecipe) -> Recipes:
    """Reorders the parameters: in every order where they are few."""
    params = _params(recipe)
    if not params:
        return []
    if len(params) <= SHUFFLED_MAX:
        return _joined_queries(recipe, *permutations(params))
    return _joined_queries(recipe, params[::-1], sorted(params)[::-1])


def param_omitted(recipe: SigningRecipe) -> Recipes:
    """Leaves out one parameter, or all but one."""
    params = _params(recipe)
    return _joined_queries(recipe, *(params[:n] + params[n + 1 :] for n in range(len(params))))


def decoded_query(recipe: SigningRecipe) -> Recipes:
    """Decodes the query; a plus stays or becomes a space."""
    plain = unquote_to_bytes(recipe.query)
    spaced = unquote_to_bytes(recipe.query.replace(b"+", b" "))
    return [replace(recipe, query=query) for query in (plain, spaced)]


def encoded_query(recipe: SigningRecipe) -> Recipes:
    """Encodes the parameters again, a space as a plus or as %20."""
    pairs = _pairs(recipe)
    queries = [urlencode(pairs, quote_via=via) for via in (quote_plus, quote)] if pairs else []
    return [replace(recipe, query=query.encode()) for query in queries]


def unusually_encoded_query(recipe: SigningRecipe) -> Recipes:
    """Encodes fewer characters than usual, or encodes the encoded query once more."""
    pairs = _pairs(recipe)
    if not pairs:
        return []
    queries = (
        urlencode(pairs, safe="/", quote_via=quote),
        urlencode(pairs, safe="!'()*", quote_via=quote),
        quote(recipe.query, safe="=&"),
        quote(recipe.query, safe=""),
    )
    return [replace(recipe, query=query.encode()) for query in queries]


def _pairs(recipe: SigningRecipe) -> Pairs:
    """Returns the decoded parameters, none where they are too many."""
    few = recipe.query and recipe.query.count(b"&") < PARAMETERS_MAX
    return raw_pairs(recipe.query) if few else ()
