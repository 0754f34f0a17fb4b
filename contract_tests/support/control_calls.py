"""Calls of the control API over HTTP, each answer checked against the OpenAPI document."""

import json
import re
from typing import Any

import requests

from contract_tests.support.openapi import Document
from mockserver import MockServer
from mockserver.control.endpoint import document
from mockserver.model.http import Response

WAIT = 30  # seconds, for each answer
JSON = {"Content-Type": "application/json"}

DOCUMENT = Document(document())
# Fixed paths before those with parameters, as they are found.
OPERATIONS = sorted(
    (
        (method, re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))), id)
        for id, (method, path, _) in DOCUMENT.operations().items()
    ),
    key=lambda row: row[1].pattern.count("[^/]+"),
)


def operation(method: str, path: str) -> str | None:
    return next((id for m, p, id in OPERATIONS if m == method and p.fullmatch(path)), None)


def witnessed_answer(method: str, path: str, answer: requests.Response) -> None:
    """Checks an answer against the document; a path or method it lacks must be refused."""
    name = operation(method, path)
    declared = DOCUMENT.operations()[name or "health"][2]["responses"]
    if method == "HEAD" or declared.get(str(answer.status_code), {}).keys() == {"description"}:
        assert answer.content == b""
        return
    assert name or answer.status_code in (401, 403, 404, 405), answer.text
    status = answer.status_code if name else 400
    media_type = answer.headers["content-type"].encode()
    response = Response(status, ((b"content-type", media_type),), answer.content)
    DOCUMENT.check(name or "health", response)


class ControlClient:
    """Calls the control API; the body is sent as JSON, bytes as they are."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False

    def __call__(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> requests.Response:
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        if headers is None:
            headers = JSON if method in ("POST", "PUT", "PATCH") else {}
        url = f"{self.url}/__admin{path}"
        answer = self.session.request(method, url, data=data, headers=headers, timeout=WAIT)
        witnessed_answer(method, path.partition("?")[0], answer)
        return answer

    def good(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        answer = self(method, path, body)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def refused(self, method: str, path: str, body: Any = None) -> tuple[Any, ...]:
        answer = self(method, path, body)
        error = answer.json()
        return answer.status_code, error["error"], error["at"], error["hint"]

    def state(self, id: str = "default") -> dict[str, Any]:
        """Returns everything that a refused call might have changed."""
        parts = ("ledger", "clock", "quirks", "limits", "requests", "coverage")
        state = {part: self.good("GET", f"/sandboxes/{id}/{part}") for part in parts}
        return state | {"sandboxes": self.good("GET", "/sandboxes")}

    def row(self, account: str, asset: str, venue: str = "") -> dict[str, Any]:
        """Returns a row of an account, whose path is given; an empty one where it has none."""
        rows = self.good("GET", account)["balances"]
        return next((r for r in rows if (r["asset"], r["venue"]) == (asset, venue)), {})


Steer = ControlClient  # its former name


def read_coinapi(server: MockServer, query: str = "", id: str = "default", key: str = "") -> int:
    """Sends CoinAPI's main read; returns the status."""
    handle = server.coinapi
    url = f"{handle.base_url}{'' if id == 'default' else '/~' + id}/v1/balances{query}"
    headers = {"X-CoinAPI-Key": key or handle.credentials["api_key"]}
    return requests.get(url, headers=headers, timeout=WAIT).status_code


def send_signed(
    server: MockServer, provider: str, target: str = "", **request: Any
) -> requests.Response:
    """Sends a signed request of ``main``, without a target the main read."""
    handle = getattr(server, provider)
    example = handle.example
    if not target:
        query = f"?{example.query.decode()}" if example.query else ""
        target = example.path.decode() + query
        request = {"method": example.method, "data": example.body}
    headers = JSON if request.get("data") else {}
    url = handle.base_url + target
    with requests.Session() as session:
        session.trust_env = False
        return session.request(url=url, auth=handle.auth, headers=headers, timeout=WAIT, **request)
