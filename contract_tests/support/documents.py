"""The documents of the providers, and requests that keep to them."""

import re
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from contract_tests.support.openapi import Document
from mockserver.client.provider import ProviderHandle
from mockserver.files.documents import openapi_document
from mockserver.model.provider import Provider, Route


def documented(provider: Provider) -> Document:
    return Document(openapi_document(provider.name))


def resolved(data: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        found: Any = data
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        node = found
    return node


def examples(node: dict[str, Any]) -> list[Any]:
    """Returns the examples that stand beside a schema (media types, parameters, headers)."""
    named = [example["value"] for example in node.get("examples", {}).values()]
    return [node["example"], *named] if "example" in node else named


def good(provider: Provider, operation: str) -> tuple[str, Any]:
    """Returns the media type of an operation's 200 and its first example."""
    declared = documented(provider).operations()[operation][2]["responses"]["200"]
    media_type, content = next(
        iter(resolved(openapi_document(provider.name), declared)["content"].items())
    )
    return media_type, examples(content)[0]


def send(client: httpx.Client, handle: ProviderHandle, label: str, route: Route) -> httpx.Response:
    """Sends the request that the document's own examples describe."""
    data = openapi_document(handle.provider.name)
    operation = documented(handle.provider).operations()[route.id][2]
    given = {"path": {}, "query": {}}
    for node in operation.get("parameters", []):
        parameter = resolved(data, node)
        for example in examples(parameter)[:1]:
            text = ",".join(example) if isinstance(example, list) else example
            given[parameter["in"]][parameter["name"]] = text
    path = re.sub(r"\{(.*?)\}", lambda m: quote(str(given["path"][m[1]]), safe=""), route.path)
    query = f"?{urlencode(given['query'])}" if given["query"] else ""
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    return client.request(
        route.method,
        f"{handle.base_url}{path}{query}",
        json=examples(body)[0] if body else None,
        auth=handle.auth_as(label),
    )
