"""What is true of every provider: paths, methods, hosts, keys and generated accounts."""

from typing import Any

import pytest
from msgspec.structs import asdict, replace

from contract_tests.support.fixture_rows import masked
from contract_tests.support.raw import exchange, wire, without_noise
from contract_tests.support.request_rows import refusal
from mockserver import MockServer
from mockserver.client.provider import ProviderHandle
from mockserver.files import worlds
from mockserver.model.http import UnsignedRequest
from mockserver.model.provider import GeneratedUser, Route
from mockserver.providers import discover

every_provider = pytest.mark.parametrize("provider", discover())

ENTROPY = [bytes(range(n, n + 64)) for n in (0, 100)]


def main_read(handle: ProviderHandle) -> UnsignedRequest:
    """The main read, unsigned, with its whole path."""
    example = handle.example
    return replace(example, path=handle.provider.full_path(example.path.decode()).encode())


def send(handle: ProviderHandle, draft: UnsignedRequest) -> str:
    return masked(without_noise(exchange(handle.base_url, wire(draft))))


def signed(handle: ProviderHandle, draft: UnsignedRequest) -> UnsignedRequest:
    headers = {name.decode(): value.decode() for name, value in draft.headers}
    return handle.auth.sign(draft.method, draft.target, draft.body, headers=headers)


# Paths and methods


def almost(path: bytes) -> list[bytes]:
    """Paths that differ from a known one in little."""
    *before, last = path.split(b"/")
    parent = b"/".join(before)
    return [
        path + b"/",
        b"/" + path,
        parent + b"//" + last,
        parent + b"/" + last.capitalize(),
        parent.upper() + b"/" + last,
        b"/v9" + path,
        path + b"%20",
        path + b"%3Fa=1",
        parent + b"/x/../" + last,
        b"/",
    ]


@every_provider
def test_a_path_that_is_not_quite_one_is_a_404_whoever_signs(
    server: MockServer, provider: str
) -> None:
    handle: ProviderHandle = getattr(server, provider)
    example = main_read(handle)
    status = handle.provider.errors["no_route"].status
    for path in almost(example.path):
        draft = replace(example, path=path)
        for request in (draft, signed(handle, draft)):
            answer = send(handle, request)
            assert server.journal[-1].reason == "no_route", path
            if b"%" not in path:  # a document may show the path
                assert answer.startswith(f"HTTP/1.1 {status}\n"), path


ROUTES = [(name, route) for name, provider in discover().items() for route in provider.routes]


def bare(path: str) -> str:
    return path.partition("?")[0]


@pytest.mark.parametrize(("provider", "route"), ROUTES, ids=[f"{p}-{r.id}" for p, r in ROUTES])
def test_a_method_that_a_path_lacks_is_a_405_with_those_that_it_has(
    server: MockServer, provider: str, route: Route
) -> None:
    handle: ProviderHandle = getattr(server, provider)
    methods = {r.method for p, r in ROUTES if (p, bare(r.path)) == (provider, bare(route.path))}
    for path in (route.path, *route.aliases):
        raw, _, query = path.replace("{", "").replace("}", "").partition("?")
        target = UnsignedRequest("", "", handle.provider.full_path(raw).encode(), query.encode())
        for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - methods:
            if method == "HEAD" and "GET" in methods:
                continue
            close = ((b"Connection", b"close"),) * (method == "HEAD")
            answer = send(handle, replace(target, method=method, headers=close))
            head, _, body = answer.partition("\n\n")
            status = handle.provider.errors["bad_method"].status
            assert head.startswith(f"HTTP/1.1 {status}\ncontent-type: application/json\n")
            assert f"\nallow: {', '.join(sorted(methods))}\n" in head
            assert bool(body) == (method != "HEAD")
            assert server.journal[-1].reason == "bad_method"


@every_provider
def test_a_body_above_a_mib_is_refused_before_the_key_and_one_of_a_mib_is_not(
    server: MockServer, provider: str
) -> None:
    handle: ProviderHandle = getattr(server, provider)
    draft = replace(main_read(handle), headers=(), body=b" " * 1024 * 1024)
    send(handle, draft)
    assert server.journal[-1].reason == "missing_credential"
    answer = send(handle, replace(draft, body=draft.body + b" "))
    path = {"path": draft.path.decode()} if '"path"' in answer else {}
    assert answer == refusal(provider, "too_large", path)
    assert server.journal[-1].reason == "too_large"


# As the providers' pages have them.
HOSTS = [
    ("cdp", "api.cdp.coinbase.com"),
    ("cdp", "sandbox.cdp.coinbase.com"),
    ("coinapi", "global.ems.coinapi.net"),
    ("coinstats", "openapiv1.coinstats.app"),
    ("coinw", "api.coinw.com"),
]


@pytest.mark.parametrize(("provider", "host"), HOSTS)
def test_a_real_host_leads_to_its_provider(server: MockServer, provider: str, host: str) -> None:
    handle: ProviderHandle = getattr(server, provider)
    example = replace(main_read(handle), host=host)
    headers = {name.decode(): value.decode() for name, value in example.headers}
    draft = handle.auth.sign(example.method, example.target, example.body, host, headers)
    assert exchange(server.url, wire(draft)).startswith(b"HTTP/1.1 200 ")
    assert server.journal[-1].provider == provider
    stranger = replace(draft, host=f"x{host}")
    assert exchange(server.url, wire(stranger)).startswith(b"HTTP/1.1 404 ")


# Keys


@every_provider
def test_a_revoked_key_is_refused_in_the_same_words_as_an_unknown_one(
    server: MockServer, provider: str
) -> None:
    world = worlds.data(worlds.find("default"))
    world[provider]["keys"]["main"]["revoked"] = True
    started: ProviderHandle = getattr(server.sandbox(world=world), provider)
    handle: ProviderHandle = getattr(server, provider)
    handle.event("key_revoked", key="main")
    for revoked in (handle, started):
        draft = revoked.auth.example(revoked.base_url)
        answer = send(handle, draft)
        journal = server.app.sandboxes.default.journal if revoked is handle else None
        assert answer == refusal(provider, "revoked_credential")
        assert answer == refusal(provider, "unknown_credential")
        assert journal is None or journal.entries[-1].credential == "main"


def keys(provider: str) -> dict[str, Any]:
    """The credentials of the default world that sign or are sent, by label."""
    section = worlds.load("default").parts[provider].section
    return {label: key for label, key in section.keys.items() if not label.startswith("reject-")}


@every_provider
def test_a_regenerated_key_has_new_secrets_and_keeps_the_rest(provider: str) -> None:
    for key in keys(provider).values():
        fresh, again, other = (key.regenerate(bytes_) for bytes_ in (ENTROPY[0], *ENTROPY))
        assert fresh == again
        members = [name for name, value in asdict(fresh).items() if value != getattr(key, name)]
        assert {discover()[provider].key} <= set(members) <= {*discover()[provider].members}
        for name in members:
            assert len({str(getattr(one, name)) for one in (key, fresh, other)}) == 3


@every_provider
def test_a_generated_user_reads_its_own_generated_rows(provider: str) -> None:
    implementation = discover()[provider]
    assert implementation.holder
    users = [implementation.holder(GeneratedUser("ann", "Ann", e)) for e in ENTROPY]
    secrets = [
        key[name]
        for key, _, _ in users
        for name in implementation.members
        if name in key and name != "key_id"
    ]
    fields = [
        c["fields"] for _, _, account in users for c in account.get("connections", {}).values()
    ]
    secrets += [secret for each in fields for secret in each.values()]
    assert len({*secrets}) == len(secrets) > 0
    key, id, account = users[0]
    section = {"keys": {"main": key}, "accounts": {id: account | {"generate": {"rows": 3}}}}
    with MockServer(worlds.from_data({provider: section}, "generated")) as server:
        handle: ProviderHandle = getattr(server, provider)
        answer = send(handle, signed(handle, main_read(handle)))
        rows = [row.asset for row in handle.balances(id)]
        assert server.journal[-1].status == 200
    assert len(set(rows)) == 3
    assert all(f'"{asset}"' in answer for asset in rows)
