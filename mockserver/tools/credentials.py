"""Lists a sandbox's credentials with the members that a client needs.

``engine/world`` makes them.
"""

from typing import Any

from mockserver.engine.sandbox import Sandbox
from mockserver.model.provider import Provider


def credentials(sandbox: Sandbox, provider: Provider) -> dict[str, dict[str, Any]]:
    """Returns a provider's credentials by label, each with the members that a client needs."""
    with sandbox.lock:
        keys = sandbox.states[provider.name].keyring.labels.values()
        return {
            key.label: {member: getattr(key, member) for member in provider.members} for key in keys
        }
