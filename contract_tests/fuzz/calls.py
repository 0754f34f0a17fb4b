"""Calls of the control API: well-formed ones with odd bodies, and the state that they change."""

import json
import random
from typing import Any

from contract_tests.fuzz.requests import JSON_VALUES, Sent

CLOCKS: list[dict[str, Any]] = [
    {"advance": "61s"},
    {"advance": "1h"},
    {"freeze": True},
    {"freeze": False},
    {"rate": 60},
    {"rate": 1},
    {"skew": "-400s"},
    {"skew": "0s"},
    {"set": "2099-01-01T00:00:00Z"},
    {"set": "2000-01-01T00:00:00Z"},
]
RULES: list[dict[str, Any]] = [
    {"match": {"provider": "*"}, "when": {"every": 3}, "deliver": {"delay": "1ms"}},
    {"match": {"provider": "cpg"}, "deliver": {"dribble": {"bytes": 64, "every": "0ms"}}},
    {"match": {"provider": "*", "operation": "balances"}, "mutate": {"exponent": True}},
    {"match": {"provider": "*"}, "when": {"probability": 0.5}, "mutate": {"truncate_json": 0.5}},
    {"match": {"provider": "*"}, "mutate": {"null": "$.data"}},
    {"match": {"provider": "*"}, "mutate": {"bom": True}},
    {"match": {"provider": "cdp"}, "mutate": {"drop_row": 1}},
    {"match": {"provider": "*"}, "when": {"every": 4}, "answer": {"status": 418, "body": "tea"}},
    {"match": {"provider": "coinw"}, "when": {"requests": "1-9"}, "answer": {"reject": "rate_limited"}},
    {"match": {"provider": "*", "path": "/v1/*"}, "when": {"probability": 0.2}, "answer": {"status": 204}},
    {"match": {"provider": "*", "header": {"x-odd": "1"}}, "answer": {"status": 429}},
]  # fmt: skip
QUIRKS: list[dict[str, Any]] = [
    {"coinw.empty": "null"},
    {"cpg.replay": "off"},
    {"cdp.strict_claims": "true"},
    {"cdp.strict_claims": "false"},
    {"coinstats.error_shape": "x"},
    {"coinw.error_status": "200"},
    {"cpg.cors": "on"},
    {"cpg.cors": "off"},
]
READS = [
    "/healthz",
    "/openapi.json",
    "/__admin/openapi.json",
    "/__admin/providers",
    "/__admin/nothing",
    "/__admin/sandboxes/{id}",
    "/__admin/sandboxes/{id}/ledger",
    "/__admin/sandboxes/{id}/clock",
    "/__admin/sandboxes/{id}/faults",
    "/__admin/sandboxes/{id}/quirks",
    "/__admin/sandboxes/{id}/limits",
    "/__admin/sandboxes/{id}/coverage",
    "/__admin/sandboxes/{id}/requests?limit=3",
    "/__admin/sandboxes/{id}/requests?limit=-1&status=x",
    "/__admin/sandboxes/{id}/requests/1",
    "/__admin/sandboxes/{id}/requests/none",
]
READS_LARGE = ["/__admin/sandboxes/{id}/requests.har?limit=3", "/"]


def _sent(method: str, path: str, host: str, body: Any = None) -> Sent:
    raw = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(raw)}"]
    return Sent("\r\n".join([*lines, "", ""]).encode() + raw, method == "HEAD", good=False)


def _oddly(body: dict[str, Any], chance: random.Random) -> Any:
    """Returns a body, one in three with another value, member or type."""
    if chance.random() > 0.3:
        return body
    if chance.random() < 0.2:
        return chance.choice(JSON_VALUES)
    changed = json.loads(json.dumps(body))
    # An odd delivery may take its time, or end the connection, as it should.
    name = chance.choice([*(name for name in changed if name != "deliver"), "odd"])
    inner = changed.get(name)
    if isinstance(inner, dict) and inner and chance.random() < 0.7:
        inner[chance.choice([*inner])] = chance.choice(JSON_VALUES)
    else:
        changed[name] = chance.choice(JSON_VALUES)
    return changed


class Calls:
    """Draws calls that concern one sandbox."""

    def __init__(self, sandbox: str, host: str) -> None:
        self._at = f"/__admin/sandboxes/{sandbox}"
        self._id = sandbox
        self._host = host

    def read(self, chance: random.Random) -> Sent:
        """Draws a read."""
        paths = READS_LARGE if chance.random() < 0.02 else READS
        path = chance.choice(paths).replace("{id}", self._id)
        return _sent(chance.choice(["GET", "GET", "GET", "HEAD"]), path, self._host)

    def write(self, chance: random.Random) -> Sent:
        """Draws a change of clock, rules, quirks or limits."""
        kind = chance.randrange(10)
        if kind < 4:
            body = _oddly(chance.choice(CLOCKS), chance)
            return _sent("POST", f"{self._at}/clock", self._host, body)
        if kind < 7:
            rule = {"name": f"rule{chance.randrange(6)}"} | chance.choice(RULES)
            return _sent("POST", f"{self._at}/faults", self._host, _oddly(rule, chance))
        if kind < 8:
            return _sent("DELETE", f"{self._at}/faults", self._host)
        if kind < 9:
            body = _oddly(chance.choice(QUIRKS), chance)
            return _sent("PATCH", f"{self._at}/quirks", self._host, body)
        body = _oddly({"cpg.key": chance.choice(["5/1s", "100/60s", None])}, chance)
        return _sent("PATCH", f"{self._at}/limits", self._host, body)
