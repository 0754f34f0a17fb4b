"""Parses a curl command line into a request.

Options that change the request in a way that this parser does not support raise
UnreadableRequest; unknown options are treated as flags without a value.
"""

import re
import shlex
from base64 import b64encode
from collections.abc import Callable, Iterator
from urllib.parse import quote

from msgspec import Struct, field

from mockserver.errors import UnreadableRequest

LINE_MAX = 128 * 1024  # characters: more than a shell passes in one word

PREFIX = re.compile(r"(?:\$\s*)?curl(?:\.exe)?\s")
CMD_LINE = re.compile(r'\^(?:"|\r?\n)')  # the Windows command prompt, as browsers copy it
CARET = re.compile(r"\^(?:(\r?\n){2}|\r?\n|(.))", re.DOTALL)
LINE_CONTINUATION = re.compile(r"\\\r?\n")
ANSI_QUOTED = re.compile(r"(?<=\s)\$'((?:[^'\\]|\\.)*)'", re.DOTALL)  # as browsers copy it

USER_INFO = re.compile(r"(?:\w+://)?([^/?#]*)@")

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"

# Options that take a value and do not change the request.
IGNORED_OPTIONS = {
    *("--output", "--write-out", "--max-time", "--connect-timeout", "--proxy", "--retry"),
    *("--cacert", "--cert", "--key", "--resolve", "--connect-to", "--cookie-jar"),
    *("--limit-rate", "--dump-header"),
}
UNSUPPORTED_OPTIONS = {"--form", "--upload-file", "--config", "--url-query"}
# Short options that are not flags.
LONG_NAMES = {
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


class CurlOptions(Struct):
    """The parsed options of a curl line; a header with the value None is one not to send."""

    urls: list[str] = field(default_factory=list)
    method: str = ""
    headers: list[tuple[str, str | None]] = field(default_factory=list)
    data: str = ""
    is_json: bool = False
    get: bool = False
    head: bool = False


def parse_curl(line: str) -> tuple[str, str, list[tuple[str, str]], str]:
    """Returns method, URL, headers and body of a curl line; raises UnreadableRequest."""
    if len(line) > LINE_MAX:
        raise UnreadableRequest(
            f"a curl line of more than {LINE_MAX // 1024} KiB: paste the raw request instead"
        )
    options = _parse_options(_words(line))
    if len(options.urls) != 1:
        raise UnreadableRequest(f"a curl line with {len(options.urls)} URLs: it needs exactly one")
    url, body = options.urls[0], options.data
    if options.get and body:
        url += ("&" if "?" in url else "?") + body
        body = ""
    method = options.method or ("HEAD" if options.head else "POST" if body else "GET")
    return method, url, _headers(options, url, body), body


def shorten(text: str) -> str:
    """Quotes text for a message: in one line, at most 40 characters of it."""
    return repr(text if len(text) <= 40 else text[:40] + "...")


def _words(line: str) -> list[str]:
    if CMD_LINE.search(line):
        line = CARET.sub(_without_caret, line)
    plain = ANSI_QUOTED.sub(_requote, LINE_CONTINUATION.sub(" ", line))
    try:
        words = shlex.split(PREFIX.sub("", plain, count=1))
    except ValueError as error:
        raise UnreadableRequest(f"this curl line cannot be read: {error}") from None
    return words[: words.index("|")] if "|" in words else words


def _without_caret(escape: re.Match[str]) -> str:
    """Returns what a caret of the Windows command prompt escapes: two line ends are one."""
    return "\n" if escape[1] else escape[2] or " "


def _requote(quoted: re.Match[str]) -> str:
    """Turns ANSI-C quoting (``$'...'``) into plain quoting of the same text."""
    raw = quoted[1].encode("ascii", "backslashreplace")
    try:
        return shlex.quote(raw.decode("unicode_escape"))
    except UnicodeDecodeError as error:
        raise UnreadableRequest(f"this curl line cannot be read: {error.reason}") from None


def _parse_options(words: list[str]) -> CurlOptions:
    options = CurlOptions()
    remaining = iter(words)
    for word in remaining:
        if not word.startswith("-") or word == "-":
            options.urls.append(word)
        elif word.startswith("--"):
            name, equals, value = word.partition("=")
            _apply(options, name, value if equals else None, remaining)
        else:
            _apply_short(options, word[1:], remaining)
    return options


def _apply_short(options: CurlOptions, letters: str, remaining: Iterator[str]) -> None:
    """Applies options such as -sS or -sXPOST: a value may follow the last letter directly."""
    for n, letter in enumerate(letters, 1):
        name = LONG_NAMES.get(f"-{letter}", "")
        if name in IGNORED_OPTIONS or name in UNSUPPORTED_OPTIONS or name in HANDLERS:
            _apply(options, name, letters[n:] or None, remaining)
            return
        _apply(options, name, None, remaining)


def _apply(options: CurlOptions, name: str, value: str | None, remaining: Iterator[str]) -> None:
    if name in UNSUPPORTED_OPTIONS:
        raise UnreadableRequest(
            f"curl's {name} is not supported here: paste the raw request instead"
        )
    if name in IGNORED_OPTIONS or name in HANDLERS:
        value = next(remaining, None) if value is None else value
        if value is None:
            raise UnreadableRequest(f"curl's {name} needs a value")
        if name in HANDLERS:
            HANDLERS[name](options, name, value)
    elif name == "--get":
        options.get = True
    elif name == "--head":
        options.head = True


def _add_url(options: CurlOptions, name: str, value: str) -> None:
    options.urls.append(value)


def _set_method(options: CurlOptions, name: str, value: str) -> None:
    options.method = value


def _add_data(options: CurlOptions, name: str, value: str) -> None:
    if value.startswith("@") and name != "--data-raw":
        raise _reads_file(name, value)
    _append_data(options, value)


def _reads_file(name: str, value: str) -> UnreadableRequest:
    return UnreadableRequest(
        f"curl's {name} {shorten(value)} reads a file: paste its content instead"
    )


def _append_data(options: CurlOptions, value: str) -> None:
    options.data = f"{options.data}&{value}" if options.data else value


def _add_encoded(options: CurlOptions, name: str, value: str) -> None:
    before, equals, content = value.rpartition("=") if "=" not in value else value.partition("=")
    if not equals and "@" in content:
        raise _reads_file(name, value)
    _append_data(
        options, f"{before}={quote(content, safe='')}" if before else quote(content, safe="")
    )


def _add_json(options: CurlOptions, name: str, value: str) -> None:
    if value.startswith("@"):
        raise _reads_file(name, value)
    options.is_json = True
    options.data += value


def _add_header(options: CurlOptions, name: str, value: str) -> None:
    header, colon, text = value.partition(":")
    if colon:  # a name without a value removes a header that curl would send
        options.headers.append((header.strip(), text.strip() or None))
    elif value.endswith(";"):
        options.headers.append((value[:-1].strip(), ""))
    else:
        raise UnreadableRequest(f"the header {shorten(value)} has no colon")


def _header_option(header: str, form: str = "{}") -> Callable[[CurlOptions, str, str], None]:
    def add(options: CurlOptions, name: str, value: str) -> None:
        options.headers.append((header, form.format(value)))

    return add


def _add_user(options: CurlOptions, name: str, value: str) -> None:
    options.headers.append(("Authorization", f"Basic {b64encode(value.encode()).decode()}"))


HANDLERS: dict[str, Callable[[CurlOptions, str, str], None]] = {
    "--url": _add_url,
    "--request": _set_method,
    "--header": _add_header,
    "--json": _add_json,
    "--data-urlencode": _add_encoded,
    "--user": _add_user,
    "--user-agent": _header_option("User-Agent"),
    "--referer": _header_option("Referer"),
    "--cookie": _header_option("Cookie"),
    "--oauth2-bearer": _header_option("Authorization", "Bearer {}"),
    **dict.fromkeys(("--data", "--data-raw", "--data-binary", "--data-ascii"), _add_data),
}


def _headers(options: CurlOptions, url: str, body: str) -> list[tuple[str, str]]:
    """Returns the headers of the options, and those that curl adds."""
    names = {name.lower() for name, _ in options.headers}
    headers = [(name, value) for name, value in options.headers if value is not None]
    if "content-type" not in names and options.is_json:
        headers.append(("Content-Type", JSON))
    elif "content-type" not in names and body:
        headers.append(("Content-Type", FORM))
    user_info = USER_INFO.match(url)
    if user_info and "authorization" not in names:
        headers.append(("Authorization", f"Basic {b64encode(user_info[1].encode()).decode()}"))
    return headers
