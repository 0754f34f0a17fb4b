"""Bounds of connections: seconds for a head and a body, and how many may be open.

The largest head and URL are in ``http/parsing``, the largest body of a request to a provider is
``REQUEST_BODY_MAX`` in ``model/http``; ``engine/pipeline`` refuses a larger one.
"""

from msgspec import Struct

from mockserver.errors import SettingError

RESERVE = 8  # connections to the gateway beyond the bound, so that health and control answer
FILES = 32  # descriptors for all else: listeners, the event loop, files opened for a moment
CONNECTIONS_MAX = 10_000  # the default bound, where file descriptors allow it
CONNECTIONS_MIN = 8
SECONDS_MAX = 86_400
OPTIONS = ("head_timeout", "body_timeout", "max_connections")  # of ``serve``


class Bounds(Struct, frozen=True):
    """Seconds for a head and for a body; ``connections`` to all ports together."""

    head: float = 60
    body: float = 60
    connections: int = CONNECTIONS_MAX


def bounds_for(
    head_timeout: float = 60, body_timeout: float = 60, max_connections: int | None = None
) -> Bounds:
    """Returns bounds; without a number of connections, what the file descriptors allow.

    Raises SettingError for a bound that cannot be kept.
    """
    for name, seconds in (("head", head_timeout), ("body", body_timeout)):
        if not 0 < seconds <= SECONDS_MAX:
            raise SettingError(
                f"--{name}-timeout takes seconds, above 0 and up to {SECONDS_MAX}, not {seconds!r}"
            )
    allowed = _descriptors()
    most = max(CONNECTIONS_MIN, allowed - FILES - RESERVE)
    if max_connections is None:
        return Bounds(head_timeout, body_timeout, min(most, CONNECTIONS_MAX))
    if not 1 <= max_connections <= most:
        raise SettingError(
            f"--max-connections takes 1 to {most}, not {max_connections!r}:"
            f" {allowed} file descriptors are allowed (ulimit -n)"
        )
    return Bounds(head_timeout, body_timeout, max_connections)


def _descriptors() -> int:
    try:
        import resource
    except ImportError:  # Windows: no such limit
        return CONNECTIONS_MAX + FILES + RESERVE
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = soft == resource.RLIM_INFINITY
    return 2 * CONNECTIONS_MAX if unlimited else soft
