import asyncio
from decimal import Decimal

import httpx
from portfolio import CpgAuth, portfolio


def read(*sandboxes):
    async def run():
        clients = []
        for sandbox in sandboxes:
            key = sandbox.cpg.credentials
            auth = CpgAuth(key["key_id"], key["secret"])
            clients.append(httpx.AsyncClient(base_url=sandbox.cpg.base_url, auth=auth, timeout=10))
        try:
            return await portfolio(clients)
        finally:
            await asyncio.gather(*(client.aclose() for client in clients))

    return asyncio.run(run())


def test_two_gateways_add_up(mockserver, sandbox):
    other = mockserver.sandbox(world="empty")
    other.cpg.set_balance("main", "USDT", "ETH", decimals=6, total="0.000001")
    totals, errors = read(sandbox, other)
    assert not errors
    alone = sum(row.total for row in sandbox.cpg.balances() if row.asset == "USDT")
    assert totals["USDT"] - alone == Decimal("0.000001")


def test_a_gateway_that_is_down_does_not_hide_the_others(mockserver, sandbox):
    other = mockserver.sandbox()
    other.cpg.fail(reject="internal_error")
    totals, errors = read(sandbox, other)
    assert totals["USDT"] > 0
    assert [type(error) for error in errors] == [httpx.HTTPStatusError]


def test_a_connection_that_is_reset_is_an_error_of_its_own(mockserver, sandbox):
    other = mockserver.sandbox()
    other.cpg.fail(deliver="reset")
    _, errors = read(sandbox, other)
    assert [isinstance(error, httpx.TransportError) for error in errors] == [True]
