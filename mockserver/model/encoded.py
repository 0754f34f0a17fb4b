"""Members of a credential that are bytes in base64 or hex: a wrong one is refused with its path."""

import base64
import binascii
from collections.abc import Callable
from typing import Any

from mockserver.errors import DataError


def base64_bytes(text: str) -> bytes:
    """Returns the bytes of canonical base64, with its padding; raises ValueError for other text."""
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise binascii.Error("stray bits before the padding")
    return data


READERS: dict[str, Callable[[str], bytes]] = {"base64": base64_bytes, "hex": bytes.fromhex}


def check_encoded(credential: Any, member: str, encoding: str) -> None:
    """Raises DataError unless a member is ``base64`` or ``hex``: for a ``__post_init__``.

    The key ``reject-REASON`` may be made of any.
    """
    if credential.rejects:
        return
    try:
        READERS[encoding](getattr(credential, member))
    except ValueError:  # of base64, binascii.Error is one
        raise DataError(f"{member} is not {encoding}", (member,)) from None
