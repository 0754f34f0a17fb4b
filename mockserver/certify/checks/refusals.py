"""Refusals: they raise, are not retried in a loop, and never look like an empty account."""

from mockserver.certify.checks.common import GIVES_UP, JSON, anywhere, each, issue
from mockserver.certify.judges import at_most, error, exact, says, says_reason
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
    Scene,
)

ZERO = issue("vultisig/vultisig-android#5288")
NOT_FOUND_AS_ZERO = "https://github.com/EdgeApp/edge-currency-accountbased/pull/74"
WHY = "An account that looks empty makes people, and programs, act on money that is not gone."
FIX = "Raise an error for every status but the documented success, and do not retry a refusal."
REFUSED = (error, at_most(GIVES_UP))

CHECKS = (
    Check(
        id="unknown-key",
        about="An unknown key (401) raises, and is not retried in a loop.",
        level=MUST,
        why=WHY,
        fix=FIX,
        source=ZERO,
        scene=Scene(rules=anywhere(reject="unknown_credential")),
        judges=REFUSED,
    ),
    Check(
        id="bad-signature",
        about="A refused signature raises, and is not retried in a loop.",
        level=MUST,
        providers=(CDP, COINW, CPG),
        why=WHY,
        fix=FIX,
        source=issue("coinbase/coinbase-advanced-py#132"),
        scene=Scene(rules=anywhere(reject="bad_signature")),
        judges=REFUSED,
    ),
    Check(
        id="revoked-key",
        about="A revoked key raises, and is not retried in a loop.",
        level=MUST,
        why=WHY,
        fix=FIX,
        source=ZERO,
        scene=Scene(rules=anywhere(reject="revoked_credential")),
        judges=REFUSED,
    ),
    Check(
        id="forbidden",
        about="A key without the permission (403) raises, and is not retried in a loop.",
        level=MUST,
        why=WHY,
        fix=FIX,
        source=ZERO,
        scene=Scene(rules=anywhere(reject="forbidden")),
        judges=REFUSED,
    ),
    Check(
        id="not-found",
        about="A 404 raises: it is no empty account.",
        level=MUST,
        why=WHY,
        fix=FIX,
        source=NOT_FOUND_AS_ZERO,
        scene=Scene(
            rules_for=each(
                {
                    **dict.fromkeys(ALL, "no_route"),
                    CDP: "not_found",
                    COINSTATS: "not_found",
                }
            )
        ),
        judges=REFUSED,
    ),
    Check(
        id="bad-request",
        about="A 400 raises, and is not retried in a loop.",
        level=MUST,
        why=WHY,
        fix=FIX,
        source="the provider's own page",
        scene=Scene(rules=anywhere(reject="bad_request")),
        judges=REFUSED,
    ),
    Check(
        id="plain-text-401",
        about="A 401 in plain text, as gateways send it, raises.",
        level=MUST,
        why="A client that parses every answer as JSON reports a parser error, or nothing.",
        fix="Look at the status first; use the body only if it is JSON.",
        source=issue("coinbase/cdp-sdk#760"),
        scene=Scene(
            rules=anywhere(status=401, headers={"Content-Type": "text/plain"}, body="Unauthorized")
        ),
        judges=REFUSED,
    ),
    Check(
        id="error-names-its-reason",
        about="The error of a refused request contains the API's message, its code or the status.",
        level=SHOULD,
        why="Without it, a wrong key and a broken network look alike.",
        fix="Put status, code and message of the answer into the error.",
        source=issue("blinktrade/BlinkTradeJS#49"),
        scene=Scene(rules=anywhere(reject="forbidden")),
        judges=(error, says_reason),
    ),
    # CoinW: errors under HTTP 200
    Check(
        id="errors-under-status-200",
        about="An error envelope under HTTP 200 is an error.",
        level=MUST,
        providers=(COINW,),
        why="CoinW sends its errors with status 200 and data null.",
        fix="Look at code (as text) in every answer, not at the HTTP status alone.",
        source="CoinW's table of error codes",
        scene=Scene(rules=anywhere(reject="bad_request")),
        judges=REFUSED,
    ),
    Check(
        id="error-code-as-text",
        about='An error code that is a text ("10006") is an error.',
        level=SHOULD,
        providers=(COINW,),
        why="CoinW's page shows the code of a success as a text, those of errors as numbers.",
        fix="Compare the code as text.",
        source="assumption of the mock: coinw.error_code_type",
        scene=Scene(
            rules=anywhere(reject="unknown_credential"), quirks={"coinw.error_code_type": "string"}
        ),
        judges=REFUSED,
    ),
    Check(
        id="error-envelope-of-two-members",
        about="An error with code and msg alone is an error.",
        level=SHOULD,
        providers=(COINW,),
        why="The printed errors lack success, failed and data.",
        fix="Do not depend on success, failed or data to notice an error.",
        source="assumption of the mock: coinw.error_envelope",
        scene=Scene(
            rules=anywhere(reject="unknown_credential"), quirks={"coinw.error_envelope": "bare"}
        ),
        judges=REFUSED,
    ),
    Check(
        id="error-status-4xx",
        about="An error envelope under a 4xx status is an error with the same code.",
        level=SHOULD,
        providers=(COINW,),
        why="The HTTP status of errors is not documented.",
        fix="Read the envelope whatever the status is.",
        source="assumption of the mock: coinw.error_status",
        scene=Scene(
            rules=anywhere(reject="unknown_credential"), quirks={"coinw.error_status": "4xx"}
        ),
        judges=(*REFUSED, says("10006", "api_key", "key")),
    ),
    Check(
        id="success-code-as-number",
        about="A success with the number 200 as its code is a success.",
        level=SHOULD,
        providers=(COINW,),
        why="Texts and numbers have both been published.",
        fix="Compare the code as text.",
        source="assumption of the mock: coinw.success_code_type",
        scene=Scene(quirks={"coinw.success_code_type": "number"}),
        judges=(exact,),
    ),
    # CoinAPI: errors under 490
    Check(
        id="unreachable-exchange",
        about="A 490 raises, with its reason.",
        level=MUST,
        providers=(COINAPI,),
        why="490 is in no library's list of errors; the balance of that exchange is unknown.",
        fix="Treat 490 as an error, and put reject_reason into it.",
        source="CoinAPI's page: 490, Exchange is unreachable",
        scene=Scene(rules=anywhere(reject="exchange_unreachable")),
        judges=(error, at_most(12), says("EXCHANGE_UNREACHABLE")),
    ),
    Check(
        id="unreachable-exchange-media-type",
        about="A 490 raises with its reason also under application/json.",
        level=MUST,
        providers=(COINAPI,),
        why="CoinAPI's page spells it appliction/json; generated clients accept one spelling.",
        fix="Do not choose the parser of an error by its media type.",
        source="CoinAPI's page: appliction/json",
        scene=Scene(
            rules=anywhere(reject="exchange_unreachable"),
            quirks={"coinapi.reject_media_type": "application/json"},
        ),
        judges=(error, at_most(12), says("EXCHANGE_UNREACHABLE")),
    ),
    Check(
        id="exchange-timeout",
        about="A 490 for EXCHANGE_RESPONSE_TIMEOUT raises, with that reason.",
        level=MUST,
        providers=(COINAPI,),
        why="It may pass, unlike a wrong key: the caller needs the reason.",
        fix="Put reject_reason into the error.",
        source="CoinAPI's page: the values of reject_reason",
        scene=Scene(rules=anywhere(reject="exchange_response_timeout")),
        judges=(error, at_most(12), says("EXCHANGE_RESPONSE_TIMEOUT")),
    ),
    # CoinStats
    Check(
        id="credits-exhausted",
        about="Exhausted credits (429) raise, and are not retried in a loop.",
        level=MUST,
        providers=(COINSTATS,),
        why="No pause helps: the credits come back with the next month.",
        fix="Distinguish the two 429 answers by their message, and stop.",
        source="CoinStats' page of errors",
        scene=Scene(rules=anywhere(reject="credits_exhausted")),
        judges=(error, at_most(GIVES_UP)),
    ),
    Check(
        id="exchange-credentials-refused",
        about="Refused exchange credentials raise, and are not retried in a loop.",
        level=MUST,
        providers=(COINSTATS,),
        why=WHY,
        fix=FIX,
        source="the tests of CoinStats' MCP server",
        scene=Scene(rules=anywhere(reject="bad_exchange_credentials")),
        judges=REFUSED,
    ),
    Check(
        id="older-error-shape",
        about="An error of the older shape {error, message} raises, with its message.",
        level=SHOULD,
        providers=(COINSTATS,),
        why="Both shapes have been documented.",
        fix="Use message, which both have, and the status.",
        source="assumption of the mock: coinstats.error_shape",
        scene=Scene(
            rules=anywhere(reject="unknown_credential"),
            quirks={"coinstats.error_shape": "legacy"},
        ),
        judges=(*REFUSED, says_reason),
    ),
    Check(
        id="error-without-message",
        about="An error without the documented members raises.",
        level=MUST,
        why="An error handler that fails on its input hides the error, or shows no money.",
        fix="Build the error from the status, and from the body only as far as it goes.",
        source=issue("coinbase/coinbase-python#15"),
        scene=Scene(rules=anywhere(status=403, headers=JSON, body="{}")),
        judges=REFUSED,
    ),
)
