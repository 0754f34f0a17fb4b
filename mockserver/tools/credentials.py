"""What is handed out so that a client can call: the credentials of a sandbox."""

from typing import Any

from mockserver.engine.sandbox import Sandbox
from mockserver.model.provider import Provider


def credentials(sandbox: Sandbox, provider: Provider) -> dict[str, dict[str, Any]]:
    """Returns a provider's credentials by label, each with what a client needs."""
    with sandbox.lock:
        found = sandbox.states[provider.name].keyring.credentials.values()
        return {c.label: {m: getattr(c, m) for m in provider.members} for c in found}
