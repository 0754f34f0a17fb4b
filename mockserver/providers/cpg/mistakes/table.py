"""The mistakes that clients make when they sign for X-CPG, the likeliest first."""

from mockserver.explain import RARE_SECRETS, SECRETS, Mistake
from mockserver.providers.cpg.mistakes import changes as change
from mockserver.providers.cpg.mistakes import string

BODY = "Sign the hex SHA-256 of the body's bytes exactly as they are sent"
NOTHING = f"{BODY}; where there is no body, of nothing: e3b0c442...b855."
JSON = f"{BODY}: write the JSON once, hash it, and send that same text."
QUERY = "Sign the query exactly as it is sent, in its order and encoding, without the ?."
PATH = "Sign the path alone, as it is on the request line: no host, no query, nothing added."
FIELDS = "Sign timestamp, method, path, query and body hash: all five, in this order."
NEWLINE = "Join the five fields with one newline (\\n), and put none behind the last."
TIME = "Sign the very text that stands in X-CPG-Timestamp: make it once."
SECRET = "Sign with the secret that belongs to the key id in X-CPG-Key."  # noqa: S105 a sentence
HMAC = "Make an HMAC-SHA256: the secret is its key, the string its message."
METHOD = "Sign the method that is sent, in upper case."

BACKSLASH_N = b"\\n"

MISTAKES = (
    Mistake("query not signed", QUERY, change.put(query=b"")),
    Mistake("query in the path", PATH, change.query_in_path),
    Mistake("no hash for an empty body", NOTHING, string.with_body(string.no_body_hash, False)),
    Mistake("body itself signed", f"{BODY}, not the body itself.", string.body_itself),
    Mistake("lower-case method", METHOD, change.lower_method),
    Mistake("fields joined by nothing", NEWLINE, string.joined_by(b"")),
    Mistake("newline after the string", NEWLINE, change.put(end=b"\n")),
    Mistake("? signed", QUERY, change.question_mark),
    SECRETS[0],
    Mistake("milliseconds signed", TIME, change.fractions(b"000")),
    Mistake("query sorted", QUERY, change.sort_query),
    Mistake("query decoded", QUERY, change.decoded),
    Mistake("query re-encoded", QUERY, change.encoded),
    Mistake("spaced JSON hashed", JSON, string.rewritten(string.SPACED)),
    Mistake("compact JSON hashed", JSON, string.rewritten(string.COMPACT)),
    Mistake("sorted JSON hashed", JSON, string.rewritten(string.COMPACT, string.SPACED, sort=True)),
    Mistake("body not signed", f"{BODY}.", string.with_body(string.no_body_hash)),
    Mistake("hash of nothing for a body", f"{BODY}.", string.with_body(string.hash_of(b""))),
    Mistake("hash of {}", NOTHING, string.hash_of(b"{}")),
    Mistake("hash of null", NOTHING, string.hash_of(b"null")),
    Mistake("base path not signed", PATH, change.without_base),
    Mistake("URL in the path", PATH, change.url_in_path(b"http://")),
    Mistake("backslash n for the newline", NEWLINE, string.joined_by(BACKSLASH_N)),
    SECRETS[1],
    Mistake("slash behind the path", PATH, change.slash_behind),
    Mistake("fields joined otherwise", NEWLINE, string.joined_by(b"|", b",", b" ", b"\r\n")),
    Mistake("fields in another order", FIELDS, string.reordered(*string.LIKELY_ORDERS)),
    SECRETS[3],
    SECRETS[4],
    SECRETS[2],
    Mistake("another timestamp signed", TIME, change.off_by(-1, 1)),
    Mistake("key id for the secret", SECRET, string.id_for_secret),
    Mistake("plain hash, secret in front", HMAC, string.plain_hash("hash, secret in front", True)),
    Mistake("plain hash, secret behind", HMAC, string.plain_hash("hash, secret behind", False)),
    Mistake(
        "key and message of the HMAC swapped", HMAC, change.put(keyed="HMAC, key and text swapped")
    ),
    Mistake("timestamp not signed", FIELDS, change.without("timestamp")),
    Mistake("method not signed", FIELDS, change.without("method")),
    Mistake("path not signed", FIELDS, change.without("path")),
    Mistake("no line for the query", FIELDS, change.without("query")),
    Mistake("host in the path", PATH, change.host_in_path),
    Mistake("base path signed twice", PATH, change.base_twice),
    Mistake("no slash before the path", PATH, change.no_slash_before),
    Mistake("another exchange's string signed", FIELDS, string.all_in_one),
    Mistake("query in another order", QUERY, change.shuffled),
    Mistake("another key's secret", SECRET, string.another_secret),
    # Rare ones.
    *RARE_SECRETS,
    Mistake("URL in the path", PATH, change.url_in_path(b"https://"), no_pairs=True),
    Mistake("microseconds signed", TIME, change.fractions(b"000000"), no_pairs=True),
    Mistake(
        "another timestamp signed", TIME, change.off_by(-2, 2, -3, 3, -4, 4, -5, 5), no_pairs=True
    ),
    Mistake("timestamp signed with a fraction", TIME, change.fractions(b".0"), no_pairs=True),
    Mistake("another method signed", METHOD, change.other_method, no_pairs=True),
    Mistake("query signed twice", PATH, change.query_twice, no_pairs=True),
    Mistake("query re-encoded", QUERY, change.encoded_otherwise, no_pairs=True),
    Mistake("a parameter not signed", QUERY, change.one_left_out, no_pairs=True),
    Mistake("path re-encoded", PATH, change.path_recoded, no_pairs=True),
    Mistake("body hash written otherwise", f"{BODY}.", string.body_hash_recoded, no_pairs=True),
    Mistake("body hashed otherwise", f"{BODY}.", string.other_body_hash, no_pairs=True),
    Mistake(
        "hash of an empty value", NOTHING, string.hash_of(b'""', b"[]", b"None"), no_pairs=True
    ),
    Mistake(
        "fields joined otherwise",
        NEWLINE,
        string.joined_by(
            b":", b".", b"-", b"_", b"&", b";", b"/", b"+", b"\t", b"\r", b"\n\n", b", "
        ),
        no_pairs=True,
    ),
    Mistake("newline after the string", NEWLINE, change.put(end=b"\r\n"), no_pairs=True),
    Mistake("fields in another order", FIELDS, string.reordered(*string.ORDERS), no_pairs=True),
    Mistake("key id signed", FIELDS, string.key_id_signed, no_pairs=True),
    Mistake("the webhooks' string signed", FIELDS, string.by_the_webhooks, no_pairs=True),
    Mistake(
        "hash without the secret", HMAC, change.put(keyed="hash without secret"), no_pairs=True
    ),
    Mistake("another algorithm", HMAC, string.other_algorithm, no_pairs=True),
)
