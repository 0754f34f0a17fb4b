"""Projects that use the pytest plugin: what their tests send, and what their reports say."""

import re
from collections.abc import Callable

import pytest

Run = Callable[..., pytest.RunResult]
SETTINGS = ("URL", "WORLD", "SEED", "LIMITS", "ADMIN_TOKEN")


def assert_one_line(result: pytest.RunResult, *messages: str) -> None:
    """Each message is a whole line of the report, and no frame of ours is shown."""
    for message in messages:
        result.stdout.fnmatch_lines_random([f"mockserver: {message}".replace("[", "[[]")])
    for file in ("pytest_plugin.py", "remote.py", "handle.py", "Traceback"):
        result.stdout.no_fnmatch_line(f"*{file}*")


# The line that begins the report of a test, or a summary of the session.
HEADING = re.compile(r"^[_=]+ (.+?) [_=]+$", re.MULTILINE)


def journals(result: pytest.RunResult) -> list[tuple[str, list[str]]]:
    """Returns, for each test, the lines of the journal in its report, its sandbox's id as ID.

    Explanations, which are indented, are left out.
    """
    _, *parts = HEADING.split(result.stdout.str())
    sections = []
    for test, report in zip(parts[::2], parts[1::2], strict=True):
        section = re.search(
            r"^-+ journal of sandbox (\w+) -+\n(.*)", report, re.MULTILINE | re.DOTALL
        )
        if section:
            lines = section[2].rstrip("\n").replace(section[1], "ID").split("\n")
            sections.append((test, [line for line in lines if not line.startswith("    ")]))
    return sections


ASK = """
import httpx, pytest, requests

def send(client, *request):
    with client:
        client.request(*request)

def ask(sandbox):
    print("what the test prints")
    send(sandbox.coinapi.client(), "GET", "/v1/balances")
    send(sandbox.cpg.client("revoked"), "GET", "/v1/balances?currency=USDT")
    send(sandbox.cpg.client(), "POST", "/v1/nope")
    requests.get(sandbox.coinapi.base_url + "/v1/balances")
    url = sandbox.cpg.base_url + "/v1/balances"
    httpx.get(url, headers=sandbox.cpg.auth.headers("GET", url[url.index("/~"):]))
"""
LINES = [
    "1 coinapi GET /~ID/v1/balances -> 200 (key main)",
    "2 cpg GET /~ID/v1/balances?currency=USDT -> 401 revoked_credential (key revoked)",
    "3 cpg POST /~ID/v1/nope -> 404 no_route",
    "4 coinapi GET /~ID/v1/balances -> 401 missing_credential",
    "5 cpg GET /~ID/v1/balances -> 200 (key main) signed the path exactly as requested",
]
