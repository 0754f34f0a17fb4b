"""The official Python SDK of CDP."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mockserver import MockServer

TIME_LIMIT = 300  # seconds for one run

MAIN = "account_af2937b0-9846-4fe7-bfe9-ccc22d935114"
ONE, TWO = (f"account_00000000-0000-4000-8000-00000000010{n}" for n in (1, 2))
CUSTOMER = "customer_00000000-0000-4000-8000-000000000002"

# Reads calls as JSON, and prints for each the account ids, or the error's status and message.
SCRIPT = """
import asyncio, json, sys
from cdp.openapi_client.api.accounts_api import AccountsApi
from cdp.openapi_client.cdp_api_client import CdpApiClient
from cdp.openapi_client.errors import ApiError

async def main():
    base, key_id, secret, calls = json.load(sys.stdin)
    client = CdpApiClient(key_id, secret, base_path=base)
    api, results = AccountsApi(client), []
    for call in calls:
        try:
            page = await api.list_foundation_accounts(**call)
            results.append([account.account_id for account in page.accounts])
        except ApiError as error:
            results.append([error.http_code, error.error_message])
    await client.close()
    print(json.dumps(results))

asyncio.run(main())
"""


def listed(python: Path, server: MockServer, *calls: dict[str, Any]) -> list[list[Any]]:
    key = server.cdp.credentials
    told = json.dumps([server.cdp.base_url, key["key_id"], key["key_secret"], calls])
    done = subprocess.run(
        [python, "-c", SCRIPT],
        input=told,
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    results: list[list[Any]] = json.loads(done.stdout.splitlines()[-1])
    return results


@pytest.mark.skipif(sys.platform == "win32", reason="the environment's layout is another there")
def test_the_sdk_lists_the_accounts_of_the_owners_it_names(
    cdp_sdk_python: Path, server: MockServer
) -> None:
    found = listed(
        cdp_sdk_python,
        server,
        {"owner": ["customer"]},
        {"owner": ["entity", "customer"], "page_size": 1},
        {"owner": [CUSTOMER]},
        {"owner": ["nonsense"]},
        {},
    )
    assert found[:4] == [[ONE, TWO], [MAIN], [TWO], [400, "Invalid query parameters."]]
    assert len(found[4]) == 5
    assert [entry.status for entry in server.journal] == [200, 200, 200, 400, 200]
