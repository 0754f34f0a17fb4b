"""The mistakes that clients make when they sign for CoinW, the likeliest first."""

from mockserver.explain import RARE_SECRETS, SECRETS, Mistake
from mockserver.providers.coinw.mistakes import changes as change

COMMAND = "Leave command out of what is signed: it only tells the operation."
SORT = "Sort the parameters by name, in the order of their bytes, and do not sort in the secret."
LAST = "Append &secret_key= and the secret at the very end."
RAW = "Sign names and values raw, as they are before they are URL-encoded."
ALL = "Sign every parameter of query and form, api_key too, but not sign itself."
JOIN = "Write name=value with & between, nothing before it and nothing behind the secret."
SECRET = "Append the secret that belongs to the api_key."  # noqa: S105 a sentence
NOTHING = "Put no line end behind the string: neither echo's, nor one from the secret's file."
MD5 = "Make a plain MD5 of the string, no HMAC: the secret stands in it."
FUTURES = "This is the scheme of the futures API: spot takes api_key and sign as parameters."

MISTAKES = (
    Mistake("command signed", COMMAND, change.where_command(False, change.with_command)),
    Mistake("command not signed", ALL, change.where_command(True, change.without_command)),
    Mistake("parameters not sorted", SORT, change.as_sent),
    Mistake("secret not signed", LAST, change.put(place="nowhere")),
    Mistake(
        "secret without its name",
        LAST,
        change.each("place", "behind, without its name", "right behind"),
    ),
    Mistake(
        "secret under another name",
        LAST,
        change.each("secret_name", b"secret", b"secretKey", b"api_secret"),
    ),
    Mistake("secret sorted in", SORT, change.put(place="sorted in")),
    Mistake("secret in front", LAST, change.put(place="in front")),
    Mistake("values URL-encoded", RAW, change.encoded),
    Mistake("api_key not signed", ALL, change.without_key),
    Mistake("sign signed", ALL, change.sign_signed),
    Mistake("query not signed", ALL, change.without_query),
    Mistake("form not signed", ALL, change.without_form),
    Mistake("& behind the string", JOIN, change.put(end=b"&")),
    Mistake(SECRETS[0].name, NOTHING, SECRETS[0].change),
    *SECRETS[1:],
    Mistake("HMAC-MD5 for MD5", MD5, change.by_hmac),
    Mistake("api_key and secret swapped", SECRET, change.swapped),
    Mistake("another key's secret", SECRET, change.another_secret),
    Mistake("newline after the string", NOTHING, change.line_end),
    Mistake("query signed as it is sent", RAW, change.query_string),
    Mistake("values decoded twice", RAW, change.decoded),
    Mistake("only api_key signed", ALL, change.key_alone),
    Mistake("parameters joined otherwise", JOIN, change.each("joiner", b"", b",", b"\n", b"|")),
    Mistake(
        "secret in front",
        LAST,
        change.each("place", "in front, without its name", "right in front"),
    ),
    Mistake("string in one case", JOIN, change.each("case", "lower", "upper")),
    # Rare ones.
    Mistake(
        "secret under another name",
        LAST,
        change.each(
            "secret_name",
            *(b"apiSecret", b"secretkey", b"SecretKey", b"SECRET_KEY", b"secret-key", b"key"),
            *(b"api_secret_key", b"apiSecretKey", b"apisecret", b"skey", b"sk", b"appSecret"),
        ),
        no_pairs=True,
    ),
    Mistake("parameters sorted otherwise", SORT, change.sorted_otherwise, no_pairs=True),
    Mistake("empty parameters not signed", ALL, change.empty_left_out, no_pairs=True),
    Mistake("a parameter not signed", ALL, change.one_left_out, no_pairs=True),
    Mistake("values URL-encoded", RAW, change.encoded_otherwise, no_pairs=True),
    Mistake("plus signed for a space", RAW, change.plus_kept, no_pairs=True),
    Mistake("path signed", JOIN, change.path_signed, no_pairs=True),
    Mistake("names not signed", JOIN, change.names_left_out, no_pairs=True),
    Mistake(
        "= left out or another character", JOIN, change.each("equals", b"", b":"), no_pairs=True
    ),
    Mistake("JSON signed", JOIN, change.each("json", (",", ":"), (", ", ": ")), no_pairs=True),
    Mistake("the futures' scheme", FUTURES, change.by_the_futures, no_pairs=True),
    *RARE_SECRETS,
)
