"""A provider's OpenAPI document: evidence about somebody else's API, and a checker.

The document is written by hand from the facts and is never needed to answer.
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
        """Raises Mismatch unless the document declares this answer of the operation."""
        declared = self.operations()[operation][2]["responses"].get(str(response.status))
        if declared is None:
            raise Mismatch(f"{operation}: status {response.status} is not declared")
        declared = self._resolve(declared)
        given = dict(response.headers).get(b"content-type", b"").decode()
        if given not in declared["content"]:
            raise Mismatch(f"{operation} {response.status}: media type {given!r} is not declared")
        body = msgspec.json.decode(response.body)
        error = next(self._checker(operation, response.status, given).iter_errors(body), None)
        if error is not None:
            raise Mismatch(f"{operation} {response.status}: {error.message}")

    def _resolve(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            found: Any = self.data
            for step in node["$ref"].removeprefix("#/").split("/"):
                found = found[step]
            node = found
        return node

    def _checker(self, operation: str, status: int, media_type: str) -> Any:
        import jsonschema_rs  # only proofs need it: it comes with the test extra

        key = (operation, status, media_type)
        if key not in self._checkers:
            responses = self.operations()[operation][2]["responses"]
            content = self._resolve(responses[str(status)])["content"]
            schema = {"allOf": [content[media_type]["schema"]]}
            schema["components"] = self.data["components"]
            self._checkers[key] = jsonschema_rs.Draft202012Validator(schema)
        return self._checkers[key]
