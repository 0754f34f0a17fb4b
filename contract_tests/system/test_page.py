"""The dashboard in a real browser: each panel, each action, good manners and safety."""

import contextlib
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from contract_tests.support import raw
from contract_tests.support.browser import (
    PAGES,
    PANELS,
    Watched,
    chromium,
    open_panel,
    send_read,
    walk,
)
from contract_tests.support.tools import missing
from mockserver import MockServer
from mockserver.engine import pipeline
from mockserver.errors import ControlError, PortInUse
from mockserver.faults.parsing import RuleParser
from mockserver.files import strict_yaml
from mockserver.http.server import bind
from mockserver.model.http import Request
from mockserver.providers import discover


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def watched(browser: Any) -> Iterator[Watched]:
    watched = Watched(browser)
    yield watched
    assert watched.problems() == []
    watched.context.close()


@pytest.fixture
def page(watched: Watched) -> Any:
    return watched.page()


def clipboard(page: Any) -> str:
    text: str = page.evaluate("navigator.clipboard.readText()")
    return text


def press(page: Any, name: str, within: str = "main") -> None:
    page.locator(within).get_by_role("button", name=name, exact=True).first.click()


def said(page: Any, text: str) -> None:
    page.locator("#toasts .toast", has_text=text).last.wait_for()


def confirm(page: Any, name: str) -> None:
    page.locator("dialog").get_by_role("button", name=name, exact=True).click()
    page.locator("dialog").wait_for(state="detached")


def rows(page: Any) -> Any:
    return page.locator(".spacer > .row:visible")


def flood(server: MockServer, count: int, target: bytes = b"/v1/balances") -> None:
    """Makes requests without sockets, as fast as the pipeline responds."""
    request = Request.of(
        "GET", target, b"", [(b"host", b"x")], b"", base_path=b"", raw_target_path=target
    )
    sandbox = server.app.sandboxes.default
    for _ in range(count):
        pipeline.respond(sandbox, "coinapi", request)


def test_a_reader_of_the_banner_alone_finds_the_explanation(page: Any) -> None:
    command = [sys.executable, "-m", "mockserver", "serve", "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            url = next(
                found[1]
                for line in server.stdout
                if (found := re.search(r"open (http\S+) in a browser", line))
            )
            explanation = walk(page, url)
        finally:
            server.terminate()
    assert "another method signed" in explanation
    assert "Sign the method that is sent" in explanation


# The journal


def test_a_request_is_shown_as_it_happens_and_explained(server: MockServer, page: Any) -> None:
    open_panel(page, server.url, "journal")
    page.get_by_text("No request yet.").wait_for()
    send_read(server, "cpg")
    send_read(server, "cpg", wrong=True)
    rows(page).nth(1).wait_for()
    assert "bad signature" in rows(page).first.inner_text()
    rows(page).first.click()
    detail = page.locator(".detail")
    detail.locator(".explanation").wait_for()
    text = detail.inner_text()
    assert text.index("Expected") < text.index("Received")
    assert "/v1/balances HTTP/1.1" in text
    assert "redacted:" in text
    requests.get(server.coinw.base_url + "/api/v1/private?command=returnBalances", timeout=30)
    rows(page).first.locator(".c-provider", has_text="coinw").wait_for()
    rows(page).first.click()
    detail.locator("mark").first.wait_for()


def test_https_to_a_plain_port_is_named(server: MockServer, page: Any) -> None:
    open_panel(page, server.url, "journal")
    page.get_by_text("No request yet.").wait_for()
    raw.exchange(server.cpg.base_url, b"\x16\x03\x01")
    page.locator(".toast", has_text="write http:// in the URL").wait_for()


def test_filters_pause_and_clear(server: MockServer, page: Any) -> None:
    for name in ("cpg", "coinapi"):
        send_read(server, name)
        send_read(server, name, wrong=True)
    open_panel(page, server.url, "journal")
    rows(page).nth(3).wait_for()
    main = page.locator("main")
    filters = [
        (lambda: main.get_by_label("Provider").select_option("cpg"), 2),
        (lambda: main.get_by_label("Only refused").check(), 1),
        (lambda: main.get_by_label("Provider").select_option(""), 2),
        (lambda: main.get_by_label("Status").select_option("2"), 0),
        (lambda: main.get_by_label("Status").select_option("4"), 2),
        (lambda: main.get_by_label("Reason").select_option("bad_signature"), 1),
        (lambda: main.get_by_label("Reason").select_option(""), 2),
        (lambda: main.get_by_label("Text").fill("no such text"), 0),
        (lambda: main.get_by_label("Text").fill("BALANCES"), 2),
    ]
    main.get_by_label("Reason").locator("option[value=bad_signature]").wait_for(state="attached")
    for change, count in filters:
        change()
        page.wait_for_function(
            "n => document.querySelectorAll('.spacer > .row:not([hidden])').length === n", arg=count
        )
    press(page, "Pause")
    send_read(server, "cpg", wrong=True)
    page.get_by_text("1 waiting").wait_for()
    assert rows(page).count() == 2
    press(page, "Resume")
    rows(page).nth(2).wait_for()
    press(page, "Clear")
    page.get_by_text("No request yet.").wait_for()
    with page.expect_download() as download:
        press(page, "HAR")
    assert json.loads(download.value.path().read_text())["log"]["entries"] == []


def test_an_entry_is_copied_in_every_form_and_judged_again(server: MockServer, page: Any) -> None:
    server.set_quirks({"cpg.replay": "off"})  # the copied line may run in the second of the verdict
    send_read(server, "cpg", wrong=True)
    open_panel(page, server.url, "journal")
    rows(page).first.click()
    press(page, "Copy as curl")
    said(page, "Copied as curl")
    done = subprocess.run(
        shlex.split(clipboard(page)), capture_output=True, check=False, timeout=30
    )
    assert done.returncode == 0, done.stderr
    press(page, "Copy as HAR")
    said(page, "Copied as HAR")
    assert json.loads(clipboard(page))["log"]["entries"][0]["response"]["status"] == 401
    for name, wanted in (
        ("Copy as pytest", "sandbox.verify("),
        ("Copy as Python", "urllib"),
        ("Copy as JavaScript", "fetch("),
    ):
        press(page, name)
        said(page, name.replace("Copy as ", "Copied as "))
        assert wanted in clipboard(page)
    press(page, "Copy as sent")
    said(page, "secrets redacted")
    assert clipboard(page).startswith("GET /v1/balances HTTP/1.1")
    press(page, "Judge again")
    page.locator(".verdict", has_text="would be accepted").wait_for()
    press(page, "Raw")
    assert (
        page.locator("pre.body").last.inner_text()
        == '{"success":false,"message":"Invalid signature"}'
    )


def test_a_body_is_laid_out_without_touching_a_digit(server: MockServer, page: Any) -> None:
    body = '{"a":1.10000000000000000001,"b":[12345678901234567890,1E+2,-0.0],"c":"<b>\\u0000"}'
    server.coinapi.fail(status=200, body=body, headers={"content-type": "application/json"})
    send_read(server, "coinapi")
    open_panel(page, server.url, "journal")
    rows(page).first.click()
    shown = page.locator("pre.body").last.inner_text()
    assert re.sub(r"\s", "", shown) == re.sub(r"\s", "", body)
    assert "\n" in shown


def test_the_list_is_worked_by_keys(server: MockServer, page: Any) -> None:
    for _ in range(3):
        send_read(server, "coinapi")
    open_panel(page, server.url, "journal")
    rows(page).nth(2).wait_for()
    page.locator(".grid").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.locator(".entry[data-n='2']").wait_for()
    page.locator(".grid").focus()
    page.keyboard.press("Escape")
    page.locator(".detail").wait_for(state="hidden")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.type") == "search"
    page.locator(".grid").focus()
    page.keyboard.press("g")
    page.keyboard.press("p")
    page.locator("main[data-panel=providers]").wait_for()


# The address of an entry


def test_what_was_sent_is_opened_and_has_an_address(server: MockServer, page: Any) -> None:
    send_read(server, "coinapi")
    open_panel(page, server.url, "journal")
    rows(page).first.click()
    page.wait_for_url("**/#/default/journal/1")
    page.locator("nav.side").get_by_text("Providers").click()
    card = page.locator("section.provider", has=page.locator(".tag:text-is('cpg')"))
    card.get_by_role("button", name="Send a wrong one").click()
    said(page, "cpg: 401 bad signature, sent with the signature of another method")
    page.get_by_role("link", name="See it in the journal").click()
    page.wait_for_url("**/#/default/journal/2")
    page.locator(".entry[data-n='2']").wait_for()
    page.locator(".row.selected .c-provider", has_text="cpg").wait_for()
    page.reload()
    page.locator(".entry[data-n='2']").wait_for()
    page.locator("path.bar:not([d=''])").first.wait_for(state="attached")
    page.keyboard.press("Escape")
    page.locator(".detail").wait_for(state="hidden")
    assert page.url.endswith("#/default/journal")


def test_a_refusal_by_a_rule_leads_to_the_rule(server: MockServer, page: Any) -> None:
    server.cpg.fail("mine", reject="rate_limited")
    send_read(server, "cpg")
    open_panel(page, server.url, "journal")
    rows(page).first.click()
    card = page.locator(".explanation")
    card.wait_for()
    assert "To do" not in card.inner_text()
    card.get_by_role("link", name="Open mine").click()
    page.locator("tr.chosen[data-rule=mine]").wait_for()


def test_an_accepted_request_has_nothing_wrong(server: MockServer, page: Any) -> None:
    send_read(server, "cpg")
    open_panel(page, server.url, "journal")
    rows(page).first.click()
    press(page, "Judge again")
    page.locator(".verdict .badge").last.wait_for()
    assert "nothing but" not in page.locator(".verdict").inner_text()


# Providers


def test_a_signed_request_and_a_wrong_one_are_sent_from_the_page(
    server: MockServer, page: Any
) -> None:
    open_panel(page, server.url, "providers")
    for name in discover():
        card = page.locator("section.provider", has=page.locator(f".tag:text-is('{name}')"))
        card.get_by_role("button", name="Send", exact=True).click()
        said(page, f"{name}: 200")
        card.get_by_role("button", name="Send a wrong one").click()
        said(page, ", sent with ")
        card.locator(".badge.refused").wait_for()
    assert [entry.reason == "" for entry in server.journal] == [True, False] * len(discover())
    card.locator("summary").click()
    card.get_by_role("button", name="reject-forbidden").click()
    said(page, "cpg: 403")


def test_credentials_are_revealed_and_copied_on_demand(server: MockServer, page: Any) -> None:
    open_panel(page, server.url, "providers")
    card = page.locator("section.provider", has=page.locator(".tag:text-is('cpg')"))
    secret = server.cpg.credentials["secret"]
    assert secret not in page.content()
    card.get_by_role("button", name="Reveal the credential").click()
    card.get_by_text(secret).wait_for()
    card.get_by_role("button", name="Copy secret").click()
    said(page, "Copied")
    assert clipboard(page) == secret
    card.get_by_label("Credential of cpg").select_option("empty")
    assert secret not in page.content()
    card.get_by_role("button", name="Copy as curl, signed, for cpg").click()
    said(page, "as empty")
    done = subprocess.run(
        shlex.split(clipboard(page)), capture_output=True, check=False, timeout=30
    )
    assert done.returncode == 0
    assert server.journal[-1].credential == "empty"


# Time


def test_both_clocks_are_moved_and_what_is_due_is_reached(server: MockServer, page: Any) -> None:
    send_read(server, "cpg")
    open_panel(page, server.url, "time")
    press(page, "Freeze")
    page.get_by_text("Frozen").wait_for()
    before = server.clock.now_ns
    press(page, "Advance by 1m")
    _until(lambda: server.clock.now_ns == before + 60 * 10**9)
    page.get_by_label("Set to").fill("2030-01-01T00:00:00Z")
    press(page, "Set")
    page.locator("output", has_text="2030-01-01 00:00:00").wait_for()
    page.get_by_label("Advance by").last.fill("nonsense")
    press(page, "Advance")
    said(page, "no duration")
    page.get_by_label("Rate").fill("60")
    press(page, "Set rate")
    press(page, "Run")
    page.get_by_text("60 times as fast").wait_for()
    page.get_by_label("Skew").fill("-400s")
    press(page, "Skew")
    page.get_by_text("Real time -400s").wait_for()
    press(page, "No skew")
    page.get_by_text("Is real time").wait_for()


def _until(holds: Any) -> None:
    for _ in range(300):
        if holds():
            return
        subprocess.run(["sleep", "0.1"], check=True)
    raise AssertionError("it never came true")


def test_the_clock_advances_to_what_happens_next(server: MockServer, page: Any) -> None:
    server.clock.freeze()
    server.cpg.fail("down", reject="internal_error", from_="10s", for_="20s")
    open_panel(page, server.url, "time")
    page.get_by_text("the rule down begins").wait_for()
    press(page, "Advance to it")
    page.get_by_text("the rule down begins").wait_for(state="detached")
    assert send_read(server, "cpg") == 500
    press(page, "Advance to it")
    page.get_by_text("the rule down ends").wait_for(state="detached")
    assert send_read(server, "cpg") == 200


# Faults


def test_a_scenario_is_played_and_stopped(server: MockServer, page: Any) -> None:
    open_panel(page, server.url, "faults")
    press(page, "Play half-lost")
    page.locator(".scenario.playing", has_text="half-lost").wait_for()
    page.locator(".rules tbody tr").first.wait_for()
    press(page, "Stop half-lost")
    page.get_by_text("No rule is in force.").wait_for()


EFFECTS = ["reject", "page", "raw", "mutate", "deliver"]


def test_a_rule_is_made_of_every_kind_as_its_yaml_says(server: MockServer, page: Any) -> None:
    open_panel(page, server.url, "faults")
    form = page.locator(".rule-form")
    form.get_by_label("Provider").select_option("cpg")
    form.get_by_label("Requests", exact=True).fill("1-3")
    form.get_by_label("Credential", exact=True).fill("main")
    for effect in EFFECTS:
        form.get_by_label("Effect").select_option(effect)
        kind = form.get_by_label("Kind") if effect in ("mutate", "deliver") else None
        kinds = kind.locator("option").all_inner_texts() if kind else [""]
        for name in kinds:
            if kind:
                form.get_by_label("Kind").select_option(name)
            form.get_by_label("Name", exact=True).fill(
                f"{effect}-{name or 'one'}".replace("_", "-")
            )
            (rule,) = strict_yaml.load(form.get_by_label("The rule as YAML").inner_text())
            RuleParser(discover()).parse(rule)
            assert "sandbox.cpg.fail(" in form.get_by_label("The rule as Python").inner_text()
            press(page, "Set the rule")
            _until(lambda rule=rule: any(r["rule"] == rule for r in server.faults))
    with contextlib.suppress(requests.ConnectionError):
        send_read(server, "cpg")
    page.locator(".rules td:nth-child(5)", has_text="1").first.wait_for()
    press(page, "Delete the rule reject-one")
    page.locator(".rules", has_text="reject-one").wait_for(state="detached")
    press(page, "Delete all")
    said(page, "Deleted page-one")
    page.get_by_text("No rule is in force.").wait_for()


def test_a_wrong_rule_is_refused_in_one_line(server: MockServer, page: Any) -> None:
    open_panel(page, server.url, "faults")
    page.locator(".rule-form").get_by_label("Requests", exact=True).fill("zero")
    press(page, "Set the rule")
    page.get_by_text("requests are counted from 1").first.wait_for()


# Limits, ledger, quirks, coverage


def test_limits_are_shown_and_changed(server: MockServer, page: Any) -> None:
    server.set_quirks({"cpg.replay": "off"})  # two reads in one second count both
    open_panel(page, server.url, "limits")
    value = page.get_by_label("Value of cpg.key")
    value.fill("5 a minute")
    value.press("Enter")
    page.locator(".complaint", has_text="write N/DURATION").wait_for()
    send_read(server, "cpg")
    page.wait_for_timeout(800)
    assert value.input_value() == "5 a minute"
    value.fill("5/60s")
    value.press("Enter")
    said(page, "cpg.key is 5/60s")
    for _ in range(2):
        send_read(server, "cpg")
    page.locator("tr", has_text="cpg.key").get_by_text("/5", exact=False).wait_for()
    press(page, "Switch all off")
    _until(lambda: server.limits["cpg.key"] == "off")
    press(page, "Defaults")
    _until(lambda: server.limits["cpg.key"] == "120/60s")


def test_a_ledger_is_edited_exactly_moved_and_drawn(server: MockServer, page: Any) -> None:
    open_panel(page, server.url, "ledger")
    main = page.locator("main")
    main.get_by_label("Provider").select_option("cpg")
    press(page, "Edit USDT ETH")
    exact = "12345678901234567890.123456"
    page.locator("dialog").get_by_label("Total").fill(exact)
    page.locator("dialog").get_by_label("Held").fill("0")
    confirm(page, "Save")
    page.locator("td", has_text=exact).first.wait_for()
    assert str(server.cpg.balances()[0].total) == exact
    press(page, "Graph of USDT ETH")
    for kind, amount in (("credit", "1"), ("hold", "2"), ("release", "1"), ("debit", "1")):
        press(page, "Move USDT ETH")
        page.locator("dialog").get_by_label("Movement").select_option(kind)
        page.locator("dialog").get_by_label("Amount").fill(amount)
        confirm(page, "Move")
    row = server.cpg.balances()[0]
    assert (str(row.total), str(row.held).rstrip("0").rstrip(".")) == (exact, "1")
    page.locator(".amounts svg").wait_for()
    press(page, "Add a row")
    page.locator("dialog").get_by_label("Asset").fill("DOGE")
    page.locator("dialog").get_by_label("Venue").fill("DOGE")
    page.locator("dialog").get_by_label("Total").fill("-1")
    page.locator("dialog").get_by_role("button", name="Save").click()
    page.locator("dialog .complaint").wait_for()
    page.locator("dialog").get_by_label("Total").fill("7")
    confirm(page, "Save")
    page.get_by_role("button", name="Edit DOGE DOGE").wait_for()
    press(page, "Delete BTC BTC")
    confirm(page, "Delete")
    page.get_by_role("button", name="Edit BTC BTC").wait_for(state="detached")


def test_a_quirk_is_set_and_returned_to_its_default(server: MockServer, page: Any) -> None:
    open_panel(page, server.url, "quirks")
    page.get_by_role("group", name="cpg.replay").get_by_role("button", name="off").click()
    _until(lambda: server.quirks["cpg.replay"] == "off")
    page.get_by_role("button", name="cpg.replay to its default").click()
    _until(lambda: server.quirks["cpg.replay"] != "off")
    window = page.get_by_label("cpg.timestamp_window")
    window.fill("7s")
    window.press("Enter")
    _until(lambda: server.quirks["cpg.timestamp_window"] == "7s")
    page.get_by_text("behind it").first.click()
    page.locator(".fact a:visible").first.click()
    page.locator(".fact-row").first.wait_for()


def test_coverage_fills(server: MockServer, page: Any) -> None:
    open_panel(page, server.url, "coverage")
    page.locator(".cover li").first.wait_for()
    assert page.locator(".cover .met").count() == 0
    send_read(server, "cpg", wrong=True)
    page.locator(".cover .met", has_text="bad_signature").wait_for()
    page.locator(".cover .met", has_text="listBalances").wait_for()


# Sandboxes


def choose(page: Any, name: str) -> None:
    page.get_by_role("button", name="Sandbox actions").click()
    page.get_by_role("menuitem", name=name, exact=True).click()


def test_a_sandbox_is_made_used_reset_and_deleted(server: MockServer, page: Any) -> None:
    open_panel(page, server.url, "journal")
    choose(page, "New sandbox")
    page.locator("dialog").get_by_label("Id").fill("mine")
    page.locator("dialog").get_by_label("Seed").fill("7")
    confirm(page, "Create")
    page.wait_for_url("**/#/mine/journal")
    page.locator("nav.side").get_by_text("Providers").click()
    card = page.locator("section.provider", has=page.locator(".tag:text-is('cpg')"))
    card.get_by_text("/~mine").first.wait_for()
    card.get_by_role("button", name="Send", exact=True).click()
    said(page, "cpg: 200")
    page.locator("nav.side").get_by_text("Journal").click()
    rows(page).first.wait_for()
    choose(page, "Reset")
    confirm(page, "Reset")
    page.get_by_text("No request yet.").wait_for()
    choose(page, "Delete")
    confirm(page, "Delete")
    page.wait_for_url("**/#/default/journal")
    page.goto(f"{server.url}/#/mine/journal")
    page.locator(".notice", has_text="is gone").wait_for()
    press(page, "Go to default", "body")
    page.locator(".notice").wait_for(state="hidden")


def test_a_sandbox_is_snapshot_restored_forked_and_rewound(server: MockServer, page: Any) -> None:
    for _ in range(3):
        send_read(server, "coinapi")
    open_panel(page, server.url, "journal")
    rows(page).nth(2).wait_for()
    choose(page, "Take a snapshot")
    name = page.locator("dialog").get_by_label("Name")
    assert page.evaluate("document.activeElement.id") == name.get_attribute("id")
    name.fill("before change")
    page.locator("dialog").get_by_role("button", name="Take").click()
    page.locator("dialog .complaint", has_text="is not a name").wait_for()
    name.fill("before")
    assert page.locator("dialog .complaint").count() == 0
    confirm(page, "Take")
    said(page, "Snapshot before")
    before = server.cpg.balances()
    server.cpg.set_balance("main", "USDT", "ETH", total="1")
    choose(page, "Restore a snapshot")
    confirm(page, "Restore")
    said(page, "Restored before")
    _until(lambda: server.cpg.balances() == before)
    choose(page, "Rewind to an entry")
    page.locator("dialog").get_by_label("To before request").fill("3")
    confirm(page, "Rewind")
    page.get_by_text("2 of 2 shown").wait_for()
    rows(page).first.click()
    press(page, "Rewind to here")
    page.get_by_text("1 of 1 shown").wait_for()
    choose(page, "Fork")
    page.locator("dialog").get_by_label("Id of the fork").fill("twin")
    confirm(page, "Fork")
    page.wait_for_url("**/#/twin/journal")
    assert server.sandbox(id="twin").id == "twin"


# Good manners


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_panel_has_a_violation_of_accessibility(
    server: MockServer, browser: Any, scheme: str
) -> None:
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        missing("axe-playwright-python is not installed")
    for name in discover():
        send_read(server, name)
        send_read(server, name, wrong=True)
    server.cpg.fail("slow", deliver={"delay": "1ms"})
    watched, found = Watched(browser, color_scheme=scheme), {}
    page = watched.page()

    def check(what: str) -> None:
        report = Axe().run(page).response["violations"]
        for v in report:
            found[f"{what}: {v['id']}"] = [node["html"][:160] for node in v["nodes"]][:3]

    for panel in (*PANELS, *PAGES):
        open_panel(page, server.url, panel)
        page.wait_for_timeout(300)
        if panel == "providers":
            page.locator("summary").first.click()
            page.get_by_role("button", name="Reveal the credential").first.click()
        if panel == "quirks":
            page.get_by_text("behind it").first.click()
        if panel == "docs":
            page.locator("details.operation > summary").first.click()
            page.locator(".operation-body summary").first.click()
        check(panel)
        if panel == "journal":
            rows(page).first.click()
            page.locator(".explanation").wait_for()
            press(page, "Judge again")
            page.locator(".verdict .badge").last.wait_for()
            check("an entry")
    open_panel(page, server.url, "ledger")
    press(page, "Add a row")
    check("a dialog")
    page.keyboard.press("Escape")
    choose(page, "New sandbox")
    check("another dialog")
    assert (found, watched.problems()) == ({}, [])
    watched.context.close()


@pytest.mark.parametrize("width", [360, 768, 2560])
def test_no_panel_is_wider_than_the_window(server: MockServer, browser: Any, width: int) -> None:
    for name in discover():
        send_read(server, name, wrong=True)
    server.play("rate-limit-storm")
    watched = Watched(browser, viewport={"width": width, "height": 740})
    page = watched.page()
    wide = []
    for panel in (*PANELS, *PAGES):
        open_panel(page, server.url, panel)
        page.wait_for_timeout(200)
        if panel == "journal":
            rows(page).first.click()
            page.locator(".explanation").wait_for()
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(panel)
    assert (wide, watched.problems()) == ([], [])
    watched.context.close()


def test_a_flood_leaves_page_and_server_within_their_bounds(server: MockServer, page: Any) -> None:
    open_panel(page, server.url, "journal")
    flood(server, 20_000)
    page.wait_for_function(
        "document.querySelector('.counts').textContent.includes('missed')", timeout=60_000
    )
    page.wait_for_function("!document.querySelector('.spacer > .row').hidden")
    shown = int(
        re.search(r"of ([\d,]+) shown", page.locator(".counts").inner_text())[1].replace(",", "")
    )
    assert shown <= 6_001
    assert page.locator(".spacer > .row").count() < 100
    assert len(server.app.sandboxes.default.journal.entries) <= 10_000
    page.locator(".scroller").evaluate("node => node.scrollTop = node.scrollHeight")
    rows(page).last.wait_for()


def test_a_lost_connection_goes_on_from_the_last_entry(
    server: MockServer, watched: Watched
) -> None:
    page = watched.page()
    send_read(server, "coinapi")
    open_panel(page, server.url, "journal")
    rows(page).first.wait_for()
    watched.context.set_offline(True)
    page.evaluate("navigator.locks.query()")
    flood(server, 5)
    watched.context.set_offline(False)
    page.get_by_text("6 of 6 shown").wait_for()
    watched.messages.clear()


def free_port() -> int:
    """A port that stays free for another server: not of those that the system gives out."""
    for port in range(21_000, 30_000, 10):
        with contextlib.suppress(PortInUse):
            for sock in bind("127.0.0.1", port, discover()).values():
                sock.close()
            return port
    raise AssertionError("no port is free")


def test_a_server_that_starts_again_is_noticed(browser: Any) -> None:
    watched = Watched(browser)
    page = watched.page()
    port = free_port()
    with MockServer(port=port) as server:
        send_read(server, "coinapi")
        open_panel(page, server.url, "journal")
        rows(page).first.wait_for()
    page.locator(".state.lost, .state.connecting").wait_for()
    with MockServer(port=port) as server:
        said(page, "began anew")
        page.locator(".state.live").wait_for()
        page.get_by_text("No request yet.").wait_for()
        send_read(server, "coinapi", wrong=True)
        rows(page).first.wait_for()
    watched.context.close()


def test_tabs_share_one_stream(server: MockServer, watched: Watched) -> None:
    tabs = [watched.page() for _ in range(3)]
    for tab in tabs:
        open_panel(tab, server.url, "journal")
    send_read(server, "coinapi")
    for tab in tabs:
        rows(tab).first.wait_for()
    _until(lambda: server.app.live_streams == 1)
    tabs[0].close()
    tabs[1].wait_for_timeout(500)
    send_read(server, "coinapi")
    for tab in tabs[1:]:
        rows(tab).nth(1).wait_for()
    _until(lambda: server.app.live_streams == 1)
    own = server.sandbox(id="other")
    open_panel(tabs[2], server.url, "journal", "other")
    own.coinapi.fail(status=200)
    send_read(own, "coinapi")
    rows(tabs[2]).first.wait_for()
    assert rows(tabs[2]).count() == 1
    send_read(server, "coinapi")
    rows(tabs[1]).nth(2).wait_for()
    _until(lambda: server.app.live_streams == 1)


# Safety


def test_a_token_is_asked_for_and_kept_for_the_tab(browser: Any) -> None:
    watched = Watched(browser)
    with MockServer(admin_token="open-sesame") as server:
        page = watched.page()
        page.goto(server.url)
        dialog = page.locator("dialog", has_text="admin token")
        dialog.get_by_label("Admin token").fill("wrong")
        dialog.get_by_role("button", name="Use token").click()
        page.wait_for_timeout(300)
        page.locator("dialog").get_by_label("Admin token").fill("open-sesame")
        page.locator("dialog").get_by_role("button", name="Use token").click()
        page.locator(".state.live").wait_for()
        assert "sesame" not in page.url
        assert page.evaluate("JSON.stringify(localStorage)") == "{}"
        page.reload()
        page.locator(".state.live").wait_for()
        other = watched.page()
        other.goto(server.url)
        other.locator("dialog", has_text="admin token").wait_for()
        assert watched.problems() == []
    watched.context.close()


HOSTILE = [
    "<script>window.executed=1</script>",
    "<img src=x onerror=window.executed=1>",
    '"><svg onload=window.executed=1>',
    "javascript:window.executed=1",
    "'-window.executed=1-'",
    "{{constructor.constructor('window.executed=1')()}}",
    "${window.executed=1}",
    "</style><script>window.executed=1</script>",
    "<iframe srcdoc='<script>parent.executed=1</script>'>",
    "<math><mtext><style><img src=x onerror=window.executed=1>",
    "x" * 10_000,
    "\u202egnp.exe\u202c",
    "\u2066\u2067\u200f\u061c",
    "\u0645\u0631\u062d\u0628\u0627",
    "\u0000\u0001\u001b[31m\u007f",
    "a\u0300" * 500,
    "\ufeff\u200b\u00ad",
    "\U0001f4a3" * 200,
    ">>nested<< >>marks<<",
    "\u2028line\u2029",
]


def test_hostile_strings_are_text_in_every_field(server: MockServer, page: Any) -> None:
    strings = [f"{n}{text}" if n else text for n in range(5) for text in HOSTILE]
    assert len(strings) == 100
    sandbox = server.app.sandboxes.default
    for text in strings:
        raw = text.encode()
        request = Request.of(
            "GET",
            b"/v1/" + raw,
            raw,
            [
                (b"host", b"x"),
                (b"x-" + raw.replace(b": ", b""), raw),
                (b"x-coinapi-key", raw),
                (b"content-type", raw),
                (b"bad", b"\xff\xfe" + raw),
            ],
            raw + b"\xff\x00",
            base_path=b"",
            raw_target_path=b"/v1/" + raw,
        )
        pipeline.respond(sandbox, "coinapi", request)
    for text in ("<script>window.executed=1</script>", "x" * 300, "\u202eabc"):
        server.coinapi.fail(
            match_name(text),
            status=299,
            body=text,
            query={"q": text[:200]} if text.isprintable() else {},
        )
    open_panel(page, server.url, "journal")
    rows(page).first.wait_for()
    for n in range(1, len(strings) + 1):
        page.evaluate("n => location.hash", n)
        if n == 1:
            page.locator(".grid").focus()
            page.keyboard.press("End")
            page.keyboard.press("Enter")
        else:
            page.keyboard.press("ArrowUp")
        page.locator(f".entry[data-n='{n}']").wait_for()
        page.locator(".grid").focus()
        assert page.evaluate(BROKEN) == ""
    for text in HOSTILE:
        with contextlib.suppress(ControlError):  # some are refused
            server.coinw.set_balance("main", text, total="1")
    assert len(server.coinw.balances()) > 10
    for panel in PANELS:
        open_panel(page, server.url, panel)
        if panel == "ledger":
            page.locator("main").get_by_label("Provider").select_option("coinw")
            page.locator("td", has_text="CWT").first.wait_for()
        assert page.evaluate(BROKEN) == ""


def match_name(text: str) -> str:
    return f"rule-{len(text)}"


BROKEN = """() => {
  if (window.executed) return "executed";
  if (document.querySelector("main script, main iframe, main img, main style, main object")) return "markup";
  if (document.documentElement.scrollWidth > innerWidth) return "wide";
  const detail = document.querySelector(".detail-scroll");
  if (detail && detail.scrollWidth > detail.clientWidth + 1) return "wide detail";
  for (const row of document.querySelectorAll(".spacer > .row:not([hidden])")) if (row.offsetHeight > 60) return "high row";
  return "";
}"""


def test_the_documents_are_rendered_and_tried(server: MockServer, page: Any) -> None:
    page.goto(f"{server.url}/docs#/cpg")
    operation = page.locator("details.operation", has=page.locator(".path:text-is('/v1/balances')"))
    operation.locator("> summary").click()
    operation.get_by_role("button", name="Send").click()
    operation.locator(".result .badge.ok").wait_for()
    assert server.journal[-1].operation == "listBalances"
    operation.get_by_role("button", name="Copy as curl").click()
    said(page, "signed just now")
    for name in discover():
        page.get_by_label("Document").select_option(name)
        page.locator("details.operation").first.wait_for()
    page.get_by_label("Document").select_option("control")
    page.get_by_text("The control API of the fake exchange").wait_for()
    page.get_by_label("Search the operations").fill("upcoming")
    operation = page.locator("details.operation").first
    operation.locator("> summary").click()
    operation.get_by_role("button", name="Send").click()
    operation.locator(".result pre").wait_for()


def test_the_facts_are_searched(server: MockServer, page: Any) -> None:
    open_panel(page, server.url, "facts")
    page.get_by_label("Search the facts").fill("replay signature")
    page.get_by_label("Provider").select_option("cpg")
    page.wait_for_function("document.querySelectorAll('.fact-row').length < 20")
    assert page.locator(".fact-row").count() > 0
    page.get_by_label("Status").select_option("assumed")
    page.get_by_label("Search the facts").fill("no such fact at all")
    page.get_by_text("No fact matches.").wait_for()
