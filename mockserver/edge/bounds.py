"""How long the parts of a request may take, and how many connections may be open."""

from msgspec import Struct

RESERVE = 8  # connections to the gateway beyond the bound, so that health and control answer
FILES = 32  # descriptors for all else: listeners, the event loop, files opened for a moment
CONNECTIONS_MAX = 10_000  # where nobody sets a bound
CONNECTIONS_MIN = 8
SECONDS_MAX = 86_400


class Bounds(Struct, frozen=True):
    """Seconds for a head and for a body; ``connections`` to all ports together."""

    head: float = 60
    body: float = 60
    connections: int = CONNECTIONS_MAX


def bounds_for(head: float = 60, body: float = 60, connections: int | None = None) -> Bounds:
    """Returns bounds; without a number of connections, what the file descriptors allow.

    Raises ValueError for a bound that cannot be kept.
    """
    for name, seconds in (("head", head), ("body", body)):
        if not 0 < seconds <= SECONDS_MAX:
            raise ValueError(f"a {name} timeout is a number of seconds, above 0, not {seconds!r}")
    room = _descriptors() - FILES - RESERVE
    if connections is None:
        return Bounds(head, body, max(CONNECTIONS_MIN, min(room, CONNECTIONS_MAX)))
    if connections < 1:
        raise ValueError(f"the bound on connections is 1 or more, not {connections!r}")
    if connections > max(room, CONNECTIONS_MIN):
        raise ValueError(
            f"{connections} connections need {connections + FILES + RESERVE} file descriptors,"
            f" and {room + FILES + RESERVE} are allowed: raise that with ulimit -n"
        )
    return Bounds(head, body, connections)


def _descriptors() -> int:
    try:
        import resource
    except ImportError:  # Windows: no such limit
        return CONNECTIONS_MAX + FILES + RESERVE
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = soft == resource.RLIM_INFINITY
    return 2 * CONNECTIONS_MAX if unlimited else soft
