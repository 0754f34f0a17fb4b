"""Headers that force the fate of one request, where a sandbox allows them."""

import http.client
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from mockserver import MockServer, Sandbox
from mockserver.client.remote import RemoteServer


@pytest.fixture(scope="module")
def running() -> Iterator[MockServer]:
    with MockServer(quirks={"cpg.replay": "off"}) as server:
        yield server


@pytest.fixture(params=["in process", "remote"])
def sandbox(request: pytest.FixtureRequest, running: MockServer) -> Sandbox:
    face = running if request.param == "in process" else RemoteServer(running.url)
    return face.sandbox(fault_headers=True)


def get(sandbox: Sandbox, **headers: str) -> httpx.Response:
    with sandbox.cpg.client() as client:
        names = {f"X-Mockserver-{name}": value for name, value in headers.items()}
        return client.get("/v1/balances", headers=names)


def test_a_header_rejects_one_request_in_the_providers_words(sandbox: Sandbox) -> None:
    statuses = [get(sandbox, **h).status_code for h in ({}, {"Reject": "rate_limited"}, {})]
    assert statuses == [200, 429, 200]
    entry = sandbox.journal[1]
    assert (entry.reason, entry.fault) == ("rate_limited", "x-mockserver-reject")
    assert entry.explanation is not None
    assert "x-mockserver-reject" in str(entry.explanation)
    sandbox.verify(reason="rate_limited", exactly=1)


DELIVERIES: list[tuple[str, type[Exception] | None, str]] = [
    ("reset", httpx.ReadError, 'reset: "before"'),
    ("close", httpx.RemoteProtocolError, "close: true"),
    ("cut", httpx.RemoteProtocolError, "cut: 0.5"),
    ("cut=0.25", httpx.RemoteProtocolError, "cut: 0.25"),
    ('{"reset": "body"}', httpx.ReadError, 'reset: "body"'),
    ("delay=1ms", None, 'delay: "1ms"'),
]


@pytest.mark.parametrize(("text", "error", "logged"), DELIVERIES, ids=[d[0] for d in DELIVERIES])
def test_a_header_says_how_one_response_is_sent(
    sandbox: Sandbox, text: str, error: type[Exception] | None, logged: str
) -> None:
    if error is None:
        assert get(sandbox, Deliver=text).status_code == 200
    else:
        with pytest.raises(error):
            get(sandbox, Deliver=text)
    (entry,) = sandbox.journal
    assert (entry.fault, entry.delivery) == ("x-mockserver-deliver", logged)
    assert get(sandbox).status_code == 200


def test_both_headers_work_together(sandbox: Sandbox) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        get(sandbox, Reject="forbidden", Deliver="close")
    (entry,) = sandbox.journal
    assert (entry.status, entry.reason) == (403, "forbidden")
    assert entry.fault == "x-mockserver-reject, x-mockserver-deliver"


WRONG: list[tuple[dict[str, str], str]] = [
    ({"Reject": "rate_limitd"}, "X-Mockserver-Reject: cpg has no reason rate_limitd: * did you mean rate_limited?"),
    ({"Reject": "exchange_unreachable"}, "X-Mockserver-Reject: cpg has no reason exchange_unreachable: "),
    ({"Deliver": "rest"}, "X-Mockserver-Deliver: there is no rest: * did you mean reset?"),
    ({"Deliver": "cut=2"}, "X-Mockserver-Deliver: takes a fraction from 0 up to, "),
    ({"Deliver": "{" + '"a":[' * 5000}, "X-Mockserver-Deliver: "),
]  # fmt: skip


@pytest.mark.parametrize(("headers", "line"), WRONG, ids=[str(w[0])[:30] for w in WRONG])
def test_a_wrong_header_is_answered_by_one_line(
    sandbox: Sandbox, headers: dict[str, str], line: str
) -> None:
    answer = get(sandbox, **headers)
    assert answer.status_code == 400
    start, _, end = line.partition("* ")
    assert answer.text.startswith(start)
    assert answer.text.rstrip().endswith(end)
    assert answer.text.count("\n") == 1


def test_without_the_setting_the_headers_do_nothing(running: MockServer) -> None:
    sandbox = running.sandbox()
    assert get(sandbox, Reject="rate_limited", Deliver="close").status_code == 200
    assert sandbox.journal[0].fault is None


def test_a_server_allows_them_in_every_sandbox() -> None:
    def ask(url: str) -> int:
        host = url.removeprefix("http://").split("/")[0]
        connection = http.client.HTTPConnection(host, timeout=30)
        path: Any = url.removeprefix(f"http://{host}") + "/v1/balances"
        connection.request("GET", path, headers={"X-Mockserver-Reject": "service_unavailable"})
        status = connection.getresponse().status
        connection.close()
        return status

    with MockServer(fault_headers=True) as server:
        urls = [server.cpg.base_url, server.sandbox().cpg.base_url]
        assert [ask(url) for url in urls] == [503, 503]
