"""Instructions that the worst requests cost: ``python -m benchmarks.redaction``.

Each shape is a request that anybody could send, without credentials. What is printed is how
many times the instructions grow when it grows sixteen times, from 64 KiB to 1 MiB. A second
process, under valgrind, hands the requests to the pipeline; callgrind counts each.
"""

import gc
import sys
import tempfile
from collections.abc import Callable, Mapping
from itertools import cycle, repeat
from pathlib import Path
from typing import NamedTuple

from benchmarks import callgrind
from benchmarks.callgrind import begin, end
from mockserver.engine import pipeline
from mockserver.http.exchange import create_exchange
from mockserver.model.http import Request

SMALL, LARGE = 64 * 1024, 1024 * 1024
MOST = 17  # times the instructions of the small request
NOW = 1_800_000_000_000_000_000  # nanoseconds
JSON, FORM = b"application/json", b"application/x-www-form-urlencoded"
Shape = Callable[[int], Request]


def request(
    body: bytes = b"",
    media_type: bytes = JSON,
    *,
    path: bytes = b"/v1/balances",
    query: bytes = b"",
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> Request:
    """Returns a request without credentials."""
    lines = [(b"host", b"localhost"), (b"content-type", media_type), *headers]
    return Request("POST", path, query, lines, body, "127.0.0.1", path)


def listed(item: str, joiner: str, ends: tuple[str, str], media_type: bytes = JSON) -> Shape:
    """Returns a shape whose body is an item, numbered, again and again."""

    def shape(size: int) -> Request:
        count = size // (len(item.format(0)) + len(joiner))
        items = joiner.join([item.format(n) for n in range(count)])
        return request(f"{ends[0]}{items}{ends[1]}".encode(), media_type)

    return shape


def whole(text: bytes, media_type: bytes = b"text/plain") -> Shape:
    """Returns a shape whose body is one text repeated."""
    return lambda size: request((text * (size // len(text) + 1))[:size], media_type)


def nested(size: int) -> Request:
    """Returns JSON nested as deeply as it is read, again and again."""
    deep = b'{"secret":' * 150 + b'"v"' + b"}" * 150
    return request(b"[" + b",".join([deep] * (size // len(deep))) + b"]")


def growing(size: int) -> Request:
    """Returns JSON whose secret words are of every length there is room for."""
    words = [b'"%s"' % (b"a" * n) for n in range(int((2 * size) ** 0.5))]
    return request(b'{"secret":[' + b",".join(words) + b"]}")


def doubled(size: int) -> Request:
    """Returns JSON with one long secret, given twice."""
    half = b"a" * (size // 2)
    return request(b'{"secret":"' + half + b'","note":"' + half + b'"}')


SECRET = b"test_secret_do_not_use"
TELLING = '"secret{0:07}":"v{0:07}"'
SHAPES: Mapping[str, Shape] = {
    "texts below a telling name": listed('"v{:06}"', ",", ('{"secret":[', "]}")),
    "one text below a telling name": listed('"secret"', ",", ('{"secret":[', "]}")),
    "telling members": listed(TELLING, ",", ("{", "}")),
    "innocent members": listed('"m{:06}":1', ",", ("{", "}")),
    "a long secret twice": doubled,
    "words of every length": growing,
    "deep objects": nested,
    "nesting without end": whole(b'{"secret":'),
    "JSON escapes": whole(b"\\u0061"),
    "escaped backslashes": whole(b"\\\\"),
    "escaped percent signs": whole(b"%25"),
    "percent signs escaped again": whole(b"%2525252525"),
    "form pairs": listed("k{:06}=v", "&", ("", ""), FORM),
    "telling form pairs": listed("token{0:06}=v{0:06}", "&", ("", ""), FORM),
    "separators": whole(b"&;", FORM),
    "a known secret": whole(SECRET),
    "beginnings of a secret": whole(SECRET[:-1]),
    "digits and letters": whole(b"1a"),
    "beginnings of tokens": whole(b"eyJ"),
    "tokens without an end": whole(b"eyJhbGciOiJFZERTQSJ9."),
    "dots": whole(b"aaaaaaaaaaaa."),
    "parts of a form": whole(b'--cut\r\nContent-Disposition: x; name="secret"\r\n\r\nv\r\n'),
}


class Cost(NamedTuple):
    """Instructions for a small and for a large request."""

    small: int
    large: int

    @property
    def growth(self) -> float:
        """How many times the one the other is."""
        return self.large / self.small


def costs() -> dict[str, Cost]:
    """Returns what each shape costs; raises when it cannot be counted."""
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "out"
        callgrind.run(out, "-m", "benchmarks.redaction", "--counted")
        dumps = [Path(f"{out}.{n + 1}") for n in range(2 * len(SHAPES))]
        totals = iter([callgrind.total(dump) for dump in dumps])
        return {shape: Cost(next(totals), next(totals)) for shape in SHAPES}


def _ask_all() -> None:
    """Sends every shape, small and large; time stands, so that every refusal is explained."""
    app = create_exchange(real=repeat(NOW).__next__)
    sandbox, names = app.sandboxes.default, cycle(app.providers)
    for name in app.providers:
        pipeline.respond(sandbox, name, request())  # imports what explains
    gc.disable()  # it looks at all there is, at moments of its own
    for shape in SHAPES.values():
        name = next(names)
        for size in (SMALL, LARGE):
            asked = shape(size)
            begin(0)
            pipeline.respond(sandbox, name, asked)
            end(0)


def main() -> int:
    """Prints a table; returns the exit status."""
    if "--counted" in sys.argv:
        _ask_all()
        return 0
    for shape, cost in costs().items():
        print(f"{shape:32} {cost.small:14,} {cost.large:14,} {cost.growth:6.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
