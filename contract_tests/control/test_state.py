"""What the control API shows and changes of a sandbox: clock, ledger, events, quirks, limits."""

import json
from typing import Any

import pytest

from contract_tests.support.control_calls import (
    WAIT,
    ControlClient,
    read_coinapi,
    send_signed,
)
from mockserver import MockServer
from mockserver.providers import discover

START = "2026-01-01T00:00:00Z"
D = "/sandboxes/default"
CPG, COINW = D + "/ledger/cpg/main", D + "/ledger/coinw/main"
USDT, BTC = CPG + "/USDT", COINW + "/BTC"
CLOCK = D + "/clock"
REQUESTS = D + "/requests"
CENTURY = 876_000  # hours
SUBMIT: dict[str, Any] = {
    "method": "POST",
    "target": "/v1/withdrawals",
    "data": b'{"currency":"USDT","network":"ETH","to_address":"0xrecipient0","amount":"50.00"}',
}


# Time

MOVES = [
    ({"advance": "0s"}, {}),
    ({"advance": "61s"}, {"now": "2026-01-01T00:01:01Z"}),
    ({"advance": 61.5, "skew": -400}, {"now": "2026-01-01T00:01:01.5Z", "skew": "-400s", "auth_now": "2025-12-31T23:53:20Z"}),
    ({"advance": f"{CENTURY}h"}, {"now": "2125-12-08T00:00:00Z"}),
    ({"set": START}, {}),
    ({"set": "2026-01-01T01:00:00+01:00"}, {}),
    ({"set": "2026-02-01T00:00:00.25Z"}, {"now": "2026-02-01T00:00:00.25Z"}),
    ({"freeze": True}, {"frozen": True}),
    ({"rate": 1_000_000}, {"rate": 1e6}),
    ({"rate": 0.000001}, {"rate": 1e-6}),
    ({"skew": "250ms"}, {"skew": "250ms", "auth_now": "2026-01-01T00:00:00.25Z"}),
    ({"skew": f"{CENTURY}h"}, {"skew": "3153600000s", "auth_now": "2125-12-08T00:00:00Z"}),
    ({"skew": f"-{CENTURY}h"}, {"skew": "-3153600000s", "auth_now": "1926-01-26T00:00:00Z"}),
    (
        {"advance": "1s", "set": "2027-01-01T00:00:00Z", "rate": 2, "freeze": True, "skew": "1s"},
        {"now": "2027-01-01T00:00:01Z", "rate": 2.0, "frozen": True, "skew": "1s", "auth_now": "2026-01-01T00:00:01Z"},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("move", "changed"), MOVES, ids=str)
def test_the_clock_is_shown_and_moved(
    control: ControlClient, move: dict[str, Any], changed: dict[str, Any]
) -> None:
    still = {"now": START, "frozen": False, "rate": 1.0, "auth_now": START, "skew": "0s"}
    assert control.good("GET", CLOCK) == still
    assert control.good("POST", CLOCK, move) == still | changed
    assert control.good("GET", CLOCK) == still | changed


def test_the_clock_ends_with_the_year_9999(server: MockServer, control: ControlClient) -> None:
    for _ in range(79):
        control.good("POST", CLOCK, {"advance": f"{CENTURY}h"})
    end = {"set": "9999-12-31T23:59:58Z", "advance": "1s"}
    assert control.good("POST", CLOCK, end)["now"] == "9999-12-31T23:59:59Z"
    refused = control.refused("POST", CLOCK, {"advance": "1ms"})
    assert refused[:3] == (400, "the clock ends with the year 9999", "$.advance")
    assert control.good("GET", CLOCK)["now"] == "9999-12-31T23:59:59Z"
    assert send_signed(server, "cpg", **SUBMIT).status_code == 200
    assert send_signed(server, "cpg", "/v1/withdrawals/1", method="GET").status_code == 200


def test_durations_may_be_seconds(control: ControlClient) -> None:
    sandbox = control.good("PUT", "/sandboxes/new", {"ttl": 90}, 201)
    assert sandbox["expires"] == "2026-01-01T00:01:30Z"
    rule = {"name": "late", "when": {"from": 1, "for": 1.5}, "deliver": {"hang": "1m0.5s"}}
    control.good("POST", D + "/faults", rule)


# The ledger


def test_a_row_is_replaced_and_the_members_left_out_stay(control: ControlClient) -> None:
    row = {"asset": "USDT", "venue": "ETH", "total": "3.50", "held": "0", "available": "3.50"}
    row |= {"decimals": 6, "fee": "1.500000", "minimum": "10.000000"}
    assert control.good("PUT", USDT + "?venue=ETH", {"total": "3.50"}) == row
    assert control.row(CPG, "USDT", "ETH") == row
    assert control.row(CPG, "USDT", "TRX")
    assert control.good("PUT", USDT + "?venue=ETH", row) == row


def test_the_venue_may_be_left_out_where_there_is_one(control: ControlClient) -> None:
    control.good("PUT", CPG + "/N%2FW?venue=%2F%C3%A9", {"total": "1"})
    row = control.good("PUT", CPG + "/N%2FW", {"total": "2", "held": "2"})
    assert (row["asset"], row["venue"], row["available"]) == ("N/W", "/é", "0")
    assert control.good("DELETE", CPG + "/N%2FW", status=204) is None
    assert control.row(CPG, "N/W", "/é") == {}


def test_the_rows_of_an_account_are_replaced(server: MockServer, control: ControlClient) -> None:
    rows = [{"asset": "A", "total": "1.0"}, {"asset": "B", "total": "2", "held": "0.5"}]
    account = control.good("PUT", COINW, {"balances": rows})
    assert account == {
        "account": "main",
        "label": "main",
        "balances": [
            {"asset": "A", "venue": "", "total": "1.0", "held": "0", "available": "1.0"},
            {"asset": "B", "venue": "", "total": "2", "held": "0.5", "available": "1.5"},
        ],
    }
    assert control.good("GET", COINW) == account
    assert control.good("PUT", COINW, {"balances": account["balances"]}) == account
    assert list(send_signed(server, "coinw").json()["data"]) == ["A", "B"]
    assert control.good("PUT", COINW, {"balances": []})["balances"] == []


MOVEMENTS = [
    ({"credit": "1.5"}, "3.5", "0.50", "3.00"),
    ({"debit": "1.50"}, "0.50", "0.50", "0.00"),
    ({"hold": "1.5"}, "2.0", "2.00", "0.00"),
    ({"release": "0.5"}, "2.0", "0.00", "2.00"),
    ({"credit": f"0.{'0' * 39}1"}, f"2.{'0' * 39}1", "0.50", f"1.5{'0' * 38}1"),
    ({"credit": "9" * 40}, f"1{'0' * 39}1.0", "0.50", f"1{'0' * 40}.50"),
]


@pytest.mark.parametrize(("movement", "total", "held", "available"), MOVEMENTS)
def test_an_amount_is_moved_exactly(
    control: ControlClient, movement: dict[str, str], total: str, held: str, available: str
) -> None:
    control.good("PUT", BTC, {"total": "2.0", "held": "0.50"})
    row = control.good("POST", BTC + "/moves", movement)
    assert (row["total"], row["held"], row["available"]) == (total, held, available)
    assert control.row(COINW, "BTC") == row


def test_a_movement_never_makes_an_amount_of_more_than_80_digits(control: ControlClient) -> None:
    nines = "9" * 80
    control.good("PUT", USDT + "?venue=ETH", {"total": nines})
    refused = control.refused("POST", USDT + "/moves?venue=ETH", {"credit": nines})
    assert refused[0] == 400
    assert "at most 80 digits" in refused[1]
    assert control.row(CPG, "USDT", "ETH")["total"] == nines


def test_an_account_may_be_named_by_its_label(control: ControlClient) -> None:
    row = control.good("PUT", D + "/ledger/cdp/many/btc", {"total": "1"})
    by_id = D + "/ledger/cdp/account_00000000-0000-4000-8000-000000000250"
    assert control.row(by_id, "btc") == row
    account = control.good("GET", by_id)
    assert account == control.good("GET", D + "/ledger/cdp/many")
    assert (account["label"], len(account["balances"])) == ("many", 251)


def rows_of(page: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """Returns every row of a page: provider, account, asset, venue."""
    return [
        (name, id, row["asset"], row["venue"])
        for name, accounts in page.items()
        if name != "next"
        for id, account in accounts.items()
        for row in account["balances"]
    ]


def test_the_ledger_is_served_whole_in_pages_and_as_lines(control: ControlClient) -> None:
    ledger = control.good("GET", D + "/ledger")
    assert ledger["cpg"]["main"] == control.good("GET", CPG)
    assert ledger.pop("next") is None
    counts = {"cdp": 5, "coinapi": 2, "coinstats": 1, "coinw": 2, "cpg": 2}
    assert {name: len(accounts) for name, accounts in ledger.items()} == counts
    everything = rows_of(ledger)
    assert len({*everything}) == len(everything)
    for limit in (2, 7, 1000):
        rows, after = [], "0.0.0"
        while after is not None:
            page = control.good("GET", f"{D}/ledger?after={after}&limit={limit}")
            assert len(rows_of(page)) <= limit
            rows += rows_of(page)
            after = page["next"]
        assert rows == everything
    url, headers = f"{control.url}/__admin{D}/ledger", {"Accept": "application/x-ndjson"}
    answer = control.session.get(url, headers=headers, timeout=WAIT)
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert all(line["label"] for line in lines)
    assert everything == [
        (line["provider"], line["account"], line["balance"]["asset"], line["balance"]["venue"])
        for line in lines
    ]


# Events


def apply_event(control: ControlClient, provider: str, event: str, **members: Any) -> None:
    body = {"event": event, **members}
    assert control.good("POST", f"{D}/events/{provider}", body) == {"event": event}


@pytest.mark.parametrize(
    ("event", "total", "held"),
    [
        ("withdrawal_confirmed", "1448.500000", "200.000000"),
        ("withdrawal_failed", "1500.000000", "200.000000"),
    ],
)
def test_a_withdrawal_is_settled_once(
    server: MockServer, control: ControlClient, event: str, total: str, held: str
) -> None:
    def usdt() -> tuple[str, str]:
        row = control.row(CPG, "USDT", "ETH")
        return row["total"], row["held"]

    assert send_signed(server, "cpg", **SUBMIT).status_code == 200
    assert usdt() == ("1500.000000", "251.500000")
    apply_event(control, "cpg", event, id=1)
    assert usdt() == (total, held)
    refused = control.refused("POST", D + "/events/cpg", {"event": event, "id": 1})
    status = event.removeprefix("withdrawal_")
    assert refused[:3] == (400, f"withdrawal 1 is {status} already", "$")
    assert usdt() == (total, held)


def test_moving_the_clock_runs_due_events(server: MockServer, control: ControlClient) -> None:
    send_signed(server, "cpg", **SUBMIT)
    for step, total in (("59s", "1500.000000"), ("1s", "1448.500000")):
        control.good("POST", CLOCK, {"advance": step})
        assert control.row(CPG, "USDT", "ETH")["total"] == total


def test_a_due_event_that_has_become_impossible_is_logged_and_harms_no_request(
    server: MockServer, control: ControlClient, caplog: pytest.LogCaptureFixture
) -> None:
    assert send_signed(server, "cpg", **SUBMIT).status_code == 200
    control.good("DELETE", USDT + "?venue=ETH", status=204)
    control.good("POST", CLOCK, {"advance": "61s"})
    assert send_signed(server, "cpg").status_code == 200
    (line,) = [r.getMessage() for r in caplog.records if "was not applied" in r.getMessage()]
    assert line.startswith("cpg: withdrawal_confirmed was not applied: ")


@pytest.mark.parametrize("provider", discover())
def test_a_key_is_revoked_at_every_provider(
    server: MockServer, control: ControlClient, provider: str
) -> None:
    send_signed(server, provider)
    apply_event(control, provider, "key_revoked", key="main")
    control.good("POST", CLOCK, {"skew": "1s"})
    send_signed(server, provider)
    entries = control.good("GET", REQUESTS)["requests"]
    assert [entry["reason"] for entry in entries] == ["", "revoked_credential"]
    event = {"event": "key_revoked", "key": "x"}
    status, error, at, _ = control.refused("POST", f"{D}/events/{provider}", event)
    assert (status, error.partition(":")[0], at) == (400, "no credential x", "$")


def test_permissions_are_changed(server: MockServer, control: ControlClient) -> None:
    statuses = []
    for n, permissions in enumerate(([], ["read_balance"], ["withdraw"])):
        apply_event(control, "cpg", "permission_changed", key="main", permissions=permissions)
        answer = send_signed(server, "cpg", f"/v1/balances?n={n}", method="GET")
        statuses.append(answer.status_code)
    assert statuses == [403, 200, 403]


def test_an_exchange_becomes_unreachable_and_reachable(
    server: MockServer, control: ControlClient
) -> None:
    for event, status in (("exchange_unreachable", 490), ("exchange_reachable", 200)):
        apply_event(control, "coinapi", event, id="KRAKEN")
        assert read_coinapi(server, "?exchange_id=KRAKEN") == status


def test_an_exchange_reports_new_figures(control: ControlClient) -> None:
    report = {"account": "main", "asset": "XBT", "venue": "KRAKEN", "total": "7", "held": "7"}
    apply_event(control, "coinapi", "balance_update", **report)
    row = control.row(D + "/ledger/coinapi/main", "XBT", "KRAKEN")
    expected = {"total": "7", "held": "7", "last_updated_by": "EXCHANGE", "rate_usd": "1355.12"}
    assert row | expected == row


def test_a_portfolio_is_synced_once(server: MockServer, control: ControlClient) -> None:
    send_signed(server, "coinstats")
    portfolio = "618f0bb0f2cf07dce25bc5007750bf1646825509bb63519bd491ab6a56daa419"
    apply_event(control, "coinstats", "portfolio_synced", id=portfolio)
    event = {"event": "portfolio_synced", "id": portfolio}
    refused = control.refused("POST", D + "/events/coinstats", event)
    assert refused[:3] == (400, f"portfolio {portfolio} is synced already", "$")


# Settings

QUIRKS = [
    ({"coinstats.credits": 25}, "coinstats.credits", "25"),
    ({"cpg.replay": False}, "cpg.replay", "off"),
    ({"cdp.strict_claims": True}, "cdp.strict_claims", "true"),
    ({"coinstats.bad_exchange_credentials": 403}, "coinstats.bad_exchange_credentials", "403"),
    ({"cpg.timestamp_window": 90}, "cpg.timestamp_window", "90s"),
    ({"cpg.timestamp_window": 1.5}, "cpg.timestamp_window", "1500ms"),
    ({"cpg.timestamp_window": "1m30s"}, "cpg.timestamp_window", "1m30s"),
]


@pytest.mark.parametrize(("quirks", "name", "value"), QUIRKS, ids=str)
def test_a_quirk_takes_values_of_its_own_type_everywhere(
    control: ControlClient, quirks: dict[str, Any], name: str, value: str
) -> None:
    assert control.good("PATCH", D + "/quirks", quirks)[name] == value
    for settings in ({"quirks": quirks}, {"scenario": {"quirks": quirks}}):
        control.good("PUT", "/sandboxes/new", settings, 201)
        assert control.good("GET", "/sandboxes/new/quirks")[name] == value
    assert MockServer(quirks=quirks).quirks[name] == value


def test_quirks_are_changed_by_name_and_null_restores_the_default(control: ControlClient) -> None:
    before = control.good("GET", D + "/quirks")
    assert before["coinw.empty"] == "object"
    changed = {"coinw.empty": "null", "cpg.timestamp_window": "5m"}
    assert control.good("PATCH", D + "/quirks", changed) == before | changed
    assert control.good("GET", D + "/quirks") == before | changed
    after = control.good("PATCH", D + "/quirks", {"coinw.empty": None})
    assert after == before | {"cpg.timestamp_window": "5m"}
    assert control.good("PATCH", D + "/quirks", {}) == after


def test_a_quirk_takes_effect_with_the_next_request(
    server: MockServer, control: ControlClient
) -> None:
    control.good("PUT", COINW, {"balances": []})
    assert send_signed(server, "coinw").json()["data"] == {}
    control.good("PATCH", D + "/quirks", {"coinw.empty": "null"})
    assert send_signed(server, "coinw").json()["data"] is None


def test_limits_are_changed_by_name_or_all_at_once(
    server: MockServer, control: ControlClient
) -> None:
    before = control.good("GET", D + "/limits")
    changed = {"coinapi.reads": "1/60s", "cpg.key": "999999999999/3600s", "cpg.ip": "0/1s"}
    assert control.good("PATCH", D + "/limits", changed) == before | changed
    assert [read_coinapi(server), read_coinapi(server)] == [200, 429]
    assert send_signed(server, "cpg").status_code == 429
    off = control.good("PATCH", D + "/limits", "off")
    assert off == dict.fromkeys(before, "off")
    assert read_coinapi(server) == 200
    for name, limit, text in (("cpg.ip", "5/1s", "5/1s"), ("cpg.key", None, "120/60s")):
        off[name] = text
        assert control.good("PATCH", D + "/limits", {name: limit}) == off
    assert control.good("PATCH", D + "/limits", "default") == before
    changed = {"cdp.reads": "1/500ms"}
    assert control.good("PATCH", D + "/limits", changed) == before | changed
    assert control.good("PATCH", D + "/limits", {"cdp.reads": None}) == before
