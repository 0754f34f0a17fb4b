"""Requests as bytes, well-formed and damaged."""

from collections.abc import Callable
from functools import partial

from contract_tests.clients.senders import written
from contract_tests.support.changed_requests import instead
from mockserver import Auth

Edit = Callable[[bytes], bytes]
Ask = Callable[[Auth], bytes]
KIB = 1024
MIB = KIB * KIB


def post(body: str | bytes, *edits: Edit, target: str = "/v1/withdrawals") -> Ask:
    raw = body if isinstance(body, bytes) else body.encode()
    return partial(edited, "POST", target, raw, edits)


def raw(data: bytes) -> Ask:
    return lambda auth: data


def edited(method: str, target: str, body: bytes, edits: tuple[Edit, ...], auth: Auth) -> bytes:
    """Returns a request, signed while it was still good."""
    data = written(auth, method, target, body)
    for edit in edits:
        before, data = data, edit(data)
        assert data != before
    return data


def target(new: bytes) -> Edit:
    """Puts another target in the request line."""
    return lambda data: b" ".join([data.split(b" ", 2)[0], new, data.split(b" ", 2)[2]])


def last(line: bytes) -> Edit:
    """Adds a header behind all others."""
    return instead(b"\r\n\r\n", b"\r\n" + line + b"\r\n\r\n")


def without(name: bytes) -> Edit:
    """Takes a header away."""

    def edit(data: bytes) -> bytes:
        head, _, rest = data.partition(b"\r\n" + name + b": ")
        return head + b"\r\n" + rest.partition(b"\r\n")[2]

    return edit


def chunked(size: int, extension: bytes = b"") -> Edit:
    """Sends the body in chunks, without its length."""

    def edit(data: bytes) -> bytes:
        head, _, body = without(b"Content-Length")(data).partition(b"\r\n\r\n")
        parts = [body[at : at + size] for at in range(0, len(body), size)]
        framed = [b"%x%s\r\n%s\r\n" % (len(part), extension, part) for part in parts]
        return b"".join([head, b"\r\nTransfer-Encoding: chunked\r\n\r\n", *framed, b"0\r\n\r\n"])

    return edit


def order(**members: str) -> str:
    """Writes a withdrawal that would be good, with members replaced by JSON texts."""
    good = {
        "currency": '"USDT"',
        "network": '"ETH"',
        "to_address": '"0xrecipient0"',
        "amount": '"50.00"',
    }
    return "{" + ",".join(f'"{name}":{text}' for name, text in (good | members).items()) + "}"
