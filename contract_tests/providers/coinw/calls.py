"""Calls to CoinW, signed apart from the package."""

import hashlib
import json
from collections.abc import Mapping
from http.client import HTTPConnection
from urllib.parse import urlsplit

from contract_tests.support.raw import exchange, get, without_noise
from mockserver import MockServer

PRIVATE = "/api/v1/private"
READ = f"{PRIVATE}?command=returnBalances"
COMPLETE = f"{PRIVATE}?command=returnCompleteBalances"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
NONE: Mapping[str, str] = {}
# As md5sum makes them: of api_key=test-key&secret_key=test-secret, and with the empty key.
SIGN = "5730F3B5F8B5F7CD61D8C823A18E4E6C"
AUTH = f"api_key=test-key&sign={SIGN}"
EMPTY_SIGN = "1ADBBA8C67D247A126E52EEC0EE74B91"
EMPTY_AUTH = f"api_key=empty-key&sign={EMPTY_SIGN}"
COMMAND_SIGN = "CD21163FB92879670C419FF876C0CAEF"  # md5sum, with command=returnBalances
HMAC = "88cd2108b5347d973cf39cdf9053d7dd42704876d8c9a9bd8e2d168259d3ddf7"
HELD = (
    '{"BTC":"0.0012","CWT":"400.000","SAND":"108.467","ETH":"0.0330","USDT":"257.518301140000000"}'
)


def md5(message: str) -> str:
    return hashlib.md5(message.encode()).hexdigest().upper()


def success(data: str, code: str = '"200"') -> str:
    return f'{{"code":{code},"data":{data},"msg":"SUCCESS","success":true,"failed":false}}'


def failure(code: int | str, msg: str) -> str:
    written = json.dumps(code)
    return f'{{"code":{written},"data":null,"msg":"{msg}","success":false,"failed":true}}'


LIMITED = '{"code":29001,"msg":"API access frequently"}'
BODIES = {
    "": success(HELD),
    "no_route": failure(10002, "API not exist"),
    "bad_request": failure(10003, "Parameter error"),
    "missing_credential": failure(10006, "api_key error"),
    "unknown_credential": failure(10006, "api_key error"),
    "bad_signature": failure(10007, "Signature error"),
    "rate_limited": LIMITED,
}


def post(server: MockServer, target: str, headers: Mapping[str, str] = NONE, body: str = "") -> str:
    """Posts as a client would that signs by itself; returns the answer's bytes as text."""
    request = get(target, dict(headers), "POST", body.encode())
    return without_noise(exchange(server.coinw.base_url, request))


def response_body(answer: str) -> str:
    return answer.partition("\n\n")[2]


def answered(server: MockServer, reason: str, answer: str) -> None:
    """Holds an answer, under HTTP 200, and the reason in the journal."""
    body = BODIES[reason]
    assert server.journal[-1].reason == reason
    assert answer == (
        f"HTTP/1.1 200\ncontent-type: application/json\ncontent-length: {len(body)}\n\n{body}"
    )


def read(
    server: MockServer, count: int = 1, target: str = f"{READ}&{AUTH}", source: str = "127.0.0.1"
) -> str:
    """Reads so many times over one connection; a letter for each: good, limited or other."""
    address = urlsplit(server.coinw.base_url)
    connection = HTTPConnection(address.hostname, address.port, 10, source_address=(source, 0))
    letters = {"200": "g", 29001: "l"}
    outcomes = ""
    for _ in range(count):
        connection.request("POST", target)
        outcomes += letters.get(json.loads(connection.getresponse().read())["code"], "o")
    connection.close()
    return outcomes
