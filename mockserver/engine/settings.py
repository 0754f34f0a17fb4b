"""The settings of a sandbox: quirks, limits, a seed; and their changes."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mockserver.errors import SettingError
from mockserver.faults.scenario import Scenario
from mockserver.model.provider import Limit, Provider, Quirk
from mockserver.model.suggestions import unknown

Value = str | int | float | bool | timedelta  # of a quirk, before it is text


class Settings(Struct, frozen=True):
    """The settings of a sandbox; quirks and limits are named ``provider.name``.

    A limit is ``N/DURATION`` or ``off``; ``limits_off`` switches every limit off.
    ``explain_header`` adds the explanation of a reject to its response, as a header;
    ``fault_headers`` lets a request force its fate by its headers.
    """

    seed: int = 490
    quirks: Mapping[str, str] = {}
    limits: Mapping[str, str] = {}
    limits_off: bool = False
    explain_header: bool = False
    fault_headers: bool = False


def changed(
    settings: Settings,
    providers: Mapping[str, Provider],
    quirks: Mapping[str, Value | None] | None = None,
    limits: Mapping[str, str | None] | str | None = None,
) -> Settings:
    """Returns settings with changed quirks and limits, by name; None is the default.

    The value of a quirk is text, or a number, a timedelta or a boolean that becomes text.
    ``limits`` may also be ``default`` or ``off``. Raises SettingError for an unknown quirk or
    limit, or a wrong value.
    """
    if quirks:
        settings = replace(settings, quirks=_merged(settings.quirks, _texts(providers, quirks)))
    if isinstance(limits, Mapping):
        if settings.limits_off:
            limits = _with_defaults(limits, providers)
        settings = replace(settings, limits=_merged(settings.limits, limits))
    elif limits is not None:
        settings = replace(settings, limits={}, limits_off=_off(limits))
    _check(providers, settings)
    return settings


def _merged(known: Mapping[str, str], changed: Mapping[str, str | None]) -> dict[str, str]:
    merged = known | dict(changed)  # type: ignore[operator]
    return {name: text for name, text in merged.items() if text is not None}


def _texts(
    providers: Mapping[str, Provider], quirks: Mapping[str, Value | None]
) -> dict[str, str | None]:
    names = {f"{p.name}.{q.name}": q for p in providers.values() for q in p.quirks}
    texts: dict[str, str | None] = {}
    for name, value in quirks.items():
        quirk: Quirk = _known(names, name, "quirk")
        try:
            texts[name] = None if value is None else quirk.spell(value)
        except ValueError as error:
            raise SettingError(f"quirk {name}: {error}", ("quirks", name)) from None
    return texts


def _with_defaults(
    limits: Mapping[str, str | None], providers: Mapping[str, Provider]
) -> dict[str, str | None]:
    """Replaces None by the default limit: with ``limits_off``, no entry means off."""
    defaults = {f"{p.name}.{li.name}": li.text for p in providers.values() for li in p.limits}
    return {name: text or defaults.get(name) for name, text in limits.items()}


def _off(word: str) -> bool:
    if word not in ("default", "off"):
        message = f"limits is default, off, or single limits by name; not {word!r}"
        raise SettingError(message, ("limits",))
    return word == "off"


def _check(providers: Mapping[str, Provider], settings: Settings) -> None:
    names = {f"{p.name}.{q.name}": q for p in providers.values() for q in p.quirks}
    for name, text in settings.quirks.items():
        quirk: Quirk = _known(names, name, "quirk")
        try:
            quirk.read(text)
        except ValueError as error:
            raise SettingError(f"quirk {name}: {error}", ("quirks", name)) from None
    limits = {f"{p.name}.{li.name}": li for p in providers.values() for li in p.limits}
    for name, text in settings.limits.items():
        limit: Limit = _known(limits, name, "limit")
        try:
            limit.read(text)
        except ValueError as error:
            raise SettingError(f"limit {name}: {error}", ("limits", name)) from None


def _known(names: Mapping[str, Any], name: str, kind: str) -> Any:
    if name not in names:
        raise SettingError(unknown(kind, name, sorted(names)), (f"{kind}s", name))
    return names[name]


def limit_of(provider: Provider, limit: Limit, settings: Settings) -> Limit:
    """Returns a provider's limit with the settings applied."""
    name = f"{provider.name}.{limit.name}"
    text = settings.limits.get(name)
    if text is None and settings.limits_off:
        text = "off"
    return limit if text is None else limit.read(text)


def restored(
    current: Mapping[str, str], names: Iterable[str], before: Mapping[str, str]
) -> dict[str, str]:
    """Returns the current texts, but under these names those from before, if there were any."""
    others = {name: text for name, text in current.items() if name not in names}
    return others | {name: before[name] for name in names if name in before}


def over(settings: Settings, scenario: Scenario) -> Settings:
    """Returns the scenario's settings, overridden by the sandbox's own."""
    limits = {} if settings.limits_off else scenario.limits
    return replace(
        settings,
        quirks={**scenario.quirks, **settings.quirks},
        limits={**limits, **settings.limits},
    )
