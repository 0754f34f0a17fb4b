"""The CDP provider: its routes, checks, limits and quirks as rows."""

from typing import Any

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
from mockserver.providers.cdp import accounts, auth, balances, claims, errors, world

NEXT_PAGE = "$.nextPageToken"
OFF_ON = ("false", "true")


def _example(key: Any) -> UnsignedRequest:
    account = next(iter(key.accounts.values()), world.DOCUMENTED_ACCOUNT)
    return UnsignedRequest("GET", "", f"/v2/accounts/{account}/balances".encode())


PROVIDER = Provider(
    name="cdp",
    title="Coinbase CDP",
    port=1,
    hosts=claims.HOSTS,
    base_path=claims.BASE_PATH,
    main="listBalances",
    routes=(
        Route(
            "listAccounts",
            "GET",
            "/v2/accounts",
            accounts.parse_list,
            accounts.list_accounts,
            shape=ResponsePaths(rows="$.accounts[*]", token=NEXT_PAGE, page="pageToken"),
        ),
        Route(
            "getAccount",
            "GET",
            "/v2/accounts/{accountId}",
            accounts.parse_id,
            accounts.get_account,
            cacheable=True,
        ),
        Route(
            "listBalances",
            "GET",
            "/v2/accounts/{accountId}/balances",
            balances.parse_list,
            balances.list_balances,
            cacheable=True,
            shape=ResponsePaths(
                rows="$.balances[*]",
                amounts=("$.balances[*].amount.*.total", "$.balances[*].amount.*.available"),
                token=NEXT_PAGE,
                page="pageToken",
            ),
        ),
        Route(
            "getBalance",
            "GET",
            "/v2/accounts/{accountId}/balances/{asset}",
            balances.parse_asset,
            balances.get_balance,
            cacheable=True,
            shape=ResponsePaths(amounts=("$.amount.*.total", "$.amount.*.available")),
        ),
    ),
    # fact: cdp-order-of-checks, cdp-token-clock, cdp-rate-per-key
    gates=(Authenticate(auth.authenticate), RateLimit("reads", per=by_key)),
    limits=(Limit("reads", 600, 10 * SECOND, rolling=True),),  # fact: cdp-rate
    quirks=(
        Quirk(
            "strict_claims",
            "false",
            "Whether a token must have iss cdp, uris for api.cdp.coinbase.com, and exact times.",
            choices=OFF_ON,
        ),
        Quirk(
            "strict_host",
            "false",
            "Whether a token must name the Host header and the path without this mock's prefix.",
            choices=OFF_ON,
        ),
        Quirk(
            "leeway",
            "5s",
            "By how much the client's clock may differ.",
            duration=True,
        ),
        Quirk(
            "max_token_lifetime",
            "120s",
            "The longest lifetime of a token.",
            duration=True,
        ),
        Quirk(
            "auth_failure_body",
            "json",
            "Whether a 401 has the API's JSON body or the plain text that gateways send.",
            choices=("json", "plain"),
        ),
        Quirk(
            "error_text",
            "documented",
            "The text of a 401, 403 or 429: the endpoint's own, or that of the errors page.",
            choices=("documented", errors.ALTERNATIVE),
        ),
        Quirk(
            "error_members",
            "four",
            "The members of an error: all four, two, or four with a UUID as correlationId.",
            choices=("four", "two", "uuid"),
        ),
        Quirk(
            "page_size_over_max",
            "clamp",
            "The response to a pageSize above 100: 100 items, or 400.",
            choices=("clamp", "reject"),
        ),
        Quirk(
            "last_page_token",
            "omit",
            "Whether the last page omits nextPageToken or has an empty one.",
            choices=("omit", "empty"),
        ),
        Quirk(
            "page_token_ttl",
            "15m",
            "How long a page token is valid, on the sandbox clock.",
            duration=True,
        ),
        Quirk(
            "page_token_binds_size",
            "false",
            "Whether a page token is valid for its own pageSize only.",
            choices=OFF_ON,
        ),
        Quirk(
            "retry_after",
            "false",
            "Whether a 429 carries Retry-After.",
            choices=OFF_ON,
        ),
        CORS,  # fact: cdp-cors
        COUNTS,  # fact: cdp-counts
        GZIP,  # fact: cdp-gzip
    ),
    errors=errors.ERRORS,
    refuse=errors.refuse,
    variants=errors.VARIANTS,
    section=world.CdpSection,
    row=world.Balance,
    key="key_id",
    members=("key_id", "key_secret", "key_type", "accounts"),
    secrets=Secrets(headers=frozenset({b"authorization"}), values=("key_secret",)),
    sign=auth.sign,
    example=_example,
    mistakes=f"{__package__}.mistakes",
    sample=world.sample,
    holder=world.holder,
)
