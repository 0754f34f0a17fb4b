"""A server that runs elsewhere: its control API over HTTP, as the same Python face."""

import http.client
import json
import os
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from mockserver.client.sandbox import ServerHandle
from mockserver.errors import ControlError, InvalidCall, SettingError

PATIENCE = 30  # seconds
MEMBERS = {"error", "at", "hint"}  # of every refusal
UNINTELLIGIBLE = (
    OSError,
    http.client.HTTPException,
    json.JSONDecodeError,
    UnicodeDecodeError,
)


class RemoteServer(ServerHandle):
    """The server at a gateway's URL; raises SettingError for what is no URL."""

    transport = None  # as ``MockServer`` has one: httpx then takes its own

    def __init__(self, url: str, token: str | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise SettingError(f"{url!r} is no gateway's URL: write http://127.0.0.1:8490")
        self.url = url.rstrip("/")
        self._address = (parts.hostname, parts.port or 80)
        self._prefix = parts.path.rstrip("/") + "/__admin"
        self._token = token or os.environ.get("MOCKSERVER_ADMIN_TOKEN")
        super().__init__(self._carry_out, time.time_ns)

    def greet(self) -> None:
        """Raises OSError when no gateway is there, ControlError when it does not know the token."""
        self._call("GET", "/health")

    def _carry_out(
        self, method: str, path: str, body: Any = None, query: Mapping[str, str] | None = None
    ) -> Any:
        """Carries a call out; raises ControlError, and OSError when the server is not there."""
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        target = self._prefix + path + (f"?{urlencode(query)}" if query else "")
        data = None if body is None else json.dumps(body)
        try:
            status, told = self._exchange(method, target, data, headers)
            found: Any = json.loads(told) if told else None
        except UNINTELLIGIBLE as error:
            raise OSError(f"no gateway answers at {self.url}: {error}") from None
        if status < 400:
            return found
        if not isinstance(found, dict) or not found.keys() >= MEMBERS:
            raise OSError(f"what answers at {self.url} with {status} is no gateway")
        raise _refused(status, found)

    def _exchange(
        self, method: str, target: str, data: str | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(*self._address, timeout=PATIENCE)
        try:
            connection.request(method, target, data, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


def _refused(status: int, body: dict[str, Any]) -> ControlError:
    return InvalidCall(**body) if status == 400 else ControlError(status, **body)
