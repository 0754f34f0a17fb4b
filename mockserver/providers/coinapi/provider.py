"""The CoinAPI EMS provider: its route, checks, limit and quirks as rows."""

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
)
from mockserver.model.redaction import Secrets
from mockserver.model.times import SECOND
from mockserver.providers.coinapi import auth, balances, errors, world

AMOUNT_MEMBERS = ("balance", "available", "locked", "rate_usd", "traded")

PROVIDER = Provider(
    name="coinapi",
    title="CoinAPI EMS",
    port=2,
    hosts=("global.ems.coinapi.net",),  # fact: coinapi-base-url
    main="getBalances",
    routes=(
        Route(  # fact: coinapi-route
            "getBalances",
            "GET",
            "/v1/balances",
            balances.parse_exchange,
            balances.get_balances,
            cacheable=True,
            shape=ResponsePaths(
                rows="$[*].data[*]",
                amounts=tuple(f"$[*].data[*].{name}" for name in AMOUNT_MEMBERS),
            ),
        ),
    ),
    # fact: coinapi-order-of-checks
    gates=(Authenticate(auth.authenticate), RateLimit("reads", per=by_key)),
    # fact: coinapi-no-rate-limit, coinapi-rate-limit-per-key
    limits=(Limit("reads", None, 60 * SECOND),),
    quirks=(
        Quirk(
            "auth",
            "key",
            "Whether a key is required; a self-hosted gateway requires none.",
            choices=("key", "none"),
        ),
        Quirk(
            "success_media_type",
            "application/json",
            "The media type of a 200; the generated Python client rejects a charset.",
            choices=("application/json", "application/json; charset=utf-8"),
        ),
        Quirk(
            "reject_media_type",
            "appliction/json",
            "The media type of a 490: as documented, or spelled correctly.",
            choices=("appliction/json", "application/json"),
        ),
        Quirk(
            "row_extras",
            "off",
            "Whether rows look as in the official quickstart, against the API's document: with"
            " type, id and tagged exchange ids; assets unknown to CoinAPI have a null rate_usd"
            " and no amounts.",
            choices=("off", "quickstart"),
        ),
        Quirk(
            "unfiltered_unreachable",
            "omit",
            "The response to a request for all exchanges when one is unreachable.",
            choices=("omit", "reject"),
        ),
        Quirk(
            "unknown_exchange",
            "reject",
            "The response to a request for an exchange that is not connected: 490, or 200 and [].",
            choices=("reject", "empty"),
        ),
        Quirk(
            "rate_limit_headers",
            "off",
            "Whether a 429 carries X-RateLimit-* in addition to Retry-After.",
            choices=("off", "on"),
        ),
        Quirk(
            "error_shape",
            "error",
            "The member that an error other than a 490 has: error, or message as on older pages.",
            choices=("error", "message"),
        ),
        CORS,  # fact: coinapi-cors
        COUNTS,  # fact: coinapi-counts
        GZIP,  # fact: coinapi-gzip
    ),
    errors=errors.ERRORS,
    refuse=errors.refuse,
    rejects_quoting=errors.QUOTING,
    section=world.CoinapiSection,
    row=world.Balance,
    key="api_key",
    members=("api_key",),
    secrets=Secrets(
        headers=frozenset({b"x-coinapi-key"}), query=frozenset({b"apikey"}), values=("api_key",)
    ),
    sign=auth.sign,
    example=lambda key: UnsignedRequest("GET", "", b"/v1/balances"),
    records=world.RECORDS,
    section_now=world.section_now,
    events=(world.ExchangeUnreachable, world.ExchangeReachable, world.BalanceUpdate),
    mistakes=f"{__package__}.mistakes",
    sample=world.sample,
    holder=world.holder,
)
