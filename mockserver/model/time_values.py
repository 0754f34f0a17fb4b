"""Python's own values of time, spelled as JSON, TOML and YAML have them."""

from datetime import datetime, timedelta
from typing import Any

from mockserver.model import durations as duration
from mockserver.model import instants as moment


def spelled(value: Any) -> Any:
    """Returns a timedelta and an aware datetime as text, also in a mapping or a list.

    Everything else is returned as it is. Raises ValueError for a datetime without offset.
    """
    match value:
        case timedelta():
            return duration.duration_text(duration.parse_duration(value))
        case datetime():
            return moment.instant_text(moment.parse_instant(value))
        case dict():
            return {name: spelled(below) for name, below in value.items()}
        case list() | tuple():
            return [spelled(below) for below in value]
    return value
