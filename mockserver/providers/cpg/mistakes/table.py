"""The known mistakes of clients that sign for X-CPG, the likeliest first."""

from mockserver.explain import RARE_SECRETS, SECRETS, Mistake
from mockserver.providers.cpg.mistakes import field_changes as fields
from mockserver.providers.cpg.mistakes import message_changes as messages

BODY = "Sign the hex SHA-256 of the body's bytes exactly as they are sent"
NOTHING = f"{BODY}; without a body, of nothing: e3b0c442...b855."
JSON = f"{BODY}: write the JSON once, hash it, and send that same text."
QUERY = "Sign the query exactly as it is sent, in its order and encoding, without the ?."
PATH = "Sign the path alone, as it is on the request line: no host, no query, nothing added."
FIELDS = "Sign timestamp, method, path, query and body hash: all five, in this order."
NEWLINE = "Join the five fields with one newline (\\n), without one after the last."
TIME = "Sign the same text that you send in X-CPG-Timestamp: make it once."
SECRET = "Sign with the secret that belongs to the key id in X-CPG-Key."  # noqa: S105 a sentence
HMAC = "Use HMAC-SHA256: the secret is its key, the string its message."
METHOD = "Sign the method that is sent, in upper case."

BACKSLASH_N = b"\\n"

MISTAKES = (
    Mistake("query not signed", QUERY, fields.with_values(query=b"")),
    Mistake("query in the path", PATH, fields.query_in_path),
    Mistake("no hash for an empty body", NOTHING, messages.with_body(messages.no_body_hash, False)),
    Mistake("body itself signed", f"{BODY}, not the body itself.", messages.body_itself),
    Mistake("lower-case method", METHOD, fields.lower_method),
    Mistake("no separator between fields", NEWLINE, messages.joined_by(b"")),
    Mistake("newline after the string", NEWLINE, fields.with_values(suffix=b"\n")),
    Mistake("? signed", QUERY, fields.with_question_mark),
    SECRETS[0],
    Mistake("milliseconds signed", TIME, fields.more_digits(b"000")),
    Mistake("query sorted", QUERY, fields.sort_query),
    Mistake("query decoded", QUERY, fields.decoded_query),
    Mistake("query re-encoded", QUERY, fields.encoded_query),
    Mistake("spaced JSON hashed", JSON, messages.rewritten_json(messages.SPACED)),
    Mistake("compact JSON hashed", JSON, messages.rewritten_json(messages.COMPACT)),
    Mistake(
        "sorted JSON hashed",
        JSON,
        messages.rewritten_json(messages.COMPACT, messages.SPACED, sort=True),
    ),
    Mistake("body not signed", f"{BODY}.", messages.with_body(messages.no_body_hash)),
    Mistake("hash of nothing for a body", f"{BODY}.", messages.with_body(messages.hash_of(b""))),
    Mistake("hash of {}", NOTHING, messages.hash_of(b"{}")),
    Mistake("hash of null", NOTHING, messages.hash_of(b"null")),
    Mistake("base path not signed", PATH, fields.without_base_path),
    Mistake("URL in the path", PATH, fields.url_in_path(b"http://")),
    Mistake("backslash n for the newline", NEWLINE, messages.joined_by(BACKSLASH_N)),
    SECRETS[1],
    Mistake("slash after the path", PATH, fields.trailing_slash),
    Mistake(
        "another separator between fields", NEWLINE, messages.joined_by(b"|", b",", b" ", b"\r\n")
    ),
    Mistake("fields in another order", FIELDS, messages.reordered(*messages.LIKELY_ORDERS)),
    SECRETS[3],
    SECRETS[4],
    SECRETS[2],
    Mistake("another timestamp signed", TIME, fields.shifted_by(-1, 1)),
    Mistake("key id for the secret", SECRET, messages.key_id_as_secret),
    Mistake("plain hash, secret first", HMAC, messages.plain_hash("hash, secret first", True)),
    Mistake("plain hash, secret last", HMAC, messages.plain_hash("hash, secret last", False)),
    Mistake(
        "key and message of the HMAC swapped",
        HMAC,
        fields.with_values(construction="HMAC, key and message swapped"),
    ),
    Mistake("timestamp not signed", FIELDS, fields.without_field("timestamp")),
    Mistake("method not signed", FIELDS, fields.without_field("method")),
    Mistake("path not signed", FIELDS, fields.without_field("path")),
    Mistake("no line for the query", FIELDS, fields.without_field("query")),
    Mistake("host in the path", PATH, fields.host_in_path),
    Mistake("base path signed twice", PATH, fields.base_path_twice),
    Mistake("no slash before the path", PATH, fields.without_leading_slash),
    Mistake("another exchange's string signed", FIELDS, messages.other_exchange_scheme),
    Mistake("query in another order", QUERY, fields.in_other_orders),
    Mistake("another key's secret", SECRET, messages.secret_of_another_key),
    # Rare mistakes.
    *RARE_SECRETS,
    Mistake("URL in the path", PATH, fields.url_in_path(b"https://"), no_pairs=True),
    Mistake("microseconds signed", TIME, fields.more_digits(b"000000"), no_pairs=True),
    Mistake(
        "another timestamp signed",
        TIME,
        fields.shifted_by(-2, 2, -3, 3, -4, 4, -5, 5),
        no_pairs=True,
    ),
    Mistake("timestamp signed with a fraction", TIME, fields.more_digits(b".0"), no_pairs=True),
    Mistake("another method signed", METHOD, fields.other_method, no_pairs=True),
    Mistake("query signed twice", PATH, fields.query_in_path_too, no_pairs=True),
    Mistake("query re-encoded", QUERY, fields.unusually_encoded_query, no_pairs=True),
    Mistake("a parameter not signed", QUERY, fields.param_omitted, no_pairs=True),
    Mistake("path re-encoded", PATH, fields.path_recoded, no_pairs=True),
    Mistake("body hash in another encoding", f"{BODY}.", messages.body_hash_recoded, no_pairs=True),
    Mistake(
        "body hashed by another algorithm", f"{BODY}.", messages.other_body_hash, no_pairs=True
    ),
    Mistake(
        "hash of an empty value", NOTHING, messages.hash_of(b'""', b"[]", b"None"), no_pairs=True
    ),
    Mistake(
        "another separator between fields",
        NEWLINE,
        messages.joined_by(
            b":", b".", b"-", b"_", b"&", b";", b"/", b"+", b"\t", b"\r", b"\n\n", b", "
        ),
        no_pairs=True,
    ),
    Mistake("newline after the string", NEWLINE, fields.with_values(suffix=b"\r\n"), no_pairs=True),
    Mistake("fields in another order", FIELDS, messages.reordered(*messages.ORDERS), no_pairs=True),
    Mistake("key id signed", FIELDS, messages.with_key_id, no_pairs=True),
    Mistake("the webhooks' string signed", FIELDS, messages.webhook_scheme, no_pairs=True),
    Mistake(
        "hash without the secret",
        HMAC,
        fields.with_values(construction="hash without secret"),
        no_pairs=True,
    ),
    Mistake("another algorithm", HMAC, messages.other_algorithm, no_pairs=True),
)
