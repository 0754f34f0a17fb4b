"""A server in another process: its control API over HTTP, behind the same handles."""

import http.client
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from mockserver.client.sandbox import ServerHandle
from mockserver.client.tracebacks import hides_frames
from mockserver.errors import ControlError, InvalidCall, SettingError
from mockserver.files.admin_token import admin_token

__tracebackhide__ = hides_frames

TIMEOUT = 30  # seconds
ERROR_MEMBERS = {"error", "at", "hint"}
NOT_A_GATEWAY = (  # what is raised when something else listens there
    OSError,
    http.client.HTTPException,
    json.JSONDecodeError,
    UnicodeDecodeError,
)


CONNECTIONS: dict[str, tuple[type[http.client.HTTPConnection], int]] = {
    "http": (http.client.HTTPConnection, 80),
    "https": (http.client.HTTPSConnection, 443),  # SSL_CERT_FILE says whom it trusts
}


class RemoteServer(ServerHandle):
    """The server at a gateway's URL; raises SettingError for what is no URL."""

    transport = None  # httpx then uses its own; ``MockServer`` has one without a socket

    def __init__(self, url: str, token: str | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in CONNECTIONS or not parts.hostname:
            raise SettingError(f"{url!r} is no gateway's URL: write http://127.0.0.1:8490")
        self.url = url.rstrip("/")
        self._connect, port = CONNECTIONS[parts.scheme]
        self._address = (parts.hostname, parts.port or port)
        self._prefix = parts.path.rstrip("/") + "/__admin"
        self._token = token or admin_token()
        super().__init__(self._call_control, time.time_ns)

    def __repr__(self) -> str:
        """Returns the gateway's URL."""
        return f"<RemoteServer at {self.url}>"

    def check_connection(self) -> None:
        """Raises OSError if there is no gateway at the URL, ControlError for a wrong token."""
        self._call_control("GET", "/health")

    def call(
        self, method: str, path: str, body: Any = None, query: Mapping[str, str] | None = None
    ) -> Any:
        """Makes a call of the control API; raises ControlError, and OSError without a gateway."""
        return self._call_control(method, path, body, query)

    def events(self, path: str) -> Iterator[dict[str, Any]]:
        """Yields {} once a stream of server-sent events is open, then the data of each event.

        Raises ControlError, and OSError if there is no gateway.
        """
        connection = self._connect(*self._address, timeout=TIMEOUT)
        try:
            connection.request("GET", self._prefix + path, headers=self._headers())
            response = connection.getresponse()
            if response.status != 200:
                raise _refused(response.status, json.loads(response.read()))
            yield {}
            for line in response:
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])
        except NOT_A_GATEWAY as error:
            raise OSError(f"no gateway answers at {self.url}: {error}") from None
        finally:
            connection.close()

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        return headers

    def _call_control(
        self, method: str, path: str, body: Any = None, query: Mapping[str, str] | None = None
    ) -> Any:
        """Makes a call; raises ControlError, and OSError if there is no gateway at the URL."""
        headers = self._headers()
        target = self._prefix + path + (f"?{urlencode(query)}" if query else "")
        data = None if body is None else json.dumps(body)
        try:
            status, text = self._exchange(method, target, data, headers)
            answer: Any = json.loads(text) if text else None
        except NOT_A_GATEWAY as error:
            raise OSError(f"no gateway answers at {self.url}: {error}") from None
        if status < 400:
            return answer
        if not isinstance(answer, dict) or not answer.keys() >= ERROR_MEMBERS:
            raise OSError(f"{self.url} is not a gateway: it answered with status {status}")
        raise _refused(status, answer)

    def _exchange(
        self, method: str, target: str, data: str | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        """Returns the status and the body of a response."""
        connection = self._connect(*self._address, timeout=TIMEOUT)
        try:
            connection.request(method, target, data, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


def _refused(status: int, body: dict[str, Any]) -> ControlError:
    return InvalidCall(**body) if status == 400 else ControlError(status, **body)
