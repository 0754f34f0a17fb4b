"""`mockserver serve` in terminals of two widths, with requests of all kinds, as tmux shows it."""

import contextlib
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from contract_tests.support.raw import taken
from contract_tests.support.tools import find_tool
from mockserver.client.remote import RemoteServer
from mockserver.providers import discover

SOON = 60  # seconds
SECRETS = ("ERERERERERERERERERERERERERERERERERERERERERERHQSrIydCu0qzoTaL1GFeTm0CJKtxoBa6",)


def send(url: str) -> None:
    """Sends fifty requests: accepted, refused for every kind of reason, faulty, long, odd."""
    server = RemoteServer(url)
    for name in discover():
        handle = getattr(server, name)
        base = handle.base_url.rstrip("/") + "/"
        for label in ("main", "reject-rate_limited", "reject-internal_error"):
            signed = handle.auth_as(label).example(handle.base_url)
            target = signed.target.decode()
            origin = handle.base_url.partition("/platform")[0]
            headers = {k.decode(): v.decode() for k, v in signed.headers}
            ask(signed.method, origin + target, headers, signed.body)
        ask("GET", base + "nope/" + "x" * 150 + "?" + "y" * 150)
        ask("DELETE", base + "v1/balances")
        ask("GET", base + "v1/balances?a=%1b%5b2J%00&q=ü")
        handle.fail(name=f"slow-{name}", deliver={"delay": "20ms"}, mutate={"bom": True})
        ask(signed.method, origin + target, headers, signed.body)
        handle.fail(name=f"gone-{name}", deliver={"reset": "before"}, path="/gone")
        ask("GET", base + "gone")
        ask("GET", url + f"/{name}/v1/balances")
        ask("GET", base + "v1/balances", {"Authorization": "Bearer " + "z" * 300})


def ask(method: str, url: str, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
    with contextlib.suppress(requests.ConnectionError):
        requests.request(method, url, headers=headers, data=body, timeout=SOON)


@pytest.mark.parametrize("width", [80, 200])
def test_no_line_breaks_badly(width: int, tmp_path: Path) -> None:
    tmux, socket = find_tool("tmux"), tmp_path / "tmux"
    with taken(offset=10) as port:
        command = f"{sys.executable} -m mockserver serve --port {port}"

    def control(*args: str) -> str:
        done = subprocess.run(
            [tmux, "-S", socket, "-f", "/dev/null", *args],
            check=True,
            capture_output=True,
            text=True,
            timeout=SOON,
        )
        return done.stdout

    size = ["-x", str(width), "-y", "50"]
    control("new-session", "-d", "-s", "m", *size, "cat")
    control("set-option", "-g", "history-limit", "5000")
    control("set-option", "-g", "remain-on-exit", "on")
    try:
        control("new-window", "-t", "m:9", "-c", str(tmp_path), command)
        url = f"http://127.0.0.1:{port}"
        wait_for(url)
        send(url)
        # Joined: lines that the terminal itself broke come as one, and are then too long.
        shown = screen(control)
        control("send-keys", "-t", "m:9", "C-c")
    finally:
        subprocess.run([tmux, "-S", socket, "kill-server"], check=False, timeout=SOON)
    (tmp_path / f"terminal-{width}.txt").write_text(shown, encoding="utf-8")
    lines = shown.splitlines()
    assert sum(" -> " in line or " GET " in line for line in lines) >= 50
    banner_end = lines.index("Paste at any time:")
    assert [line for line in lines[:banner_end] if len(line) > width] == []
    logged = lines[banner_end + 7 :]
    assert [line for line in logged if len(line) > width] == []
    assert not any(secret in shown for secret in SECRETS if width < 120)


def wait_for(url: str) -> None:
    adapter = requests.adapters.HTTPAdapter(
        max_retries=requests.adapters.Retry(connect=100, backoff_factor=0.1, backoff_max=0.3)
    )
    session = requests.Session()
    session.mount("http://", adapter)
    assert session.get(url + "/healthz", timeout=SOON).text == "ok\n"


def screen(control: object) -> str:
    """Returns the window with its history, once two looks show the same."""
    before = ""
    for _ in range(100):
        now = control("capture-pane", "-p", "-J", "-S", "-", "-t", "m:9")  # type: ignore[operator]
        if now == before and " -> " in now:
            return str(now).rstrip()
        before = now
        time.sleep(0.2)
    return str(before)
