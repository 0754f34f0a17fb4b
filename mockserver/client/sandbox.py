"""Sandboxes and servers as objects; every method maps to a call of the control API.

The handles are the same for a server in this process and a remote one: ``call`` makes the
call, directly or over HTTP.
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

import msgspec
from msgspec.structs import replace

from mockserver.client.clock import Clock
from mockserver.client.fault_keywords import fail, scenario_body
from mockserver.client.handles import (
    HANDLES,
    CdpHandle,
    CoinapiHandle,
    CoinstatsHandle,
    CoinwHandle,
    CpgHandle,
)
from mockserver.client.journal import Journal, JournalEntry
from mockserver.client.keywords import SandboxRule, Verify
from mockserver.client.names import LimitName, ProviderName, QuirkName
from mockserver.client.process_clock import auth_time
from mockserver.client.provider import Caller, ProviderHandle, quoted
from mockserver.client.settings import Limits, Quirks, SandboxSettings
from mockserver.client.snapshots import HasState, Snapshot, fork_body, snapshot_data
from mockserver.client.tracebacks import CallersMistake, hides_frames
from mockserver.engine.sandboxes import DEFAULT
from mockserver.errors import ControlError, SettingError, VerificationError
from mockserver.files import worlds
from mockserver.files.trust import Trust
from mockserver.model.suggestions import did_you_mean, unknown
from mockserver.model.times import Duration, spelled
from mockserver.providers import discover

__tracebackhide__ = hides_frames

OTHER_PROCESS = (
    "auth_clock needs a server in this process: call clock.skew_to(datetime.now(UTC)) instead"
)
PAGE_SIZE = 1_000  # journal entries per call


class Sandbox(HasState):
    """One sandbox: an isolated state of all providers, each of which is an attribute.

    with sandbox.cpg.client() as client:
        client.get("/v1/balances")
    sandbox.verify(provider="cpg", exactly=1)
    """

    _kind = "sandbox"

    if TYPE_CHECKING:  # made by __getattr__, for a provider of your own too
        cdp: CdpHandle
        coinapi: CoinapiHandle
        coinstats: CoinstatsHandle
        coinw: CoinwHandle
        cpg: CpgHandle

    def __init__(self, id: str, call: Caller, real: Callable[[], int]) -> None:
        self.id = id
        self._call_server = call
        self._real = real
        self._handles: dict[str, ProviderHandle] = {}
        self.clock = Clock(self._call)

    def __repr__(self) -> str:
        """Returns the id, the world and the providers' base URLs."""
        try:
            shown = self._call("GET", "")
        except (OSError, ValueError) as error:
            return f"<Sandbox {self.id}: {error}>"
        urls = ", ".join(f"{name} {p['base_url']}" for name, p in shown["providers"].items())
        return f"<Sandbox {self.id} of the world {shown['world']}: {urls}>"

    def _call(self, method: str, path: str, body: Any = None, query: Any = None) -> Any:
        with CallersMistake():
            return self._call_server(method, f"/sandboxes/{self.id}{path}", body, query)

    def sleep(self, seconds: Duration) -> None:
        """Advances the sandbox clock and returns at once: a drop-in for ``time.sleep``."""
        self.clock.advance(seconds)

    async def asleep(self, seconds: Duration) -> None:
        """Advances the sandbox clock and returns at once: a drop-in for ``asyncio.sleep``."""
        await asyncio.to_thread(self.clock.advance, seconds)

    def provider(self, name: ProviderName) -> ProviderHandle:
        """Returns a provider by its name; raises SettingError."""
        if name not in discover():
            raise SettingError(unknown("provider", name, discover()))
        handle: ProviderHandle = getattr(self, name)
        return handle

    def fork(
        self,
        id: str | None = None,
        *,
        ttl: Duration | None = None,
        snapshot: Snapshot | str | None = None,
    ) -> "Sandbox":
        """Makes a sandbox that goes on from here, or from a snapshot, with the same credentials."""
        made = self._call("POST", "/fork", fork_body(id, ttl, snapshot))
        return Sandbox(made["id"], self._call_server, self._real)

    def reset(self) -> None:
        """Restores the state in which the sandbox was created; its credentials stay."""
        self._call("POST", "/reset")

    @property
    def journal(self) -> Journal:
        """The requests that the sandbox received, oldest first: a list with ``last(n)``."""
        entries = Journal()
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
        **match: Unpack[Verify],
    ) -> int:
        """Counts the requests that match; raises VerificationError when it is not the right number.

        sandbox.verify(provider="cpg", reason="bad_signature", exactly=0)

        ``match`` takes provider, operation, method, target, status, reason, credential, header.
        Without a number at least one request must match. Returns the count.
        """
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

    def fail(self, name: str | None = None, **rule: Unpack[SandboxRule]) -> str:
        """Sets a fault rule for every provider; keywords as for ``ProviderHandle.fail``."""
        return fail(self._call, {}, name, rule)

    def clear_faults(self, name: str | None = None) -> None:
        """Removes one rule; without a name, all rules, and stops the scenario."""
        self._call("DELETE", "/faults" if name is None else f"/faults/{quoted(name)}")

    def play(self, scenario: str | Path | Mapping[str, Any]) -> None:
        """Starts a scenario: the name of a shipped one, the path of a file, or its data."""
        with CallersMistake():
            body = scenario_body(scenario)
        self._call("PUT", "/scenario", body)

    def stop_scenario(self) -> None:
        """Stops the scenario; its rules no longer fire."""
        self._call("DELETE", "/scenario")

    def coverage(self) -> dict[str, Any]:
        """Returns how often each operation and reason occurred, and which are missing."""
        return self._call("GET", "/coverage")  # type: ignore[no-any-return]

    @property
    def quirks(self) -> dict[QuirkName, str]:
        """The values of all quirks, by ``provider.name``."""
        return self._call("GET", "/quirks")  # type: ignore[no-any-return]

    def set_quirks(self, quirks: Quirks) -> None:
        """Changes quirks by ``provider.name``; None restores the default."""
        self._call("PATCH", "/quirks", spelled(dict(quirks)))

    @property
    def trust(self) -> Trust:
        """How clients trust the HTTPS port: ``path`` and ``variables``; raises ControlError.

        Its ``proxy`` leads the providers' real hosts to this sandbox.
        """
        trust = msgspec.convert(self._call_server("GET", "/trust", None, None), Trust)
        if self.id == DEFAULT:
            return trust
        return replace(trust, proxy=trust.proxy.replace("//", f"//{self.id}:sandbox@"))

    @property
    def limits(self) -> dict[LimitName, str]:
        """The values of all rate limits, by ``provider.name``."""
        return self._call("GET", "/limits")  # type: ignore[no-any-return]

    def set_limits(self, limits: Limits | Literal["default", "off"]) -> None:
        """Changes rate limits, None restores the default; ``default`` or ``off`` changes all."""
        self._call("PATCH", "/limits", limits if isinstance(limits, str) else dict(limits))

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> ProviderHandle:
            """Returns a provider by its name."""
            providers = discover()
            if name.startswith("_") or name not in providers:
                public = [*providers, *(n for n in dir(self) if not n.startswith("_"))]
                known, hint = ", ".join(providers), did_you_mean(name, public)
                raise AttributeError(f"a {self._kind} has no {name}: providers are {known}{hint}")
            if not self._handles:
                descriptions = self._call("GET", "", None, {"full": "true"})["providers"]
                self._handles = {
                    n: HANDLES.get(n, ProviderHandle)(
                        p, descriptions[n], self._call, self._real, self._call_server
                    )
                    for n, p in providers.items()
                }
            return self._handles[name]


class ServerHandle(Sandbox):
    """A server: its sandbox ``default``, and more sandboxes on demand."""

    url: str
    _kind = "server"

    def __init__(self, call: Caller, real: Callable[[], int]) -> None:
        super().__init__(DEFAULT, call, real)

    @property
    def default(self) -> Sandbox:
        """The sandbox ``default``, whose attributes the server has as well."""
        return self

    def sandbox(self, id: str | None = None, **settings: Unpack[SandboxSettings]) -> Sandbox:
        """Creates a sandbox and returns its handle; raises ValueError.

        sandbox = server.sandbox(world="whale", quirks={"cpg.replay": "off"}, ttl="1h")

        The settings are ``world``, ``scenario``, ``seed``, ``quirks``, ``limits``, ``ttl``,
        ``fault_headers``, ``auth_clock``; those left out are the server's. A world or scenario is
        the name of a shipped one, the path of a file, or data. ``auth_clock="process"`` follows
        ``time.time()`` of this process. A ``snapshot``, a file or a document, has them all but
        ``ttl``. An existing sandbox with the same ``id`` is replaced.
        """
        # An id of our own: a balancer may hash it before any process sees it.
        path = f"/sandboxes/{quoted(id or secrets.token_hex(8))}"
        with CallersMistake():
            auth_clock = settings.pop("auth_clock", None)
            real = self._auth_time(auth_clock) if auth_clock else self._real
            body = _sandbox_body(settings)
            created = self._call_server("PUT", path, body, None)
        if auth_clock:
            self._follow(created["id"], real)
        return Sandbox(created["id"], self._call_server, real)

    def _auth_time(self, choice: str) -> Callable[[], int]:
        """Returns the time that an auth clock follows; raises SettingError."""
        auth_time(choice, self._real)
        raise SettingError(OTHER_PROCESS, ("auth_clock",))

    def _follow(self, id: str, real: Callable[[], int]) -> None:
        """Makes a sandbox's auth clock follow a time of this process."""

    def drop(self, sandbox: Sandbox) -> None:
        """Deletes a sandbox."""
        self._call_server("DELETE", f"/sandboxes/{sandbox.id}")


def _sandbox_body(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings of a sandbox as the control API has them."""
    body = dict(settings)
    if "scenario" in body:
        body["scenario"] = scenario_body(body["scenario"])
    if "snapshot" in body:
        body["snapshot"] = snapshot_data(body["snapshot"])
    world = body.get("world")
    if isinstance(world, str | Path):
        shipped = str(world) in worlds.shipped()
        body["world"] = str(world) if shipped else worlds.data(worlds.find(str(world)))
    for name in ("quirks", "limits", "ttl"):
        if name in body:
            value = body[name]
            body[name] = spelled(dict(value) if isinstance(value, Mapping) else value)
    return body


def _mismatch(match: Mapping[str, Any], expected: Mapping[str, int], error: ControlError) -> str:
    lines = [f"{error.error}, expected {expected} of {dict(match)}"]
    for miss in error.facts["nearest"]:
        request = miss["request"]
        lines.append(
            f"  n={miss['n']} {request['method']} {request['target']} -> {request['status']}"
            f" {request['reason']}: differs in {miss['differs']}"
        )
    return "\n".join(lines)
