"""``mockserver fail``."""

import json
from collections.abc import Mapping
from typing import Any

import click

from mockserver.cli import completion, options
from mockserver.cli.running import RunningServer, print_json, running_command
from mockserver.errors import SettingError

KINDS = ("mutate", "deliver")


def _rule_option(name: str, about: str, **settings: Any) -> click.Option:
    return click.Option([f"--{name}"], help=about, **settings)


def _pairs_option(name: str, form: str, about: str) -> click.Option:
    about = f"{about} May be given several times."
    return _rule_option(name, about, multiple=True, metavar=form)


MATCH = [
    _rule_option(
        "operation",
        "Only this operation; balances is the main read.",
        shell_complete=completion.OPERATIONS,
    ),
    _rule_option("method", "Only this method."),
    _rule_option("path", "Only this path."),
    _rule_option("credential", "Only the key with this label.", shell_complete=completion.LABELS),
    _pairs_option("header", "NAME=VALUE", "Only requests with this header."),
    _pairs_option("query", "NAME=VALUE", "Only requests with this parameter."),
]
WHEN = [
    _rule_option("requests", "Which of the matching requests: 2, 1-3 or 5-."),
    _rule_option("probability", "Which share of them, from 0 to 1.", type=float),
    _rule_option("every", "Each N-th of them.", type=int),
    _rule_option("times", "At most so many.", type=int),
    _rule_option("from", "From this time on, such as 10s."),
    _rule_option("until", "Until this time."),
    _rule_option("for", "For this long."),
    _rule_option("period", "Start the times anew after this long."),
]
EFFECT = [
    _rule_option("reject", "Refuse in the provider's words.", shell_complete=completion.REASONS),
    _rule_option("page", "Answer by a ready page, such as nginx-502."),
    _rule_option("status", "Answer with this HTTP status.", type=int),
    _rule_option("body", "The body that goes with --status."),
    _pairs_option("mutate", "KIND[=VALUE]", "Change the response, such as drop=$.balances."),
    _pairs_option("deliver", "KIND[=VALUE]", "Deliver it badly, such as reset=before or cut=0.5."),
]


@running_command(
    "fail",
    click.Argument(["provider"], required=False, shell_complete=completion.PROVIDERS),
    *MATCH,
    *WHEN,
    *EFFECT,
    _rule_option("name", "The rule's name; it replaces a rule of that name."),
    _rule_option("list", "List the rules, with how often each has fired.", is_flag=True),
    _rule_option("delete", "Delete the rule of this name."),
    _rule_option("clear", "Delete all rules, and stop the scenario.", is_flag=True),
    options.JSON,
    epilog="""\b
Examples:
  mockserver fail cpg --reject rate_limited --requests 1-3
  mockserver fail --deliver reset=before --probability 0.1
  mockserver fail --list""",
)
def fail(
    provider: str | None,
    *,
    list: bool,
    delete: str | None,
    clear: bool,
    as_json: bool,
    url: str | None,
    sandbox: str,
    **rule: Any,
) -> None:
    """Set a fault rule on a running server, for PROVIDER or for all of them.

    What matches fails in the way that --reject, --page, --status, --mutate or --deliver names.
    """
    server = RunningServer(url, sandbox)
    if clear:
        server.call("DELETE", "/faults")
    elif delete is not None:
        from mockserver.client.provider import quoted

        server.call("DELETE", f"/faults/{quoted(delete)}")
    elif not list:
        print_rules({"rules": [server.call("POST", "/faults", _body(provider, rule))]}, as_json)
        return
    print_rules(server.call("GET", "/faults"), as_json)


def _body(provider: str | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the rule as the control API takes it; raises UsageError."""
    from mockserver.client.fault_keywords import rule_body

    keywords = {name: value for name, value in given.items() if value not in (None, ())}
    name = keywords.pop("name", None)
    for member in ("header", "query"):
        if member in keywords:
            keywords[member] = dict(_split(f"--{member}", text) for text in keywords[member])
    for member in KINDS:
        if member in keywords:
            keywords[member] = dict(_fault(text) for text in keywords[member])
    try:
        rule = rule_body({"provider": provider} if provider else {}, keywords)
    except SettingError as error:
        raise click.UsageError(str(error)) from None
    return rule if name is None else {"name": name, **rule}


def _split(flag: str, text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f"{flag} {text}: write NAME=VALUE")
    return name, value


def _fault(text: str) -> tuple[str, Any]:
    """Returns a fault and its parameter: JSON or text, True where there is none."""
    name, equals, value = text.partition("=")
    if not equals:
        return name, True
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def print_rules(rules: Mapping[str, Any], as_json: bool) -> None:
    """Prints rules, each with how often it has matched and fired."""
    if as_json:
        print_json(rules)
        return
    for active in rules["rules"]:
        rule = active["rule"]
        effect = {k: v for k, v in rule.items() if k != "name"}
        counts = f"{active['state']}, matched {active['matched']}, fired {active['fired']}"
        print(f"{rule['name']}  [{counts}]  {json.dumps(effect, ensure_ascii=False)}")
    if not rules["rules"]:
        print("no rules")
