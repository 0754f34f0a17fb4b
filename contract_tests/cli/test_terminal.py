"""Output that is not read, or cannot be written, never stops the server."""

import json
import logging
import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from contract_tests.support.processes import CLEAN, COMMAND
from contract_tests.support.raw import taken
from mockserver.http.line_writer import LineHandler
from mockserver.http.log import TEXT

SOON = 30  # seconds
REFUSALS = 4_000  # whose lines, as JSON, are more than wait to be written
BATCH = 100
REQUEST = b"GET /v1/balances HTTP/1.1\r\nHost: x\r\n\r\n"


@contextmanager
def served(
    stderr: Any, cwd: Path, *args: str, before: Sequence[str] = ()
) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Serves with a stderr; yields the process and the JSON that it printed."""
    command = [*before, *COMMAND, "serve", "--port", "0", "--json", *args]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=stderr, cwd=cwd, env=CLEAN, text=True
    )
    try:
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def refuse(url: str, count: int) -> int:
    """Sends requests without a key in batches; returns how many were answered with 401."""
    address = urlsplit(url)
    answered = 0
    with socket.create_connection((address.hostname, address.port), SOON) as sock:
        for _ in range(count // BATCH):
            sock.sendall(REQUEST * BATCH)
            answered += _answers(sock, BATCH)
    return answered


def _answers(sock: socket.socket, count: int) -> int:
    received = b""
    while received.count(b"HTTP/1.1 401") < count or not received.endswith(b"}"):
        part = sock.recv(1 << 20)
        assert part, "the server closed the connection"
        received += part
    return received.count(b"HTTP/1.1 401")


def test_a_log_that_is_not_read_delays_no_response_and_no_stop(tmp_path: Path) -> None:
    read, write = os.pipe()
    try:
        with served(write, tmp_path, "--log-format", "json") as (process, ready):
            assert refuse(ready["providers"]["coinapi"]["base_url"], REFUSALS) == REFUSALS
            process.send_signal(signal.SIGTERM)
            assert process.wait(SOON) == 0
    finally:
        os.close(read)
        os.close(write)


@pytest.mark.parametrize("stderr", ["full", "closed", "no reader"])
def test_a_stderr_that_cannot_be_written_changes_nothing(tmp_path: Path, stderr: str) -> None:
    read, write = os.pipe()
    os.close(read)
    if stderr == "full":
        os.close(write)
        write = os.open("/dev/full", os.O_WRONLY)
    before = ["sh", "-c", 'exec "$@" 2>&-', "sh"] if stderr == "closed" else []
    with served(write, tmp_path, before=before) as (process, ready):
        os.close(write)
        assert refuse(ready["providers"]["coinapi"]["base_url"], BATCH) == BATCH
        process.send_signal(signal.SIGTERM)
        assert process.wait(SOON) == 0


@pytest.mark.parametrize("args", [["serve", "--port", "0"], ["facts"]], ids=" ".join)
def test_a_full_disk_below_stdout_is_one_line_and_exit_2(tmp_path: Path, args: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, *args],
            stdout=full,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            env=CLEAN,
            text=True,
            timeout=SOON,
            check=False,
        )
    assert done.stderr == "mockserver: cannot write to stdout: No space left on device\n"
    assert done.returncode == 2


def test_a_mistake_is_exit_2_where_stderr_is_full_too(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "nope"], stderr=full, cwd=tmp_path, env=CLEAN, timeout=SOON, check=False
        )
    assert done.returncode == 2


def test_a_stdout_that_is_full_and_not_read_blocks_no_request(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    while _fits(write):
        pass
    os.set_blocking(write, True)
    with taken(offset=10) as port:
        command = [*COMMAND, "serve", "--port", str(port)]
        process = subprocess.Popen(command, stdout=write, cwd=tmp_path, env=CLEAN)
    try:
        session = requests.Session()
        retries = requests.adapters.Retry(connect=100, backoff_factor=0.1, backoff_max=0.3)
        session.mount("http://", requests.adapters.HTTPAdapter(max_retries=retries))
        url = f"http://127.0.0.1:{port}/healthz"
        assert session.get(url, timeout=SOON).text == "ok\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(SOON) == 0
    finally:
        process.kill()
        process.wait()
        os.close(read)
        os.close(write)


def _fits(fd: int) -> bool:
    try:
        return os.write(fd, b"x" * 4096) > 0
    except BlockingIOError:
        return False


def handle(handler: LineHandler, count: int) -> None:
    for n in range(count):
        message = f"{n} " + "x" * 1_000
        handler.handle(logging.LogRecord("mockserver", logging.INFO, "", 0, message, (), None))


def test_dropped_lines_are_counted_and_the_count_is_logged() -> None:
    here, there = socket.socketpair()
    sent, written, line = 3_000, 0, ""
    with here, there:
        handle(LineHandler(there.fileno(), logging.Formatter(TEXT)), sent)
        here.settimeout(SOON)
        with here.makefile() as reader:
            for line in reader:
                if "log lines dropped" in line:
                    break
                written += line.endswith("x\n")
    assert 0 < written < sent
    assert line.split()[0] == str(sent - written)


def test_a_flush_waits_until_lines_are_written(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as file:
        handler = LineHandler(file.fileno(), logging.Formatter(TEXT))
        handle(handler, 500)
        handler.writer.flush(SOON)
        assert len((tmp_path / "log").read_text().splitlines()) == 500


def test_a_log_that_is_read_is_complete_at_the_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as stderr, served(stderr, tmp_path) as (process, ready):
        refuse(ready["providers"]["coinapi"]["base_url"], BATCH)
        process.send_signal(signal.SIGTERM)
        assert process.wait(SOON) == 0
    assert log.read_text().count("-> 401 missing_credential:") == BATCH
