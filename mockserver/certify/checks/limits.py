"""Rate limits: pauses that are kept, and retries that end."""

from mockserver.certify.checks.common import JSON, RETRIES, anywhere, issue
from mockserver.certify.judges import at_most, error, exact, exact_or_error, waited
from mockserver.certify.model import (
    ALL,
    CDP,
    COINAPI,
    COINSTATS,
    COINW,
    CPG,
    MUST,
    SHOULD,
    Check,
    Rules,
    Scene,
)

HTTP_LIMITS = (CDP, COINAPI, COINSTATS, CPG)  # CoinW limits under status 200
ASKED = 1  # seconds
LEAST = 0.1  # seconds, where the answer names none
BODIES = {
    CDP: '{"errorType":"rate_limit_exceeded","errorMessage":"Too many requests."}',
    COINAPI: '{"error":"Too many requests"}',
    COINSTATS: '{"statusCode":429,"message":"Rate limit exceeded"}',
    CPG: '{"success":false,"message":"Rate limit exceeded"}',
}
HAMMERING = "https://github.com/BobTheBuidler/dank_mids/pull/84"
WAIT = "Wait as long as Retry-After says; without it, wait and double the pause each time."


def _limited(seconds: int, **when: object) -> dict[str, Rules]:
    """Returns rules that limit with Retry-After."""
    headers = JSON | {"Retry-After": str(seconds)}
    return {
        name: anywhere(status=429, headers=headers, body=BODIES[name], **when)
        for name in HTTP_LIMITS
    }


CHECKS = (
    Check(
        id="retry-after-honoured",
        about="After a 429 with Retry-After: 1 no request comes within a second.",
        level=MUST,
        providers=HTTP_LIMITS,
        why="Requests during the pause prolong it, and end in a ban.",
        fix=WAIT,
        source=HAMMERING,
        scene=Scene(rules_for=_limited(ASKED, times=1)),
        judges=(exact_or_error, waited(ASKED)),
    ),
    Check(
        id="retry-after-then-succeeds",
        about="After the pause of a 429 the read succeeds.",
        level=SHOULD,
        providers=HTTP_LIMITS,
        why="A limit passes by itself; a report that fails for it needs a person.",
        fix=WAIT,
        source=issue("wojtekmach/req#43"),
        scene=Scene(rules_for=_limited(ASKED, times=1)),
        judges=(exact,),
    ),
    Check(
        id="long-retry-after",
        about="A Retry-After of an hour is not cut short: the client fails or waits.",
        level=MUST,
        providers=HTTP_LIMITS,
        why="A cap on the pause that sends again too early is hammering with a delay.",
        fix="If the pause is longer than you can wait, raise with the time at which to retry.",
        source=HAMMERING,
        scene=Scene(rules_for=_limited(3600)),
        judges=(error, waited(3600)),
    ),
    Check(
        id="limit-without-a-hint",
        about="After a limit without Retry-After there is a pause before each retry.",
        level=MUST,
        why="This limit names no time, so clients that only know Retry-After hammer.",
        fix=WAIT,
        source="the provider's page of limits",
        scene=Scene(rules=anywhere(reject="rate_limited", requests="1-2")),
        judges=(exact_or_error, waited(LEAST, "rate_limited")),
    ),
    Check(
        id="limit-then-succeeds",
        about="After two limited answers the read succeeds.",
        level=SHOULD,
        why="A limit passes by itself; a report that fails for it needs a person.",
        fix=WAIT,
        source=issue("wojtekmach/req#43"),
        scene=Scene(rules=anywhere(reject="rate_limited", requests="1-2")),
        judges=(exact,),
    ),
    Check(
        id="limited-for-ever",
        about="A limit that does not end is given up after a bounded number of requests.",
        level=MUST,
        providers=ALL,
        why="A client without a bound keeps the limit alive, and hangs.",
        fix=f"Give up after a few tries (at most {RETRIES} here), with an error that says so.",
        source=HAMMERING,
        scene=Scene(rules=anywhere(reject="rate_limited")),
        judges=(error, at_most(RETRIES)),
    ),
    Check(
        id="code-29001-is-a-limit",
        about="29001 under status 200 is an error, not an account without coins.",
        level=MUST,
        providers=(COINW,),
        why="It has two members and the status of a success.",
        fix="Look at code first.",
        source="CoinW's page: API access frequently",
        scene=Scene(rules=anywhere(reject="rate_limited", requests="1")),
        judges=(exact_or_error,),
    ),
)
