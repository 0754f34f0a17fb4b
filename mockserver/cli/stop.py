"""``mockserver stop``."""

from mockserver.cli.running import RunningServer, running_command


@running_command("stop", epilog="Example: mockserver stop")
def stop(url: str | None, sandbox: str) -> None:
    """Stop the scenario that plays on a running server.

    Its rules are deleted, and the settings that it changed are restored. The server goes on.
    """
    server = RunningServer(url, sandbox)
    playing = server.call("GET", "/scenario")["scenario"]
    server.call("DELETE", "/scenario")
    print(f"{playing['name']} is stopped" if playing else "no scenario plays")
