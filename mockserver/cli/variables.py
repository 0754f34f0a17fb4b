"""The environment variables ``MOCKSERVER_*``: misspelt names, and mistakes in values."""

import os
import re
from collections.abc import Iterable

import click
from click.core import ParameterSource

PREFIX = "MOCKSERVER_"
NOT_OPTIONS = ("MOCKSERVER_ADMIN_TOKEN", "MOCKSERVER_ADMIN_TOKEN_FILE", "MOCKSERVER_URL")
SIMILARITY_MIN = 0.8  # of a misspelt name and the real one, 1 is equal
# What Kubernetes sets in every container beside a service named mockserver.
KUBERNETES_NAME = re.compile(r".*_SERVICE_(HOST|PORT(_.*)?)|.*_PORT_[0-9]+_(TCP|UDP|SCTP)(_.*)?")
KUBERNETES_VALUE = re.compile(r"(tcp|udp|sctp)://")


def source_of(context: click.Context, name: str) -> str | None:
    """Returns the variable that a parameter got its value from, None for any other source."""
    if context.get_parameter_source(name) is not ParameterSource.ENVIRONMENT:
        return None
    variable = next((p.envvar for p in context.command.params if p.name == name), None)
    return variable if isinstance(variable, str) else None


def wrong_value(variable: str, message: str) -> str:
    """Returns the line for a wrong value; one that Kubernetes set is explained."""
    if KUBERNETES_VALUE.match(os.environ.get(variable, "")):
        message = (
            f"{os.environ[variable]!r} comes from Kubernetes, for a service named mockserver:"
            " set enableServiceLinks: false, or name the service otherwise"
        )
    return f"{variable}: {message}"


def check_names(environ: Iterable[str]) -> None:
    """Raises UsageError for a variable that is nearly the name of a real one."""
    from mockserver.cli.options import SERVE

    known = {*NOT_OPTIONS, *(option.envvar for option in SERVE if isinstance(option.envvar, str))}
    for name in environ:
        if not name.startswith(PREFIX) or name in known or KUBERNETES_NAME.fullmatch(name):
            continue
        from difflib import get_close_matches

        real_names = {real.removeprefix(PREFIX): real for real in known}
        nearest = get_close_matches(name.removeprefix(PREFIX), real_names, 1, SIMILARITY_MIN)
        if nearest:
            raise click.UsageError(f"no variable {name}: did you mean {real_names[nearest[0]]}?")
