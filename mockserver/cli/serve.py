"""``mockserver serve``."""

import gc
import os
from functools import partial
from typing import Any

import click

from mockserver.cli import options

OTHER_PORT = 9000  # in a hint


@click.command(
    params=[*options.SERVE],
    epilog="""\b
Examples:
  mockserver serve
  mockserver serve --port 9490 --world world.yaml --quirk cpg.replay=off""",
)
@click.pass_context
def serve(context: click.Context, /, **flags: Any) -> None:
    """Serve every provider until stopped.

    Options also come from MOCKSERVER_ variables and from mockserver.toml in this directory.
    """
    import json

    from mockserver.cli import banner
    from mockserver.errors import PortInUse, SettingError
    from mockserver.files.admin_token import admin_token
    from mockserver.http import bounds, listeners, log, server

    merged = options.merged(context, flags)
    with merged.at(""):
        token = admin_token()
    with merged.at("grace"):
        server.check_grace(merged["grace"])
    with merged.at("host"):
        server.check_host(merged["host"], token)
    options.check(merged)
    with merged.at(""):  # the message names the option
        allowed = bounds.bounds_for(**{name: merged[name] for name in bounds.OPTIONS})
    names = listeners.ListenerOptions.__struct_fields__
    more = listeners.ListenerOptions(**{name: merged[name] for name in names})
    if merged["processes"] > 1:
        if more.encrypted or more.unix_socket is not None:
            raise click.UsageError(
                "--tls, --proxy-port and --unix-socket are for one process: leave out --processes"
            )
        _serve_many(merged)
        return
    log.set_up(merged["log_format"], merged["log_level"])
    app = _application(merged, token)
    try:
        sockets = server.bind(merged["host"], merged["port"], app.providers)
        opened = listeners.Listeners(app, merged["host"], merged["port"], more)
    except (PortInUse, SettingError) as error:
        by_make = isinstance(error, PortInUse) and "MAKELEVEL" in os.environ
        hint = f' (make run ARGS="--port {OTHER_PORT}")' if by_make else ""
        raise click.ClickException(f"{error}{hint}") from None
    summary = banner.summary(app, server.address(app, sockets), merged["world"])
    text = json.dumps(summary) if merged["as_json"] else banner.table(summary, banner.columns())
    gc.freeze()  # objects made so far live as long as the process: do not scan them again
    failures: list[OSError] = []

    def fail(error: OSError) -> None:
        failures.append(error)
        running.should_exit = True

    ready = partial(banner.write, text, fail)
    running = server.Server(
        app,
        sockets,
        ready,
        bounds=allowed,
        warm=True,
        listeners=opened,
        grace=merged["grace"],
        reload=True,
    )
    running.serve_forever()
    if failures:
        raise failures[0]


def _serve_many(merged: options.Options) -> None:
    """Serves by several processes behind a balancer."""
    import json

    from mockserver.cli import banner, processes
    from mockserver.errors import PortInUse
    from mockserver.providers import discover

    def show(summary: dict[str, Any]) -> None:
        as_json = merged["as_json"]
        click.echo(json.dumps(summary) if as_json else banner.table(summary, banner.columns()))

    try:
        processes.serve(merged["processes"], merged["host"], merged["port"], discover(), show)
    except PortInUse as error:
        raise click.ClickException(str(error)) from None


def _application(merged: options.Options, token: str | None) -> Any:
    """Returns the application for the options; raises UsageError."""
    from mockserver.http.exchange import create_exchange

    try:
        return create_exchange(
            merged["world"],
            seed=merged["seed"],
            quirks=merged["quirks"],
            limits=merged["limits"],
            watch=merged["watch"],
            scenario=merged["scenario"],
            explain_header=merged["explain_header"],
            admin_token=token,
            public_url=merged["public_url"],
            advertise=merged["advertise"],
            trusted_proxies=options.networks(merged),
            cors=merged["cors"],
            fault_headers=merged["fault_headers"],
            gzip=merged["gzip"],
            memory_budget=merged["memory_budget"],
            max_sandboxes=merged["max_sandboxes"],
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None
