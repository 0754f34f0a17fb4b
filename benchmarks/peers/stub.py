"""What a peer is asked and shall answer: one request, one answer."""

import http.client
from urllib.parse import urlsplit

from msgspec import Struct

from benchmarks import signed
from mockserver import MockServer
from mockserver.tools.credentials import credentials

PROVIDER = "coinapi"  # its key is a header as it stands: what every stub can match
PATIENCE = 10  # seconds for one answer


class Stub(Struct, frozen=True):
    """A request, its ``headers`` those to be matched, and the answer to it."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    status: int
    media_type: str
    body: bytes

    @property
    def target(self) -> str:
        """The path and the query as they stand in the request line."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def answer(self) -> tuple[int, str, bytes]:
        """The status, the media type and the body that are wanted."""
        return self.status, self.media_type, self.body


def ask(stub: Stub, host: str, port: int) -> tuple[int, str, bytes]:
    """Returns the status, the media type and the body that a server answers the stub with."""
    client = http.client.HTTPConnection(host, port, timeout=PATIENCE)
    try:
        client.request(stub.method, stub.target, headers=dict(stub.headers))
        answer = client.getresponse()
        return answer.status, answer.headers.get_content_type(), answer.read()
    finally:
        client.close()


def recorded() -> Stub:
    """Returns our own balance read with the bytes that we answer it with."""
    with MockServer() as server:
        sandbox, provider = server.app.sandboxes.default, server.app.providers[PROVIDER]
        draft = signed.example(provider, credentials(sandbox, provider)["main"])
        headers = tuple((name.decode(), value.decode()) for name, value in draft.headers)
        base = urlsplit(getattr(server, PROVIDER).base_url)
        path, query = draft.path.decode(), draft.query.decode()
        asked = Stub(draft.method, base.path + path, query, headers, 200, "", b"")
        status, media_type, body = ask(asked, str(base.hostname), base.port or 80)
    if status != asked.status:
        raise RuntimeError(f"{PROVIDER} answers {status}: {body!r}")
    return Stub(draft.method, path, query, headers, status, media_type, body)
