"""The wire: what is broken on the way never becomes balances, and a hang ends."""

from typing import Any

from mockserver.certify.checks.common import RETRIES, issue, rule
from mockserver.certify.judges import at_most, error, exact, exact_or_error
from mockserver.certify.model import ALL, MUST, SHOULD, Check, Level, Scene

SHORT_READ = issue("psf/requests#4956")
TIMEOUT = issue("danpaquin/coinbasepro-python#93")
RAISE = "Raise for every answer that is not whole; check the length, and parse strictly."
NOT_WHOLE = "A part of an answer is an account with less money, or with other digits."
HANG = "15m"


def _broken(
    id: str, about: str, why: str = NOT_WHOLE, source: str = SHORT_READ, **fault: Any
) -> Check:
    """Returns a check of answers that are all broken in one way."""
    return Check(
        id=id,
        about=about,
        level=MUST,
        why=why,
        fix=RAISE,
        source=source,
        scene=Scene(rules=rule(**fault)),
        judges=(error, at_most(RETRIES)),
    )


def _once(id: str, about: str, level: Level, why: str, fix: str, **fault: Any) -> Check:
    """Returns a check of one disturbed answer; the next is good."""
    return Check(
        id=id,
        about=about,
        level=level,
        why=why,
        fix=fix,
        source=TIMEOUT,
        scene=Scene(rules=rule(times=1, **fault)),
        judges=(exact_or_error,),
    )


def _whole(id: str, about: str, level: Level, why: str, fix: str, **fault: Any) -> Check:
    """Returns a check of an answer that is whole in an unusual form."""
    return Check(
        id=id,
        about=about,
        level=level,
        why=why,
        fix=fix,
        source=SHORT_READ,
        scene=Scene(rules=rule(**fault)),
        judges=(exact,),
    )


CHECKS = (
    _broken(
        "connection-reset",
        "A reset connection raises, and is not retried for ever.",
        deliver={"reset": "before"},
    ),
    _broken(
        "reset-in-the-body",
        "A connection that is reset within the body raises.",
        deliver={"reset": "body"},
    ),
    _broken(
        "closed-without-an-answer",
        "A connection that closes without an answer raises.",
        deliver={"close": True},
    ),
    _broken(
        "cut-body",
        "A body that ends before its announced length raises.",
        source=issue("psf/requests#2275"),
        deliver={"cut": 0.5},
    ),
    _broken(
        "body-shorter-than-announced",
        "A body one byte shorter than announced raises, though the JSON is whole.",
        deliver={"wrong_length": "+1"},
    ),
    _broken(
        "body-longer-than-announced",
        "A body longer than announced raises: what fits the length is no JSON.",
        deliver={"wrong_length": "-9"},
    ),
    _broken(
        "malformed-chunk",
        "A body in chunks, one of them malformed, raises.",
        deliver={"malformed_chunk": True},
    ),
    _broken(
        "garbage-for-an-answer",
        "Bytes that are no HTTP raise.",
        deliver={"garbage": 200},
    ),
    _broken(
        "truncated-json",
        "JSON that ends early in a whole message raises.",
        mutate={"truncate_json": 0.6},
    ),
    _broken(
        "json-twice",
        "A body of two JSON documents raises.",
        why="Readers of streams take the first and drop the rest.",
        mutate={"double_json": True},
    ),
    Check(
        id="gzip-that-is-none",
        about="A body that says gzip and is none gives an error or the exact account.",
        level=MUST,
        why="A decoder that passes on what it cannot read makes rows of other bytes.",
        fix=RAISE,
        source=SHORT_READ,
        scene=Scene(rules=rule(mutate={"gzip": "lying"})),
        judges=(exact_or_error, at_most(RETRIES)),
    ),
    _broken(
        "gzip-cut-short",
        "A body in gzip that ends early raises.",
        why="Some decoders return what they have, without an error.",
        mutate={"gzip": "truncated"},
    ),
    _broken(
        "gzip-of-another-length",
        "A body in gzip whose trailer has another length raises.",
        why="The trailer is there to find lost bytes.",
        mutate={"gzip": "wrong_length"},
    ),
    Check(
        id="gzip-unasked",
        about="A body in gzip that was not asked for gives an error or the exact account.",
        level=MUST,
        why="Proxies compress whatever passes.",
        fix="Decode by Content-Encoding, or raise.",
        source=SHORT_READ,
        scene=Scene(rules=rule(mutate={"gzip": "good"})),
        judges=(exact_or_error, at_most(RETRIES)),
    ),
    Check(
        id="gzip-as-accepted",
        about="A client that accepts gzip reads it.",
        level=MUST,
        why="HTTP libraries say that they accept it, and hand-written decoders may not.",
        fix="Leave Accept-Encoding to the library, or out.",
        source=SHORT_READ,
        scene=Scene(quirks={f"{name}.gzip": "on" for name in ALL}),
        judges=(exact,),
    ),
    Check(
        id="invalid-utf8",
        about="A text that is no UTF-8 gives an error or the exact account.",
        level=MUST,
        why="A replacement character in a symbol is another asset.",
        fix="Decode strictly.",
        source=SHORT_READ,
        scene=Scene(rules=rule(mutate={"invalid_utf8": True})),
        judges=(exact_or_error, at_most(RETRIES)),
    ),
    Check(
        id="hang",
        about="An answer that does not come ends in the client's own time.",
        level=MUST,
        why="Most HTTP libraries wait for ever unless a time limit is set.",
        fix="Set a time limit for each request, well below MOCKSERVER_TIME_LIMIT_S.",
        source=TIMEOUT,
        scene=Scene(rules=rule(times=1, deliver={"hang": HANG})),
        judges=(exact_or_error,),
    ),
    _once(
        "hang-in-the-body",
        "A body that stops in the middle ends in the client's own time.",
        MUST,
        "A time limit for the first byte alone does not cover the rest.",
        "Limit the time of the whole exchange, or of each read.",
        deliver={"dribble": {"bytes": 40, "every": HANG}},
    ),
    _once(
        "connection-lost-once",
        "A connection that is lost once gives the account or an error.",
        MUST,
        "A lost connection says nothing about the account.",
        "Retry a read on a new connection, or raise.",
        deliver={"close": True},
    ),
    _whole(
        "slow-answer",
        "An answer that takes half a second is waited for.",
        SHOULD,
        "Exchanges are slow when markets move: that is when balances matter.",
        "Use a time limit of a few seconds.",
        deliver={"delay": "500ms"},
    ),
    _whole(
        "answer-in-pieces",
        "An answer in small pieces is read whole.",
        MUST,
        "One read of a socket returns what has arrived, not the message.",
        "Read until the announced length, or use an HTTP library.",
        deliver={"dribble": {"bytes": 100, "every": "1ms"}},
    ),
    Check(
        id="byte-order-mark",
        about="A byte order mark before the JSON gives an error or the exact account.",
        level=SHOULD,
        why="Proxies and editors add it.",
        fix="Decode as utf-8-sig, or raise.",
        source=SHORT_READ,
        scene=Scene(rules=rule(mutate={"bom": True})),
        judges=(exact_or_error,),
    ),
)
