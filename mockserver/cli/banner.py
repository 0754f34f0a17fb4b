"""What a server tells when it is ready: where it is, who may call, what to paste."""

import json
import os
import shlex
import shutil
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mockserver.engine.sandboxes import DEFAULT
from mockserver.http.exchange import Exchange
from mockserver.model.provider import Provider
from mockserver.tools.credentials import credentials

DEFAULT_PORT = 8490


def base_url(provider: Provider, gateway: int = DEFAULT_PORT) -> str:
    """Returns a provider's base URL beside a gateway on this machine."""
    return f"http://127.0.0.1:{gateway + provider.port}{provider.full_path()}"


def ready(app: Exchange, gateway: str, world: str) -> dict[str, Any]:
    """Returns what ``serve --json`` prints, for an application served at a gateway's URL."""
    return {
        "gateway": gateway,
        "admin": gateway + "/__admin",
        "providers": {name: _provider(app, p, world) for name, p in app.providers.items()},
    }


def _provider(app: Exchange, provider: Provider, world: str) -> dict[str, Any]:
    url = app.base_url(provider.name)
    others = credentials(app.sandboxes.default, provider)
    main = others.pop("main", {})
    return {
        "base_url": url,
        "credentials": main,
        "others": others,
        "example": _example(provider, url, world) if main else "",
    }


def _example(provider: Provider, url: str, world: str) -> str:
    """Returns a line that works whenever it is pasted: it signs when it runs."""
    words = [*_command(), "curl", provider.name]
    if url != base_url(provider):
        words += ["--url", url]
    if world != DEFAULT:
        words += ["--world", str(Path(world).resolve()) if Path(world).is_file() else world]
    return f"{shlex.join(words)} | sh"


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _command() -> list[str]:
    """Returns how this very installation is called from the user's shell."""
    installed = Path(sys.executable).parent / "mockserver"
    found = shutil.which("mockserver")
    if found and Path(found).resolve() == installed.resolve():
        return ["mockserver"]
    if installed.is_file():
        return [str(installed)]
    return [sys.executable, "-m", "mockserver"]


def table(told: Mapping[str, Any]) -> str:
    """Renders the same for people."""
    examples = [p["example"] for p in told["providers"].values() if p["example"]]
    return "\n".join(
        (
            f"The fake exchange is ready. Gateway {told['gateway']}, Ctrl-C stops it.",
            "",
            *(line for name, p in told["providers"].items() for line in _lines(name, p)),
            "",
            "Paste, whenever you like:" if examples else "No key main, so no line to paste.",
            *(f"  {line}" for line in examples),
        )
    )


def write(text: str, failed: Callable[[OSError], None]) -> None:
    """Writes a line or a table to stdout from a thread, so that a full pipe blocks no request.

    ``failed`` is called with the error when stdout cannot be written. Without a stdout
    nothing is written.
    """
    if sys.stdout is None:
        return
    fd, data = sys.stdout.fileno(), memoryview(f"{text}\n".encode())

    def run() -> None:
        view = data
        try:
            while view:
                view = view[os.write(fd, view) :]
        except OSError as error:
            failed(error)

    threading.Thread(target=run, name="mockserver-ready", daemon=True).start()


def _lines(name: str, provider: Mapping[str, Any]) -> list[str]:
    """Tells where a provider is, and its credential ``main``, a member to a line."""
    members = [f"  {k:17} {_shown(v)}" for k, v in provider["credentials"].items()]
    return [f"{name:9} {provider['base_url']}", *members]
