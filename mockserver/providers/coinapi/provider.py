"""CoinAPI EMS, as rows."""

from mockserver.model.durations import SECOND
from mockserver.model.http import UnsignedRequest
from mockserver.model.provider import (
    CORS,
    Authenticate,
    Limit,
    Provider,
    Quirk,
    RateLimit,
    ResponsePaths,
    Route,
    Secrets,
    by_key,
)
from mockserver.providers.coinapi import auth, balances, errors, world

AMOUNTS = ("balance", "available", "locked", "rate_usd", "traded")

PROVIDER = Provider(
    name="coinapi",
    title="CoinAPI EMS",
    port=2,
    hosts=("global.ems.coinapi.net",),
    main="getBalances",
    routes=(
        Route(
            "getBalances",
            "GET",
            "/v1/balances",
            balances.parse_exchange,
            balances.get_balances,
            cacheable=True,
            shape=ResponsePaths(
                rows="$[*].data[*]",
                amounts=tuple(f"$[*].data[*].{name}" for name in AMOUNTS),
            ),
        ),
    ),
    gates=(Authenticate(auth.authenticate), RateLimit("reads", per=by_key)),
    limits=(Limit("reads", None, 60 * SECOND),),
    quirks=(
        Quirk(
            "auth",
            "key",
            "Whether a key is asked for; a self-hosted gateway asks for none.",
            choices=("key", "none"),
        ),
        Quirk(
            "success_media_type",
            "application/json",
            "The media type of a 200; the generated Python client takes no charset.",
            choices=("application/json", "application/json; charset=utf-8"),
        ),
        Quirk(
            "reject_media_type",
            "appliction/json",
            "The media type of a 490: as documented, or spelled right.",
            choices=("appliction/json", "application/json"),
        ),
        Quirk(
            "row_extras",
            "off",
            "Rows as the official quickstart shows them, against the document: with type, id,"
            " tagged exchange ids, and for assets unknown to CoinAPI a null rate_usd and no"
            " amounts.",
            choices=("off", "quickstart"),
        ),
        Quirk(
            "unfiltered_unreachable",
            "omit",
            "What a call for all exchanges does when one is unreachable.",
            choices=("omit", "reject"),
        ),
        Quirk(
            "unknown_exchange",
            "reject",
            "What a call for an exchange that is not connected gets: 490, or 200 and [].",
            choices=("reject", "empty"),
        ),
        Quirk(
            "rate_limit_headers",
            "off",
            "Whether a 429 carries X-RateLimit-* beside Retry-After.",
            choices=("off", "on"),
        ),
        CORS,
    ),
    errors=errors.ERRORS,
    refuse=errors.refuse,
    section=world.CoinapiSection,
    row=world.Balance,
    key="api_key",
    members=("api_key",),
    secrets=Secrets(
        headers=frozenset({b"x-coinapi-key"}), query=frozenset({b"apikey"}), values=("api_key",)
    ),
    sign=auth.sign,
    example=lambda key: UnsignedRequest("GET", "", b"/v1/balances"),
    events=(world.ExchangeUnreachable, world.ExchangeReachable, world.BalanceUpdate),
    mistakes=f"{__package__}.mistakes",
    sample=world.sample,
    holder=world.holder,
)
