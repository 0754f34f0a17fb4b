"""How clients trust the HTTPS port."""

from typing import Any

from msgspec.structs import asdict

from mockserver.control.routes import ControlCall
from mockserver.errors import ControlError


def show(call: ControlCall) -> dict[str, Any]:
    """Returns the authority's certificate, the URLs, and variables; raises ControlError (404)."""
    if call.app.trust is None:
        raise ControlError(404, "no HTTPS port", hint="start the server with --tls")
    return asdict(call.app.trust) | {"variables": call.app.trust.variables}


def https_member(call: ControlCall, provider: str, sandbox: str) -> dict[str, str]:
    """Returns a provider's URL on the HTTPS port as a member of a document, {} without one."""
    url = call.app.https_url(provider, sandbox)
    return {"https_url": url} if url else {}
