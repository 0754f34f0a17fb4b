"""CoinStats: routes, gates, limits, quirks and errors."""

import msgspec
from msgspec.structs import replace

from mockserver.model.http import UnsignedRequest
from mockserver.model.provider import (
    CORS,
    COUNTS,
    GZIP,
    Authenticate,
    Limit,
    Provider,
    Quirk,
    RateLimit,
    ResponsePaths,
    Route,
    by_key,
    parse_nothing,
)
from mockserver.model.redaction import Secrets
from mockserver.model.times import SECOND
from mockserver.providers.coinstats import (
    auth,
    balances,
    errors,
    exchanges,
    portfolios,
    query,
    usage,
    world,
)


def _example(key: auth.ClientKey) -> UnsignedRequest:
    body = {"connectionId": key.connection_id, "connectionFields": key.connection_fields}
    return UnsignedRequest(
        "POST",
        "",
        b"/v1/exchange/balance",
        headers=((b"Content-Type", b"application/json"),),
        body=msgspec.json.encode(body),
    )


PROVIDER = Provider(
    name="coinstats",
    title="CoinStats",
    port=3,
    hosts=("openapiv1.coinstats.app",),  # fact: coinstats-base-url
    main="get-exchange-balance",
    routes=(
        Route(
            "get-exchange-balance",  # fact: coinstats-path, coinstats-status-200
            "POST",
            "/v1/exchange/balance",
            query.parse_query,
            balances.get_balance,
            aliases=("/exchange/balance",),  # fact: coinstats-path-without-version
            shape=ResponsePaths(
                rows="$.balances[*]",
                amounts=tuple(f"$.balances[*].{name}" for name in ("amount", "price", "priceBtc")),
            ),
        ),
        Route(
            "get-exchanges",
            "GET",
            "/v1/exchange/support",
            parse_nothing,
            exchanges.list_exchanges,
            aliases=("/exchange/support",),
            shape=ResponsePaths(rows="$[*]"),
        ),
        Route(
            "get-exchange-sync-status",
            "GET",
            "/v1/exchange/status",
            portfolios.parse_id,
            portfolios.show_status,
            aliases=("/exchange/status",),
        ),
        Route(
            "exchange-sync-status",
            "PATCH",
            "/v1/exchange/sync",
            portfolios.parse_id,
            portfolios.sync,
            aliases=("/exchange/sync",),
        ),
        Route(
            "get-credit-usage",
            "GET",
            "/v1/usage/credits",
            parse_nothing,
            usage.show_usage,
            aliases=("/usage/credits",),
        ),
    ),
    # fact: coinstats-order-of-checks
    gates=(Authenticate(auth.authenticate), RateLimit("reads", per=by_key)),
    # fact: coinstats-no-rate-limit, coinstats-rate-limit-per-key
    limits=(Limit("reads", None, 60 * SECOND, rolling=True),),
    quirks=(
        Quirk(
            "error_shape",
            "current",
            "The shape of errors: of the current documentation, or of the older one.",
            choices=("current", "legacy"),
        ),
        Quirk(
            "bad_exchange_credentials",
            "401",
            "The status for exchange credentials that no connection has.",
            choices=errors.VARIANTS["bad_exchange_credentials"],
        ),
        Quirk(
            "key_error_text",
            "documented",
            "The message for a wrong key: the page's, or the one in the tests of its own client.",
            choices=errors.VARIANTS["unknown_credential"],
        ),
        Quirk(
            "credits_exhausted",
            "429",
            "The status where too few credits are left.",
            choices=errors.VARIANTS["credits_exhausted"],
        ),
        Quirk(
            "numbers",
            "plain",
            "How numbers are written: with plain digits, or with an exponent.",
            choices=("plain", "exponent"),
        ),
        Quirk(
            "sync_after",
            "5s",
            "How long a portfolio is syncing, on the sandbox clock.",
            choices=("never",),
            duration=True,
        ),
        Quirk(
            "sync_polls",
            "2",
            "How many polls answer that a portfolio is syncing, before it is synced.",
            number=True,
        ),
        # fact: coinstats-credits-at-start, coinstats-credits-set
        Quirk("credits", "100000", "How many credits a key starts with.", number=True),
        replace(CORS, default="on"),  # fact: coinstats-cors
        COUNTS,  # fact: coinstats-counts
        GZIP,  # fact: coinstats-gzip
    ),
    errors=errors.ERRORS,
    refuse=errors.refuse,
    variants=errors.VARIANTS,
    section=world.CoinstatsSection,
    row=world.Balance,
    key="api_key",
    members=("api_key", "connection_id", "connection_fields"),
    secrets=Secrets(
        headers=frozenset({b"x-api-key", b"authorization"}),
        members=frozenset({"connectionFields", "apiKey", "apiSecret", "passphrase"}),
        values=("api_key", "connection_fields"),
    ),
    sign=auth.sign,
    example=_example,
    events=(portfolios.PortfolioSynced,),
    records={**portfolios.RECORDS, **usage.RECORDS},
    mistakes=f"{__package__}.mistakes",
    sample=world.sample,
    holder=world.holder,
    upcoming=portfolios.upcoming,
)
