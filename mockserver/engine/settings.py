"""What a sandbox is made with, and how it is changed: quirks, limits, a seed."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mockserver.errors import SettingError
from mockserver.faults.scenario import Scenario
from mockserver.model.provider import Limit, Provider, Quirk
from mockserver.model.suggestions import unknown

Value = str | int | float | bool | timedelta  # as a quirk may be given


class Settings(Struct, frozen=True):
    """What a sandbox is made with; quirks and limits are named ``provider.name``.

    A limit is written ``N/DURATION`` or ``off``; ``limits_off`` switches off every one.
    ``explain_header`` tells in a header of a refusal why it was refused.
    """

    seed: int = 490
    quirks: Mapping[str, str] = {}
    limits: Mapping[str, str] = {}
    limits_off: bool = False
    explain_header: bool = False


def changed(
    settings: Settings,
    providers: Mapping[str, Provider],
    quirks: Mapping[str, Value | None] | None = None,
    limits: Mapping[str, str | None] | str | None = None,
) -> Settings:
    """Returns settings with other quirks and limits; by name, where None is the default.

    A quirk's value is text, and where it is a number, a duration or a switch, also a number,
    a timedelta or a boolean; it is kept as text. ``limits`` may be ``default`` or ``off``
    instead. Raises SettingError for a quirk or a limit that no provider has, or a value it lacks.
    """
    if quirks:
        settings = replace(settings, quirks=_merged(settings.quirks, _texts(providers, quirks)))
    if isinstance(limits, Mapping):
        if settings.limits_off:
            limits = _said(limits, providers)
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


def _said(
    limits: Mapping[str, str | None], providers: Mapping[str, Provider]
) -> dict[str, str | None]:
    """Writes defaults out: where every limit is off, leaving one out would not turn it on."""
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


def _known(names: Mapping[str, Any], name: str, what: str) -> Any:
    if name not in names:
        raise SettingError(unknown(what, name, sorted(names)), (f"{what}s", name))
    return names[name]


def limit_of(provider: Provider, limit: Limit, settings: Settings) -> Limit:
    """Returns a limit of a provider as the settings have it."""
    name = f"{provider.name}.{limit.name}"
    text = settings.limits.get(name)
    if text is None and settings.limits_off:
        text = "off"
    return limit if text is None else limit.read(text)


def restored(
    known: Mapping[str, str], named: Iterable[str], before: Mapping[str, str]
) -> dict[str, str]:
    """Returns what is known, with what was there before, or nothing, under the names."""
    kept = {name: text for name, text in known.items() if name not in named}
    return kept | {name: before[name] for name in named if name in before}


def over(made: Settings, scenario: Scenario) -> Settings:
    """Returns what was asked for by name, over what a scenario brings along."""
    limits = {} if made.limits_off else scenario.limits
    return replace(
        made,
        quirks={**scenario.quirks, **made.quirks},
        limits={**limits, **made.limits},
    )
