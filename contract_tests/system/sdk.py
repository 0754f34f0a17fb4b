"""The official Python SDK of CDP, with its fixed host: key and secret are in the environment."""

import asyncio
import json
import os
import sys

from cdp.openapi_client.api.accounts_api import AccountsApi
from cdp.openapi_client.cdp_api_client import CdpApiClient


async def main() -> None:
    client = CdpApiClient(os.environ["CDP_API_KEY_ID"], os.environ["CDP_API_KEY_SECRET"])
    page = await AccountsApi(client).list_balances(os.environ["ACCOUNT"])
    await client.close()
    sys.stdout.write(json.dumps([row.asset.symbol for row in page.balances]))


asyncio.run(main())
