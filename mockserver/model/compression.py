"""Responses in gzip, good and broken ones. A body has the same bytes whenever it is compressed."""

import struct
import zlib
from collections.abc import Callable, Mapping

from msgspec.structs import replace

from mockserver.model.http import Request, Response

HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"  # no time, no system
LEVEL = 1  # a large body must not hold up others
CONTENT_ENCODING = b"content-encoding"
GZIP = (CONTENT_ENCODING, b"gzip")
VARY = (b"vary", b"accept-encoding")
GOOD = "good"


def compress(body: bytes, length: int | None = None) -> bytes:
    """Returns a body in gzip; ``length`` is written as its length in place of the true one."""
    deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    data = deflate.compress(body) + deflate.flush()
    written = len(body) if length is None else length
    return HEAD + data + struct.pack("<II", zlib.crc32(body), written & 0xFFFFFFFF)


def _truncate(body: bytes) -> bytes:
    data = compress(body)
    return data[: len(data) // 2]


FORMS: Mapping[str, Callable[[bytes], bytes]] = {
    GOOD: compress,
    "truncated": _truncate,
    "lying": bytes,
    "wrong_length": lambda body: compress(body, len(body) + 1),
}


def accepts_gzip(request: Request) -> bool:
    """Returns whether a request accepts gzip: named, or by ``*``, and not with ``q=0``."""
    accepted: dict[str, bool] = {}
    for name, value in request.headers:
        if name == b"accept-encoding":
            for item in value.decode("latin-1").lower().split(","):
                coding, *parameters = (part.strip() for part in item.split(";"))
                accepted[coding] = not any(_is_zero(parameter) for parameter in parameters)
    return accepted.get("gzip", accepted.get("x-gzip", accepted.get("*", False)))


def _is_zero(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip() == "q" and bool(value) and not value.strip().strip("0.")


def negotiated(request: Request, response: Response) -> Response:
    """Returns the response in gzip where the request accepts that and there is a body."""
    named = any(name == CONTENT_ENCODING for name, _ in response.headers)
    if named or not response.body or not accepts_gzip(request):
        return response
    headers = (*response.headers, GZIP, VARY)
    return replace(response, headers=headers, body=compress(response.body))


def in_form(response: Response, form: str) -> Response:
    """Returns a response whose headers name gzip with its body in one of FORMS."""
    return replace(response, body=FORMS[form](response.body))
