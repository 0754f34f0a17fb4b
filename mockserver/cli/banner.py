"""What ``serve`` prints when it is ready: addresses, credentials, lines to paste."""

import json
import os
import shlex
import shutil
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mockserver.cli.options import DEFAULT_PORT
from mockserver.engine.sandboxes import DEFAULT
from mockserver.http.exchange import Exchange
from mockserver.model.provider import Provider
from mockserver.tools.credentials import credentials

NO_EXAMPLES = "No example lines: no provider has a credential labelled main."


def base_url(provider: Provider, gateway_port: int = DEFAULT_PORT) -> str:
    """Returns a provider's base URL beside a gateway on this machine."""
    return f"http://127.0.0.1:{gateway_port + provider.port}{provider.full_path()}"


def summary(app: Exchange, gateway: str, world: str) -> dict[str, Any]:
    """Returns the object that ``serve --json`` prints.

    ``gateway`` is the gateway's URL, ``world`` the name or file that the app was made from.
    """
    return {
        "gateway": gateway,
        "admin": gateway + "/__admin",
        "providers": {name: _provider(app, p, world) for name, p in app.providers.items()},
        **_https(app),
    }


def _https(app: Exchange) -> dict[str, str]:
    """Returns the URL of the HTTPS port and of the proxy, and the file that clients trust."""
    trust = app.trust
    if trust is None:
        return {}
    proxy = {"proxy": trust.proxy} if trust.proxy else {}
    return {"https": trust.https, **proxy, "authority": trust.path}


def _provider(app: Exchange, provider: Provider, world: str) -> dict[str, Any]:
    """Returns a provider's base URL, its credentials and a line that calls it."""
    url = app.base_url(provider.name)
    others = credentials(app.sandboxes.default, provider)
    main = others.pop("main", {})
    https_url = app.https_url(provider.name)
    return {
        "base_url": url,
        **({"https_url": https_url} if https_url else {}),
        "credentials": main,
        "others": others,
        "example": _example(provider, url, world) if main else "",
    }


def _example(provider: Provider, url: str, world: str) -> str:
    """Returns a shell line that signs when it runs, so that it never expires."""
    words = [*_command(), "curl", provider.name]
    if url != base_url(provider):
        words += ["--url", url]
    if world != DEFAULT:
        words += ["--world", str(Path(world).resolve()) if Path(world).is_file() else world]
    return f"{shlex.join(words)} | sh"


def _command() -> list[str]:
    """Returns the words that run this installation from the user's shell."""
    installed = Path(sys.executable).parent / "mockserver"
    on_path = shutil.which("mockserver")
    if on_path and Path(on_path).resolve() == installed.resolve():
        return ["mockserver"]
    if installed.is_file():
        return [str(installed)]
    return [sys.executable, "-m", "mockserver"]


def _activation() -> list[str]:
    """Returns how to have the command in a shell, where it is in an environment apart."""
    script = Path(sys.prefix) / "bin" / "activate"
    if sys.prefix == sys.base_prefix or shutil.which("mockserver") or not script.is_file():
        return []
    here = Path.cwd()
    shown = script.relative_to(here) if script.is_relative_to(here) else script
    return ["", "For the command mockserver in another terminal:", f"  . {shlex.quote(str(shown))}"]


def table(summary: Mapping[str, Any], width: int = 0) -> str:
    """Returns a summary as text for a terminal of so many columns; 0 is any number.

    The middle of a credential that is too long for a line is left out.
    """
    providers = summary["providers"]
    examples = [p["example"] for p in providers.values() if p["example"]]
    rows = [line for name, p in providers.items() for line in provider_lines(name, p)]
    shortened = [shorten(row, width) for row in rows]
    return "\n".join(
        (
            f"The fake exchange is ready. Gateway {summary['gateway']}, Ctrl-C stops it.",
            f"See it happen: open {summary['gateway']}/ in a browser.",
            f"Dashboard {summary['gateway']}/",
            f"Read      {summary['gateway']}/docs, docs/guides/command-line.md",
            "",
            *shortened,
            "",
            *_https_lines(summary),
            "Paste at any time:" if examples else NO_EXAMPLES,
            *(f"  {line}" for line in examples),
            *([] if rows == shortened else ["In full: mockserver status PROVIDER"]),
            *_activation(),
        )
    )


def _https_lines(summary: Mapping[str, Any]) -> list[str]:
    """Returns a line for each of the HTTPS port, the proxy and the authority."""
    names = [name for name in ("https", "proxy", "authority") if name in summary]
    lines = [f"{name:9} {summary[name]}" for name in names]
    return [*lines, 'Clients trust it by: eval "$(mockserver trust)"', ""] if lines else []


def provider_lines(name: str, provider: Mapping[str, Any]) -> list[str]:
    """Returns a line with the base URL, and one for each member of the credential ``main``."""
    return [f"{name:9} {provider['base_url']}", *member_lines(provider["credentials"])]


def member_lines(credential: Mapping[str, Any]) -> list[str]:
    """Returns a line for each member of a credential."""
    return [f"  {key:17} {_text(value)}" for key, value in credential.items()]


def shorten(line: str, width: int) -> str:
    """Returns a line without its middle where it is wider than ``width``; 0 is any width."""
    if not width or len(line) <= width:
        return line
    end = width // 4
    return f"{line[: width - end - 3]}...{line[-end:]}"


def columns() -> int:
    """Returns the columns of the terminal that is stdout, 0 for another stdout."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns
    except (AttributeError, OSError, ValueError):
        return 0


def _text(value: Any) -> str:
    """Returns text as it is, all else as compact JSON."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def write(text: str, failed: Callable[[OSError], None]) -> None:
    """Writes a line or a table to stdout from a thread, so that a full pipe blocks no request.

    ``failed`` is called with the error when stdout cannot be written. Without a stdout
    nothing is written.
    """
    if sys.stdout is None:
        return
    fd, data = sys.stdout.fileno(), memoryview(f"{text}\n".encode())

    def run() -> None:
        rest = data
        try:
            while rest:
                rest = rest[os.write(fd, rest) :]
        except OSError as error:
            failed(error)

    threading.Thread(target=run, name="mockserver-ready", daemon=True).start()
