"""The command ``mockserver``. Every mistake is one line and exit status 2."""

import gc
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NoReturn

import click

ROWS_MAX = 100_000  # rows that are made up at once, for each provider


PORT = click.IntRange(0, 65000)


def main(args: Sequence[str] | None = None, prog_name: str | None = None) -> NoReturn:
    """Runs the command line."""
    _open_closed_streams()
    try:
        status = cli.main(args, prog_name=prog_name, standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(2)
    except click.ClickException as error:
        _fail(_message(error))
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        _discard(sys.stdout)
        sys.exit(0)
    except OSError as error:
        _discard(sys.stdout)
        _fail(str(error) if error.filename else f"cannot write to stdout: {error.strerror}")
    sys.exit(status if isinstance(status, int) else 0)


def _open_closed_streams() -> None:
    """Opens the standard descriptors that the caller closed: no socket may take their place."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _fail(message: str) -> NoReturn:
    """Ends with exit status 2 and one line, where stderr takes one."""
    try:
        click.echo(f"mockserver: {message}", err=True)
    except OSError:
        _discard(sys.stderr)
    sys.exit(2)


def _discard(stream: Any) -> None:
    """Leads what is left in a stream's buffer nowhere, so that the end has no error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _message(error: click.ClickException) -> str:
    """Returns an error in one line; a wrong value from the environment names its variable."""
    from mockserver.cli import options

    if isinstance(error, click.BadParameter) and error.ctx and error.param:
        variable = options.variable_of(error.ctx, error.param.name or "")
        if variable:
            return options.wrong_variable(variable, error.message)
    return error.format_message()


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="exchange-mockserver")
def cli() -> None:
    """Serve a fake exchange: balance APIs with their real authentication and rejects."""
    if any(name.startswith("MOCKSERVER_") for name in os.environ):
        from mockserver.cli import options

        options.check_variables(cli, os.environ)


def _option(name: str, **settings: Any) -> Callable[[Any], Any]:
    """Declares an option that its environment variable sets too."""
    variable = name.strip("-").upper().replace("-", "_")
    return click.option(name, envvar=f"MOCKSERVER_{variable}", show_default=True, **settings)


WORLD = _option("--world", default="default", help="A shipped world's name, or a file.")


@cli.command()
@_option("--host", default="127.0.0.1", help="Address; one that is not loopback needs a token.")
@_option("--port", default=8490, type=PORT, help="The gateway's; 0: any free.")
@WORLD
@_option("--scenario", default=None, help="A shipped scenario's name, or a file.")
@click.option("--watch", is_flag=True, help="Load the world again when its file changes.")
@_option("--seed", default=490, type=int, help="What ids and random decisions depend on.")
@click.option("--quirk", multiple=True, metavar="NAME.KEY=VALUE", help="Repeatable.")
@_option("--limits", default="default", help="default, or off: no rate limit at all.")
@click.option("--limit", multiple=True, metavar="NAME.LIMIT=N/DURATION", help="Repeatable.")
@_option("--public-url", default=None, help="What handed-out URLs start with.")
@_option("--memory-budget", default="256MiB", help="Journals and kept answers of all sandboxes.")
@_option("--max-sandboxes", default=2_000, type=click.IntRange(1), help="How many there may be.")
@click.option("--explain-header", is_flag=True, help="Tell in a header why a call was refused.")
@_option("--head-timeout", default=60.0, type=float, help="Seconds for a request's head.")
@_option("--body-timeout", default=60.0, type=float, help="Seconds for a request's body.")
@_option("--max-connections", type=int, help="Default: what the file descriptors allow.")
@click.option("--cors", is_flag=True, help="Let web pages of any origin call every provider.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON when ready.")
@_option("--log-format", default="text", type=click.Choice(["text", "json"]))
@click.pass_context
def serve(context: click.Context, /, **flags: Any) -> None:
    """Serve every provider until stopped."""
    import json

    from mockserver.cli import banner as announce
    from mockserver.cli import options
    from mockserver.errors import PortInUse
    from mockserver.http import bounds, log, server

    merged = options.merged(context, flags)
    token = os.environ.get("MOCKSERVER_ADMIN_TOKEN") or None
    with merged.at("host"):
        server.check_host(merged["host"], token)
    options.check(merged)
    with merged.at(""):  # the message names the option
        allowed = bounds.bounds_for(**{name: merged[name] for name in bounds.OPTIONS})
    log.set_up(merged["log_format"])
    app = _app(merged, token)
    try:
        sockets = server.bind(merged["host"], merged["port"], app.providers)
    except PortInUse as error:
        raise click.ClickException(str(error)) from None
    facts = announce.ready(app, server.address(app, sockets), merged["world"])
    text = json.dumps(facts) if merged["as_json"] else announce.table(facts)
    gc.freeze()  # what is there by now stays, and is not to be searched for garbage again
    failures: list[OSError] = []

    def fail(error: OSError) -> None:
        failures.append(error)
        running.should_exit = True

    ready = partial(announce.write, text, fail)
    running = server.Server(app, sockets, ready, bounds=allowed, warm=True)
    running.serve_forever()
    if failures:
        raise failures[0]


def _port() -> int:
    """Returns the port of a gateway that was started from here with no flags."""
    from mockserver.cli import options

    return options.gateway_port(serve)


def _app(options: Any, token: str | None) -> Any:
    from mockserver.http.exchange import create_exchange

    try:
        return create_exchange(
            options["world"],
            seed=options["seed"],
            quirks=options["quirks"],
            limits=options["limits"],
            watch=options["watch"],
            scenario=options["scenario"],
            explain_header=options["explain_header"],
            admin_token=token,
            public_url=options["public_url"],
            cors=options["cors"],
            memory_budget=options["memory_budget"],
            max_sandboxes=options["max_sandboxes"],
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None


@cli.command()
@click.argument("provider")
@click.option("--credential", default="main", show_default=True, help="The label of one.")
@click.option("--query", default="", help="The query, percent-encoded.")
@click.option("--url", default=None, help="The provider's base URL.")
@WORLD
@click.pass_context
def curl(
    context: click.Context, provider: str, credential: str, query: str, url: str | None, world: str
) -> None:
    """Print a signed curl line for PROVIDER's main read."""
    import time

    from mockserver.cli import banner as announce
    from mockserver.cli import options
    from mockserver.cli.signed_curl import curl_line
    from mockserver.errors import FileError
    from mockserver.files import worlds
    from mockserver.model import suggestions
    from mockserver.providers import discover

    providers = discover()
    if provider not in providers:
        raise click.UsageError(suggestions.unknown("provider", provider, providers))
    described = providers[provider]
    if context.get_parameter_source("world") is click.core.ParameterSource.DEFAULT:
        world = options.from_file(serve).get("world", world)
    try:
        keys = worlds.load(world).parts[provider].credentials.values()
    except FileError as error:
        raise click.UsageError(str(error)) from None
    labels = {key.label: key for key in keys}
    if credential not in labels:
        there = suggestions.choices(credential, labels)
        raise click.UsageError(f"no credential {credential} for {provider}: {there}")
    base = (url or announce.base_url(described, _port())).rstrip("/")
    if not (query.isascii() and query.isprintable() and " " not in query):
        raise click.UsageError(f"--query {query!r} cannot be sent as it is: percent-encode it")
    print(curl_line(described, labels[credential], base, query.lstrip("?"), time.time_ns()))


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def providers(as_json: bool) -> None:
    """List the providers: operations, reasons, limits, quirks."""
    import json

    from mockserver.control.sandboxes import describe
    from mockserver.providers import discover

    found = {name: describe(provider) for name, provider in discover().items()}
    if as_json:
        print(json.dumps(found))
        return
    for name, provider in found.items():
        print(f"{name}: {provider['title']}")
        for operation in provider["operations"]:
            print(f"  {operation['method']:6} {operation['path']}  ({operation['id']})")
        print("  limits: " + ", ".join(f"{name}.{k} {v}" for k, v in provider["limits"].items()))
        for quirk, told in provider["quirks"].items():
            choices = f" ({' | '.join(told['choices'])})" if told["choices"] else ""
            print(f"  quirk {name}.{quirk}={told['default']}{choices}: {told['about']}")
        print("  reasons: " + ", ".join(provider["reasons"]))


@cli.command()
def worlds() -> None:
    """List the shipped worlds."""
    from mockserver.files import worlds as files

    for name in files.shipped():
        first = files.find(name).read_text(encoding="utf-8").partition("\n")[0]
        print(f"{name:8}  {first.lstrip('# ')}")


@cli.command()
def scenarios() -> None:
    """List the shipped scenarios: what happens, and what a good client does."""
    from mockserver.files import scenarios as files

    for name in files.shipped():
        found = files.load(name)
        print(f"{name}\n    {found.about}\n    A good client: {found.client}")


@cli.command()
@click.argument("provider", required=False)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def facts(provider: str | None, as_json: bool) -> None:
    """List what is known of the providers, each with source and status."""
    import msgspec

    from mockserver.files import documents
    from mockserver.model import suggestions
    from mockserver.providers import discover

    known = list(discover())
    if provider is not None and provider not in known:
        raise click.UsageError(suggestions.unknown("provider", provider, known))
    found = [f for name in known if provider in (None, name) for f in documents.facts(name)]
    if as_json:
        print(msgspec.json.encode(found).decode())
        return
    for fact in found:
        proof = f"\n    {fact.proof}" if fact.proof else ""
        print(f"{fact.id}  [{fact.status}, {fact.source}]\n    {fact.fact}{proof}")


@cli.command()
@click.option("--accounts", default=3, show_default=True, type=click.IntRange(1, 1000))
@click.option("--assets", default=5, show_default=True, type=click.IntRange(0, 10_000))
@click.option("--seed", default=490, show_default=True, type=int)
def generate(accounts: int, assets: int, seed: int) -> None:
    """Print a made-up world, the same for the same seed."""
    try:
        from mockserver.tools import generate as made
    except ModuleNotFoundError:
        raise click.ClickException("generate needs Faker: python -m pip install faker") from None
    if accounts * assets > ROWS_MAX:
        raise click.UsageError(f"{accounts} x {assets} rows are more than {ROWS_MAX}: ask for less")
    print(made.generate(accounts, assets, seed), end="")


@cli.command()
@click.argument("file")
def check(file: str) -> None:
    """Check a world or a scenario FILE without serving it."""
    from mockserver.errors import FileError
    from mockserver.files import lookup as files
    from mockserver.files import scenarios, strict_yaml, worlds

    try:
        shipped = file in scenarios.shipped()
        data = {} if shipped else files.read_file(worlds.find(file), strict_yaml.load)
        if shipped or (isinstance(data, dict) and data.keys() & scenarios.MEMBERS):
            scenario = scenarios.load(file)
            print(f"{file}: scenario {scenario.name} is good, {len(scenario.rules)} rules")
            return
        world = worlds.load(file)
    except FileError as error:
        raise click.ClickException(str(error)) from None
    rows = sum(len(h.rows) for part in world.parts.values() for h in part.accounts.values())
    print(f"{file}: world {world.name} is good, {rows} rows")


@cli.command()
@click.option("--provider", default=None, help="Whose request it is, where its URL does not tell.")
@click.option("--at", default=None, metavar="TIME", help="When it came: 2026-01-01T00:00:00Z.")
@WORLD
def explain(provider: str | None, at: str | None, world: str) -> int:
    """Tell why a request would be refused: a curl line, a HAR entry or a raw request on stdin."""
    import time

    from mockserver.http.routing import Routing
    from mockserver.model import suggestions, times
    from mockserver.providers import discover
    from mockserver.tools import pasted_request as told
    from mockserver.tools.offline_check import check_offline, verdict

    if provider is not None and provider not in discover():
        raise click.UsageError(suggestions.unknown("provider", provider, discover()))
    try:
        now = time.time_ns() if at is None else times.parse_instant(at)
        request = told.read(sys.stdin.buffer.read(told.SIZE_MAX + 1))
        routing, port = Routing(discover()), _port()
        routing.ports = {port + p.port: name for name, p in discover().items()}
        entry = check_offline(request, world, provider, routing.find, lambda: now)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    print(verdict(entry))
    return 1 if entry.reason else 0


@cli.command()
@click.argument("url", required=False)
def healthcheck(url: str | None) -> int:
    """Exit with 0 when a server is well, with 1 when not."""
    import urllib.request

    url = (url or f"http://127.0.0.1:{_port()}").rstrip("/") + "/healthz"
    try:
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(url, timeout=2) as answer:
            print(answer.read().decode().strip())
    except (OSError, ValueError) as error:
        click.echo(f"mockserver: {url}: {error}", err=True)
        return 1
    return 0
