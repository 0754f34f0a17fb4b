"""A signer of our own for X-CPG, written from the scheme and apart from the package."""

import hashlib
import hmac
import time


def sign(  # noqa: PLR0917
    method: str,
    path: str,
    query: str = "",
    body: bytes = b"",
    key_id: str = "cpg_test_key",
    secret: str = "test_secret_do_not_use",
    timestamp: str | None = None,
) -> dict[str, str]:
    timestamp = str(int(time.time())) if timestamp is None else timestamp
    fields = [timestamp, method.upper(), path, query, hashlib.sha256(body).hexdigest()]
    digest = hmac.new(secret.encode(), "\n".join(fields).encode(), hashlib.sha256)
    return {
        "X-CPG-Key": key_id,
        "X-CPG-Timestamp": timestamp,
        "X-CPG-Signature": digest.hexdigest(),
    }
