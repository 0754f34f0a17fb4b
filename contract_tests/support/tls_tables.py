"""The tables in the guide on TLS: what clients make of certificate faults, and of broken endings.

Run as a script, it writes them anew into the page, between its markers.
"""

import contextlib
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from contract_tests.support import delivery_table as tables
from contract_tests.support.tls import Result, probe_all
from mockserver import MockServer
from mockserver.faults.tls import TLS_FAULTS

PAGE = Path(__file__).parents[2] / "docs/guides/tls.md"
CLIENTS = ("curl", "requests", "httpx", "aiohttp", "node")
SIX = (*CLIENTS, "urllib3")
ENDINGS = ("close: true", "cut: 0.5", "reset: before", "reset: body")
KEY = {"X-CoinAPI-Key": "73034021-THIS-IS-SAMPLE-KEY"}

WIDE = 80  # characters; a longer reason only repeats the kind

# Where Python's exceptions have the reason.
REASONS = (
    r"certificate verify failed: (.*?)\.? \(_ssl",
    r"\[SSL: \w+\] (.*?) \(_ssl",
    r"\((?:\d+, )?'([^'(]*)'\)",
    r"\[(?:Errno \d+)?\]? ?([A-Z][a-z][^\]]*)\]?$",
)

Rows = Mapping[str, Sequence[Result]]  # by client


def faults_met() -> Rows:
    """Lets each client meet each TLS fault, as ``--tls-fault`` causes it."""
    with _servers() as (servers, variables):
        urls = [server.trust.https + "/coinapi/v1/balances" for server in servers]
        return probe_all(CLIENTS, [{"url": url, "headers": KEY} for url in urls], variables)


@contextlib.contextmanager
def _servers() -> Iterator[tuple[list[MockServer], dict[str, str]]]:
    """Runs a server for each fault; one authority is that of all."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        servers = [
            stack.enter_context(MockServer(ca_dir=folder, tls_fault=fault)) for fault in TLS_FAULTS
        ]
        yield servers, servers[0].trust.variables


def endings_met() -> Rows:
    """Lets each client meet each broken ending of a response under TLS."""
    with MockServer(tls=True) as server:
        for line in ENDINGS:
            server.coinapi.fail(
                query={"row": line.partition(":")[0] + line[-1:]}, deliver=_fault(line)
            )
        url = server.coinapi.https_url + "/v1/balances?row="
        urls = [url + line.partition(":")[0] + line[-1:] for line in ENDINGS]
        requests: list[Any] = [{"url": url, "headers": KEY} for url in urls]
        return probe_all(SIX, requests, server.trust.variables)


def _fault(line: str) -> dict[str, Any]:
    return dict([tables.said(line)])


def words(result: Result) -> str:
    """Returns a client's words, without what differs from run to run."""
    if "error" not in result:
        return f"{result['status']}, {len(result['body'])} bytes"
    text = " ".join(result["error"].split())
    kind = re.match(r"([A-Z]\w+[a-z]): ", text)  # of an exception in Python
    reason = next(filter(None, (re.search(pattern, text) for pattern in REASONS)), None)
    if kind:
        return f"{kind[1]}: {reason[1]}" if reason and len(reason[1]) < WIDE else kind[1]
    text = re.sub(r"\b[0-9A-F]{12,16}:error:", "error:", text)
    text = re.sub(r":\.\./deps/\S+", "", text)
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text).removesuffix(": ")


def table(head: str, names: Sequence[str], rows: Rows) -> str:
    """Writes a table with a row for each name, and a column for each client."""
    lines = [(head, *rows), ("---",) * (len(rows) + 1)]
    for n, name in enumerate(names):
        lines.append((f"`{name}`", *(words(rows[client][n]) for client in rows)))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    page = PAGE.read_text("utf-8")
    page = tables.written(page, "faults", table("fault", TLS_FAULTS, faults_met()))
    page = tables.written(page, "endings", table("delivery", ENDINGS, endings_met()))
    PAGE.write_text(page, "utf-8")
