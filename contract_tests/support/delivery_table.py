"""The tables in the page on faults: every fault there is, and what real clients make of deliveries.

Run as a script, it writes them anew into the page, between its markers.
"""

import asyncio
import base64
import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import requests
import urllib3

from contract_tests import clients
from contract_tests.clients.senders import tool
from mockserver import MockServer
from mockserver.faults import kinds
from mockserver.faults.pages import ERROR_PAGES
from mockserver.files import strict_yaml

PAGE = Path(kinds.__file__).with_name("README.md")
PROBE = Path(clients.__file__).with_name("probe.mjs")

MUTATED = """
bom: true
charset: iso-8859-1
digits: 18
double_json: true
drop: $.data[0].amount
drop_row: 0
duplicate_row: 0
empty_page: true
enum: $.data[*].network
expire_token: true
exponent: true
extra: true
gzip: truncated
invalid_utf8: true
media_type: text/html
"null": $.data[0].amount
repeat_row: true
repeat_token: true
retype: $.data[0].amount
stale: true
truncate_json: 0.5
""".strip().splitlines()

# The longer delay is longer than any client waits, the slower dribble takes longer than that too.
DELIVERED = """
bandwidth: 20000
close: true
cut: 0.5
delay: 50ms
delay: 1h
dribble: {bytes: 300, every: 5ms}
dribble: {bytes: 150, every: 600ms}
garbage: 100
hang: 50ms
malformed_chunk: true
reset: before
reset: body
slow_headers: 100ms
wrong_length: +10
wrong_length: -10
""".strip().splitlines()

PATIENCE = 3  # seconds, after which a client says that nothing comes
WORKERS = 16

Answer = tuple[int, bytes]


def said(line: str) -> tuple[str, Any]:
    """Returns the name of a fault and what it is given."""
    [(name, given)] = strict_yaml.load(line).items()
    return name, given


# The faults, from the code


def faults() -> str:
    """Writes a table of every mutation, every delivery and every page."""
    titles = [
        re.search(rb"<title>(.*)</title>", page.body)[1].decode() for page in ERROR_PAGES.values()
    ]
    rows = [
        (f"`{name}`", str(page.status), title)
        for (name, page), title in zip(ERROR_PAGES.items(), titles, strict=True)
    ]
    return "\n\n".join(
        [
            _kind(kinds.MUTATIONS, "mutate", MUTATED),
            _kind(kinds.DELIVERIES, "deliver", DELIVERED),
            _table(("page", "status", "says"), rows),
        ]
    )


def examples(lines: Iterable[str]) -> dict[str, str]:
    """Returns the first example of each fault."""
    found: dict[str, str] = {}
    for line in lines:
        found.setdefault(said(line)[0], line)
    return found


def _kind(kind: str, word: str, lines: Iterable[str]) -> str:
    found = examples(lines)
    rows = [
        (f"`{name}`", kinds.find(kind, name).about, f"`{found[name]}`")
        for name in kinds.kinds(kind)
    ]
    return _table((word, "does", "for example"), rows)


def _table(head: tuple[str, ...], rows: Iterable[Iterable[str]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


# The clients


def by_httpx(url: str, headers: Mapping[str, str]) -> Answer:
    with httpx.Client(trust_env=False, timeout=PATIENCE) as client:
        answer = client.get(url, headers=headers)
    return answer.status_code, answer.content


def by_requests(url: str, headers: Mapping[str, str]) -> Answer:
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(url, headers=headers, timeout=PATIENCE)
    return answer.status_code, answer.content


def by_aiohttp(url: str, headers: Mapping[str, str]) -> Answer:
    async def get() -> Answer:
        timeout = aiohttp.ClientTimeout(total=PATIENCE)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(url, headers=headers) as answer,
        ):
            return answer.status, await answer.read()

    return asyncio.run(get())


def by_urllib3(url: str, headers: Mapping[str, str]) -> Answer:
    with urllib3.PoolManager(retries=False, timeout=PATIENCE) as pool:
        answer = pool.request("GET", url, headers=headers)
    return answer.status, answer.data


class Exit(Exception):
    """A program's exit with a code."""


def by_curl(url: str, headers: Mapping[str, str]) -> Answer:
    command = [tool("curl"), "-q", "-sS", "--noproxy", "*", "--max-time", str(PATIENCE)]
    command += ["-w", "%{stderr}%{http_code}", url]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise Exit(f"exit {done.returncode}")
    return int(done.stderr), done.stdout


LIBRARIES: dict[str, Callable[[str, Mapping[str, str]], Answer]] = {
    "httpx": by_httpx,
    "requests": by_requests,
    "aiohttp": by_aiohttp,
    "urllib3": by_urllib3,
    "curl": by_curl,
}
CLIENTS = (*LIBRARIES, "node")


def versions() -> dict[str, str]:
    """Returns which version of each client is here; of one that is missing, none."""
    modules = (httpx, requests, aiohttp, urllib3)
    told = {module.__name__: module.__version__ for module in modules}
    for name, pattern in (("curl", r"curl (\S+)"), ("node", r"v(\S+)")):
        if shutil.which(name):
            done = subprocess.run([name, "--version"], capture_output=True, text=True, check=True)
            told[name] = re.match(pattern, done.stdout)[1]
    return told


# What they make of it

Cells = dict[str, list[str]]  # by client, in the order of DELIVERED


def probed(clients: Iterable[str]) -> Cells:
    """Lets clients ask for an answer by every delivery, and tells what each makes of it."""
    with MockServer() as server, ThreadPoolExecutor(WORKERS) as pool:
        for n, line in enumerate(DELIVERED):
            server.coinapi.fail(query={"row": str(n)}, deliver=dict([said(line)]))
        headers = server.coinapi.auth.headers("GET", "/v1/balances")
        base = server.coinapi.base_url + "/v1/balances"
        body = by_urllib3(base, headers)[1]
        jobs = {name: _begun(pool, name, base, headers, body) for name in clients}
        cells = {name: job() for name, job in jobs.items()}
        asked = Counter(entry.target for entry in server.journal)
        return {name: _with_repeats(name, column, asked) for name, column in cells.items()}


def _with_repeats(client: str, column: list[str], asked: Counter[str]) -> list[str]:
    """Adds how often a client asked, where it was not once."""
    counts = [asked[url] for url in urls("/v1/balances", client)]
    return [
        told if count == 1 else f"{told}, asked {count} times"
        for told, count in zip(column, counts, strict=True)
    ]


def _begun(
    pool: ThreadPoolExecutor, client: str, base: str, headers: Mapping[str, str], body: bytes
) -> Callable[[], list[str]]:
    """Starts a client; returns what waits for its column."""
    if client == "node":
        return pool.submit(by_node, base, headers, body).result
    jobs = [pool.submit(cell, client, url, headers, body) for url in urls(base, client)]
    return lambda: [job.result() for job in jobs]


def urls(base: str, client: str) -> list[str]:
    return [f"{base}?client={client}&row={n}" for n in range(len(DELIVERED))]


def cell(client: str, url: str, headers: Mapping[str, str], body: bytes) -> str:
    """Tells what a client makes of one delivery."""
    try:
        return outcome(*LIBRARIES[client](url, headers), body)
    except Exit as error:
        return f"`{error}`"
    except Exception as error:
        return f"`{type(error).__name__}`"


def outcome(status: int, received: bytes, body: bytes) -> str:
    if received == body:
        return f"{status}, whole"
    short = len(body) - len(received)
    return f"{status}, {short} bytes short" if body.startswith(received) else f"{status}, another"


def by_node(base: str, headers: Mapping[str, str], body: bytes) -> list[str]:
    """Tells what Node's fetch makes of every delivery."""
    order = {"urls": urls(base, "node"), "headers": headers, "patience": PATIENCE * 1000}
    done = subprocess.run(
        [tool("node"), PROBE],
        input=json.dumps(order).encode(),
        stdout=subprocess.PIPE,
        timeout=10 * PATIENCE,
        check=True,
    )
    return [
        f"`{told['error']}`"
        if "error" in told
        else outcome(told["status"], base64.b64decode(told["body"]), body)
        for told in json.loads(done.stdout)
    ]


def clients(cells: Cells, initial_scenario: Mapping[str, str]) -> str:
    """Writes the table of what clients make of deliveries."""
    named = ", ".join(f"{name} {initial_scenario[name]}" for name in cells)
    rows = [
        (f"`{line}`", *column) for line, *column in zip(DELIVERED, *cells.values(), strict=True)
    ]
    return f"With {named}:\n\n{_table(('delivery', *cells), rows)}"


# The page


def section(text: str, name: str) -> str:
    """Returns what stands between the markers of a name."""
    return re.search(_between(name), text, re.DOTALL)[2].strip("\n")


def written(text: str, name: str, new: str) -> str:
    """Puts something else between the markers of a name."""
    return re.sub(
        _between(name), lambda found: f"{found[1]}\n{new}\n\n{found[3]}", text, flags=re.DOTALL
    )


def _between(name: str) -> str:
    return rf"(<!-- {name}: .*? -->\n)(.*?)(<!-- end of {name} -->)"


if __name__ == "__main__":
    page = PAGE.read_text("utf-8")
    page = written(page, "faults", faults())
    page = written(page, "clients", clients(probed(CLIENTS), versions()))
    PAGE.write_text(page, "utf-8")
