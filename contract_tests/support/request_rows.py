"""Requests as rows of a table, and the one test that sends them all.

``still`` is the server of ``providers/conftest.py``: as new, while real time stands at NOW.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from contract_tests.support.fixture_rows import masked, rows
from contract_tests.support.raw import exchange, without_noise
from contract_tests.support.rows import each
from mockserver import HandClock, MockServer
from mockserver.client.provider import ProviderHandle

NOW = 1_747_444_800  # seconds since the epoch, a whole minute
CLOCK = HandClock(NOW * 10**9)


class Row(NamedTuple):
    """A request, and why it is refused: an empty reason stands for a 200, None for any.

    A refusal has the bytes of the provider's fixture, but for what stands in ``body``: a text
    is the whole body, a mapping has the members that differ. ``allow`` and ``headers`` are header
    lines that the fixture lacks; ``note`` is the journal's. Where there are quirks, or a status,
    that status and that body are all that is held.
    """

    about: str
    request: bytes
    reason: str | None = ""
    body: str | dict[str, Any] = ""
    note: str = ""
    quirks: dict[str, str] = {}
    limits: Any = None
    status: int = 0
    allow: str = ""
    headers: str = ""
    gateway: bool = False


def answered(provider: str, *tables: Iterable[Row]) -> Callable[..., None]:
    """Returns a test that sends each row's request and checks the answer and the journal."""

    @each("row", [(row.about, row) for rows_ in tables for row in rows_])
    def test(still: MockServer, row: Row) -> None:
        handle: ProviderHandle = getattr(still, provider)
        if row.quirks:
            still.set_quirks({f"{provider}.{name}": value for name, value in row.quirks.items()})
        if row.limits:
            still.set_limits(row.limits)
        url = still.url if row.gateway else handle.base_url
        answer = masked(without_noise(exchange(url, row.request)))
        entry = still.journal[-1]
        assert row.reason in (entry.reason, None)
        assert entry.note == row.note
        if row.reason and not row.quirks and not row.status:
            headers = f"allow: {row.allow}" if row.allow else row.headers
            assert answer == refusal(provider, row.reason, row.body, headers)
            return
        assert answer.startswith(f"HTTP/1.1 {row.status or 200}\n")
        body = answer.partition("\n\n")[2]
        if isinstance(row.body, dict):
            assert row.body.items() <= json.loads(body).items()
        elif row.body:
            assert body == row.body

    return test


def refusal(provider: str, reason: str, body: str | dict[str, Any] = "", headers: str = "") -> str:
    """Returns the bytes of a refusal, masked, with another body or some other members of it.

    ``headers`` are lines that are added, or take the place of those of the same name.
    """
    head, _, text = rows(provider, "errors")[reason].partition("\n\n")
    if isinstance(body, dict):
        text = json.dumps(json.loads(text) | body, separators=(",", ":"), ensure_ascii=False)
    text = body if isinstance(body, str) and body else text
    added = headers.splitlines()
    names = ("content-length:", *(line.partition(" ")[0] for line in added))
    lines = [line for line in head.splitlines() if not line.startswith(names)]
    lines += [*added, f"content-length: {len(text.encode())}"]
    lines += ["connection: close"] * (reason == "too_large")
    return "\n".join([*lines, "", text])
