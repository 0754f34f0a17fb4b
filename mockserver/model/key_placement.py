"""Where a request carries a key, a token, a timestamp or a signature."""

from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from mockserver.model.http import Request, UnsignedRequest
from mockserver.model.query import first, parameter


class KeyPlacement(Struct, frozen=True):
    """One place for a value.

    ``where`` is ``header``, ``query``, or ``form`` for a parameter of the query or of a form.
    ``name`` is the documented name, ``scheme`` the word before the value, such as Bearer.
    """

    where: str
    name: str
    scheme: str = ""

    @property
    def text(self) -> str:
        """The place in words: ``the header X-API-KEY``, ``the parameter apikey``."""
        kind = "header" if self.where == "header" else "parameter"
        return f"the {kind} {self.name}" + (f" after {self.scheme}" if self.scheme else "")

    def reader(self) -> Callable[[Request], bytes]:
        """Returns the function that reads the value of a request, empty where there is none."""
        name, scheme = self.name.encode(), self.scheme.lower().encode()
        if self.where == "query":
            return lambda request: first(request.query, self.name).encode()
        if self.where == "form":
            return lambda request: parameter(request, name)
        header = name.lower()
        if not scheme:
            return lambda request: request.header(header)
        return lambda request: after_scheme(request.header(header), scheme)

    def put(self, request: UnsignedRequest, value: bytes) -> UnsignedRequest:
        """Returns the request with the value at the end of its headers or of its query."""
        name = self.name.encode()
        if self.where == "header":
            sent = self.scheme.encode() + b" " + value if self.scheme else value
            return replace(request, headers=(*request.headers, (name, sent)))
        pair = name + b"=" + value
        return replace(request, query=request.query + b"&" + pair if request.query else pair)


def after_scheme(value: bytes, scheme: bytes) -> bytes:
    """Returns what follows ``scheme``, in lower case, and a space; empty after any other word."""
    word, _, rest = value.partition(b" ")
    return rest.strip() if word.lower() == scheme else b""


def first_reader(places: Sequence[KeyPlacement]) -> Callable[[Request], bytes]:
    """Returns the function that reads the first of several places that is not empty."""
    readers = [place.reader() for place in places]

    def read(request: Request) -> bytes:
        for reader in readers:
            value = reader(request)
            if value:
                return value
        return b""

    return read
