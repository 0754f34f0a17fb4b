import pytest
import requests
from portfolio import Cpg, coinapi_balances


def cpg(sandbox):
    key = sandbox.cpg.credentials
    return Cpg(sandbox.cpg.base_url, key["key_id"], key["secret"], sleep=sandbox.sleep)


def test_networks_add_up_to_the_last_digit(sandbox):
    rows = [
        {"asset": "USDT", "venue": "ETH", "decimals": 18, "total": "0.000000000000000001"},
        {"asset": "USDT", "venue": "TRX", "decimals": 6, "total": "9007199254740993"},
    ]
    sandbox.cpg.set_balances("main", rows)
    assert f"{cpg(sandbox).balances()['USDT']}" == "9007199254740993.000000000000000001"


def test_coinapi_keeps_digits_that_a_float_loses(sandbox):
    sandbox.coinapi.set_balances("main", [{"asset": "XBT", "venue": "KRAKEN", "total": "0.1"}])
    sandbox.coinapi.credit("main", "XBT", "0.000000000000000000002", venue="KRAKEN")
    key = sandbox.coinapi.credentials["api_key"]
    totals = coinapi_balances(sandbox.coinapi.base_url, key)
    assert f"{totals['XBT']}" == "0.100000000000000000002"


def test_two_rate_limits_are_waited_out(sandbox):
    sandbox.cpg.fail(reject="rate_limited", requests="1-2")
    assert cpg(sandbox).balances()
    sandbox.verify(provider="cpg", reason="rate_limited", exactly=2)


def test_a_rate_limit_that_stays_is_an_error(sandbox):
    sandbox.cpg.fail(reject="rate_limited")
    with pytest.raises(requests.HTTPError, match="429"):
        cpg(sandbox).balances()
    sandbox.verify(provider="cpg", exactly=4)


def test_a_revoked_key_is_not_tried_again(sandbox):
    sandbox.cpg.event("key_revoked", key="main")
    with pytest.raises(requests.HTTPError, match="401"):
        cpg(sandbox).balances()
    sandbox.verify(provider="cpg", exactly=1)
