"""What is remembered, within bounds; and what is hidden of what is kept."""

# ruff: noqa: SLF001 - what is remembered shows within alone

import threading
from typing import Any

import pytest
from msgspec.structs import replace

from mockserver.caches import ENTRY_SIZE, KEYS_MIN, ROOM, Memo
from mockserver.engine.redactor import JournalRedactor
from mockserver.http.exchange import create_exchange
from mockserver.model import query
from mockserver.model.http import Request
from mockserver.model.redaction import Redactor
from mockserver.providers import discover


class Upper:
    """Makes texts large, and tells which it was asked for."""

    def __init__(self) -> None:
        self.made: list[bytes] = []

    def __call__(self, key: bytes) -> bytes:
        self.made.append(key)
        return key.upper()


def test_a_memo_remembers_what_was_asked_for_twice() -> None:
    make = Upper()
    memo = Memo(make, size=len)
    assert [memo[key] for key in (b"a", b"a", b"b", b"a", b"b", b"b")] == [*b"A A B A B B".split()]
    assert make.made == [b"a", b"a", b"b", b"b"]


def test_a_memo_remembers_while_there_is_room() -> None:
    make, largest = Upper(), 1000
    memo = Memo(make, size=len, room=KEYS_MIN * (largest + ENTRY_SIZE), at_once=True)
    for n in (largest, largest + 1, largest, largest + 1):
        assert memo[b"b" * n] == b"B" * n
    assert [len(key) for key in make.made] == [largest, largest + 1, largest + 1]
    for n in range(KEYS_MIN - 1):
        assert memo[bytes([n]) * largest] == bytes([n]) * largest
    assert len(memo) == KEYS_MIN
    assert memo[b"c"] == b"C"
    assert list(memo) == [b"c"]


def test_a_memo_keeps_little_of_what_it_met_once() -> None:
    memo = Memo(abs, size=lambda key: 0)
    for n in range(ROOM // ENTRY_SIZE + 10):
        assert memo[n] == n
    assert (len(memo), len(memo._met)) == (0, 10)


def test_a_memo_remembers_nothing_of_what_was_refused() -> None:
    def refuse(key: bytes) -> bytes:
        raise ValueError(key)

    memo = Memo(refuse, size=len)
    for _ in range(3):
        with pytest.raises(ValueError):
            memo[b"a"]
    assert memo == {}


def test_a_memo_serves_threads() -> None:
    memo = Memo(lambda key: -key, size=lambda key: 0, room=KEYS_MIN * ENTRY_SIZE)
    wrong: list[int] = []

    def ask(start: int) -> None:
        wrong.extend(n for n in range(start, start + 20_000) if memo[n % 300] != -(n % 300))

    threads = [threading.Thread(target=ask, args=[100 * n]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(memo) <= KEYS_MIN + len(threads)


def remembered(*memos: Memo[Any, Any]) -> int:
    """Returns the bytes of all that is remembered."""
    return sum(len(repr(key)) + len(repr(value)) for memo in memos for key, value in memo.items())


def asked_like(headers: list[tuple[bytes, bytes]], query: bytes, body: bytes) -> Request:
    return Request("POST", b"/a", query, headers, body, "127.0.0.1", b"/a")


def words(n: int) -> bytes:
    """Returns a text of its own for each number, and ever longer."""
    return b"%d" % n + b"a" * n


LARGE_NAME = b"a" * 40 * 1024
VARIED = {
    "values": lambda n: asked_like([(b"x-a", words(n))], b"", b""),
    "names": lambda n: asked_like([(b"%d" % n + LARGE_NAME, b"a")], b"", b""),
    "queries": lambda n: asked_like([], b"token=" + words(n), b""),
    "bodies": lambda n: asked_like([], b"", b'{"apiKey":"%b"}' % words(n)),
}


@pytest.mark.parametrize("varied", VARIED)
def test_what_hiding_remembers_is_bounded(varied: str) -> None:
    redactor = Redactor([provider.secrets for provider in discover().values()])
    journal = JournalRedactor(redactor)
    for n in range(300 if varied == "names" else 10_000):
        for _ in range(2):
            journal.redact(VARIED[varied](n), b"", refused=False)
    memos = journal._lines, redactor._values, journal._bodies, journal._paths
    assert remembered(*memos) < 4 * ROOM


def test_queries_and_paths_that_are_remembered_are_bounded() -> None:
    router = create_exchange().sandboxes.default.states["cpg"].router
    for n in range(10_000):
        query.raw_pairs(words(n) + b"=%41")
        path = b"/v1/withdrawals" + b"/" + words(n)
        for _ in range(2):
            router.find(replace(asked_like([], b"", b""), method="GET", path=path))
    assert remembered(query.PAIRS) < 4 * ROOM
    assert remembered(router._known) < 4 * ROOM


def test_an_answer_is_searched_where_it_may_repeat_a_secret() -> None:
    """Most answers are not searched: what was asked for had no secret by value."""
    journal = JournalRedactor(Redactor([]))
    journal.put("one", [LONG])
    plain = asked_like([(b"x-a", b"1"), (b"x-api-key", LONG)], b"", b"")
    for _ in range(3):
        assert journal.redact(plain, LONG, refused=False)[3] == LONG
        for odd in (
            ([(b"x-a", LONG)], b"", b""),
            ([(LONG, b"")], b"", b""),
            ([], LONG, b""),
            ([], b"", LONG),
        ):
            assert LONG not in journal.redact(asked_like(*odd), LONG, refused=False)[3]
    assert LONG not in journal.redact(plain, LONG, refused=True)[3]


SHORT, LONG = b"cpg_main", b"cpg_main_s3cret9"
SENT = {
    "the query": ([(b"x-note", SHORT)], b"q=" + LONG, b""),
    "the body": ([(b"x-note", SHORT)], b"", b"note " + LONG),
    "a header": ([(b"x-note", LONG)], b"q=" + SHORT, b""),
    "an escape": ([(b"x-note", SHORT)], b"q=" + LONG.replace(b"_", b"%5f"), b""),
}


@pytest.mark.parametrize("refused", [True, False])
@pytest.mark.parametrize("where", SENT)
def test_of_a_secret_that_holds_another_nothing_is_left(where: str, refused: bool) -> None:
    journal = JournalRedactor(Redactor([]))
    journal.put("one", [SHORT])
    journal.put("other", [LONG])
    kept = journal.redact(asked_like(*SENT[where]), LONG, refused=refused)
    assert [text for text in kept if b"s3cret" in text or SHORT in text] == []
