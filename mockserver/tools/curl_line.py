"""A curl line: its words sorted into what makes a request.

An option that would change the request in a way that is not understood is refused; one that
nobody knows is taken for a flag.
"""

import re
import shlex
from base64 import b64encode
from collections.abc import Callable, Iterator
from urllib.parse import quote

from msgspec import Struct, field

LINE_MAX = 128 * 1024  # characters: more than a shell passes on in one word

START = re.compile(r"(?:\$\s*)?curl\s")
CONTINUED = re.compile(r"\\\r?\n")
ANSI = re.compile(r"(?<=\s)\$'((?:[^'\\]|\\.)*)'", re.DOTALL)  # as browsers copy them

USER = re.compile(r"(?:\w+://)?([^/?#]*)@")

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"

# Options that take a value and change nothing of the request that is judged.
IGNORED_OPTIONS = {
    *("--output", "--write-out", "--max-time", "--connect-timeout", "--proxy", "--retry"),
    *("--cacert", "--cert", "--key", "--resolve", "--connect-to", "--cookie-jar"),
    *("--limit-rate", "--dump-header"),
}
REFUSED = {"--form", "--upload-file", "--config", "--url-query"}
# Short options that mean more than a flag.
LONG = {
    "-o": "--output",
    "-w": "--write-out",
    "-m": "--max-time",
    "-x": "--proxy",
    "-b": "--cookie",
    "-c": "--cookie-jar",
    "-e": "--referer",
    "-D": "--dump-header",
    "-X": "--request",
    "-H": "--header",
    "-A": "--user-agent",
    "-u": "--user",
    "-d": "--data",
    "-G": "--get",
    "-I": "--head",
    "-F": "--form",
    "-T": "--upload-file",
    "-K": "--config",
    "-E": "--cert",
}


class Unreadable(ValueError):
    """What was given is no request; says why."""


class CurlOptions(Struct):
    """What the words of a curl line say."""

    urls: list[str] = field(default_factory=list)
    method: str = ""
    headers: list[tuple[str, str | None]] = field(default_factory=list)
    data: str = ""
    is_json: bool = False
    get: bool = False
    head: bool = False


def parse_curl(line: str) -> tuple[str, str, list[tuple[str, str]], str]:
    """Returns method, URL, headers and body of a curl line; raises Unreadable."""
    if len(line) > LINE_MAX:
        raise Unreadable(f"a curl line of more than {LINE_MAX // 1024} KiB: give the raw request")
    given = _given(_words(line))
    if len(given.urls) != 1:
        raise Unreadable(f"a curl line with {len(given.urls)} URLs: give one")
    url, body = given.urls[0], given.data
    if given.get and body:
        url += ("&" if "?" in url else "?") + body
        body = ""
    method = given.method or ("HEAD" if given.head else "POST" if body else "GET")
    return method, url, _headers(given, url, body), body


def cut(text: str) -> str:
    """Writes a text for a message: in one line, not too long."""
    return repr(text if len(text) <= 40 else text[:40] + "...")


def _words(line: str) -> list[str]:
    plain = ANSI.sub(_unescaped, CONTINUED.sub(" ", line))
    try:
        words = shlex.split(START.sub("", plain, count=1))
    except ValueError as error:
        raise Unreadable(f"this curl line cannot be read: {error}") from None
    return words[: words.index("|")] if "|" in words else words


def _unescaped(found: re.Match[str]) -> str:
    raw = found[1].encode("ascii", "backslashreplace")
    try:
        return shlex.quote(raw.decode("unicode_escape"))
    except UnicodeDecodeError as error:
        raise Unreadable(f"this curl line cannot be read: {error.reason}") from None


def _given(words: list[str]) -> CurlOptions:
    given = CurlOptions()
    left = iter(words)
    for word in left:
        if not word.startswith("-") or word == "-":
            given.urls.append(word)
        elif word.startswith("--"):
            name, equals, value = word.partition("=")
            _take(given, name, value if equals else None, left)
        else:
            _take_short(given, word[1:], left)
    return given


def _take_short(given: CurlOptions, letters: str, left: Iterator[str]) -> None:
    """Takes options such as -sS or -sXPOST: the value may follow the last of them at once."""
    for n, letter in enumerate(letters, 1):
        name = LONG.get(f"-{letter}", "")
        if name in IGNORED_OPTIONS or name in REFUSED or name in TAKERS:
            _take(given, name, letters[n:] or None, left)
            return
        _take(given, name, None, left)


def _take(given: CurlOptions, name: str, value: str | None, left: Iterator[str]) -> None:
    if name in REFUSED:
        raise Unreadable(f"curl's {name} is not understood here: give the raw request")
    if name in IGNORED_OPTIONS or name in TAKERS:
        value = next(left, None) if value is None else value
        if value is None:
            raise Unreadable(f"curl's {name} wants a value")
        if name in TAKERS:
            TAKERS[name](given, name, value)
    elif name == "--get":
        given.get = True
    elif name == "--head":
        given.head = True


def _url(given: CurlOptions, name: str, value: str) -> None:
    given.urls.append(value)


def _method(given: CurlOptions, name: str, value: str) -> None:
    given.method = value


def _data(given: CurlOptions, name: str, value: str) -> None:
    if value.startswith("@") and name != "--data-raw":
        raise Unreadable(f"curl's {name} {cut(value)} reads a file: paste its content instead")
    _add(given, value)


def _add(given: CurlOptions, value: str) -> None:
    given.data = f"{given.data}&{value}" if given.data else value


def _encoded(given: CurlOptions, name: str, value: str) -> None:
    before, equals, content = value.rpartition("=") if "=" not in value else value.partition("=")
    if not equals and "@" in content:
        raise Unreadable(f"curl's {name} {cut(value)} reads a file: paste its content instead")
    _add(given, f"{before}={quote(content, safe='')}" if before else quote(content, safe=""))


def _json(given: CurlOptions, name: str, value: str) -> None:
    if value.startswith("@"):
        raise Unreadable(f"curl's {name} {cut(value)} reads a file: paste its content instead")
    given.is_json = True
    given.data += value


def _header(given: CurlOptions, name: str, value: str) -> None:
    header, colon, text = value.partition(":")
    if colon:  # a name with nothing behind takes away what curl would send by itself
        given.headers.append((header.strip(), text.strip() or None))
    elif value.endswith(";"):
        given.headers.append((value[:-1].strip(), ""))
    else:
        raise Unreadable(f"the header {cut(value)} has no colon")


def _named(header: str, form: str = "{}") -> Callable[[CurlOptions, str, str], None]:
    def take(given: CurlOptions, name: str, value: str) -> None:
        given.headers.append((header, form.format(value)))

    return take


def _user(given: CurlOptions, name: str, value: str) -> None:
    given.headers.append(("Authorization", f"Basic {b64encode(value.encode()).decode()}"))


TAKERS: dict[str, Callable[[CurlOptions, str, str], None]] = {
    "--url": _url,
    "--request": _method,
    "--header": _header,
    "--json": _json,
    "--data-urlencode": _encoded,
    "--user": _user,
    "--user-agent": _named("User-Agent"),
    "--referer": _named("Referer"),
    "--cookie": _named("Cookie"),
    "--oauth2-bearer": _named("Authorization", "Bearer {}"),
    **dict.fromkeys(("--data", "--data-raw", "--data-binary", "--data-ascii"), _data),
}


def _headers(given: CurlOptions, url: str, body: str) -> list[tuple[str, str]]:
    """Returns the headers that were asked for, and those that curl adds to them."""
    named = {name.lower() for name, _ in given.headers}
    headers = [(name, value) for name, value in given.headers if value is not None]
    if "content-type" not in named and given.is_json:
        headers.append(("Content-Type", JSON))
    elif "content-type" not in named and body:
        headers.append(("Content-Type", FORM))
    user = USER.match(url)
    if user and "authorization" not in named:
        headers.append(("Authorization", f"Basic {b64encode(user[1].encode()).decode()}"))
    return headers
