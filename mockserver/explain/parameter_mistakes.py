"""The known mistakes of clients that sign sorted parameters, the likeliest first."""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import permutations
from typing import Any
from urllib.parse import quote, quote_plus, unquote_to_bytes

from msgspec.structs import replace

from mockserver.explain.attempts import Attempt, Change, label, message, pairs
from mockserver.explain.digests import RARE_SECRETS, SECRETS
from mockserver.explain.part_changes import each, secret_of_another_key, with_values
from mockserver.explain.part_mistakes import algorithm_text
from mockserver.explain.solver import Mistake
from mockserver.explain.spelling import lower_escapes
from mockserver.model.query import parameter
from mockserver.model.signing_recipe import SigningRecipe

SHUFFLED_MAX = 4  # parameters that are tried in every order
PARAMETERS_MAX = 16  # parameters up to which each is omitted as a trial

Attempts = Iterable[Attempt]
Row = tuple[str, str, Change]  # rule, fix, change

SORT = "Sort the parameters by name, byte by byte; do not sort the secret with them."
RAW = "Sign names and values raw, as they are before they are URL-encoded."
NOTHING = "Remove the line end after the string: it comes from echo, or from the secret's file."
SECRET_NAMES = (b"secret", b"secretKey", b"api_secret")
RARE_SECRET_NAMES = (
    *(b"apiSecret", b"secretkey", b"SecretKey", b"SECRET_KEY", b"secret-key", b"key"),
    *(b"api_secret_key", b"apiSecretKey", b"apisecret", b"skey", b"sk", b"appSecret"),
    *(b"secret_key", b"secret", b"secretKey", b"api_secret"),
)


@lru_cache(16)
def parameter_mistakes(recipe: SigningRecipe, own: Sequence[Mistake] = ()) -> tuple[Mistake, ...]:
    """Returns the mistakes against a recipe of parameters; ``own`` are those of its provider."""
    key, sign, joiner = recipe.key_at.name, recipe.signature_at.name, recipe.joiner.decode()
    named = f"{recipe.placed_as}{recipe.equals.decode()}"
    place = f"Append {joiner}{named} and the secret at the very end."
    every = f"Sign every parameter of query and form, {key} too, but not {sign} itself."
    join = (
        f"Join name{recipe.equals.decode()}value by {joiner}, with nothing before them and"
        " nothing after the secret."
    )
    secret = f"Append the secret that belongs to the {key}."
    plain = plain_text(recipe)
    operation = recipe.operation
    unordered: tuple[Row, ...] = ()
    covered: Row = (f"{operation} not signed", every, omits(lambda a: _operation(a)[:1]))
    if operation in recipe.left_out:
        fix = f"Do not sign {operation}: it only names the operation."
        covered = (f"{operation} signed", fix, lambda a: with_pair(a, _operation(a)))
        unordered = (
            (f"{operation} signed + parameters not sorted", f"{fix} {SORT}", unsorted_operation),
        )
    rows: tuple[Row, ...] = (
        *((covered,) if operation else ()),
        ("parameters not sorted", SORT, in_sent_order),
        ("secret not signed", place, with_values(place="nowhere")),
        ("secret without its name", place, each("place", "last, without its name", "appended")),
        ("secret under another name", place, each("secret_name", *SECRET_NAMES)),
        ("secret sorted in", SORT, with_values(place="sorted in")),
        ("secret first", place, with_values(place="first")),
        ("values URL-encoded", RAW, respells(quote_plus, lambda text: quote(text, safe=""))),
        (f"{key} not signed", every, omits(lambda a: [key.encode()])),
        (f"{sign} signed", every, lambda a: with_pair(a, (sign.encode(), b""))),
        ("query not signed", every, omits(lambda a: {n for n, _ in a.of.query} - _unsplit(a))),
        ("form not signed", every, omits(lambda a: {n for n, _ in a.of.form} - _unsplit(a))),
        (f"{joiner} after the string", join, with_values(suffix=recipe.joiner)),
        (SECRETS[0].name, NOTHING, SECRETS[0].change),
        *((mistake.name, mistake.fix, mistake.change) for mistake in SECRETS[1:]),
        (
            f"HMAC-{algorithm_text(recipe)} for {algorithm_text(recipe)}",
            plain,
            hmac_instead,
        ),
        (f"{key} and secret swapped", secret, key_and_secret_swapped),
        ("another key's secret", secret, secret_of_another_key),
        ("newline after the string", NOTHING, with_newline),
        ("query signed as it is sent", RAW, raw_query),
        (
            "values decoded twice",
            RAW,
            respells(unquote_to_bytes, lambda t: unquote_to_bytes(t.replace(b"+", b" "))),
        ),
        (
            f"only {key} signed",
            every,
            omits(lambda a: {label(p) for p in a.parts} - {key.encode()}),
        ),
        ("another separator between parameters", join, each("joiner", b"", b",", b"\n", b"|")),
        ("secret first", place, each("place", "first, without its name", "prepended")),
        ("string in one case", join, in_one_case),
    )
    rare: tuple[Row, ...] = (
        ("secret under another name", place, each("secret_name", *RARE_SECRET_NAMES)),
        ("parameters in another order", SORT, otherwise_sorted),
        ("empty parameters not signed", every, omits(lambda a: [n for n, v in pairs(a) if not v])),
        ("a parameter not signed", every, param_omitted),
        ("values URL-encoded", RAW, respells(*SPELLINGS)),
        ("plus signed for a space", RAW, respells(lambda text: text.replace(b" ", b"+"))),
        (
            "path signed",
            join,
            lambda a: each("prefix", a.of.request.full_path + b"?", a.of.request.full_path)(a),
        ),
        (
            "names not signed",
            join,
            lambda a: each("joiner", b"", a.joiner)(replace(a, equals=None)),
        ),
        ("= missing or another character", join, each("equals", b"", b":")),
        ("JSON signed", join, each("json_style", (",", ":"), (", ", ": "))),
    )
    return (
        *(Mistake(*row) for row in rows[:2]),
        *(Mistake(*row, no_pairs=True) for row in unordered),
        *(Mistake(*row) for row in rows[2:]),
        *(Mistake(*row, no_pairs=True) for row in rare),
        *own,
        *RARE_SECRETS,
    )


def plain_text(recipe: SigningRecipe) -> str:
    """Returns the sentence that says which digest to use."""
    name = algorithm_text(recipe)
    return f"Use a plain {name} of the string, not an HMAC: the secret is part of the string."


def with_pair(attempt: Attempt, pair: tuple[bytes, bytes]) -> list[Attempt]:
    """Adds a parameter in the order of names, or last where the parameters are not sorted."""
    parts = (*attempt.parts, pair)
    is_sorted = attempt.parts == tuple(sorted(attempt.parts, key=label))
    return [replace(attempt, parts=tuple(sorted(parts, key=label)) if is_sorted else parts)]


def omits(names: Callable[[Attempt], Iterable[bytes]]) -> Change:
    """Does not sign some parameters."""

    def change(attempt: Attempt) -> Attempts:
        omitted = set(names(attempt))
        return [replace(attempt, parts=tuple(p for p in attempt.parts if label(p) not in omitted))]

    return change


def _operation(attempt: Attempt) -> tuple[bytes, bytes]:
    """Returns the parameter that names the operation."""
    name = attempt.of.recipe.operation.encode()
    return name, parameter(attempt.of.request, name)


# Which parameters


def _unsplit(attempt: Attempt) -> set[bytes]:
    """Returns the parameters that are signed, or not, wherever they are sent."""
    recipe = attempt.of.recipe
    return {recipe.key_at.name.encode(), recipe.operation.encode()}


def param_omitted(attempt: Attempt) -> Attempts:
    """Does not sign one parameter."""
    few = attempt.parts if len(attempt.parts) <= PARAMETERS_MAX else ()
    return [replace(attempt, parts=tuple(p for p in attempt.parts if p is not one)) for one in few]


# Order


def in_sent_order(attempt: Attempt) -> Attempts:
    """Keeps the order in which parameters are sent, with key or operation at either end."""
    key, operation = (
        n.encode() for n in (attempt.of.recipe.key_at.name, attempt.of.recipe.operation)
    )
    names = [name for name, _ in dict.fromkeys((*attempt.of.query, *attempt.of.form))]
    operations = [n for n in names if n == operation]
    others = [n for n in names if n != key]
    rest = [n for n in others if n not in operations]
    orders = (
        names,
        [*others, key],
        [key, *others],
        [*operations, key, *rest],
        [key, *rest, *operations],
        [*rest, key, *operations],
    )
    return [_in_order(attempt, order) for order in orders]


def _in_order(attempt: Attempt, names: list[bytes]) -> Attempt:
    """Sorts the parameters by the order of names; parameters without a name there come last."""
    ranks = {name: n for n, name in enumerate(names)}
    parts = sorted(attempt.parts, key=lambda part: ranks.get(label(part), len(names)))
    return replace(attempt, parts=tuple(parts))


def unsorted_operation(attempt: Attempt) -> Attempts:
    """Signs the parameter that names the operation, and sorts nothing."""
    return [
        changed
        for covering in with_pair(attempt, _operation(attempt))
        for changed in (*in_sent_order(covering), *in_any_order(covering))
        if changed != covering
    ]


def in_any_order(attempt: Attempt) -> list[Attempt]:
    """Tries every order of few parameters."""
    if len(attempt.parts) > SHUFFLED_MAX:
        return []
    return [replace(attempt, parts=parts) for parts in permutations(attempt.parts)]


def otherwise_sorted(attempt: Attempt) -> Attempts:
    """Sorts backwards, by value, without regard to case, or key and value as one text."""
    keys: tuple[Callable[[tuple[bytes, bytes]], Any], ...] = (
        lambda pair: pair[1],
        lambda pair: pair[0].lower(),
        lambda pair: pair[0] + b"=" + pair[1],
    )
    signed = pairs(attempt)
    orders = (signed[::-1], *(sorted(signed, key=key) for key in keys))
    return [*(replace(attempt, parts=tuple(o)) for o in orders), *in_any_order(attempt)]


# Values


Spelling = Callable[[bytes], bytes | str]


def respells(*spellings: Spelling) -> Change:
    """Spells every name and value in other ways."""
    return lambda attempt: [
        replace(attempt, parts=tuple((_text(n, way), _text(v, way)) for n, v in pairs(attempt)))
        for way in spellings
    ]


def _text(text: bytes, spelling: Spelling) -> bytes:
    new = spelling(text)
    return new if isinstance(new, bytes) else new.encode()


SPELLINGS: tuple[Spelling, ...] = (  # unusual ones
    quote,
    lambda text: quote(text, safe="!'()*,:"),
    lambda text: quote_plus(text).replace("~", "%7E"),
    lambda text: quote(text, safe="").replace("~", "%7E"),
    lambda text: lower_escapes(quote_plus(text).encode()),
    lambda text: lower_escapes(quote(text, safe="").encode()),
    lambda text: lower_escapes(quote_plus(text).replace("~", "%7E").encode()),
)


# The string as a whole


def raw_query(attempt: Attempt) -> Attempts:
    """Signs query and form as they are sent, without the signature."""
    of = attempt.of
    texts = (of.request.query, of.request.body if of.form else b"")
    params = [param for text in texts for param in text.split(b"&") if param]
    signature = of.recipe.signature_at.name.encode() + b"="
    split = (param.partition(b"=") for param in params if not param.startswith(signature))
    return [replace(attempt, parts=tuple((name, value) for name, _, value in split))]


def with_newline(attempt: Attempt) -> Attempts:
    """Ends the string in a newline, unless a newline after the right secret explains it."""
    is_last = attempt.place in ("last", "last, without its name", "appended")
    explained = is_last and attempt.secret == attempt.of.secret and attempt.construction == "hash"
    return [] if explained else [replace(attempt, suffix=b"\n")]


def in_one_case(attempt: Attempt) -> Attempts:
    """Signs the string in lower or upper case, where that changes several letters."""
    text = message(attempt)
    cased = {case: getattr(text, case)() for case in ("lower", "upper")}
    several = {
        case: sum(map(int.__ne__, text, other)) > 1
        for case, other in cased.items()
        if other != text
    }
    return [replace(attempt, case=case) for case in several if several[case]]


# Secret and digest


def key_and_secret_swapped(attempt: Attempt) -> Attempts:
    """Signs with the key as the secret, and with the secret as the key too."""
    key, secret = attempt.of.key_id, attempt.of.secret
    parts = tuple((name, secret if value == key else value) for name, value in pairs(attempt))
    return [replace(attempt, secret=key), replace(attempt, secret=key, parts=parts)]


def hmac_instead(attempt: Attempt) -> Attempts:
    """Makes an HMAC, with or without the secret in the string."""
    places = ("nowhere", attempt.place) if attempt.algorithm == attempt.of.recipe.algorithm else ()
    return [replace(attempt, construction="HMAC", place=place) for place in places]
