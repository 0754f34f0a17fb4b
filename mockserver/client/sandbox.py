"""A sandbox from Python: the control API's calls as methods.

The same handle serves a server in this process and one elsewhere: ``call`` carries a
call out, directly or over HTTP.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from mockserver.client.fault_keywords import fail, scenario_wish
from mockserver.client.provider import Caller, ProviderHandle, quoted
from mockserver.engine.sandboxes import DEFAULT
from mockserver.engine.settings import Value
from mockserver.errors import ControlError, VerificationError
from mockserver.files import worlds
from mockserver.model import times
from mockserver.model.suggestions import nearest
from mockserver.model.times import Duration, spelled
from mockserver.providers import discover

PAGE = 1_000  # entries of the journal that are asked for at once


class JournalEntry(Struct, frozen=True):
    """One request of the journal; times are RFC 3339, secrets are redacted."""

    n: int
    time: str
    auth_time: str
    provider: str
    operation: str
    method: str
    target: str
    credential: str
    status: int
    reason: str
    note: str
    fault: str | None
    delivery: str | None
    duration_us: int
    request: dict[str, Any]
    response: dict[str, Any]
    explanation: dict[str, str] | None


class ClockHandle:
    """A sandbox's clocks.

    A duration is a number of seconds, a text (``250ms``, ``61s``, ``1m30s``) or a timedelta;
    an instant is RFC 3339 text or an aware datetime.
    """

    def __init__(self, call: Caller) -> None:
        self._call = call

    def advance(self, duration: Duration) -> None:
        """Moves the sandbox clock forward."""
        self._call("POST", "/clock", {"advance": spelled(duration)})

    def freeze(self, frozen: bool = True) -> None:
        """Stops the sandbox clock, or lets it run on."""
        self._call("POST", "/clock", {"freeze": frozen})

    def set(self, time: str | datetime) -> None:
        """Puts the sandbox clock at a time such as ``2026-01-01T00:00:00Z``, never backwards."""
        self._call("POST", "/clock", {"set": spelled(time)})

    def rate(self, rate: float) -> None:
        """Lets the sandbox clock run so many times as fast as real time."""
        self._call("POST", "/clock", {"rate": rate})

    def skew(self, duration: Duration) -> None:
        """Sets the auth clock off real time."""
        self._call("POST", "/clock", {"skew": spelled(duration)})

    @property
    def now(self) -> datetime:
        """The sandbox time, in UTC, to the microsecond."""
        return times.to_datetime(self.now_ns)

    @property
    def now_ns(self) -> int:
        """The sandbox time, in nanoseconds since the epoch."""
        return times.parse_instant(self._call("GET", "/clock")["now"])

    @property
    def auth_now(self) -> datetime:
        """The time that judges signatures, in UTC, to the microsecond."""
        return times.to_datetime(times.parse_instant(self._call("GET", "/clock")["auth_now"]))


class SandboxHandle:
    """One sandbox: each provider is an attribute, ``clock`` moves time."""

    def __init__(self, id: str, call: Caller, real: Callable[[], int]) -> None:
        self.id = id
        self._whole = call
        self._real = real
        self._handles: dict[str, ProviderHandle] = {}
        self.clock = ClockHandle(self._call)

    def _call(self, method: str, path: str, body: Any = None, query: Any = None) -> Any:
        return self._whole(method, f"/sandboxes/{self.id}{path}", body, query)

    def reset(self) -> None:
        """Puts everything back to how the sandbox was made; the credentials stay."""
        self._call("POST", "/reset")

    @property
    def journal(self) -> list[JournalEntry]:
        """What was asked, oldest first."""
        found: list[JournalEntry] = []
        after: int | None = 0
        while after is not None:
            told = self._call("GET", "/requests", None, {"after": str(after), "limit": str(PAGE)})
            found += msgspec.convert(told["requests"], list[JournalEntry])
            after = told["next"]
        return found

    def clear_journal(self) -> None:
        """Forgets what was asked."""
        self._call("DELETE", "/requests")

    def verify(
        self,
        *,
        exactly: int | None = None,
        at_least: int | None = None,
        at_most: int | None = None,
        **match: Any,
    ) -> int:
        """Counts the requests that match; raises VerificationError when it is not the right number.

        ``match`` takes provider, operation, method, target, status, reason, credential, header.
        Without a number at least one is expected.
        """
        __tracebackhide__ = True  # for pytest: the mistake is not in here
        numbers = {"exactly": exactly, "at_least": at_least, "at_most": at_most}
        given = {k: v for k, v in numbers.items() if v is not None} or {"at_least": 1}
        try:
            answer = self._call("POST", "/requests/verify", {"match": match, **given})
        except ControlError as error:
            if error.status != 409:
                raise
            message, facts = _missed(match, given, error), error.facts
            raise VerificationError(message, facts["count"], facts["nearest"]) from None
        return int(answer["count"])

    @property
    def faults(self) -> list[dict[str, Any]]:
        """The rules, in order, each with how often it matched and fired."""
        return self._call("GET", "/faults")["rules"]  # type: ignore[no-any-return]

    def fail(self, name: str | None = None, **rule: Any) -> str:
        """Sets a rule for every provider; as a provider's ``fail``, which see."""
        return fail(self._call, {}, name, rule)

    def clear_faults(self, name: str | None = None) -> None:
        """Takes one rule away, or all, with a scenario that plays."""
        self._call("DELETE", "/faults" if name is None else f"/faults/{quoted(name)}")

    def play(self, scenario: str | Path | Mapping[str, Any]) -> None:
        """Starts a scenario: a shipped one's name, a file's path, or its plain data."""
        self._call("PUT", "/scenario", scenario_wish(scenario))

    def stop_scenario(self) -> None:
        """Ends the scenario that plays."""
        self._call("DELETE", "/scenario")

    def coverage(self) -> dict[str, Any]:
        """Tells which operations and reasons were met, and which not."""
        return self._call("GET", "/coverage")  # type: ignore[no-any-return]

    @property
    def quirks(self) -> dict[str, str]:
        """Every quirk in force, by ``provider.name``."""
        return self._call("GET", "/quirks")  # type: ignore[no-any-return]

    def set_quirks(self, quirks: Mapping[str, Value | None]) -> None:
        """Changes quirks; None is the default."""
        self._call("PATCH", "/quirks", spelled(dict(quirks)))

    @property
    def limits(self) -> dict[str, str]:
        """Every limit in force, by ``provider.name``."""
        return self._call("GET", "/limits")  # type: ignore[no-any-return]

    def set_limits(self, limits: Mapping[str, str | None] | str) -> None:
        """Changes limits, None is the default; ``default`` or ``off`` changes all."""
        self._call("PATCH", "/limits", limits if isinstance(limits, str) else dict(limits))

    def __getattr__(self, name: str) -> ProviderHandle:
        """Returns a provider by its name."""
        providers = discover()
        if name.startswith("_") or name not in providers:
            near = nearest(name, providers)
            meant = f"; did you mean {near}?" if near else ""
            known = ", ".join(providers)
            raise AttributeError(f"a sandbox has no {name}: providers are {known}{meant}")
        if not self._handles:
            told = self._call("GET", "")["providers"]
            self._handles = {
                n: ProviderHandle(p, told[n], self._call, self._real) for n, p in providers.items()
            }
        return self._handles[name]


class ServerHandle:
    """A server that runs: the sandbox ``default`` as attributes, and more sandboxes."""

    def __init__(self, call: Caller, real: Callable[[], int]) -> None:
        self._call = call
        self._real = real
        self.default = SandboxHandle(DEFAULT, call, real)

    def sandbox(self, id: str | None = None, **wish: Any) -> SandboxHandle:
        """Makes a sandbox: ``world``, ``scenario``, ``seed``, ``quirks``, ``limits``, ``ttl``.

        A world and a scenario may be a shipped one's name, a file's path or the plain data
        of one; without one it is the server's. Raises ValueError.
        """
        if "scenario" in wish:
            wish["scenario"] = scenario_wish(wish["scenario"])
        world = wish.get("world")
        if isinstance(world, str | Path) and str(world) not in worlds.shipped():
            wish["world"] = worlds.data(worlds.find(str(world)))
        if "quirks" in wish and isinstance(wish["quirks"], Mapping):
            wish["quirks"] = spelled(dict(wish["quirks"]))
        if "ttl" in wish:
            wish["ttl"] = spelled(wish["ttl"])
        path = "/sandboxes" if id is None else f"/sandboxes/{quoted(id)}"
        told = self._call("POST" if id is None else "PUT", path, wish)
        return SandboxHandle(told["id"], self._call, self._real)

    def drop(self, sandbox: SandboxHandle) -> None:
        """Forgets a sandbox."""
        self._call("DELETE", f"/sandboxes/{sandbox.id}")

    def __getattr__(self, name: str) -> Any:
        """Returns what the sandbox ``default`` has: a provider, ``clock``, ``journal``, ..."""
        if name.startswith("_") or "default" not in self.__dict__:
            raise AttributeError(f"a server has no {name}")
        return getattr(self.default, name)


def _missed(match: Mapping[str, Any], given: Mapping[str, int], error: ControlError) -> str:
    lines = [f"{error.error}, expected {given} of {dict(match)}"]
    for miss in error.facts["nearest"]:
        request = miss["request"]
        lines.append(
            f"  n={miss['n']} {request['method']} {request['target']} -> {request['status']}"
            f" {request['reason']}: differs in {miss['differs']}"
        )
    return "\n".join(lines)
