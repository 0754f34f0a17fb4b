"""The faults of a TLS handshake; they belong to a server, not to a sandbox."""

from typing import Literal, get_args

TlsFault = Literal[
    "expired",
    "not_yet_valid",
    "wrong_name",
    "unknown_issuer",
    "self_signed",
    "old_protocol",
    "handshake_reset",
]
TLS_FAULTS: tuple[TlsFault, ...] = get_args(TlsFault)
