"""Checks responses against a provider's OpenAPI document.

The document is evidence about the real API, written by hand from the facts; the server does
not need it to respond.
"""

from typing import Any

import msgspec

from mockserver.model.http import Response

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


class Mismatch(Exception):
    """A response that the document does not allow."""


class Document:
    """An OpenAPI 3.1 document as plain data."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        self._checkers: dict[tuple[str, int, str], Any] = {}

    def operations(self) -> dict[str, tuple[str, str, dict[str, Any]]]:
        """Returns method, path and operation by operation id."""
        return {
            operation["operationId"]: (method.upper(), path, operation)
            for path, item in self.data["paths"].items()
            for method, operation in item.items()
            if method in METHODS
        }

    def check(self, operation: str, response: Response) -> None:
        """Raises Mismatch unless the document declares this response of the operation."""
        declared = self.operations()[operation][2]["responses"].get(str(response.status))
        if declared is None:
            raise Mismatch(f"{operation}: status {response.status} is not declared")
        declared = self._resolve(declared)
        media_type = dict(response.headers).get(b"content-type", b"").decode()
        if media_type not in declared["content"]:
            raise Mismatch(
                f"{operation} {response.status}: media type {media_type!r} is not declared"
            )
        body = msgspec.json.decode(response.body)
        error = next(self._checker(operation, response.status, media_type).iter_errors(body), None)
        if error is not None:
            raise Mismatch(f"{operation} {response.status}: {error.message}")

    def _resolve(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            target: Any = self.data
            for step in node["$ref"].removeprefix("#/").split("/"):
                target = target[step]
            node = target
        return node

    def _checker(self, operation: str, status: int, media_type: str) -> Any:
        import jsonschema_rs  # only tests need it: it comes with the extra `test`

        key = (operation, status, media_type)
        if key not in self._checkers:
            responses = self.operations()[operation][2]["responses"]
            content = self._resolve(responses[str(status)])["content"]
            schema = {"allOf": [content[media_type]["schema"]]}
            schema["components"] = self.data["components"]
            self._checkers[key] = jsonschema_rs.Draft202012Validator(schema)
        return self._checkers[key]
