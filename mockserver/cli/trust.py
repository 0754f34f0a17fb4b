"""``mockserver trust``."""

import json
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from mockserver.cli import options
from mockserver.files.trust import Trust, shell_lines


@click.command(params=[*options.TRUST])
def trust(
    url: str | None,
    ca_dir: str | None,
    proxy: str | None,
    out: str | None,
    env: bool,
    as_json: bool,
) -> None:
    """Print the variables by which clients trust the HTTPS port.

    As lines for a shell: eval "$(mockserver trust)". The authority is that of the server at --url,
    or with --ca-dir the one in the folder, which is made when there is none.
    """
    found = _from_folder(ca_dir) if ca_dir and not url else _from_server(url)
    if proxy is not None:
        found = replace(found, proxy=proxy)
    if out is not None:
        Path(out).write_text(found.pem, encoding="ascii")
        found = replace(found, path=str(Path(out).resolve()), trust_store="")
    variables = found.variables
    if as_json:
        print(json.dumps(variables))
    else:
        plain = [f"{name}={value}" for name, value in variables.items()]
        print(*(plain if env else shell_lines(variables)), sep="\n")


def _from_server(url: str | None) -> Trust:
    from mockserver.client.remote import RemoteServer

    try:
        return RemoteServer(url or f"http://127.0.0.1:{options.gateway_port()}").trust
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from None


def _from_folder(folder: str) -> Trust:
    from mockserver.http.authority_folder import AuthorityFolder
    from mockserver.http.listeners import certificate_names
    from mockserver.http.routing import Routing
    from mockserver.providers import discover

    names = certificate_names(Routing(discover()), options.setting("public_url"))
    port: Any = options.setting("proxy_port")
    try:
        found = AuthorityFolder(names, folder).trust
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    return replace(found, proxy=f"http://127.0.0.1:{port}") if port else found
