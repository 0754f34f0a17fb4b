"""The Crypto Payment Gateway (``X-CPG-*``): routes, gates, limits, quirks and errors."""

from mockserver.model.http import UnsignedRequest
from mockserver.model.provider import (
    CORS,
    COUNTS,
    GZIP,
    Authenticate,
    Check,
    Limit,
    Provider,
    Quirk,
    RateLimit,
    ReplayCheck,
    ResponsePaths,
    Route,
    by_address,
    by_key,
    parse_nothing,
)
from mockserver.model.redaction import Secrets
from mockserver.model.times import SECOND
from mockserver.providers.cpg import auth, balances, errors, orders, withdrawals, world

PROVIDER = Provider(
    name="cpg",
    title="Crypto Payment Gateway",
    port=5,
    main="listBalances",
    routes=(
        Route(
            "listBalances",
            "GET",
            "/v1/balances",
            balances.parse_filter,
            balances.list_balances,
            permission="read_balance",  # fact: cpg-balances-permission
            cacheable=True,
            shape=ResponsePaths(
                rows="$.data[*]",
                amounts=("$.data[*].balance", "$.data[*].held", "$.data[*].available"),
            ),
        ),
        Route(
            "submitWithdrawal",
            "POST",
            "/v1/withdrawals",
            orders.parse_order,
            withdrawals.submit,
            permission="withdraw",  # fact: cpg-withdrawal-permission
        ),
        Route(
            "getWithdrawal",
            "GET",
            "/v1/withdrawals/{id}",
            withdrawals.parse_id,
            withdrawals.show,
            permission="read_withdrawal_status",  # fact: cpg-withdrawal-shown-permission
        ),
        Route("ping", "GET", "/v1/_ping", parse_nothing, balances.ping),  # fact: cpg-ping
    ),
    # fact: cpg-order-of-checks, cpg-address-limit-first
    # fact: cpg-replay-refused-not-remembered, cpg-replay-spent-early, cpg-replay-at-once
    gates=(
        RateLimit("ip", per=by_address),
        Authenticate(auth.authenticate),
        ReplayCheck(auth.replay_digest, auth.replay_window),
        Check(auth.check_address, "ip_not_allowed"),
        RateLimit("key", per=by_key),
        Check(auth.check_permission, "forbidden"),
    ),
    # fact: cpg-key-limit-window, cpg-limit-figures
    limits=(Limit("ip", 1200, 60 * SECOND), Limit("key", 120, 60 * SECOND)),
    quirks=(
        Quirk(
            "signature_case",
            "lower",
            "Whether a signature in upper-case hex is accepted.",
            choices=("lower", "any"),
        ),
        Quirk(
            "timestamp_window",  # fact: cpg-timestamp-quirk
            "300s",
            "How far a timestamp may differ from the auth clock, either way.",
            duration=True,
        ),
        Quirk(
            "replay",
            "on",
            "Whether a reused signature is rejected.",
            choices=("on", "off"),
        ),
        Quirk(
            "confirm_after",  # fact: cpg-withdrawal-confirms-itself, cpg-withdrawal-confirm-quirk
            "60s",
            "When a withdrawal confirms by itself, on the sandbox clock.",
            choices=("off",),
            duration=True,
        ),
        Quirk(
            "address_check",
            "off",
            "Whether a withdrawal to an address whose form is impossible for its network is"
            " rejected.",
            choices=("off", "on"),
        ),
        CORS,  # fact: cpg-cors
        COUNTS,  # fact: cpg-counts
        GZIP,  # fact: cpg-gzip
    ),
    errors=errors.ERRORS,
    refuse=errors.refuse,
    section=world.CpgSection,
    row=world.Balance,
    key="key_id",
    members=("key_id", "secret"),
    secrets=Secrets(
        headers=frozenset({b"x-cpg-key", b"x-cpg-signature"}),
        signature=b"x-cpg-signature",
        values=("key_id", "secret"),
    ),
    sign=auth.sign,
    example=lambda key: UnsignedRequest("GET", "", b"/v1/balances"),
    records=withdrawals.RECORDS,
    events=(
        withdrawals.WithdrawalConfirmed,
        withdrawals.WithdrawalFailed,
        world.PermissionChanged,
    ),
    mistakes=f"{__package__}.mistakes",
    sample=world.sample,
    holder=world.holder,
)
