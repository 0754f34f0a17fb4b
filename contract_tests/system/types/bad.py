"""Mistakes, one a line: mypy --strict and pyright must both find each."""

from datetime import datetime

from mockserver import MockServer, ProviderHandle, Sandbox, errors


def wrong(server: MockServer, sandbox: Sandbox, handle: ProviderHandle) -> None:
    """Each line below is one mistake."""
    # names that do not exist
    sandbox.binance
    sandbox.cpgg
    server.cdpp
    sandbox.clok
    sandbox.cpg.base_uri
    sandbox.provider("binance")
    sandbox.journal.lst(2)
    errors.SettingsError
    # credentials
    sandbox.cpg.credentials.key
    sandbox.cpg.credentials["api_key"]
    sandbox.cdp.credentials.secret
    sandbox.coinw.credential("empty").secrt_key
    # settings
    MockServer(wrold="empty")
    MockServer(quirks={"cpg.reply": "off"})
    MockServer(quirks={"cpg.replay": "maybe"})
    MockServer(limits={"cpg.key": 5})
    MockServer(limits={"cpg.keys": "5/60s"})
    MockServer(limits="of")
    MockServer(auth_clock="proces")
    server.sandbox(sed=1)
    server.sandbox(seed="1")
    sandbox.set_quirks({"coinw.emty": "null"})
    sandbox.set_limits({"cpg.key": 1.5})
    # faults
    sandbox.cpg.fail(rejct="rate_limited")
    sandbox.cpg.fail(reject="rate_limite")
    sandbox.cpg.fail(reject="exchange_unreachable")
    sandbox.cdp.fail(operation="returnBalances")
    sandbox.fail(provider="cpgg", status=500)
    sandbox.cpg.fail(deliver={"rest": "before"})
    sandbox.cpg.fail(deliver={"reset": "befor"})
    sandbox.cpg.fail(deliver="delay")
    sandbox.cpg.fail(mutate={"drop_rows": 1})
    sandbox.cpg.fail(status="503")
    sandbox.cpg.fail(answer={"rejct": "rate_limited"})
    sandbox.cpg.fail(page="cloudflare")
    handle.fail(reject="nope")
    # time, events and verify
    sandbox.clock.advance(datetime.now())
    sandbox.clock.now = datetime.now()
    sandbox.clock.skew_to(5)
    sandbox.sleep(None)
    sandbox.verify(operaton="balances")
    sandbox.verify(operation="balance")
    sandbox.verify(provider="cpg", exactly="1")
    sandbox.cpg.event("withdrawl_confirmed", id=1)
    sandbox.cpg.event("withdrawal_confirmed", id="1")
    sandbox.coinapi.event("exchange_unreachable", name="KRAKEN")
    sandbox.cpg.set_balance("main", "USDT", totl="1")
    sandbox.cpg.credit("main", "USDT", 1.5)
