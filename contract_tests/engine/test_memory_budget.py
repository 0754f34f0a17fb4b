"""All sandboxes together keep no more than the memory budget, and what is counted is real."""

import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from mockserver import MockServer
from mockserver.engine import journal, pipeline
from mockserver.engine.memory_budget import STEP
from mockserver.engine.sandbox import Sandbox
from mockserver.http.exchange import Exchange, create_exchange
from mockserver.model.http import Request

KEY = (b"x-coinapi-key", b"00000000-EMPTY-KEY")
BODY = b'{"note": "' + b"x" * 4000 + b'"}'
MIB = 1024 * 1024


def ask(sandbox: Sandbox, n: int, body: bytes = BODY, key: bytes = b"wrong") -> None:
    headers = [(b"x-coinapi-key", key), (b"x-n", b"%d" % n)]
    path = b"/v1/balances"
    body = body and body + b"%d" % n  # one that came before is not kept twice
    request = Request("GET", path, b"n=%d" % n, headers, body, "127.0.0.1", path)
    pipeline.respond(sandbox, "coinapi", request)


def made(app: Exchange, count: int) -> list[Sandbox]:
    known = app.sandboxes
    world, settings = known.default.world, known.default.initial_settings
    return [known.make(f"box-{n}", world, settings, 3600 * 10**9) for n in range(count)]


def kept(boxes: list[Sandbox]) -> list[int]:
    return [len(box.journal.entries) for box in boxes]


def counted(app: Exchange) -> int:
    """Returns what every entry and every count of every sandbox takes."""
    return sum(
        sum(entry.size for entry in box.journal.entries)
        + len(box.journal.counts.exact) * 320
        + sum(state.answers._size for state in box.states.values())  # noqa: SLF001
        + box.history.size
        for box in app.sandboxes
    )


def test_the_least_recently_used_sandboxes_shrink_first() -> None:
    app = create_exchange(memory_budget="2MiB")
    boxes = made(app, 4)
    for box in boxes:
        for n in range(100):
            ask(box, n)
    used = app.sandboxes.budget.used
    assert 1.2 * MIB < used <= 2 * MIB + 5 * STEP  # a checkpoint is dropped as a whole
    assert used == counted(app)
    first, second, third, fourth = kept(boxes)
    assert (first, fourth) == (0, 100)
    assert second < third
    ask(boxes[1], 100)  # which is now the one used last
    assert kept(boxes)[1] == second + 1
    assert sum(boxes[0].journal.counts.exact.values()) == 100, "counts outlive the entries"
    assert app.sandboxes.budget.used == counted(app) <= 2 * MIB + 5 * STEP


def test_a_sandbox_that_is_gone_counts_for_nothing() -> None:
    app = create_exchange()
    one, two = made(app, 2)
    for box in (one, two):
        ask(box, 1)
    app.sandboxes.drop(one.id)
    assert app.sandboxes.budget.used == counted(app) > 0
    ask(one, 2)  # a request that was under way
    app.sandboxes.make(two.id, two.world, two.initial_settings, 10**9)
    assert app.sandboxes.budget.used == counted(app) == 0
    ask(app.sandboxes.default, 1)
    app.sandboxes.default.reset()
    assert app.sandboxes.budget.used == 0


def test_a_sandbox_that_is_busy_is_passed_over() -> None:
    app = create_exchange(memory_budget=1_800_000)
    first, second, third = made(app, 3)
    for box in (first, second):
        for n in range(100):
            ask(box, n)
    share = first.share

    class Busy:
        def acquire(self, *, blocking: bool) -> bool:
            assert not blocking
            return False

    share.lock = Busy()
    for n in range(100):
        ask(third, n)
    assert kept([first, third]) == [100, 100]
    assert kept([second])[0] < 100
    assert app.sandboxes.budget.used <= 2 * MIB + 4 * STEP


KINDS = {
    "answered": (b"", b"00000000-EMPTY-KEY"),
    "refused, explained": (b"", b"wrong"),
    "with a body": (BODY, b"wrong"),
}


@pytest.mark.parametrize("body_and_key", KINDS.values(), ids=KINDS)
def test_what_is_counted_is_no_less_than_what_is_taken(body_and_key: tuple[bytes, bytes]) -> None:
    app = create_exchange()
    sandbox = app.sandboxes.default
    for n in range(50):
        ask(sandbox, n, *body_and_key)
    sandbox.journal.clear()
    tracemalloc.start()
    try:
        for n in range(2_000 if body_and_key[0] else 600):
            ask(sandbox, 1_000 + n, *body_and_key)
        full = tracemalloc.get_traced_memory()[0]
        counted_as = sandbox.journal._size  # noqa: SLF001
        sandbox.journal.clear()
        freed = full - tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert 0.4 * counted_as < freed < counted_as


SCRIPT = """
import sys
from contract_tests.engine.test_memory_budget import ask, made
from mockserver.http.exchange import create_exchange
from mockserver.engine import journal
from mockserver.providers import discover
journal.ENTRIES_MAX = 20
app = create_exchange(memory_budget=sys.argv[1])
boxes = made(app, 500)
for n in range(20):
    for m, box in enumerate(boxes):
        ask(box, 500 * n + m, key=b"00000000-EMPTY-KEY")
status = open("/proc/self/status").read()
print(status.split("VmHWM:")[1].split()[0], app.sandboxes.budget.used)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_resident_memory_stays_within_the_budget_and_80_mb_with_500_full_journals() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, "32MiB"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr
    resident, used = map(int, ended.stdout.split())
    assert used <= 32 * MIB + 501 * STEP
    assert resident * 1024 < 32 * MIB + 80_000_000


WRONG = [
    ({"memory_budget": "1.5MiB"}, "a size is a number and KiB, MiB or GiB"),
    ({"memory_budget": "lots"}, "a size is a number and KiB, MiB or GiB"),
    ({"memory_budget": 1000}, "a memory budget has at least 1048576 bytes"),
    ({"max_sandboxes": 0}, "there is at least one sandbox"),
]


@pytest.mark.parametrize(("settings", "message"), WRONG)
def test_a_wrong_bound_is_refused(settings: dict[str, int | str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        create_exchange(**settings)  # type: ignore[arg-type]


def test_health_has_the_bounds() -> None:
    with MockServer(memory_budget="64MiB", max_sandboxes=7) as server:
        server.sandbox()
        ask(server.app.sandboxes.default, 1)
        health = server._call_control("GET", "/health")  # noqa: SLF001
        assert health["sandboxes"] == {"count": 2, "max": 7}
        assert health["memory"].pop("caches") > 0
        assert health["memory"] == {"budget": 64 * MIB, "used": counted(server.app)}
        assert journal.JOURNAL_BYTES_MAX == 16 * MIB
