"""The options that commands share, and how ``serve`` finds a value for each of its own.

Flags come before environment variables, those before ``mockserver.toml``, that before the
defaults. A value is checked the same way in all of them, and an error names the place.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from mockserver.cli import completion, config, variables
from mockserver.errors import FileError
from mockserver.faults.tls import TLS_FAULTS

DEFAULT_PORT = 8490
LIMIT_FORM = ("NAME.LIMIT=N/DURATION", "cpg.key=5/60s")
QUIRK_FORM = ("NAME.KEY=VALUE", "cpg.replay=off")


class NameChoice(click.Choice[str]):
    """One of some names; an error has the nearest one."""

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        """Returns the value; raises BadParameter."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            from mockserver.model.suggestions import did_you_mean

            nearest = did_you_mean(str(value), self.choices)
            self.fail(error.message.removesuffix(".") + nearest, param, ctx)


def _option(name: str, variable: bool = True, **settings: Any) -> click.Option:
    """Returns an option; with ``variable`` it also has ``MOCKSERVER_`` and its name."""
    envvar = variables.PREFIX + name.removeprefix("--").upper().replace("-", "_")
    names = [name, "as_json"] if name == "--json" else [name]
    return click.Option(
        names,
        envvar=envvar if variable else None,
        show_envvar=True,
        show_default=variable,
        **settings,
    )


def _flag(name: str, about: str) -> click.Option:
    return _option(name, variable=False, is_flag=True, help=about)


def _assignments(
    name: str, form: tuple[str, str], about: str, complete: completion.Complete
) -> click.Option:
    """Returns an option that may be given several times, with a form and an example."""
    pattern, example = form
    about = f"{about}, e.g. {example}. May be given several times."
    return _option(
        name,
        variable=False,
        multiple=True,
        metavar=pattern,
        help=about,
        shell_complete=complete,
    )


JSON = _flag("--json", "Print JSON.")
WORLD = _option(
    "--world",
    default="default",
    help="World (seed data): a shipped name or a file.",
    shell_complete=completion.WORLDS,
)
# A new option also goes into config.OPTIONS (mockserver.toml) and serve._application.
SERVE = [
    _option("--host", default="127.0.0.1", help="Address; others than loopback need a token."),
    _option(
        "--port",
        default=DEFAULT_PORT,
        type=click.IntRange(0, 65_000),
        help="The gateway's port, followed by the providers'; 0: any free ports.",
    ),
    WORLD,
    _option(
        "--scenario",
        help="Scenario to start with: a shipped name or a file.",
        shell_complete=completion.SCENARIOS,
    ),
    _flag("--watch", "Reload the world when its file changes."),
    _option("--seed", default=490, type=int, help="Seed of generated ids and random decisions."),
    _assignments("--quirk", QUIRK_FORM, "Quirk of a provider", completion.QUIRKS),
    _option("--limits", default="default", help="All rate limits: default, or off for none."),
    _assignments("--limit", LIMIT_FORM, "A single rate limit", completion.LIMITS),
    _option("--public-url", help="Base of the URLs in responses and in the output of serve."),
    _option(
        "--processes",
        default=1,
        type=click.IntRange(1, 64),
        help="Processes behind an installed HAProxy, which share the sandboxes.",
    ),
    _option("--advertise", help="Own URL, past a balancer: direct_url in responses."),
    _option("--trusted-proxy", help="Networks whose X-Forwarded-For counts, e.g. 10.0.0.0/8."),
    _option(
        "--memory-budget",
        default="256MiB",
        help="Memory for the journals and cached responses of all sandboxes.",
    ),
    _option("--max-sandboxes", default=2_000, type=click.IntRange(1), help="Sandboxes at most."),
    _flag("--explain-header", "Explain each refusal in a response header."),
    _option("--head-timeout", default=60.0, type=float, help="Seconds for a request's head."),
    _option("--body-timeout", default=60.0, type=float, help="Seconds for a request's body."),
    _option(
        "--max-connections",
        type=int,
        help="Open connections at most. Default: what the file descriptors allow.",
    ),
    _option("--grace", default=1.0, type=float, help="Seconds for open requests at a stop."),
    _option("--tls", is_flag=True, help="Serve HTTPS too, by a private authority."),
    _option(
        "--tls-port",
        type=click.IntRange(0, 65_535),
        help="The HTTPS port; 0: any free one. Default: the gateway's plus 9.",
    ),
    _option(
        "--tls-fault",
        type=click.Choice(TLS_FAULTS),
        help="A fault of every TLS handshake.",
    ),
    _option("--ca-dir", help="Folder that keeps the authority. Default: a new one each time."),
    _option(
        "--proxy-port",
        type=click.IntRange(0, 65_535),
        help="Port of a proxy that leads the providers' real hosts here; 0: any free one.",
    ),
    _option("--unix-socket", help="A socket file to serve at too."),
    _flag("--fault-headers", "Let X-Mockserver-Reject and X-Mockserver-Deliver force a fate."),
    _flag("--cors", "Let web pages of any origin call every provider."),
    _flag("--gzip", "Let every provider answer in gzip where the request accepts that."),
    _flag("--json", "Print one line of JSON when ready."),
    _option(
        "--log-level",
        type=NameChoice(["quiet", "refused", "all"]),
        help="Requests to log: all is the default on a terminal, refused elsewhere.",
    ),
    _option(
        "--log-format",
        default="text",
        type=NameChoice(["text", "json"]),
        help="Format of the log lines on stderr.",
    ),
]

TRUST = [
    click.Option(["--url"], help="The gateway of a running server. Default: on this machine."),
    _option("--ca-dir", help="The folder of the authority, as for serve."),
    click.Option(["--proxy"], help="URL of the proxy. Default: the server's, if it has one."),
    click.Option(["--out"], metavar="FILE", help="Write the certificate here, and name this file."),
    _flag("--env", "Print NAME=VALUE, e.g. for $GITHUB_ENV."),
    JSON,
]


class Options(dict[str, Any]):
    """The values of ``serve``'s options by name, and the place that each came from."""

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
    """Turns a ValueError inside the block into a UsageError that names a place."""
    try:
        yield
    except ValueError as error:
        raise click.UsageError(f"{place}: {error}" if place else str(error)) from None


def merged(context: click.Context, flags: Mapping[str, Any]) -> Options:
    """Merges flags, environment, file and defaults; raises UsageError."""
    file = from_file()
    options = dict(flags)
    places = {name: variables.source_of(context, name) or "" for name in options}
    for key, value in file.items():
        name = _parameter(key)
        if name in options and context.get_parameter_source(name) is ParameterSource.DEFAULT:
            options[name], places[name] = value, f"{config.NAME}: {key}"
    quirks = dict(_pair("quirk", text, QUIRK_FORM) for text in flags["quirk"])
    options["quirks"] = file.get("quirks", {}) | quirks
    single = dict(_pair("limit", text, LIMIT_FORM) for text in flags["limit"])
    with _at(places["limits"]):
        options["limits"] = _limits(options["limits"], single)
    return Options(options, places)


def _pair(flag: str, text: str, form: tuple[str, str]) -> tuple[str, str]:
    """Splits ``NAME=VALUE``; raises UsageError with the form and an example."""
    name, equals, value = text.partition("=")
    if not equals:
        pattern, example = form
        raise click.UsageError(f"--{flag} {text}: write {pattern}, as in {example}")
    return name, value


def _limits(limits: Any, single: Mapping[str, str]) -> Any:
    """Returns limits with single ones on top; raises ValueError for a wrong word."""
    from mockserver.engine.settings import Settings, changed
    from mockserver.providers import discover

    providers = discover()
    if isinstance(limits, str):
        off = changed(Settings(), providers, limits=limits).limits_off
        if not single:
            return limits
        names = [f"{p.name}.{limit.name}" for p in providers.values() for limit in p.limits]
        limits = dict.fromkeys(names, "off") if off else {}
    return limits | single


def networks(options: Options) -> list[str]:
    """Returns the trusted proxies, separated by commas in the option."""
    text: str | None = options["trusted_proxy"]
    return text.split(",") if text else []


def check(options: Options) -> None:
    """Checks values beyond their types; raises UsageError with the place."""
    from mockserver.files import scenarios, worlds
    from mockserver.http.exchange import check_public_url
    from mockserver.http.proxied import parse_networks

    with options.at("public_url"):
        check_public_url(options["public_url"])
    with options.at("advertise"):
        check_public_url(options["advertise"], "an advertised URL")
    with options.at("trusted_proxy"):
        parse_networks(networks(options))
    with options.at("world"):
        worlds.find(options["world"])
    with options.at("scenario"):
        if options["scenario"] is not None:
            scenarios.find(options["scenario"])


def from_file() -> dict[str, Any]:
    """Returns the options in ``mockserver.toml``, checked as flags are; raises UsageError."""
    try:
        values = config.read(Path(config.NAME))
    except FileError as error:
        raise click.UsageError(str(error)) from None
    for key, value in values.items():
        if key in config.TABLES and isinstance(value, dict):
            _check_table(key, value)
            continue
        try:
            values[key] = _convert(_parameter(key), value)
        except click.BadParameter as error:
            raise click.UsageError(f"{config.NAME}: {key}: {error.message}") from None
    return values


def setting(name: str, default: Any = None) -> Any:
    """Returns an option of ``serve`` from the environment or the file; raises UsageError."""
    option = next(option for option in SERVE if option.name == name)
    variable = str(option.envvar)
    text = os.environ.get(variable)
    if not text:
        return from_file().get(name, default)
    try:
        return _convert(name, text)
    except click.BadParameter as error:
        raise click.UsageError(variables.wrong_value(variable, error.message)) from None


def gateway_port() -> int:
    """Returns the port of a gateway that was started in this directory without flags."""
    return int(setting("port", DEFAULT_PORT))


def _convert(name: str, value: Any) -> Any:
    """Converts a value as the option does; raises BadParameter."""
    return next(option.type for option in SERVE if option.name == name).convert(value, None, None)


def _check_table(name: str, table: Mapping[str, Any]) -> None:
    """Checks a table of quirks or limits; raises UsageError."""
    from mockserver.engine.settings import Settings, changed
    from mockserver.providers import discover

    with _at(config.NAME):
        changed(Settings(), discover(), **{name: table})


def _parameter(key: str) -> str:
    """Returns the name of the parameter that a key of the file sets."""
    return "as_json" if key == "json" else key
