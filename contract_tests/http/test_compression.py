"""Responses in gzip: by the quirk of each provider, by a mutation, and as raw bytes of a rule."""

import base64
import gzip
import json
import zlib
from typing import Any

import httpx
import pytest
import requests

from contract_tests.support.raw import exchange, wire
from contract_tests.support.rule_bench import PROVIDERS, Bench
from mockserver import MockServer
from mockserver.model.compression import accepts_gzip, compress
from mockserver.model.http import Request


def sent(bench: Bench, provider: str, accepted: str | None = "gzip") -> Any:
    """Returns the response to the main read of a request that accepts these codings."""
    headers = {} if accepted is None else {"Accept-Encoding": accepted}
    return bench.ask(provider, headers=headers)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_response_is_in_gzip_where_the_quirk_is_on_and_the_request_accepts_it(
    provider: str,
) -> None:
    quirks = {"cpg.replay": "off"}
    plain = sent(Bench(quirks=quirks), provider)
    assert b"content-encoding" not in dict(plain.headers), "off by default"
    bench = Bench(quirks={**quirks, f"{provider}.gzip": "on"})
    assert sent(bench, provider, None) == plain
    response = sent(bench, provider)
    assert response.headers == (
        *plain.headers,
        (b"content-encoding", b"gzip"),
        (b"vary", b"accept-encoding"),
    )
    assert gzip.decompress(response.body) == plain.body
    assert sent(bench, provider).body == response.body, "the same bytes"
    entry = bench.server.journal[-1]
    assert entry.response["body"] == plain.body.decode(), "as it was before"
    assert entry.response["headers"]["content-encoding"] == "gzip"
    bench.server.fail(provider=provider, reject="internal_error")
    refused = sent(bench, provider)
    assert refused.status == 500
    assert json.loads(gzip.decompress(refused.body))


@pytest.mark.parametrize(
    ("accepted", "is_accepted"),
    [
        ("gzip", True),
        ("GZIP;q=0.5", True),
        ("deflate, gzip;q=1.0, *;q=0.5", True),
        ("br, x-gzip", True),
        ("*", True),
        ("", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000, br", False),
        ("*, gzip;q=0", False),
        ("*;q=0", False),
        ("identity", False),
    ],
)
def test_which_requests_accept_gzip(accepted: str, is_accepted: bool) -> None:
    headers = [(b"accept-encoding", accepted.encode())]
    request = Request("GET", b"/", b"", headers, b"", "127.0.0.1", b"/")
    assert accepts_gzip(request) is is_accepted


def test_a_body_is_the_same_bytes_whenever_it_is_compressed() -> None:
    assert compress(b"").hex() == "1f8b08000000000000ff0300" + "0" * 16
    assert gzip.decompress(compress(b"{}" * 9999)) == b"{}" * 9999


def test_real_clients_read_compressed_responses() -> None:
    with MockServer(gzip=True, quirks={"cpg.gzip": "off"}) as server:
        assert {n: server.quirks[f"{n}.gzip"] for n in PROVIDERS} == {
            n: "off" if n == "cpg" else "on" for n in PROVIDERS
        }
        for get in (requests.get, httpx.get):
            url, auth = f"{server.coinapi.base_url}/v1/balances", server.coinapi.auth
            response = get(url, auth=auth)
            assert response.headers["content-encoding"] == "gzip"
            assert response.json()[0]["exchange_id"] == "KRAKEN"


FORMS = {
    "good": lambda data, plain: gzip.decompress(data) == plain,
    "truncated": lambda data, plain: data == compress(plain)[: len(data)] and len(data) > 10,
    "lying": lambda data, plain: data == plain,
    "wrong_length": lambda data, plain: zlib.decompress(data[10:], wbits=-15) == plain,
}


@pytest.mark.parametrize("form", FORMS)
def test_a_mutation_compresses_unasked_well_or_badly(form: str) -> None:
    with MockServer() as server:
        draft = server.coinapi.auth.example(server.coinapi.base_url)
        plain = exchange(server.coinapi.base_url, wire(draft)).partition(b"\r\n\r\n")[2]
        server.coinapi.fail("it", mutate={"gzip": form})
        head, _, data = exchange(server.coinapi.base_url, wire(draft)).partition(b"\r\n\r\n")
        assert b"content-encoding: gzip" in head
        assert f"content-length: {len(data)}".encode() in head, "the message is whole"
        assert FORMS[form](data, plain)
        if form != "good":
            with pytest.raises((EOFError, OSError, zlib.error)):
                gzip.decompress(data)
        entry = server.journal[-1]
        assert entry.fault == "it"
        assert entry.response["body"] == server.journal[-2].response["body"]


def test_other_mutations_come_before_the_compression() -> None:
    bench = Bench()
    plain = sent(bench, "coinapi", None).body
    bench.server.coinapi.fail(mutate={"gzip": "good", "truncate_json": 0.5, "bom": True})
    expected = b"\xef\xbb\xbf" + plain[: len(plain) // 2]
    assert gzip.decompress(sent(bench, "coinapi", None).body) == expected


def test_a_raw_answer_has_the_bytes_that_it_is_given() -> None:
    body = bytes(range(256))
    with MockServer(quirks={"cpg.gzip": "on"}) as server:
        text = base64.b64encode(body).decode()
        headers = {"Content-Encoding": "br"}
        server.cpg.fail(status=200, headers=headers, body_base64=text)
        url = f"{server.cpg.base_url}/v1/balances"
        answer = requests.get(url, headers={"Accept-Encoding": "gzip"}, stream=True, timeout=30)
        assert answer.raw.read(decode_content=False) == body
        assert answer.headers["content-encoding"] == "br"


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"body_base64": "a"}, "body_base64 is no base64"),
        ({"body_base64": "YQ==\n"}, "body_base64 is no base64"),
        ({"body": "a", "body_base64": "YQ=="}, "give body or body_base64, not both"),
    ],
)
def test_a_raw_answer_with_wrong_bytes_is_refused(wrong: dict[str, str], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        Bench().server.cpg.fail(status=200, **wrong)
