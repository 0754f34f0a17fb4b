"""Bodies as trees: decoded, found by paths, and encoded."""

from typing import Any

import httpx
import msgspec
import pytest

from contract_tests.support.documents import documented, good, resolved, send
from contract_tests.support.mutation_reads import AMOUNTS, READS, Read, ask
from mockserver import MockServer
from mockserver.faults import json_path
from mockserver.faults.response_body import MutableResponse
from mockserver.files.documents import openapi_document
from mockserver.model.http import Response
from mockserver.model.provider import Provider, ResponsePaths, Route
from mockserver.providers import discover

# Decoded and encoded


def unchanged(route: Route, answer: httpx.Response) -> None:
    """Holds that an answer comes out of a tree as it went in."""
    headers = ((b"content-type", answer.headers["content-type"].encode()),)
    response = Response(answer.status_code, headers, answer.content)
    mutable = MutableResponse(response, route.shape, "main", b"", "")
    assert (mutable.tree is None) == (answer.content == b"")
    assert mutable.changed == response


# These ask for more than the tokens say that are signed here.
STRICT = ("cdp.strict_claims", "cdp.strict_host", "cpg.address_check")

CHOICES = [
    (provider, {f"{provider.name}.{quirk.name}": choice})
    for provider in discover().values()
    for quirk in provider.quirks
    for choice in quirk.choices
    if f"{provider.name}.{quirk.name}" not in STRICT
]


@pytest.mark.parametrize(
    ("provider", "quirks"),
    [*((provider, {}) for provider in discover().values()), *CHOICES],
    ids=lambda given: str(given or "default") if isinstance(given, dict) else given.name,
)
def test_a_good_answer_comes_out_of_its_tree_byte_for_byte(
    server: MockServer, provider: Provider, quirks: dict[str, str]
) -> None:
    server.set_quirks(quirks)
    handle = getattr(server, provider.name)
    with httpx.Client(transport=server.transport) as client:
        for route in provider.routes:
            answer = send(client, handle, "main", route)
            assert answer.status_code == 200, answer.text
            unchanged(route, answer)


@pytest.mark.parametrize("name", READS)
def test_amounts_of_forty_digits_come_out_of_a_tree(rich: MockServer, name: str) -> None:
    read = READS[name]
    (route,) = (r for r in discover()[read.provider].routes if r.id == named(read))
    answer = ask(rich, read.provider, read.method, read.target, json=read.json)
    assert answer.content == read.body
    unchanged(route, answer)
    mutable = MutableResponse(Response(200, (), answer.content), route.shape, "main", b"", "")
    assert len(mutable.rows()) == 2
    assert len(list(mutable.amounts())) == AMOUNTS[name]


def named(read: Read) -> str:
    return read.target.partition("command=")[2] or discover()[read.provider].main


LEAVES = [
    rb'{"a":1.50,"b":0E-18,"c":-0,"d":2.3E-7,"e":12345678901234567890.10}',
    rb'["\u0000\u001f\b\n\t\"\\/",true,false,null,{},[]]',
    '["Lång €","\u2028","😀"]'.encode(),
    b'"text"',
    b"7.0",
    b"null",
]


@pytest.mark.parametrize("body", LEAVES)
def test_leaves_of_every_kind_come_out_of_a_tree(body: bytes) -> None:
    mutable = MutableResponse(Response(200, (), body), ResponsePaths(), "main", b"", "")
    assert mutable.tree is not Ellipsis
    assert mutable.body == body
    assert (mutable.rows(), list(mutable.amounts()), mutable.token()) == ([], [], None)


# Where shapes lead


SHAPED = [
    (provider, route)
    for provider in discover().values()
    for route in provider.routes
    if route.shape != ResponsePaths()
]


@pytest.mark.parametrize(
    ("provider", "route"), SHAPED, ids=[f"{provider.name} {route.id}" for provider, route in SHAPED]
)
def test_a_shape_leads_somewhere_in_the_documented_example(
    provider: Provider, route: Route
) -> None:
    _, example = good(provider, route.id)
    mutable = MutableResponse(
        Response(200, (), msgspec.json.encode(example)), route.shape, "main", b"", ""
    )
    shape = route.shape
    assert not shape.rows or mutable.rows()
    leaves = [mutable.find(json_path.parse(path)) for path in shape.amounts]
    assert all(leaves)
    assert len(list(mutable.amounts())) == sum(map(len, leaves)), "each is one"
    assert bool(shape.token) == (mutable.token() is not None) == bool(shape.page)
    if shape.page:
        parameters = documented(provider).operations()[route.id][2]["parameters"]
        names = [
            resolved(openapi_document(provider.name), parameter)["name"] for parameter in parameters
        ]
        assert shape.page in names


def test_every_main_read_has_rows_and_amounts() -> None:
    for provider in discover().values():
        (shape,) = (route.shape for route in provider.routes if route.id == provider.main)
        assert shape.rows, provider.name
        assert shape.amounts, provider.name


# Paths


TREE = {"a": [{"b": 1, "c": 2}, {"b": 3}], "d": {"e": 4, "x.y": 5, "*": 6, "0": 7}}

PATHS: list[tuple[str, list[Any]]] = [
    ("$.a", [TREE["a"]]),
    ("$.a[0].b", [1]),
    ("$.a[1].b", [3]),
    ("$.a[2].b", []),
    ("$.a[*].b", [1, 3]),
    ("$.a[*].c", [2]),
    ("$.a[0].*", [1, 2]),
    ("$.a[*].*", [1, 2, 3]),
    ("$.d.*", [4, 5, 6, 7]),
    ("$.d[*]", [4, 5, 6, 7]),
    ('$["d"]["x.y"]', [5]),
    ('$.d["*"]', [6]),
    ("$.d.0", [7]),
    ("$.d[0]", []),
    ("$.a.0", []),
    ("$[0]", []),
    ("$.a[0].b.c", []),
    ("$.*", [TREE["a"], TREE["d"]]),
    ("$.*.*", [*TREE["a"], 4, 5, 6, 7]),
]


@pytest.mark.parametrize(("path", "expected"), PATHS)
def test_a_path_leads_to_these_places(path: str, expected: list[Any]) -> None:
    assert [at[key] for at, key in json_path.find(TREE, json_path.parse(path))] == expected


@pytest.mark.parametrize("tree", [None, "text", 7, [], {}])
def test_nothing_lies_below_what_is_no_more_than_a_leaf(tree: Any) -> None:
    assert [json_path.find(tree, json_path.parse(p)) for p in ("$.a", "$[0]", "$.*", "$[*]")] == [
        []
    ] * 4


WRONG = [
    "",
    "$",
    "a.b",
    "$..a",
    "$.a.",
    "$.a[]",
    "$.a[-1]",
    "$.a[1234567]",
    "$.a[x]",
    '$[""]',
    '$["a"',
    "$.a b",
    "$.a\n",
    "$." + "a" * 511,
]


def test_a_text_that_is_no_path_is_refused() -> None:
    for wrong in WRONG:
        with pytest.raises(ValueError, match=r"path|takes"):
            json_path.parse(wrong)


def test_the_longest_path_is_read() -> None:
    assert json_path.parse("$." + "a" * 510) == ("a" * 510,)
