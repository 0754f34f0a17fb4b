"""Sandboxes and servers as objects; every method maps to a call of the control API.

The handles are the same for a server in this process and a remote one: ``call`` makes the
call, directly or over HTTP.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from mockserver.client.fault_keywords import fail, scenario_body
from mockserver.client.provider import Caller, ProviderHandle, quoted
from mockserver.engine.sandboxes import DEFAULT
from mockserver.engine.settings import Value
from mockserver.errors import ControlError, VerificationError
from mockserver.files import worlds
from mockserver.model import times
from mockserver.model.suggestions import nearest
from mockserver.model.times import Duration, spelled
from mockserver.providers import discover

PAGE_SIZE = 1_000  # journal entries per call


class JournalEntry(Struct, frozen=True):
    """A request and its response; times are RFC 3339 text, secrets are redacted."""

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
    """A sandbox's two clocks: the sandbox clock, and the auth clock that checks signatures.

    sandbox.clock.advance("61s")

    A duration is a number of seconds, text (``250ms``, ``61s``, ``1m30s``) or a timedelta;
    an instant is RFC 3339 text or an aware datetime.
    """

    def __init__(self, call: Caller) -> None:
        self._call = call

    def advance(self, duration: Duration) -> None:
        """Moves the sandbox clock forward."""
        self._call("POST", "/clock", {"advance": spelled(duration)})

    def freeze(self, frozen: bool = True) -> None:
        """Stops the sandbox clock; ``freeze(False)`` starts it again."""
        self._call("POST", "/clock", {"freeze": frozen})

    def set(self, time: str | datetime) -> None:
        """Sets the sandbox clock to an instant, ``2026-01-01T00:00:00Z``, never backwards."""
        self._call("POST", "/clock", {"set": spelled(time)})

    def rate(self, rate: float) -> None:
        """Sets the speed of the sandbox clock: 1 is real time, 60 a minute per second."""
        self._call("POST", "/clock", {"rate": rate})

    def skew(self, duration: Duration) -> None:
        """Sets how far the auth clock is ahead of real time; negative is behind."""
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
        """The time of the auth clock, in UTC, to the microsecond."""
        return times.to_datetime(times.parse_instant(self._call("GET", "/clock")["auth_now"]))


class SandboxHandle:
    """One sandbox: an isolated state of all providers, each of which is an attribute.

    with sandbox.cpg.client() as client:
        client.get("/v1/balances")
    sandbox.verify(provider="cpg", exactly=1)
    """

    def __init__(self, id: str, call: Caller, real: Callable[[], int]) -> None:
        self.id = id
        self._call_server = call
        self._real = real
        self._handles: dict[str, ProviderHandle] = {}
        self.clock = ClockHandle(self._call)

    def _call(self, method: str, path: str, body: Any = None, query: Any = None) -> Any:
        return self._call_server(method, f"/sandboxes/{self.id}{path}", body, query)

    def reset(self) -> None:
        """Restores the state in which the sandbox was created; its credentials stay."""
        self._call("POST", "/reset")

    @property
    def journal(self) -> list[JournalEntry]:
        """The requests that the sandbox received, oldest first."""
        entries: list[JournalEntry] = []
        after: int | None = 0
        while after is not None:
            page = self._call(
                "GET", "/requests", None, {"after": str(after), "limit": str(PAGE_SIZE)}
            )
            entries += msgspec.convert(page["requests"], list[JournalEntry])
            after = page["next"]
        return entries

    def clear_journal(self) -> None:
        """Removes all entries from the journal."""
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

        sandbox.verify(provider="cpg", reason="bad_signature", exactly=0)

        ``match`` takes provider, operation, method, target, status, reason, credential, header.
        Without a number at least one request must match. Returns the count.
        """
        __tracebackhide__ = True  # pytest then shows the caller
        numbers = {"exactly": exactly, "at_least": at_least, "at_most": at_most}
        expected = {k: v for k, v in numbers.items() if v is not None} or {"at_least": 1}
        try:
            answer = self._call("POST", "/requests/verify", {"match": match, **expected})
        except ControlError as error:
            if error.status != 409:
                raise
            message, facts = _mismatch(match, expected, error), error.facts
            raise VerificationError(message, facts["count"], facts["nearest"]) from None
        return int(answer["count"])

    @property
    def faults(self) -> list[dict[str, Any]]:
        """The fault rules in order, each with the numbers of its matches and firings."""
        return self._call("GET", "/faults")["rules"]  # type: ignore[no-any-return]

    def fail(self, name: str | None = None, **rule: Any) -> str:
        """Sets a fault rule for every provider; keywords as for ``ProviderHandle.fail``."""
        return fail(self._call, {}, name, rule)

    def clear_faults(self, name: str | None = None) -> None:
        """Removes one rule; without a name, all rules, and stops the scenario."""
        self._call("DELETE", "/faults" if name is None else f"/faults/{quoted(name)}")

    def play(self, scenario: str | Path | Mapping[str, Any]) -> None:
        """Starts a scenario: the name of a shipped one, the path of a file, or its data."""
        self._call("PUT", "/scenario", scenario_body(scenario))

    def stop_scenario(self) -> None:
        """Stops the scenario; its rules no longer fire."""
        self._call("DELETE", "/scenario")

    def coverage(self) -> dict[str, Any]:
        """Returns how often each operation and reason occurred, and which are missing."""
        return self._call("GET", "/coverage")  # type: ignore[no-any-return]

    @property
    def quirks(self) -> dict[str, str]:
        """The values of all quirks, by ``provider.name``."""
        return self._call("GET", "/quirks")  # type: ignore[no-any-return]

    def set_quirks(self, quirks: Mapping[str, Value | None]) -> None:
        """Changes quirks by ``provider.name``; None restores the default."""
        self._call("PATCH", "/quirks", spelled(dict(quirks)))

    @property
    def limits(self) -> dict[str, str]:
        """The values of all rate limits, by ``provider.name``."""
        return self._call("GET", "/limits")  # type: ignore[no-any-return]

    def set_limits(self, limits: Mapping[str, str | None] | str) -> None:
        """Changes rate limits, None restores the default; ``default`` or ``off`` changes all."""
        self._call("PATCH", "/limits", limits if isinstance(limits, str) else dict(limits))

    def __getattr__(self, name: str) -> ProviderHandle:
        """Returns a provider by its name."""
        providers = discover()
        if name.startswith("_") or name not in providers:
            similar = nearest(name, providers)
            hint = f"; did you mean {similar}?" if similar else ""
            known = ", ".join(providers)
            raise AttributeError(f"a sandbox has no {name}: providers are {known}{hint}")
        if not self._handles:
            descriptions = self._call("GET", "", None, {"full": "true"})["providers"]
            self._handles = {
                n: ProviderHandle(p, descriptions[n], self._call, self._real)
                for n, p in providers.items()
            }
        return self._handles[name]


class ServerHandle:
    """A server: the sandbox ``default`` as attributes, and more sandboxes on demand."""

    def __init__(self, call: Caller, real: Callable[[], int]) -> None:
        self._call = call
        self._real = real
        self.default = SandboxHandle(DEFAULT, call, real)

    def sandbox(self, id: str | None = None, **settings: Any) -> SandboxHandle:
        """Creates a sandbox and returns its handle; raises ValueError.

        sandbox = server.sandbox(world="whale", quirks={"cpg.replay": "off"}, ttl="1h")

        The settings are ``world``, ``scenario``, ``seed``, ``quirks``, ``limits``, ``ttl``;
        those left out are the server's. A world or scenario is the name of a shipped one, the
        path of a file, or data. An existing sandbox with the same ``id`` is replaced.
        """
        if "scenario" in settings:
            settings["scenario"] = scenario_body(settings["scenario"])
        world = settings.get("world")
        if isinstance(world, str | Path) and str(world) not in worlds.shipped():
            settings["world"] = worlds.data(worlds.find(str(world)))
        if "quirks" in settings and isinstance(settings["quirks"], Mapping):
            settings["quirks"] = spelled(dict(settings["quirks"]))
        if "ttl" in settings:
            settings["ttl"] = spelled(settings["ttl"])
        path = "/sandboxes" if id is None else f"/sandboxes/{quoted(id)}"
        created = self._call("POST" if id is None else "PUT", path, settings)
        return SandboxHandle(created["id"], self._call, self._real)

    def drop(self, sandbox: SandboxHandle) -> None:
        """Deletes a sandbox."""
        self._call("DELETE", f"/sandboxes/{sandbox.id}")

    def __getattr__(self, name: str) -> Any:
        """Returns an attribute of the sandbox ``default``: a provider, ``clock``, ``journal``."""
        if name.startswith("_") or "default" not in self.__dict__:
            raise AttributeError(f"a server has no {name}")
        return getattr(self.default, name)


def _mismatch(match: Mapping[str, Any], expected: Mapping[str, int], error: ControlError) -> str:
    lines = [f"{error.error}, expected {expected} of {dict(match)}"]
    for miss in error.facts["nearest"]:
        request = miss["request"]
        lines.append(
            f"  n={miss['n']} {request['method']} {request['target']} -> {request['status']}"
            f" {request['reason']}: differs in {miss['differs']}"
        )
    return "\n".join(lines)
