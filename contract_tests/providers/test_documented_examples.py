"""Documented examples, signature vectors and error tables, as rows: bytes in, bytes out."""

from typing import Any

import pytest
import requests

from contract_tests.support import evidence
from contract_tests.support.evidence import ERRORS, having
from contract_tests.support.fixture_rows import masked, rows
from contract_tests.support.raw import exchange, get, wire, without_noise
from mockserver import Auth, HandClock, MockServer
from mockserver.providers import discover

EXAMPLES = [(p, row) for p in having(evidence.EXAMPLES) for row in rows(p, "examples")]
REASONS = [(p, reason) for p in having(ERRORS) for reason in discover()[p].errors]
VECTORS = rows("cpg", "vectors")


@pytest.mark.parametrize(
    ("provider", "row"), EXAMPLES, ids=[f"{p}: {r['name']}" for p, r in EXAMPLES]
)
def test_a_documented_example_is_answered_digit_for_digit(
    server: MockServer, provider: str, row: dict[str, Any]
) -> None:
    handle = getattr(server, provider)
    method, target = row["request"].split(" ")
    answer = requests.request(
        method,
        handle.base_url + target,
        data=row.get("send"),
        headers=row.get("headers"),
        auth=handle.auth_as(row.get("credential", "main")),
        timeout=10,
    )
    assert (answer.status_code, answer.headers["content-type"], answer.text) == (
        row["status"],
        row["media_type"],
        row["body"],
    )


@pytest.mark.parametrize(("provider", "reason"), REASONS)
def test_every_reason_has_a_credential_that_meets_it(
    server: MockServer, provider: str, reason: str
) -> None:
    handle = getattr(server, provider)
    example = handle.auth_as(f"reject-{reason}").example(handle.base_url)
    answer = exchange(handle.base_url, wire(example))
    assert masked(without_noise(answer)) == rows(provider, "errors")[reason]
    assert server.journal[-1].reason == reason


@pytest.mark.parametrize("provider", having(ERRORS))
def test_the_error_table_has_no_row_that_the_fixtures_lack(provider: str) -> None:
    assert sorted(rows(provider, "errors")) == sorted(discover()[provider].errors)


@pytest.mark.parametrize("row", VECTORS, ids=[v["method"] + " " + v["target"] for v in VECTORS])
def test_a_vector_is_signed_as_stated_and_accepted_as_stated(row: dict[str, str]) -> None:
    clock = HandClock(int(row["timestamp"]) * 10**9)
    body = row["body"].encode()
    with MockServer(real=clock) as server:
        auth = Auth("cpg", server.cpg.credentials, now=clock)
        signed = auth.headers(row["method"], row["target"], body)
        assert signed["X-CPG-Signature"] == row["signature"]
        stated = {
            "X-CPG-Key": "cpg_test_key",
            "X-CPG-Timestamp": row["timestamp"],
            "X-CPG-Signature": row["signature"],
        }
        answer = exchange(server.cpg.base_url, get(row["target"], stated, row["method"], body))
        assert answer.startswith(b"HTTP/1.1 200 ")
