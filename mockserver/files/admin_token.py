"""The admin token, from the environment: as it is, or in a file (a mounted secret)."""

import os
from pathlib import Path

from mockserver.errors import FileError, SettingError

VARIABLE, FILE_VARIABLE = "MOCKSERVER_ADMIN_TOKEN", "MOCKSERVER_ADMIN_TOKEN_FILE"


def admin_token() -> str | None:
    """Returns the token, None for none; raises SettingError, its kind FileError for the file."""
    token, path = os.environ.get(VARIABLE), os.environ.get(FILE_VARIABLE)
    if not path:
        return token or None
    if token:
        raise SettingError(f"set {VARIABLE} or {FILE_VARIABLE}, not both")
    try:
        token = Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise FileError(path, f"{reason} ({FILE_VARIABLE})") from None
    if not token:
        raise FileError(path, f"this file is empty ({FILE_VARIABLE})")
    return token
