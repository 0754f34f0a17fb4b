"""The choice of what the auth clock follows: the machine, or the time of the test's process."""

import time
from collections.abc import Callable
from typing import Literal, get_args

from mockserver.errors import SettingError
from mockserver.model.suggestions import unknown

AuthClock = Literal["machine", "process"]


def process_time() -> int:
    """Returns what ``time.time()`` says now, in nanoseconds, also where a test has replaced it."""
    return round(time.time() * 1_000_000_000)


def auth_time(choice: str, real: Callable[[], int]) -> Callable[[], int]:
    """Returns the time that the auth clock follows; ``real`` is the machine's."""
    if choice not in get_args(AuthClock):
        raise SettingError(unknown("auth_clock", str(choice), get_args(AuthClock)), ("auth_clock",))
    return process_time if choice == "process" else real
