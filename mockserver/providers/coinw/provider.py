"""CoinW spot: routes, gates, limits, quirks and errors."""

from mockserver.model.http import Request, UnsignedRequest
from mockserver.model.provider import (
    CORS,
    COUNTS,
    GZIP,
    Authenticate,
    BanCheck,
    BanPolicy,
    Limit,
    Provider,
    Quirk,
    RateLimit,
    ResponsePaths,
    Route,
    by_address,
    parse_nothing,
)
from mockserver.model.redaction import Secrets
from mockserver.model.times import SECOND
from mockserver.providers.coinw import auth, balances, errors, world

MINUTE = 60 * SECOND
HOUR = 60 * MINUTE


def _by_user(request: Request, key: auth.Key) -> str:
    """Counts every user on their own."""
    return key.user or key.account  # fact: coinw-limits-per-user, coinw-user-of-key


def _by_address_and_user(request: Request, key: auth.Key) -> str:
    """Counts every user at every address on their own."""
    return f"{request.peer} {_by_user(request, key)}"


# fact: coinw-bans-warning, coinw-bans-ban, coinw-bans-blacklist
def _ban_policy(name: str, offences: int) -> BanPolicy:
    return BanPolicy(
        name,
        offences=offences,
        within=10 * SECOND,
        warned=5 * MINUTE,
        banned=30 * SECOND,
        bans=10,
        blacklisted=8 * HOUR,
    )


PROVIDER = Provider(
    name="coinw",
    title="CoinW spot",
    port=4,
    hosts=("api.coinw.com",),  # fact: coinw-base-url
    main="returnBalances",
    routes=(
        Route(
            "returnBalances",
            "POST",
            "/api/v1/private?command=returnBalances",  # fact: coinw-one-path, coinw-command-in-form
            parse_nothing,
            balances.return_balances,
            limit="returnBalances",
            cacheable=True,
            shape=ResponsePaths(rows="$.data.*", amounts=("$.data.*",)),
        ),
        Route(
            "returnCompleteBalances",
            "POST",
            "/api/v1/private?command=returnCompleteBalances",
            parse_nothing,
            balances.return_complete_balances,
            limit="returnCompleteBalances",
            cacheable=True,
            shape=ResponsePaths(
                rows="$.data.*", amounts=("$.data.*.available", "$.data.*.onOrders")
            ),
        ),
    ),
    # fact: coinw-order-of-checks, coinw-bans-count-ip
    outer=(
        BanCheck(_ban_policy("ip", 80), per=by_address, quirk="bans"),
        RateLimit("ip", per=by_address),
    ),
    gates=(
        Authenticate(auth.authenticate, extra_reasons=("bad_request",)),
        BanCheck(_ban_policy("uid", 60), per=_by_user, quirk="bans"),  # fact: coinw-bans-count
        RateLimit("", per=_by_user, only=("interface_limit", "user")),
        # fact: coinw-interface-limit-per-address
        RateLimit("", per=_by_address_and_user, only=("interface_limit", "address_and_user")),
        # fact: coinw-global-limit
        RateLimit("user", per=_by_user),
    ),
    # fact: coinw-limits-rolling
    limits=(
        Limit("returnBalances", 3, SECOND, rolling=True),  # fact: coinw-interface-limit
        # fact: coinw-interface-limit-complete
        Limit("returnCompleteBalances", 5, 2 * SECOND, rolling=True),
        Limit("user", 300, SECOND, rolling=True),  # fact: coinw-global-limit-user
        Limit("ip", 100, SECOND, rolling=True),  # fact: coinw-global-limit-ip
    ),
    quirks=(
        Quirk(
            "sign_covers_command",
            "false",
            "Whether the signature covers `command` too, as older pages say; no client does so.",
            choices=("false", "true"),
        ),
        Quirk(
            "signature_case",
            "upper",
            "Whether a signature in lower-case hex is accepted.",
            choices=("upper", "any"),
        ),
        Quirk(
            "error_status",
            "200",
            "The HTTP status of errors with CoinW codes: always 200, or a 4xx.",
            choices=("200", "4xx"),
        ),
        Quirk(
            "error_code_type",
            "number",
            "The type of an error's `code`: a number for those that are printed or were measured,"
            " or one type for all.",
            choices=("documented", "string", "number"),
        ),
        Quirk(
            "error_codes",
            "documented",
            "The codes of errors: of the old table, or those measured on neighbouring paths and"
            " known to a newer client.",
            choices=("documented", "measured"),
        ),
        Quirk(
            "error_envelope",
            "documented",
            "The members of an error: two for those that are printed or were measured, or two"
            " (bare) or five (full) for all.",
            choices=("documented", "bare", "full"),
        ),
        Quirk(
            "success_code_type",
            "string",
            "The type of `code` in a success.",
            choices=("string", "number"),
        ),
        Quirk(
            "amounts",
            "string",
            "How amounts are written: strings of plain digits, numbers as in older pages, or"
            " strings that may have an exponent, such as 0E-18.",
            choices=("string", "number", "exponent"),
        ),
        Quirk(
            "empty",
            "object",
            "What `data` is when the account holds nothing, or an empty body (zero-bytes).",
            choices=("object", "null", "zero-bytes"),
        ),
        Quirk(
            "bans",  # fact: coinw-bans, coinw-bans-off, coinw-bans-requests
            "off",
            "Whether callers are warned, banned and blacklisted: those that keep exceeding limits"
            " (on), or that send too many requests of any kind (requests).",
            choices=("off", "on", "requests"),
        ),
        Quirk(
            "interface_limit",
            "user",
            "Whom the limit of an operation counts: a user, or a user at each address.",
            choices=("user", "address_and_user"),
        ),
        CORS,  # fact: coinw-cors
        COUNTS,  # fact: coinw-counts
        GZIP,  # fact: coinw-gzip
    ),
    errors=errors.ERRORS,
    refuse=errors.refuse,
    section=world.CoinwSection,
    row=world.Balance,
    key="api_key",
    members=("api_key", "secret_key"),
    secrets=Secrets(query=frozenset({b"api_key", b"sign"}), values=("api_key", "secret_key")),
    sign=auth.sign,
    example=lambda key: UnsignedRequest("POST", "", b"/api/v1/private", b"command=returnBalances"),
    mistakes=f"{__package__}.mistakes",
    sample=world.sample,
    holder=world.holder,
)
