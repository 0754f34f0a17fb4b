"""Examples that type-check: with mypy --strict and pyright, no line has an error."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import mockserver
from mockserver import (
    Balance,
    Clock,
    JournalEntry,
    MockServer,
    ProviderHandle,
    Sandbox,
    errors,
)

server = MockServer(quirks={"cpg.replay": "off", "cdp.strict_host": True}, limits="off")
limited = MockServer(limits={"cpg.key": "5/60s", "coinw.ip": None}, auth_clock="process")
sandbox: Sandbox = server.sandbox(world="whale", ttl=timedelta(minutes=5), fault_headers=True)
named: Sandbox = server.sandbox("mine", scenario="rate-limit-storm", seed=7, limits="default")


def providers(sandbox: Sandbox) -> None:
    """Credentials, ledgers and events."""
    key_id: str = sandbox.cpg.credentials.key_id
    secret: str = sandbox.cpg.credentials["secret"]
    accounts: dict[str, str] = sandbox.cdp.credentials.accounts
    fields: dict[str, str] = sandbox.coinstats.credentials["connection_fields"]
    other: str = sandbox.coinapi.others["empty"].api_key
    signed: str = sandbox.coinw.credential("empty").secret_key
    base_url: str = sandbox.coinw.base_url
    sandbox.cpg.set_balance("main", "USDT", "ETH", total="2.5", held=Decimal("0.5"), decimals=6)
    sandbox.cpg.credit("main", "USDT", 10, venue="ETH")
    sandbox.cdp.set_balances("main", [{"asset": "btc", "total": "1"}])
    total: Decimal = sandbox.cpg.balances()[0].total
    fee: Decimal = sandbox.cpg.balances("main")[0].fee
    rows: Sequence[Balance] = sandbox.cdp.balances("main")
    sandbox.cpg.event("withdrawal_confirmed", id=1)
    sandbox.cpg.event("permission_changed", key="main", permissions=["read_balance"])
    sandbox.coinapi.event("exchange_unreachable", id="KRAKEN")
    sandbox.coinw.event("key_revoked", key="main")
    print(key_id, secret, accounts, fields, other, signed, base_url, total, fee, rows)


def faults(sandbox: Sandbox) -> None:
    """Keywords of fail, flat and nested."""
    name: str = sandbox.cpg.fail(reject="rate_limited", requests="1-2")
    sandbox.cpg.fail("named", operation="balances", reject="replayed", requests=range(1, 3))
    sandbox.fail(provider="*", deliver="reset", probability=0.5)
    sandbox.fail(provider="cdp", deliver={"delay": 1.5, "clock": "sandbox"})
    sandbox.coinapi.fail(answer={"reject": "exchange_unreachable"}, when={"times": 2})
    sandbox.coinw.fail(status=503, headers={"retry-after": "3"}, body={"error": "busy"})
    sandbox.cdp.fail(mutate={"drop": "$.balances", "extra": True}, match={"method": "GET"})
    sandbox.coinstats.fail(page="proxy-502", from_="10s", for_=timedelta(seconds=5))
    sandbox.cpg.fail(cut=0.25, requests=(1, 3), credential="main")
    sandbox.clear_faults(name)
    sandbox.play("rate-limit-storm")


def time_and_journal(sandbox: Sandbox) -> None:
    """Clocks, the journal and verify."""
    clock: Clock = sandbox.clock
    clock.advance("61s")
    clock.skew_to(datetime(2026, 1, 1, tzinfo=UTC))
    now: datetime = clock.now
    sandbox.sleep(0.5)
    last: list[JournalEntry] = sandbox.journal.last(2)
    body: str = sandbox.journal[0].response["body"]
    count: int = sandbox.verify(provider="cpg", operation="balances", status=200, exactly=1)
    sandbox.verify(reason="rate_limited", credential="main", at_least=1, at_most=3)
    quirk: str = sandbox.quirks["cpg.replay"]
    sandbox.set_quirks({"cpg.timestamp_window": 300, "coinw.empty": None})
    sandbox.set_limits({"cdp.reads": "off"})
    fix: str = (sandbox.journal[0].explanation or {"fix": ""})["fix"]
    print(now, last, body, count, quirk, fix)


def any_provider(handle: ProviderHandle) -> str:
    """A handle of a provider that is chosen at run time."""
    handle.fail(reject="service_unavailable", times=1)
    text: str = handle.credentials["api_key"]
    return text + handle.base_url


async def waits(sandbox: Sandbox) -> None:
    """A drop-in for asyncio.sleep, and a client of httpx."""
    await sandbox.asleep(1)
    async with sandbox.cpg.async_client() as client:
        status: int = (await client.get("/v1/balances")).status_code
    with sandbox.cdp.client(timeout=5) as sync_client:
        text: str = sync_client.get("/v2/accounts").text
    print(status, text)


def mistakes() -> None:
    """Errors and their facts."""
    try:
        any_provider(server.provider("cpg"))
    except errors.ControlError as error:
        print(error.status, error.at, error.hint)
    except errors.SettingError as error:
        print(error.message, error.path)
    except errors.VerificationError as error:
        print(error.count, error.nearest)
    app = mockserver.create_app(world="empty", seed=7)
    print(app.routes)
