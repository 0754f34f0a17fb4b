"""A signed request as a line for the shell."""

import shlex
from typing import Any
from urllib.parse import urlsplit

from mockserver.client.auth import signed_example


def curl_line(provider: Any, key: Any, base: str, query: str, now: int) -> str:
    """Returns a curl line for a provider's main read, signed now (nanoseconds)."""
    signed = signed_example(provider, key, base, now, query)
    words = ["curl", "-sS", "--fail-with-body", "-w", r"\n"]
    if signed.method != "GET":
        words += ["-X", signed.method]
    for name, value in signed.headers:
        words += ["-H", f"{name.decode()}: {value.decode()}"]
    if signed.body:
        words += ["--data-raw", signed.body.decode()]
    origin = urlsplit(base)._replace(path="").geturl()
    return shlex.join([*words, origin + signed.target.decode()])
