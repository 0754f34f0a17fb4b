"""``mockserver explain``: pasted requests are checked as a server would, or rejected in one line."""

import io
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests

from contract_tests.support.control_calls import send_signed
from contract_tests.support.counting import calls_of_at_most
from contract_tests.support.processes import CLEAN, COMMAND, SOON
from contract_tests.support.signer import sign
from mockserver import MockServer
from mockserver.cli.banner import base_url
from mockserver.cli.curl import curl_line
from mockserver.cli.main import main
from mockserver.client.auth import signed_example
from mockserver.files.worlds import find, load
from mockserver.model import times
from mockserver.providers import discover
from mockserver.tools import curl_line as curl
from mockserver.tools import pasted_request

PORT = 8490  # the default port of the gateway
CPG = f"http://127.0.0.1:{PORT + 5}"
MISSING = "missing_credential"
COINW = f"http://127.0.0.1:{PORT + 4}"


class CommandResult(NamedTuple):
    """The exit status and the output of the command."""

    status: int
    out: str
    err: str

    @property
    def rows(self) -> dict[str, str]:
        """The rows after the first line, by name."""
        lines = (line.strip().partition("  ") for line in self.out.splitlines()[1:])
        return {name.strip(): text.strip() for name, _, text in lines}


Explain = Callable[..., CommandResult]


@pytest.fixture
def explain(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Explain:
    """Runs the command in this process with the given input, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("PORT", "WORLD"):
        monkeypatch.delenv(f"MOCKSERVER_{name}", raising=False)

    def explain(pasted: str | bytes, *args: str) -> CommandResult:
        raw = pasted.encode() if isinstance(pasted, str) else pasted
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
        with pytest.raises(SystemExit) as end:
            main(["explain", *args])
        captured = capsys.readouterr()
        return CommandResult(end.value.code, captured.out, captured.err)

    return explain


def key_of(provider: str) -> Any:
    return next(
        k for k in load("default").parts[provider].credentials.values() if k.label == "main"
    )


def line_of(provider: str, base: str = "") -> str:
    described = discover()[provider]
    here = base or base_url(described, PORT)
    return curl_line(described, key_of(provider), here, "", time.time_ns())


def refused(result: CommandResult, rule: str) -> None:
    assert (result.status, result.rows.get("rule"), result.err) == (1, rule, "")
    assert result.rows["fix"]


def accepted(result: CommandResult, provider: str, operation: str = "") -> None:
    line = f"accepted: 200 {provider} {operation or discover()[provider].main} as key main\n"
    assert result == CommandResult(0, line, "")


# curl lines as `mockserver curl` prints them


@pytest.mark.parametrize("provider", discover())
def test_the_printed_line_is_accepted(explain: Explain, provider: str) -> None:
    accepted(explain(line_of(provider)), provider)


# The change in each provider's line, and the reason and rule with which it is then rejected.
CHANGED = {
    "cdp": ("/balances", "/balancez", "no_route", "unknown path"),
    "coinapi": ("73034021-", "73034022-", "unknown_credential", "one character of the key wrong"),
    "coinstats": ("/balance'", "/balanc'", "no_route", "unknown path"),
    "coinw": ("command=returnB", "command=returnb", "no_route", "unknown operation"),
    "cpg": ("cpg_test_key", "cpg_test_kez", "unknown_credential", "one character of the key wrong"),
}


@pytest.mark.parametrize("provider", discover())
def test_a_line_with_one_character_changed_is_explained(explain: Explain, provider: str) -> None:
    old, new, reason, rule = CHANGED[provider]
    line = line_of(provider)
    changed = line.replace(old, new, 1) if old in line else line.replace(old[:-1], new[:-1], 1)
    assert changed != line
    result = explain(changed)
    refused(result, rule)
    assert result.out.splitlines()[0].endswith(f" {provider} {reason}")


def test_a_wrong_signature_is_explained_with_the_canonical_string(explain: Explain) -> None:
    line = line_of("cpg").replace("/v1/balances", "/v1/balances?currency=USDT")
    result = explain(line)
    assert result.out.splitlines()[0].startswith("refused: 401 cpg bad_signature")
    assert result.status == 1
    assert result.rows["rule"]
    assert "currency=USDT" in result.rows["expected"]
    assert "test_secret_do_not_use" not in result.out


# Ways to write a curl line; all of them are one request


def header_words(headers: dict[str, str], option: str = "-H ") -> str:
    return " ".join(f"{option}'{name}: {value}'" for name, value in headers.items())


URL_READ = f"{CPG}/v1/balances"
# Each with the signed headers in place of {h}, or of {-H} for another way to write "-H ".
READS = {
    "plainly": f"curl {{h}} {URL_READ}",
    "after a prompt and whitespace": f"\n  $  curl {{h}} {URL_READ}\n\n",
    "after a byte order mark": f"\ufeffcurl {{h}} {URL_READ}",
    "with the URL first": f"curl {URL_READ} {{h}}",
    "on several lines": f"curl {URL_READ} \\\n  {{h}} \\\n -s",
    "on several lines of Windows": f"curl {URL_READ} \\\r\n  {{h}}",
    "in double quotes": f'curl "{URL_READ}" {{double}}',
    "in quotes of bash": f"curl {URL_READ} {{-H $}}",
    "with long options": f"curl --request GET {{--header }} --url {URL_READ}",
    "with long options and equals signs": f"curl --request=GET {{--header=}} --url={URL_READ}",
    "with values at once": f"curl -XGET {{-H}} {URL_READ}",
    "with flags together": f"curl -sSLk -sXGET {{-siH}} {URL_READ}",
    "without a scheme": f"curl {{h}} {URL_READ.removeprefix('http://')}",
    "into a pipe": f"curl {{h}} {URL_READ} | jq .data",
    "with a fragment": f"curl {{h}} '{URL_READ}#top'",
    "with a user": f"curl {{h}} http://user:password@127.0.0.1:{PORT + 5}/v1/balances",
    "to the gateway": f"curl {{h}} http://127.0.0.1:{PORT}/cpg/v1/balances",
    "to a sandbox": f"curl {{h}} {CPG}/~mine/v1/balances",
    "to a sandbox at the gateway": f"curl {{h}} http://127.0.0.1:{PORT}/cpg/~mine/v1/balances",
    "by name": "curl {h} http://cpg.localhost:1234/v1/balances",
    "with a Host of its own": "curl {h} -H 'Host: cpg.localhost' http://127.0.0.1:1/v1/balances",
    "with options that do not matter": (
        "curl -o out -w '%{http_code}' -m 5 --connect-timeout 1 -x proxy -b a=b -c jar -e here -D dump"
        " -A agent -u me:too --retry 3 --compressed --http1.1 --cacert ca -E cert --key key"
        f" --resolve a:1:b --connect-to a:1:b:2 --limit-rate 1k --output=out {{h}} {URL_READ}"
    ),
}


@pytest.mark.parametrize("line", READS.values(), ids=READS)
def test_a_read_is_understood_however_it_is_written(explain: Explain, line: str) -> None:
    headers = sign("GET", "/v1/balances")
    line = line.replace("{h}", header_words(headers))
    line = line.replace("{double}", header_words(headers).replace("'", '"'))
    for option in ("-H $", "--header ", "--header=", "-H", "-siH"):
        line = line.replace(f"{{{option}}}", header_words(headers, option))
    accepted(explain(line), "cpg")


ORDER = '{"currency":"USDT","network":"ETH","to_address":"0xrecipient0","amount":"50.00"}'

BODIES = {
    "-d": f"-H 'Content-Type: application/json' -d '{ORDER}'",
    "--data": f"-H 'content-type:application/json' --data '{ORDER}'",
    "--data-raw": f"-H 'Content-Type: application/json' --data-raw '{ORDER}'",
    "--data-raw with quotes of bash": f"-H 'Content-Type: application/json' --data-raw $'{ORDER.replace('0', chr(92) + 'x30')}'",
    "--data-binary": f"-H 'Content-Type: application/json' --data-binary '{ORDER}'",
    "--data-ascii": f"-H 'Content-Type: application/json' --data-ascii='{ORDER}'",
    "--json": f"--json '{ORDER}'",
    "--json twice": f"--json '{ORDER[:30]}' --json '{ORDER[30:]}'",
}


@pytest.mark.parametrize("words", BODIES.values(), ids=BODIES)
def test_a_body_is_understood_however_it_is_written(explain: Explain, words: str) -> None:
    headers = sign("POST", "/v1/withdrawals", body=ORDER.encode())
    result = explain(f"curl {header_words(headers)} {words} {CPG}/v1/withdrawals")
    accepted(result, "cpg", "submitWithdrawal")


def parts(line: str) -> tuple[str, str, dict[str, str], str]:
    method, url, headers, body = curl.parse_curl(line)
    return method, url, dict(headers), body


FORM = {"Content-Type": "application/x-www-form-urlencoded"}
URL = "http://h/p"

# Options and the request that curl itself makes of them.
OPTIONS = [
    ("-d a=1 -d b=2", ("POST", URL, FORM, "a=1&b=2")),
    ("-d=x", ("POST", URL, FORM, "=x")),
    ("-G -d a=1 -d b=2", ("GET", URL + "?a=1&b=2", {}, "")),
    ("--get --data a=1", ("GET", URL + "?a=1", {}, "")),
    ("-sGd a=1", ("GET", URL + "?a=1", {}, "")),
    ("-X PUT -d a", ("PUT", URL, FORM, "a")),
    ("-X PUT -X PATCH", ("PATCH", URL, {}, "")),
    ("-I", ("HEAD", URL, {}, "")),
    ("--head", ("HEAD", URL, {}, "")),
    ("--data-urlencode 'a=b c&d'", ("POST", URL, FORM, "a=b%20c%26d")),
    ("--data-urlencode 'b c'", ("POST", URL, FORM, "b%20c")),
    ("--data-urlencode '=b=c'", ("POST", URL, FORM, "b%3Dc")),
    ("--data-raw @name", ("POST", URL, FORM, "@name")),
    ("--json '{}'", ("POST", URL, {"Content-Type": "application/json"}, "{}")),
    ("--json '{}' -H 'content-type: x'", ("POST", URL, {"content-type": "x"}, "{}")),
    ("-H 'X-A: b:c'", ("GET", URL, {"X-A": "b:c"}, "")),
    ("-H X-A:", ("GET", URL, {}, "")),
    ("-H 'X-A;'", ("GET", URL, {"X-A": ""}, "")),
    ("-u me:too", ("GET", URL, {"Authorization": "Basic bWU6dG9v"}, "")),
    ("--oauth2-bearer tok", ("GET", URL, {"Authorization": "Bearer tok"}, "")),
    ("-A agent -e here -b c=d", ("GET", URL, {"User-Agent": "agent", "Referer": "here", "Cookie": "c=d"}, "")),
]  # fmt: skip


@pytest.mark.parametrize(("words", "request_parts"), OPTIONS, ids=[words for words, _ in OPTIONS])
def test_options_make_what_curl_makes_of_them(words: str, request_parts: tuple[Any, ...]) -> None:
    assert parts(f"curl {words} {URL}") == request_parts
    assert parts(f"curl {URL} {words}") == request_parts


def test_get_data_is_appended_to_an_existing_query() -> None:
    assert parts(f"curl -G -d a=1 '{URL}?b=2'") == ("GET", URL + "?b=2&a=1", {}, "")


def test_a_user_in_the_url_becomes_a_header() -> None:
    parsed = pasted_request.read(b"curl http://me:too@h:1/p")
    assert parsed.headers == [(b"host", b"h:1"), (b"authorization", b"Basic bWU6dG9v")]


def test_a_signed_form_is_accepted(explain: Explain) -> None:
    signed = signed_example(discover()["coinw"], key_of("coinw"), COINW, time.time_ns())
    result = explain(f"curl -d '{signed.query.decode()}' {COINW}/api/v1/private")
    accepted(result, "coinw")
    as_query = explain(f"curl -X POST -G -d '{signed.query.decode()}' {COINW}/api/v1/private")
    accepted(as_query, "coinw")


# Raw requests


def raw(headers: dict[str, str], end: str, body: str = "", target: str = "/v1/balances") -> str:
    method = "POST" if body else "GET"
    lines = [f"{method} {target} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items()), "", body]
    return end.join(lines)


def test_a_raw_request_may_end_its_lines_and_name_its_host_in_several_ways(
    explain: Explain,
) -> None:
    headers = sign("GET", "/v1/balances")
    for port, prefix in ((PORT + 5, ""), (PORT, "/cpg")):
        for end in ("\n", "\r\n"):
            host = {"Host": f"127.0.0.1:{port}"}
            accepted(explain(raw(host | headers, end, target=prefix + "/v1/balances")), "cpg")
    accepted(explain(raw(headers, "\n", target=f"{CPG}/v1/balances")), "cpg")
    without_version = raw({"Host": "cpg.localhost"} | headers, "\n").replace(" HTTP/1.1", "")
    accepted(explain(without_version), "cpg")


# A body, what is pasted after it, and the value of Content-Length.
PASTED = {
    "as it is": (ORDER, "", None),
    "with the line ends of the paste": (ORDER, "\n\r\n", None),
    "with line ends that are its own": (ORDER + "\r\n", "\n", len(ORDER) + 2),
    "with line ends within": (ORDER.replace(",", ",\r\n"), "", None),
    "with a blank line within": (ORDER.replace(",", ",\n\n"), "\n", None),
    "with the length, and line ends": (ORDER, "\n\n", len(ORDER)),
}


@pytest.mark.parametrize(("body", "behind", "length"), PASTED.values(), ids=PASTED)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_body_of_a_raw_request_is_what_was_signed(
    explain: Explain, body: str, behind: str, length: int | None, end: str
) -> None:
    headers = {"Host": f"127.0.0.1:{PORT + 5}", "Content-Type": "application/json"}
    headers |= sign("POST", "/v1/withdrawals", body=body.encode())
    headers |= {} if length is None else {"Content-Length": str(length)}
    result = explain(raw(headers, end, body + behind, "/v1/withdrawals"))
    accepted(result, "cpg", "submitWithdrawal")


def test_without_host_and_credential_the_option_provider_is_required(explain: Explain) -> None:
    result = explain(raw({"X-Other": "1"}, "\n"))
    assert (result.status, result.out) == (2, "")
    assert result.err == (
        "mockserver: neither the URL nor a credential selects a provider: "
        "add --provider cdp or coinapi or coinstats or coinw or cpg\n"
    )
    request = raw(sign("GET", "/v1/balances"), "\n")
    accepted(explain(request), "cpg")
    accepted(explain(request, "--provider", "cpg"), "cpg")


def test_a_named_provider_beats_an_address_and_its_sandbox_is_cut_off(explain: Explain) -> None:
    headers = header_words(sign("GET", "/v1/balances"))
    for address in ("http://127.0.0.1:1", "https://gateway.example/~mine", "https://api.coinw.com"):
        accepted(explain(f"curl {headers} {address}/v1/balances", "--provider", "cpg"), "cpg")


REAL = {
    "cdp": ["https://api.cdp.coinbase.com/platform", "https://sandbox.cdp.coinbase.com/platform"],
    "coinapi": ["https://global.ems.coinapi.net"],
    "coinstats": ["https://openapiv1.coinstats.app"],
    "coinw": ["https://api.coinw.com"],
}


@pytest.mark.parametrize(("provider", "base"), [(p, b) for p, bases in REAL.items() for b in bases])
def test_a_line_for_the_real_host_is_checked(explain: Explain, provider: str, base: str) -> None:
    accepted(explain(line_of(provider, base)), provider)


def test_a_port_of_the_environment_selects_the_provider(
    explain: Explain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOCKSERVER_PORT", "9000")
    headers = header_words(sign("GET", "/v1/balances"))
    accepted(explain(f"curl {headers} http://127.0.0.1:9005/v1/balances"), "cpg")
    assert explain(f"curl {CPG}/v1/balances").status == 2


# HAR


def entry(headers: dict[str, str], body: str = "", **more: Any) -> dict[str, Any]:
    listed = [{"name": name, "value": value} for name, value in headers.items()]
    request = {"method": "POST" if body else "GET", "url": f"{CPG}/v1/balances", "headers": listed}
    posted = {"postData": {"mimeType": "application/json", "text": body}} if body else {}
    return {"request": {**request, **posted, **more}}


def test_a_har_entry_is_checked_alone_in_a_list_and_in_an_archive(explain: Explain) -> None:
    good = entry({":authority": "odd", **sign("GET", "/v1/balances")})
    other = entry({})
    for archive in (good, {"entries": [other, good]}, {"log": {"entries": [other, good]}}):
        accepted(explain(json.dumps(archive, indent=1)), "cpg")
    refused(explain(json.dumps({"log": {"entries": [good, other]}})), MISSING)


def test_a_har_entry_has_its_body_as_text_or_as_a_form(explain: Explain) -> None:
    url = f"{CPG}/v1/withdrawals"
    headers = {"Content-Type": "application/json"}
    headers |= sign("POST", "/v1/withdrawals", body=ORDER.encode())
    result = explain(json.dumps(entry(headers, ORDER, url=url)))
    accepted(result, "cpg", "submitWithdrawal")
    signed = signed_example(discover()["coinw"], key_of("coinw"), COINW, time.time_ns())
    pairs = [pair.partition("=") for pair in signed.query.decode().split("&")]
    form = {"params": [{"name": name, "value": value} for name, _, value in pairs]}
    form_entry = entry(FORM, method="POST", url=f"{COINW}/api/v1/private", postData=form)
    accepted(explain(json.dumps(form_entry)), "coinw")
    assert explain(json.dumps(entry({}, postData=None))).status == 1


def test_an_archive_with_redacted_secrets_is_not_checked(
    explain: Explain, server: MockServer
) -> None:
    archive = f"{server.url}/__admin/sandboxes/default/requests.har"
    for name in discover():
        assert send_signed(server, name).ok
        result = explain(requests.get(archive, timeout=SOON).text, "--provider", name)
        assert (result.status, result.out) == (2, "")
        assert "the secrets of this request are redacted" in result.err


def test_an_archive_without_secrets_is_checked(explain: Explain, server: MockServer) -> None:
    requests.get(server.cpg.base_url + "/v1/balance", timeout=SOON)
    url = f"{server.url}/__admin/sandboxes/default/requests.har"
    result = explain(requests.get(url, timeout=SOON).text, "--provider", "cpg")
    refused(result, "unknown path")
    assert result.rows["received"] == "GET /v1/balance"


# Options


def test_the_time_of_the_request_is_an_option(explain: Explain) -> None:
    then = times.parse_instant("2026-01-01T00:00:00Z") // 10**9
    line = (
        f"curl {header_words(sign('GET', '/v1/balances', timestamp=str(then)))} {CPG}/v1/balances"
    )
    accepted(explain(line, "--at", "2026-01-01T00:05:00Z"), "cpg")
    late = explain(line, "--at", "2026-01-01T00:05:01Z")
    assert late.status == 1
    assert late.out.splitlines()[0].startswith("refused: 401 cpg outside_window")
    assert "301 s" in late.rows["received"]


@pytest.mark.parametrize("at", ["yesterday", "", "2026-13-01T00:00:00Z", "2026-01-01", "0" * 99])
def test_a_wrong_time_is_one_line(explain: Explain, at: str) -> None:
    result = explain(f"curl {CPG}/v1/balances", "--at", at)
    assert result == CommandResult(
        2, "", f"mockserver: {at[:40]!r} is no time: write 2026-01-01T00:00:00Z\n"
    )


@pytest.mark.parametrize(
    "at", ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z"]
)
def test_every_valid_time_is_accepted(explain: Explain, at: str) -> None:
    for provider in discover():
        result = explain(line_of(provider), "--at", at)
        assert (result.status, result.err) in ((0, ""), (1, "")), provider


def test_the_world_is_an_option(explain: Explain, tmp_path: Path) -> None:
    text = find("default").read_text(encoding="utf-8")
    world = tmp_path / "mine.yaml"
    world.write_text(text.replace("cpg_test_key", "cpg_my_key"), encoding="utf-8")
    mine = header_words(sign("GET", "/v1/balances", key_id="cpg_my_key"))
    line = f"curl {mine} {CPG}/v1/balances"
    accepted(explain(line, "--world", str(world)), "cpg")
    result = explain(line)
    assert result.status == 1
    assert result.out.splitlines()[0] == "refused: 401 cpg unknown_credential"
    missing = explain(line, "--world", "nowhere.yaml")
    assert (missing.status, missing.out) == (2, "")
    assert missing.err.startswith("mockserver: ")


def test_an_unknown_provider_is_one_line(explain: Explain) -> None:
    result = explain("curl x", "--provider", "none")
    known = ", ".join(discover())
    assert result == CommandResult(2, "", f"mockserver: no provider none: there are {known}\n")


# Input that is not a request

DEEP = '{"request":' * 100_000
MUCH = 1024 * 1024
LINES = {
    "nothing": (b"", "the input is empty"),
    "whitespace": (b" \n\t\r\n", "the input is empty"),
    "a word": (b"hello", "'hello' is not a request line"),
    "no UTF-8": (b"curl http://h/\xff", "this is not UTF-8 from byte 14 on"),
    "bytes": (bytes(range(256)), "this is not UTF-8 from byte 128 on"),
    "NUL in a path": (b"GET /v1/\0 HTTP/1.1\nHost: cpg.localhost\n\n", "the request line contains NUL"),
    "NUL in a HAR": (json.dumps(entry({}, url=f"{CPG}/\0")).encode(), "the request line contains NUL"),
    "much in a curl line": (b"curl " + b"a" * MUCH, "a curl line of more than 128 KiB"),
    "many words in a curl line": (b"curl" + b" a" * 60_000, "a curl line with 60000 URLs: it needs exactly one"),
    "much in a header": (b"GET / HTTP/1.1\n" + b"a" * MUCH, "has no colon"),
    "much in a HAR": (b'{"a":"' + b"a" * MUCH + b'"}', "this JSON is not a HAR entry"),
    "more than much": (b"a" * (pasted_request.SIZE_MAX + 1), "more than 4 MiB"),
    "deep JSON": (DEEP.encode(), "this JSON is not a HAR entry"),
    "half a JSON": (b'{"request":', "this JSON is not a HAR entry"),
    "JSON without a request": (b"{}", "this JSON is not a HAR entry"),
    "a number for a request": (b'{"request":1}', "this JSON is not a HAR entry"),
    "a number for a method": (json.dumps(entry({}, method=1)).encode(), "this JSON is not a HAR entry"),
    "a number for a URL": (json.dumps(entry({}, url=1)).encode(), "this JSON is not a HAR entry"),
    "a number for a header": (json.dumps(entry({"a": 1})).encode(), "this JSON is not a HAR entry"),
    "half a pair of characters": (b'{"request":{"method":"GET","url":"http://h/\\ud800"}}', "this JSON is not a HAR entry"),
    "no entries": (b'{"log":{"entries":[]}}', "this JSON is not a HAR entry"),
    "an open quote": (b"curl 'http://h", "this curl line cannot be read: No closing quotation"),
    "no URL": (b"curl -s", "a curl line with 0 URLs: it needs exactly one"),
    "an option without its value": (b"curl http://h -H", "curl's --header needs a value"),
    "a header without a colon": (b"curl http://h -H no", "the header 'no' has no colon"),
    "a header with a line end": (b"curl http://h -H 'n\no'", r"the header 'n\no' has no colon"),
    "a port that is none": (b"curl http://h:port/", "'http://h:port/' is not a URL"),
    "a bracket": (b"curl 'http://[::1/'", "'http://[::1/' is not a URL"),
    "data of a file": (b"curl http://h -d @body.json", "curl's --data '@body.json' reads a file"),
    "JSON of a file": (b"curl http://h --json @a", "curl's --json '@a' reads a file"),
    "binary data of a file": (b"curl http://h --data-binary @-", "curl's --data-binary '@-' reads a file"),
    "encoded data of a file": (b"curl http://h --data-urlencode a@b", "curl's --data-urlencode 'a@b' reads a file"),
    "a part of a form": (b"curl http://h -F a=b", "curl's --form is not supported here"),
    "a configuration": (b"curl http://h -K file", "curl's --config is not supported here"),
    "a raw header without a colon": (b"GET / HTTP/1.1\nno\n\n", "the header 'no' has no colon"),
    "a raw request without a path": (b"GET HTTP/1.1\n\n", "'GET HTTP/1.1' is not a request line"),
    "a URL of no provider": (b"curl http://h/", "neither the URL nor a credential selects a provider"),
}  # fmt: skip


CALLS = 1_000_000  # function calls: the longest line takes half as many


@pytest.mark.parametrize(("pasted", "message"), LINES.values(), ids=LINES)
def test_other_input_is_rejected_in_one_line(explain: Explain, pasted: bytes, message: str) -> None:
    with calls_of_at_most(CALLS):
        result = explain(pasted)
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith("mockserver: ")
    assert message in result.err
    assert result.err.count("\n") == 1
    assert len(result.err) < 400


def test_a_body_that_is_too_large_is_rejected_as_by_the_server(explain: Explain) -> None:
    whole = {"Host": "cpg.localhost", "Content-Type": "application/json"}
    result = explain(raw(whole, "\n", "a" * (MUCH + 1), "/v1/withdrawals"))
    assert result.out.splitlines()[0] == "refused: 413 cpg too_large"
    fits = explain(raw(whole, "\n", "a" * MUCH, "/v1/withdrawals"))
    assert fits.out.splitlines()[0] == "refused: 401 cpg missing_credential"


def test_the_process_reads_its_input_and_ends_with_status_1(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "explain"],
        input=f"curl {CPG}/v1/balances".encode(),
        capture_output=True,
        cwd=tmp_path,
        env=CLEAN,
        timeout=SOON,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, b"")
    assert done.stdout.splitlines()[0] == b"refused: 401 cpg missing_credential"


# The Windows command prompt, and the lines of other tools


def in_cmd(text: str) -> str:
    """Returns an argument as a browser's "Copy as cURL (cmd)" writes it."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    escaped = "".join(c if c.isalnum() or c in " -_./:" else f"^{c}" for c in quoted)
    return '^"' + escaped.replace("^\n", "^\n\n") + '^"'


BODIES_IN_CMD = {
    "JSON": ORDER,
    "JSON on two lines": ORDER.replace(",", ",\n", 1),
    "a percent sign and a backslash": ORDER.replace("}", ',"note":"50 % \\\\ & |"}'),
}


@pytest.mark.parametrize(("about", "body"), BODIES_IN_CMD.items(), ids=BODIES_IN_CMD)
def test_a_line_of_the_windows_command_prompt_is_read(
    explain: Explain, about: str, body: str
) -> None:
    headers = sign("POST", "/v1/withdrawals", body=body.encode())
    options = [f"-H {in_cmd(f'{name}: {value}')}" for name, value in headers.items()]
    options += [f"-H {in_cmd('Content-Type: application/json')}", f"--data-raw {in_cmd(body)}"]
    line = f"curl {in_cmd(CPG + '/v1/withdrawals')} ^\n  " + " ^\n  ".join(options)
    result = explain(line if "\n" in body else line.replace("\n", "\r\n"))
    assert result.err == ""
    assert " cpg bad_signature" not in result.out
    assert result.out.startswith(("accepted: 200 cpg", "refused: 400 cpg bad_request"))


OTHER_TOOLS = {
    "PowerShell": 'Invoke-WebRequest -Uri "http://h/v1" -Headers @{"X-CPG-Key"="k"}',
    "PowerShell's session": "$session = New-Object Microsoft.PowerShell.Commands.WebRequestSession",
    "PowerShell's prompt": "PS C:\\> irm http://h/v1",
    "wget": "wget --header='X-CPG-Key: k' http://h/v1",
    "HTTPie": "http POST http://h/v1 X-CPG-Key:k a=b",
    "HTTPie for https": "$ https h/v1",
    "JavaScript": 'await fetch("http://h/v1", {})',
}


@pytest.mark.parametrize(("tool", "line"), OTHER_TOOLS.items())
def test_a_line_of_another_tool_is_named(explain: Explain, tool: str, line: str) -> None:
    result = explain(line)
    name = tool.partition("'")[0].partition(" ")[0]
    assert (result.status, result.out) == (2, "")
    assert f"this is a line of {name}, which cannot be read here: copy it as cURL" in result.err


@pytest.mark.parametrize("provider", discover())
def test_a_credential_selects_the_provider_where_the_url_does_not(
    explain: Explain, provider: str
) -> None:
    line = line_of(provider)
    described = discover()[provider]
    here = base_url(described, PORT).removesuffix(described.base_path)
    elsewhere = line.replace(here, "https://staging.example:9999")
    assert elsewhere != line
    result = explain(elsewhere)
    assert f" {provider} " in result.out, result
    if provider != "cdp":  # which signs the host
        accepted(result, provider)
