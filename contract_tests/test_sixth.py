"""A provider is a folder: one more, made here, works without another line changed."""

from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest
import requests

from mockserver import MockServer, providers

PROVIDER = """
import msgspec
from msgspec.structs import replace

from mockserver.wire.amount import text
from mockserver.wire.message import Draft, Response
from mockserver.wire.provider import Answer, Authenticate, Error, Limit, Provider, Route, Throttle
from mockserver.wire.world import Account, Credential, Row, Section
from mockserver.wire.reject import Reject


class Key(Credential, frozen=True, kw_only=True):
    token: str


class Holder(Account, frozen=True, kw_only=True):
    balances: list[Row] = []


class World(Section, frozen=True, kw_only=True):
    keys: dict[str, Key] = {}
    accounts: dict[str, Holder] = {}


def authenticate(request, vault, now, quirks):
    return vault.find(request.header(b"x-token")), ""


def sign(draft, key, now):
    return replace(draft, headers=((b"x-token", key.token.encode()),))


def wallet(view, _):
    rows = view.accounts["main"].rows.values()
    return Answer({row.asset: text(row.total) for row in rows})


ERRORS = {
    "no_route": Error(404, "nowhere"),
    "unknown_credential": Error(401, "who"),
    "rate_limited": Error(429, "slow"),
}


def refuse(reject, quirks):
    error = ERRORS[reject.reason]
    body = msgspec.json.encode({"oops": error.message})
    return Response(error.status, ((b"content-type", b"application/json"),), body)


PROVIDER = Provider(
    name="sixth", title="A sixth", port=6, main="wallet",
    routes=(Route("wallet", "GET", "/wallet", lambda request, path: None, wallet),),
    gates=(Authenticate(authenticate), Throttle("reads", per=lambda request, key: key.label)),
    limits=(Limit("reads", 3, 3600 * 10**9),),
    errors=ERRORS, refuse=refuse, section=World, row=Row, key="token", members=("token",),
    sign=sign, example=Draft("GET", "", b"/wallet"),
)
"""

WORLD = """
sixth:
  keys:
    main: {token: t}
  accounts:
    main: {balances: [{asset: GOLD, total: "1.50"}]}
"""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    folder = tmp_path / "more" / "sixth"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "provider.py").write_text(dedent(PROVIDER))
    (tmp_path / "sixth.yaml").write_text(WORLD)
    monkeypatch.setattr(providers, "__path__", [*providers.__path__, str(folder.parent)])
    providers.discover.cache_clear()
    yield str(tmp_path / "sixth.yaml")
    monkeypatch.undo()
    providers.discover.cache_clear()


def test_a_sixth_provider_works_by_being_there(world: str) -> None:
    with MockServer(world) as server:
        url = server.sixth.base_url + "/wallet"
        for _ in range(3):
            answer = requests.get(url, auth=server.sixth.auth, timeout=10)
            assert (answer.status_code, answer.json()) == (200, {"GOLD": "1.50"})
        assert requests.get(url, auth=server.sixth.auth, timeout=10).json() == {"oops": "slow"}
        assert requests.get(url, timeout=10).json() == {"oops": "who"}
        below = requests.get(server.url + "/sixth/nope", timeout=10)
        assert (below.status_code, below.json()) == (404, {"oops": "nowhere"})
        label = "reject-rate_limited"
        answer = requests.get(url, auth=server.sixth.auth_as(label), timeout=10)
        assert answer.status_code == 429
        assert requests.get(server.cpg.base_url + "/v1/balances", timeout=10).status_code == 401
