"""Times that clients send: off by some seconds, by a time zone, or in another unit."""

UNITS = (("milliseconds", 10**3), ("microseconds", 10**6), ("nanoseconds", 10**9))
NEAR = 366 * 24 * 3600  # seconds from now within which another unit is assumed
HALF_HOUR = 1800  # seconds between time zones
ZONES_MAX = 28  # half hours
ZONE_TOLERANCE = 60  # seconds that a request may take


def smaller_unit(time: float, now: int) -> tuple[str, int, int] | None:
    """Returns the unit in which a time is near ``now``, its size, and the drift in seconds."""
    for unit, size in UNITS:
        drift = time // size - now
        if abs(drift) <= NEAR:
            return unit, size, int(drift)
    return None


def zone_hint(drift: int, tolerance: int = ZONE_TOLERANCE) -> str:
    """Returns a question if a drift is about the offset of a time zone; both in seconds."""
    tolerance = min(tolerance, ZONE_TOLERANCE)
    halves = round(drift / HALF_HOUR)
    if not 0 < abs(halves) <= ZONES_MAX or abs(drift - halves * HALF_HOUR) > tolerance:
        return ""
    return f" It differs by {halves / 2:+g} h: is local time used as UTC, or UTC as local time?"
