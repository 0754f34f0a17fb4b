"""``mockserver export``."""

from mockserver.cli.running import RunningServer, running_command


@running_command("export", epilog="Example: mockserver export > now.yaml")
def export(url: str | None, sandbox: str) -> None:
    """Print the present state of a running server as a world file.

    It has the balances and credentials of now; withdrawals and portfolios are not part of a world.
    """
    from mockserver.files.world_export import world_text

    print(world_text(RunningServer(url, sandbox).call("GET", "/world")), end="")
