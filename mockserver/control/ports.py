"""``/providers/{provider}/refuse``: a provider's port refuses connections for a time."""

from typing import Any

from msgspec import Struct

from mockserver.control.routes import ControlCall
from mockserver.errors import ControlError, InvalidCall
from mockserver.model.suggestions import choices
from mockserver.model.times import SECOND, duration_text, parse_duration

REFUSE_MAX = 3600 * SECOND  # nanoseconds
DURATION_HINT = "a duration of at most 1h, such as 5s; 0s ends it"


class Refusal(Struct, frozen=True, forbid_unknown_fields=True, rename={"for_": "for"}):
    """For how long a port refuses connections, in real time."""

    for_: str | int | float


def refuse(call: ControlCall) -> dict[str, Any]:
    """Lets a provider's port refuse connections; raises ControlError."""
    name = call.path["provider"]
    if name not in call.app.providers:
        raise ControlError(404, f"no provider {name}", hint=choices(name, call.app.providers))
    try:
        duration = parse_duration(call.body.for_)
    except ValueError as error:
        raise InvalidCall(str(error), "$.for", DURATION_HINT) from None
    if not 0 <= duration <= REFUSE_MAX:
        raise InvalidCall(f"{call.body.for_!r} is no time to refuse for", "$.for", DURATION_HINT)
    ports = call.app.refused_ports
    if ports is None:
        hint = "run mockserver serve or MockServer: an application has no ports of its own"
        raise ControlError(409, f"{name} has no port that could refuse connections", hint=hint)
    ports.refuse(name, duration / SECOND)
    return {"provider": name, "port": ports.port(name), "for": duration_text(duration)}
