"""``mockserver snapshot``: takes, lists, restores, forks and exports states of a running server."""

import json
from pathlib import Path
from typing import Any

import click

from mockserver.cli import options
from mockserver.cli.running import RunningServer, print_json, running_command
from mockserver.errors import FileError


@running_command(
    "save",
    click.Argument(["name"], required=False),
    click.Option(["--journal"], is_flag=True, help="Add the journal."),
)
def save(name: str | None, journal: bool, url: str | None, sandbox: str) -> None:
    """Take a snapshot; replaces the one with its NAME."""
    body = {"name": name, "journal": journal}
    print(_line(RunningServer(url, sandbox).call("POST", "/snapshots", body)))


@running_command("list", options.JSON)
def list_snapshots(as_json: bool, url: str | None, sandbox: str) -> None:
    """List the snapshots of a sandbox."""
    rows = RunningServer(url, sandbox).call("GET", "/snapshots")["snapshots"]
    if as_json:
        print_json(rows)
    else:
        print("".join(f"{_line(row)}\n" for row in rows), end="")


@running_command("restore", click.Argument(["snapshot"]))
def restore(snapshot: str, url: str | None, sandbox: str) -> None:
    """Return to SNAPSHOT: the name of one of the server, or a file."""
    server = RunningServer(url, sandbox)
    source = _file(snapshot) if Path(snapshot).is_file() else snapshot
    server.call("POST", "/restore", {"snapshot": source})
    print(f"sandbox {sandbox} of {server.url} is as it was in {snapshot}")


@running_command(
    "fork",
    click.Argument(["id"], required=False),
    click.Option(["--snapshot"], help="A snapshot instead of the present state."),
    click.Option(["--ttl"], default="1h", show_default=True, help="Time without use."),
)
def fork(id: str | None, snapshot: str | None, ttl: str, url: str | None, sandbox: str) -> None:
    """Make a sandbox of the present state, with the same credentials; prints its URLs."""
    body = {"id": id, "snapshot": snapshot, "ttl": ttl}
    made = RunningServer(url, sandbox).call("POST", "/fork", body)
    print(f"sandbox {made['id']}")
    for name, provider in made["providers"].items():
        print(f"{name:10} {provider['base_url']}")


@running_command("export", click.Argument(["name"], required=False))
def export(name: str | None, url: str | None, sandbox: str) -> None:
    """Print a snapshot as a JSON document; without NAME the present state."""
    server = RunningServer(url, sandbox)
    taken = name or server.call("POST", "/snapshots", {})["name"]
    try:
        print(json.dumps(server.call("GET", f"/snapshots/{taken}"), indent=1))
    finally:
        if name is None:
            server.call("DELETE", f"/snapshots/{taken}")


def _line(row: Any) -> str:
    journal = ", with the journal" if row["journal"] else ""
    return f"{row['name']}: {row['time']}, behind request {row['requests']}{journal}"


def _file(name: str) -> Any:
    """Returns the document in a file; raises ClickException."""
    from mockserver.files import snapshots

    try:
        return snapshots.read_file(name)
    except FileError as error:
        raise click.ClickException(str(error)) from None


snapshot = click.Group(
    "snapshot",
    commands=[save, list_snapshots, restore, fork, export],
    help="""Save, restore, fork and export the state of a running server.

    Each command takes --sandbox, and --url or MOCKSERVER_URL.""",
    epilog="""\b
Examples:
  mockserver snapshot save before
  mockserver snapshot restore before
  mockserver snapshot export before > before.json
  mockserver snapshot restore before.json""",
)
