"""The Crypto Payment Gateway (``X-CPG-*``), as rows."""

from mockserver.model.durations import SECOND
from mockserver.model.http import UnsignedRequest
from mockserver.model.provider import (
    CORS,
    Authenticate,
    Check,
    Limit,
    Provider,
    Quirk,
    RateLimit,
    ReplayCheck,
    ResponsePaths,
    Route,
    Secrets,
    by_address,
    by_key,
    parse_nothing,
)
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
            permission="read_balance",
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
            permission="withdraw",
        ),
        Route(
            "getWithdrawal",
            "GET",
            "/v1/withdrawals/{id}",
            withdrawals.parse_id,
            withdrawals.show,
            permission="read_withdrawal_status",
        ),
        Route("ping", "GET", "/v1/_ping", parse_nothing, balances.ping),
    ),
    gates=(
        RateLimit("ip", per=by_address),
        Authenticate(auth.authenticate),
        ReplayCheck(auth.digest, auth.replay_span),
        Check(auth.check_address, "ip_not_allowed"),
        RateLimit("key", per=by_key),
        Check(auth.check_permission, "forbidden"),
    ),
    limits=(Limit("ip", 1200, 60 * SECOND), Limit("key", 120, 60 * SECOND)),
    quirks=(
        Quirk(
            "signature_case",
            "lower",
            "Whether a signature in upper-case hex is accepted.",
            choices=("lower", "any"),
        ),
        Quirk(
            "timestamp_window",
            "300s",
            "How far a timestamp may be off the auth clock, either way.",
            duration=True,
        ),
        Quirk(
            "replay",
            "on",
            "Whether an accepted signature works only once.",
            choices=("on", "off"),
        ),
        Quirk(
            "confirm_after",
            "60s",
            "When a withdrawal confirms by itself, on the sandbox clock.",
            choices=("off",),
            duration=True,
        ),
        CORS,
    ),
    errors=errors.ERRORS,
    refuse=errors.refuse,
    section=world.CpgSection,
    row=world.Balance,
    key="key_id",
    members=("key_id", "secret"),
    secrets=Secrets(
        headers=frozenset({b"x-cpg-key", b"x-cpg-signature"}), values=("key_id", "secret")
    ),
    sign=auth.sign,
    example=lambda key: UnsignedRequest("GET", "", b"/v1/balances"),
    events=(
        withdrawals.WithdrawalConfirmed,
        withdrawals.WithdrawalFailed,
        world.PermissionChanged,
    ),
    mistakes=f"{__package__}.mistakes",
    sample=world.sample,
    holder=world.holder,
)
