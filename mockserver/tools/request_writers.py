"""Writes a request as a curl line, as Python or as JavaScript that sends it byte for byte."""

import json
import shlex
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from mockserver.model.http import UnsignedRequest

PYTHON = """\
import urllib.error
import urllib.request

request = urllib.request.Request(
    {url!r},
    method={method!r},
    headers={headers},
    data={body!r},
)
try:
    response = urllib.request.urlopen(request)
except urllib.error.HTTPError as error:
    response = error
print(response.status, response.read().decode())
"""

JAVASCRIPT = """\
const response = await fetch({url}, {{
  method: {method},
  headers: {headers},{body}
}});
console.log(response.status, await response.text());
"""


def url_at(base_url: str, request: UnsignedRequest) -> str:
    """Returns the URL of a request at the origin of a base URL."""
    return urlsplit(base_url)._replace(path="").geturl() + request.target.decode()


def header_texts(request: UnsignedRequest) -> dict[str, str]:
    """Returns the headers of a request by name."""
    return {name.decode(): value.decode() for name, value in request.headers}


def as_curl(request: UnsignedRequest, base_url: str) -> str:
    """Returns a line for the shell."""
    words = ["curl", "-sS", "--fail-with-body", "-w", r"\n"]
    if request.method != "GET":
        words += ["-X", request.method]
    for name, value in header_texts(request).items():
        words += ["-H", f"{name}: {value}"]
    if request.body:
        words += ["--data-raw", request.body.decode()]
    return shlex.join([*words, url_at(base_url, request)])


def as_python(request: UnsignedRequest, base_url: str) -> str:
    """Returns Python that needs the standard library alone."""
    rows = "".join(f"        {k!r}: {v!r},\n" for k, v in header_texts(request).items())
    return PYTHON.format(
        url=url_at(base_url, request),
        method=request.method,
        headers=f"{{\n{rows}    }}" if rows else "{}",
        body=request.body or None,
    )


def as_javascript(request: UnsignedRequest, base_url: str) -> str:
    """Returns JavaScript for Node.js 18 or newer."""
    headers = json.dumps(header_texts(request), indent=2).replace("\n", "\n  ")
    body = f"\n  body: {json.dumps(request.body.decode())}," if request.body else ""
    return JAVASCRIPT.format(
        url=json.dumps(url_at(base_url, request)),
        method=json.dumps(request.method),
        headers=headers,
        body=body,
    )


WRITERS: Mapping[str, Callable[[UnsignedRequest, str], str]] = {
    "curl": as_curl,
    "python": as_python,
    "javascript": as_javascript,
}
