"""Page tokens: opaque to clients, sealed by the server, with one valid form.

A token is the base64 of its content and of a keyed digest, in the alphabet that needs no escape in
a query.
"""

import base64
import binascii
import hashlib
import hmac

SEAL_SIZE = 16
TOKEN_MAX = 4096


def seal(secret: bytes, content: bytes) -> str:
    """Returns the token that holds ``content``."""
    return base64.urlsafe_b64encode(content + _digest(secret, content)).decode()


def unseal(secret: bytes, token: str) -> bytes:
    """Returns a token's content; raises ValueError unless ``seal`` wrote it, byte for byte."""
    if len(token) > TOKEN_MAX:
        raise ValueError("the token is too long")
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("the token is no base64") from None
    content, seal = raw[:-SEAL_SIZE], raw[-SEAL_SIZE:]
    if not hmac.compare_digest(seal, _digest(secret, content)):
        raise ValueError("the token was changed, or comes from elsewhere")
    if base64.urlsafe_b64encode(raw).decode() != token:
        raise ValueError("the token is padded in another way")
    return content


def _digest(secret: bytes, content: bytes) -> bytes:
    return hashlib.blake2b(content, key=secret, digest_size=SEAL_SIZE).digest()
