"""``mockserver reset``."""

from mockserver.cli.running import RunningServer, running_command


@running_command("reset", epilog="Example: mockserver reset")
def reset(url: str | None, sandbox: str) -> None:
    """Return a running server's sandbox to its initial state.

    Ledger, clocks, settings, rules and journal start anew; the credentials stay.
    """
    server = RunningServer(url, sandbox)
    server.call("POST", "/reset")
    print(f"sandbox {sandbox} of {server.url} is as it was at the start")
