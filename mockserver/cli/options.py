"""The options of ``serve``: flags beat the environment, that the file, that the defaults.

A value is checked alike wherever it stands, and a mistake names the place.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from mockserver.cli import config
from mockserver.errors import FileError

PREFIX = "MOCKSERVER_"
BESIDE = ("MOCKSERVER_ADMIN_TOKEN", "MOCKSERVER_URL")  # variables that are no option's
NEAR = 0.8  # how alike a misspelt variable and a real one are, at least
KUBERNETES = re.compile(r".*_SERVICE_(HOST|PORT(_.*)?)|.*_PORT_[0-9]+_(TCP|UDP|SCTP)(_.*)?")
SERVICE_LINK = re.compile(r"(tcp|udp|sctp)://")


class Options(dict[str, Any]):
    """Options by name, and where each was given."""

    def __init__(self, values: Mapping[str, Any], places: Mapping[str, str]) -> None:
        super().__init__(values)
        self.places = places

    @contextmanager
    def at(self, name: str) -> Iterator[None]:
        """Names the place of an option in errors inside the block, unless it is a flag."""
        with _at(self.places.get(name, "")):
            yield


@contextmanager
def _at(place: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise click.UsageError(f"{place}: {error}" if place else str(error)) from None


def merged(context: click.Context, flags: Mapping[str, Any]) -> Options:
    """Merges flags, environment, file and defaults; raises UsageError."""
    file = from_file(context.command)
    options, places = dict(flags), {}
    for name in options:
        places[name] = variable_of(context, name) or ""
    for name, value in file.items():
        flag = _flag(name)
        if flag in options and context.get_parameter_source(flag) is ParameterSource.DEFAULT:
            options[flag], places[flag] = value, f"{config.NAME}: {name}"
    quirks = dict(
        _pair("quirk", text, "NAME.KEY=VALUE", "cpg.replay=off") for text in flags["quirk"]
    )
    options["quirks"] = file.get("quirks", {}) | quirks
    form, example = "NAME.LIMIT=N/DURATION", "cpg.key=5/60s"
    single = dict(_pair("limit", text, form, example) for text in flags["limit"])
    with _at(places["limits"]):
        options["limits"] = _limits(options["limits"], single)
    return Options(options, places)


def _pair(flag: str, text: str, form: str, example: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f"--{flag} {text}: write {form}, as in {example}")
    return name, value


def _limits(given: Any, single: Mapping[str, str]) -> Any:
    """Returns limits with single ones on top; raises ValueError for a wrong word."""
    from mockserver.engine.settings import Settings, changed
    from mockserver.providers import discover

    providers = discover()
    if isinstance(given, str):
        off = changed(Settings(), providers, limits=given).limits_off
        if not single:
            return given
        every = [f"{p.name}.{limit.name}" for p in providers.values() for limit in p.limits]
        given = dict.fromkeys(every, "off") if off else {}
    return given | single


def check(options: Options) -> None:
    """Checks what a value must be beyond its type; raises UsageError with its place."""
    from mockserver.files import scenarios, worlds
    from mockserver.http.exchange import check_public_url

    with options.at("public_url"):
        check_public_url(options["public_url"])
    with options.at("world"):
        worlds.find(options["world"])
    with options.at("scenario"):
        if options["scenario"] is not None:
            scenarios.find(options["scenario"])


def from_file(command: click.Command) -> dict[str, Any]:
    """Returns the options in ``mockserver.toml``, checked as flags are; raises UsageError."""
    try:
        found = config.read(Path(config.NAME))
    except FileError as error:
        raise click.UsageError(str(error)) from None
    parameters = {parameter.name: parameter for parameter in command.params}
    for name, value in found.items():
        if name in config.TABLES and isinstance(value, dict):
            _check_table(name, value)
            continue
        try:
            found[name] = parameters[_flag(name)].type.convert(value, None, None)
        except click.BadParameter as error:
            raise click.UsageError(f"{config.NAME}: {name}: {error.message}") from None
    return found


def gateway_port(command: click.Command) -> int:
    """Returns the port of a gateway that was started from here with no flags."""
    text = os.environ.get("MOCKSERVER_PORT")
    if not text:
        return int(from_file(command).get("port", 8490))
    kind = next(p.type for p in command.params if p.name == "port")
    try:
        return int(kind.convert(text, None, None))
    except click.BadParameter as error:
        message = wrong_variable("MOCKSERVER_PORT", error.message)
        raise click.UsageError(message) from None


def _check_table(name: str, table: Mapping[str, Any]) -> None:
    from mockserver.engine.settings import Settings, changed
    from mockserver.providers import discover

    with _at(config.NAME):
        changed(Settings(), discover(), **{name: table})


def _flag(name: str) -> str:
    """Returns the parameter of an option that the file names."""
    return "as_json" if name == "json" else name


def variable_of(context: click.Context, name: str) -> str | None:
    """Returns the variable that gave a parameter its value, if one did."""
    if context.get_parameter_source(name) is not ParameterSource.ENVIRONMENT:
        return None
    found = next((p.envvar for p in context.command.params if p.name == name), None)
    return found if isinstance(found, str) else None


def wrong_variable(variable: str, message: str) -> str:
    """Words a mistake in a variable; Kubernetes sets some after a service named mockserver."""
    if SERVICE_LINK.match(os.environ.get(variable, "")):
        message = (
            f"{os.environ[variable]!r} comes from Kubernetes, for a service named mockserver:"
            " set enableServiceLinks: false, or name the service otherwise"
        )
    return f"{variable}: {message}"


def check_variables(group: click.Group, environ: Iterable[str]) -> None:
    """Raises UsageError for a variable that is nearly the name of a real one."""
    known = {*BESIDE}
    for command in group.commands.values():
        known |= {p.envvar for p in command.params if isinstance(p.envvar, str)}
    for name in environ:
        if not name.startswith(PREFIX) or name in known or KUBERNETES.fullmatch(name):
            continue
        from difflib import get_close_matches

        wanted = {real.removeprefix(PREFIX): real for real in known}
        near = get_close_matches(name.removeprefix(PREFIX), wanted, 1, NEAR)
        if near:
            raise click.UsageError(f"no variable {name}: did you mean {wanted[near[0]]}?")
