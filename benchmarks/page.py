"""What an open dashboard costs, and how it stands a flood: ``python -m benchmarks.page``.

For a minute a thousand requests a second are sent. Without a stream, and with one, the server's
CPU per request is read; then the dashboard in Chromium shows them, where playwright is installed.
"""

import argparse
import contextlib
import os
import shutil
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from benchmarks import tree
from benchmarks.pauses import Served, serving
from benchmarks.sandboxes import Figure

RATE = 1_000  # requests a second
SECONDS = 60
BURST = 0.05  # seconds between two bursts
ROUNDS = 3
STREAM_MOST = 1.1
PAUSE_MOST = 200.0  # milliseconds for which the page does not react
HEAP_MOST = 100.0  # MB
BUSY_MOST = 50.0  # percent
REQUEST = b"GET /coinapi/v1/balances HTTP/1.1\r\nHost: x\r\nX-CoinAPI-Key: %s\r\n\r\n"
FOLLOW = b"GET /__admin/live?follow=default HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
TICKER = """
window.longest = 0;
let last = performance.now();
setInterval(() => {
  const now = performance.now();
  window.longest = Math.max(window.longest, now - last - 10);
  last = now;
}, 10);
"""


def figures(core: int, quick: bool = False) -> Iterator[Figure]:
    """Measures; ``quick`` sends for a second instead of a minute."""
    seconds = 1 if quick else SECONDS
    with serving("default", core) as (served, pid):
        flood(served, 1)
        without, following = [], []
        for _ in range(ROUNDS):
            without.append(_cpu(served, pid, seconds / ROUNDS))
            with _follower(served):
                following.append(_cpu(served, pid, seconds / ROUNDS))
        ratio = sum(following) / sum(without)
        yield Figure("CPU of a request, with a stream to without", ratio, "times", STREAM_MOST)
        yield from _page(served, seconds)


def flood(served: Served, seconds: float) -> int:
    """Sends RATE requests a second, one after the other; returns how many were answered."""
    key = str(served.providers["coinapi"]["credentials"]["api_key"]).encode()
    request = REQUEST % key
    host, port = served.gateway.split(":")
    answered, began = 0, time.perf_counter()
    with socket.create_connection((host, int(port)), 120) as connection:
        for n in range(1, int(seconds / BURST) + 1):
            for _ in range(int(RATE * BURST)):
                connection.sendall(request)
                connection.recv(1 << 16)
                answered += 1
            time.sleep(max(0.0, began + n * BURST - time.perf_counter()))
    return answered


def _cpu(served: Served, pid: int, seconds: float) -> float:
    """Returns the server's CPU per request in microseconds."""
    before = tree.cpu(pid)
    answered = flood(served, seconds)
    return (tree.cpu(pid) - before) / answered * 1e6


@contextlib.contextmanager
def _follower(served: Served) -> Iterator[None]:
    """Reads the live stream for as long as the block runs."""
    host, port = served.gateway.split(":")
    connection = socket.create_connection((host, int(port)), 120)
    connection.sendall(FOLLOW)

    def read() -> None:
        with contextlib.suppress(OSError):
            while connection.recv(1 << 18):
                pass

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield
    finally:
        connection.shutdown(socket.SHUT_RDWR)
        thread.join()
        connection.close()


def _page(served: Served, seconds: float) -> Iterator[Figure]:
    """Shows the flood in a browser, where there is one."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        print("page: playwright is not installed (`make system` has it)", file=sys.stderr)
        return
    if path is None:
        print("page: chromium is not installed", file=sys.stderr)
        return
    os.sched_setaffinity(0, range(os.cpu_count() or 1))  # a browser is many processes
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page()
        page.add_init_script(TICKER)
        page.goto(f"http://{served.gateway}/")
        page.locator(".state.live").wait_for()
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")
        before = _busy(session)
        page.evaluate("window.longest = 0")
        sender = threading.Thread(target=flood, args=(served, seconds))
        sender.start()
        sender.join()
        longest = page.evaluate("window.longest")
        yield Figure("page: longest pause", longest, "ms", PAUSE_MOST)
        share = (_busy(session) - before) / seconds * 100
        yield Figure("page: its thread is busy", share, "%", BUSY_MOST)
        yield Figure("page: memory", _heap(session), "MB", HEAP_MOST)
        browser.close()


def _busy(session: Any) -> float:
    """Returns the seconds that the page's thread has worked."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return next(float(row["value"]) for row in metrics if row["name"] == "TaskDuration")


def _heap(session: Any) -> float:
    """Returns the MB of the page's heap after a collection."""
    session.send("HeapProfiler.collectGarbage")
    used: float = session.send("Runtime.getHeapUsage")["usedSize"]
    return used / 1e6


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(prog="page", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    server, *others = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {*others[:1]} or {server})
    for figure in figures(server, options.quick):
        verdict = "reached" if figure.value <= figure.most else "MISSED"
        print(f"{figure.value:8.2f} {figure.unit:<6}{verdict:<8}{figure.name}", flush=True)


if __name__ == "__main__":
    main()
