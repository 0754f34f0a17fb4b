"""The stub in the words of each peer: what its configuration file says."""

import base64
from typing import Any

from msgspec.structs import replace

from benchmarks.peers.stub import Stub
from benchmarks.subject import HOST

ROUTE = "00000000-0000-4000-8000-000000000001"  # Mockoon wants UUIDs


def wiremock(stub: Stub, port: int) -> Any:
    """A mapping file."""
    return {
        "request": {
            "method": stub.method,
            "urlPath": stub.path,
            "headers": {name: {"equalTo": value} for name, value in stub.headers},
        },
        "response": {
            "status": stub.status,
            "headers": {"Content-Type": stub.media_type},
            "body": stub.body.decode(),
        },
    }


def mockserver(stub: Stub, port: int) -> Any:
    """An initialization file; bytes, because a text would get a charset added."""
    return [
        {
            "httpRequest": {
                "method": stub.method,
                "path": stub.path,
                "headers": {name: [value] for name, value in stub.headers},
            },
            "httpResponse": {
                "statusCode": stub.status,
                "headers": {"Content-Type": [stub.media_type]},
                "body": {"type": "BINARY", "base64Bytes": base64.b64encode(stub.body).decode()},
            },
        }
    ]


def mockoon(stub: Stub, port: int) -> Any:
    """An environment file; what it leaves out, ``--repair`` fills in."""
    served = {
        "statusCode": stub.status,
        "headers": [{"key": "Content-Type", "value": stub.media_type}],
        "body": stub.body.decode(),
        "disableTemplating": True,
        "rules": [
            {"target": "header", "modifier": name, "value": value, "operator": "equals"}
            for name, value in stub.headers
        ],
        "rulesOperator": "AND",
    }
    route = {
        "uuid": ROUTE,
        "method": stub.method.lower(),
        "endpoint": stub.path.lstrip("/"),
        "responses": [served, {"statusCode": 401, "default": True}],
    }
    children = [{"type": "route", "uuid": ROUTE}]
    return {"name": "bench", "cors": False, "routes": [route], "rootChildren": children}


def prism(stub: Stub, port: int) -> Any:
    """An OpenAPI document whose header parameters allow one value each."""
    parameters = [
        {"in": "header", "name": name, "required": True, "schema": {"enum": [value]}}
        for name, value in stub.headers
    ]
    content = {stub.media_type: {"example": stub.body.decode()}}
    responses = {str(stub.status): {"description": "the stub", "content": content}}
    operation = {"parameters": parameters, "responses": responses}
    return {
        "openapi": "3.0.3",
        "info": {"title": "bench", "version": "1"},
        "paths": {stub.path: {stub.method.lower(): operation}},
    }


def mountebank(stub: Stub, port: int) -> Any:
    """An imposter; left to itself it answers anything with 200, and closes each connection."""
    asked = {"method": stub.method, "path": stub.path, "headers": dict(stub.headers)}
    answer = {
        "statusCode": stub.status,
        "headers": {
            "Content-Type": stub.media_type,
            "Content-Length": str(len(stub.body)),
            "Connection": "keep-alive",
        },
        "body": stub.body.decode(),
    }
    imposter = {
        "protocol": "http",
        "host": HOST,
        "port": port,
        "recordRequests": True,
        "defaultResponse": {"statusCode": 404},
        "stubs": [{"predicates": [{"equals": asked}], "responses": [{"is": answer}]}],
    }
    return {"imposters": [imposter]}


def pytest_httpserver(stub: Stub, port: int) -> Any:
    """What ``httpserver.py`` reads."""
    return {
        "expected": {"uri": stub.path, "method": stub.method, "headers": dict(stub.headers)},
        "answer": {"status": stub.status, "content_type": stub.media_type},
        "body": stub.body.decode(),
    }


def moto(stub: Stub, port: int) -> Any:
    """Nothing: moto is what it emulates."""
    return {}


def as_text(stub: Stub) -> Stub:
    """Returns the stub as plain text, of which Prism keeps the bytes.

    What is called JSON it renders anew from binary floats, and long decimals lose digits.
    """
    return replace(stub, media_type="text/plain")


def clusters(_: Stub) -> Stub:
    """Returns moto's cheapest read in JSON: no EKS clusters."""
    scope = "AWS4-HMAC-SHA256 Credential=any/20250101/us-east-1/eks/aws4_request"
    headers = (("Authorization", f"{scope}, SignedHeaders=host, Signature=any"),)
    return Stub("GET", "/clusters", "", headers, 200, "application/json", b'{"clusters": []}')
