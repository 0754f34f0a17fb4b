"""Python's HTTP libraries as their users have them: what they trust and use is in the environment.

Reads {"clients": [...], "requests": [{"url", "headers"}]} from stdin, writes what each client
made of each request to stdout: {"status", "body"} or {"error"}.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
import httpx
import requests
import urllib3

PATIENCE = 30  # seconds

Answer = tuple[int, bytes]


def by_requests(url: str, headers: dict[str, str]) -> Answer:
    answer = requests.get(url, headers=headers, timeout=PATIENCE)
    return answer.status_code, answer.content


def by_httpx(url: str, headers: dict[str, str]) -> Answer:
    answer = httpx.get(url, headers=headers, timeout=PATIENCE)
    return answer.status_code, answer.content


def by_aiohttp(url: str, headers: dict[str, str]) -> Answer:
    async def get() -> Answer:
        timeout = aiohttp.ClientTimeout(total=PATIENCE)
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
            session.get(url, headers=headers) as answer,
        ):
            return answer.status, await answer.read()

    return asyncio.run(get())


def by_urllib3(url: str, headers: dict[str, str]) -> Answer:
    with urllib3.PoolManager(retries=False, timeout=PATIENCE) as pool:
        answer = pool.request("GET", url, headers=headers)
    return answer.status, answer.data


CLIENTS: dict[str, Callable[[str, dict[str, str]], Answer]] = {
    "requests": by_requests,
    "httpx": by_httpx,
    "aiohttp": by_aiohttp,
    "urllib3": by_urllib3,
}


def outcome(client: str, url: str, headers: dict[str, str]) -> dict[str, Any]:
    try:
        status, body = CLIENTS[client](url, headers)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {"status": status, "body": body.decode("latin-1")}


if __name__ == "__main__":
    order = json.load(sys.stdin)
    with ThreadPoolExecutor(16) as pool:
        jobs = {
            client: [pool.submit(outcome, client, **request) for request in order["requests"]]
            for client in order["clients"]
        }
        json.dump({client: [j.result() for j in row] for client, row in jobs.items()}, sys.stdout)
