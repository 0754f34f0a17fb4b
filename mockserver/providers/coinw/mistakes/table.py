"""The known mistakes of clients that sign for CoinW, the likeliest first."""

from mockserver.explain import RARE_SECRETS, SECRETS, Mistake
from mockserver.providers.coinw.mistakes import recipe_changes as change

COMMAND = "Do not sign command: it only names the operation."
SORT = "Sort the parameters by name, byte by byte; do not sort the secret with them."
LAST = "Append &secret_key= and the secret at the very end."
RAW = "Sign names and values raw, as they are before they are URL-encoded."
ALL = "Sign every parameter of query and form, api_key too, but not sign itself."
JOIN = "Join name=value by &, with nothing before them and nothing after the secret."
SECRET = "Append the secret that belongs to the api_key."  # noqa: S105 a sentence
NOTHING = "Remove the line end after the string: it comes from echo, or from the secret's file."
MD5 = "Use a plain MD5 of the string, not an HMAC: the secret is part of the string."
FUTURES = "This is the scheme of the futures API: spot takes api_key and sign as parameters."

MISTAKES = (
    Mistake("command signed", COMMAND, change.where_command(False, change.with_command)),
    Mistake("command not signed", ALL, change.where_command(True, change.without_command)),
    Mistake("parameters not sorted", SORT, change.in_sent_order),
    Mistake("secret not signed", LAST, change.with_values(placement="nowhere")),
    Mistake(
        "secret without its name",
        LAST,
        change.with_each("placement", "last, without its name", "appended"),
    ),
    Mistake(
        "secret under another name",
        LAST,
        change.with_each("secret_name", b"secret", b"secretKey", b"api_secret"),
    ),
    Mistake("secret sorted in", SORT, change.with_values(placement="sorted in")),
    Mistake("secret first", LAST, change.with_values(placement="first")),
    Mistake("values URL-encoded", RAW, change.encoded_values),
    Mistake("api_key not signed", ALL, change.without_key),
    Mistake("sign signed", ALL, change.with_sign),
    Mistake("query not signed", ALL, change.without_query),
    Mistake("form not signed", ALL, change.without_form),
    Mistake("& after the string", JOIN, change.with_values(suffix=b"&")),
    Mistake(SECRETS[0].name, NOTHING, SECRETS[0].change),
    *SECRETS[1:],
    Mistake("HMAC-MD5 for MD5", MD5, change.hmac_scheme),
    Mistake("api_key and secret swapped", SECRET, change.key_and_secret_swapped),
    Mistake("another key's secret", SECRET, change.secret_of_another_key),
    Mistake("newline after the string", NOTHING, change.with_newline),
    Mistake("query signed as it is sent", RAW, change.raw_query),
    Mistake("values decoded twice", RAW, change.decoded_values),
    Mistake("only api_key signed", ALL, change.api_key_alone),
    Mistake(
        "another separator between parameters",
        JOIN,
        change.with_each("separator", b"", b",", b"\n", b"|"),
    ),
    Mistake(
        "secret first",
        LAST,
        change.with_each("placement", "first, without its name", "prepended"),
    ),
    Mistake("string in one case", JOIN, change.with_each("case", "lower", "upper")),
    # Rare mistakes.
    Mistake(
        "secret under another name",
        LAST,
        change.with_each(
            "secret_name",
            *(b"apiSecret", b"secretkey", b"SecretKey", b"SECRET_KEY", b"secret-key", b"key"),
            *(b"api_secret_key", b"apiSecretKey", b"apisecret", b"skey", b"sk", b"appSecret"),
        ),
        no_pairs=True,
    ),
    Mistake("parameters in another order", SORT, change.otherwise_sorted, no_pairs=True),
    Mistake("empty parameters not signed", ALL, change.empty_params_omitted, no_pairs=True),
    Mistake("a parameter not signed", ALL, change.param_omitted, no_pairs=True),
    Mistake("values URL-encoded", RAW, change.unusually_encoded_values, no_pairs=True),
    Mistake("plus signed for a space", RAW, change.plus_for_space, no_pairs=True),
    Mistake("path signed", JOIN, change.with_path, no_pairs=True),
    Mistake("names not signed", JOIN, change.values_alone, no_pairs=True),
    Mistake(
        "= missing or another character", JOIN, change.with_each("equals", b"", b":"), no_pairs=True
    ),
    Mistake(
        "JSON signed",
        JOIN,
        change.with_each("json_separators", (",", ":"), (", ", ": ")),
        no_pairs=True,
    ),
    Mistake("the futures' scheme", FUTURES, change.futures_scheme, no_pairs=True),
    *RARE_SECRETS,
)
