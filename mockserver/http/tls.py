"""TLS between a socket's transport and a connection; its faults; what a failed handshake means.

The layer is a protocol to the transport below and a transport to the connection above. It is our
own, on ``ssl.MemoryBIO``, because deliveries need the transport below: a cut ends without
close_notify, a reset is a TCP RST.
"""

import asyncio
import contextlib
import logging
import ssl
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mockserver.faults.tls import TlsFault
from mockserver.http.certificates import Authority, self_signed
from mockserver.http.delivery import reset_connection
from mockserver.http.encoding import encode, refusal
from mockserver.http.routing import Routing

log = logging.getLogger("mockserver")

PROTOCOLS = ["http/1.1"]
HELLO = 0x16  # the first byte of a TLS handshake
WRONG_NAME = "wrong-name.localhost"
READ_MAX = 256 * 1024
PLAIN = "This port speaks HTTPS, and this is plain HTTP: write https:// in the URL.\n"
ALERT = "ALERT_"
# OpenSSL's reasons for a handshake that had nothing in common.
NOTHING_SHARED = ("UNSUPPORTED_PROTOCOL", "NO_SHARED_CIPHER", "WRONG_VERSION_NUMBER")


class Contexts:
    """The TLS contexts of a server: the right one, and one for each fault, made when needed."""

    def __init__(
        self, authority: Authority, names: Sequence[str], fault: Callable[[], TlsFault | None]
    ) -> None:
        self._authority = authority
        self._names = names
        self._contexts: dict[TlsFault | None, ssl.SSLContext] = {}
        self.fault = fault
        self.context_for(None)

    def context_for(self, fault: TlsFault | None) -> ssl.SSLContext:
        """Returns the context with a fault, or without one."""
        if fault not in self._contexts:
            self._contexts[fault] = self._create(fault)
        return self._contexts[fault]

    def _create(self, fault: TlsFault | None) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.options |= ssl.OP_NO_RENEGOTIATION
        context.set_alpn_protocols(PROTOCOLS)
        context.sni_callback = _remember_name
        if fault == "old_protocol":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = ssl.TLSVersion.TLSv1
                context.maximum_version = ssl.TLSVersion.TLSv1_1
            context.set_ciphers("ALL:@SECLEVEL=0")
        with tempfile.TemporaryDirectory(prefix="mockserver-") as folder:  # ssl loads only files
            file = Path(folder) / "certificate.pem"
            file.write_bytes(self._certificate(fault))
            context.load_cert_chain(file)
        return context

    def _certificate(self, fault: TlsFault | None) -> bytes:
        authority, names = self._authority, self._names
        match fault:
            case "expired":
                return authority.issue(names, -30, -1)
            case "not_yet_valid":
                return authority.issue(names, 1, 30)
            case "wrong_name":
                return authority.issue([WRONG_NAME])
            case "unknown_issuer":
                return Authority.create(names).issue(names)
            case "self_signed":
                return self_signed(names)
            case _:
                return authority.issue(names)


def _remember_name(ssl_object: Any, name: str | None, context: ssl.SSLContext) -> None:
    ssl_object.named = name


class TlsLayer(asyncio.Protocol):
    """One connection's TLS: a protocol to ``wire`` below, a transport to the connection above."""

    ready = read_eof = closing = False
    tls: ssl.SSLObject | None = None
    fault: TlsFault | None = None

    def __init__(self, connection: Any, contexts: Contexts, routing: Routing) -> None:
        self.connection = connection
        self.contexts = contexts
        self._routing = routing

    # A protocol to the transport below

    def connection_made(self, transport: Any) -> None:
        """Starts the connection; the handshake starts with the first bytes."""
        self.wire = transport
        self.pause_reading, self.resume_reading = transport.pause_reading, transport.resume_reading
        self.connection.connection_made(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends the connection above."""
        self.closing, self.tls = True, None
        self.connection.connection_lost(exc)

    def pause_writing(self) -> None:
        """Holds the connection above."""
        self.connection.pause_writing()

    def resume_writing(self) -> None:
        """Lets the connection above go on."""
        self.connection.resume_writing()

    def data_received(self, data: bytes) -> None:
        """Decrypts what came, and hands it over."""
        if self.closing or (self.tls is None and not self._begin(data)):
            return
        self.incoming.write(data)
        try:
            if not self.ready:
                self._shake_hands()
            self._read()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self._fail(error)
            return
        self._flush()

    def eof_received(self) -> bool:
        """Returns whether the connection stays open, for responses that are under way."""
        if self.tls is not None and not self.ready:
            log.warning("TLS: a client left in the handshake%s", self._under_fault())
        return self._end_reading()

    def _begin(self, data: bytes) -> bool:
        """Starts the handshake; returns False where there is none."""
        if data[0] != HELLO:
            log.warning(PLAIN.rstrip())
            self.wire.write(b"".join(encode(refusal(400, PLAIN), b"")))
            self.wire.close()
            return False
        self.fault = self.contexts.fault()
        if self.fault == "handshake_reset":
            log.warning("TLS: reset in the handshake%s", self._under_fault())
            reset_connection(self.wire)
            return False
        context = self.contexts.context_for(self.fault)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        return True

    def _shake_hands(self) -> None:
        """Goes on with the handshake; raises SSLError, also while it is not complete."""
        assert self.tls is not None  # noqa: S101 - for the type checker
        self.tls.do_handshake()
        self.ready = True
        named = getattr(self.tls, "named", None)
        if named and self.connection.find == self._routing.find:
            self.connection.find = self._routing.seen_through(named)

    def _read(self) -> None:
        """Hands over what is decrypted; raises SSLError where a record is not complete."""
        tls, incoming = self.tls, self.incoming
        assert tls is not None  # noqa: S101 - for the type checker
        while (incoming.pending or tls.pending()) and not self.closing:
            data = tls.read(READ_MAX)
            if not data:
                if not self._end_reading():
                    self.close()
                return
            if self.fault:
                log.warning("TLS: a client went on%s", self._under_fault())
                self.fault = None
            self.connection.data_received(data)

    def _end_reading(self) -> bool:
        """Passes the client's end on, once; returns whether the connection stays open."""
        if not self.read_eof:
            self.read_eof = True
            return bool(self.connection.eof_received())
        return not self.closing

    def _under_fault(self) -> str:
        return f" with the fault {self.fault}" if self.fault else ""

    def _fail(self, error: ssl.SSLError) -> None:
        """Ends the connection for an error of TLS, and logs what it means."""
        reason = error.reason or str(error)
        if ALERT in reason:
            alert = reason.partition(ALERT)[2].lower().replace("_", " ")
            line = f"a client refused the connection ({alert}){self._under_fault()}"
            if not self.fault and ("ca" in alert.split() or "certificate" in alert):
                line += ": it does not trust this server's authority, see mockserver trust"
        elif reason in NOTHING_SHARED:
            line = f"a client shares no protocol or cipher{self._under_fault()}"
        else:
            line = f"{reason.lower().replace('_', ' ')}{self._under_fault()}"
        log.warning("TLS: %s", line)
        self._flush()
        self.closing = True
        self.wire.close()

    # A transport to the connection above

    def get_extra_info(self, name: str) -> Any:
        """Returns the transport below (``wire``), the TLS context, or what is known below."""
        if name == "wire":
            return self.wire
        if name == "sslcontext":
            return self.contexts.context_for(None)
        return self.wire.get_extra_info(name)

    def write(self, data: bytes) -> None:
        """Encrypts and sends."""
        if not self.ready or self.closing:
            return
        assert self.tls is not None  # noqa: S101 - for the type checker
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self.tls.write(rest) :]
        except ssl.SSLError as error:
            self._fail(error)
            return
        self._flush()

    def _flush(self) -> None:
        if self.tls is not None and self.outgoing.pending:
            self.wire.write(self.outgoing.read())

    def close(self) -> None:
        """Ends the connection by close_notify, once everything is sent."""
        if self.closing:
            return
        self.closing = True
        if self.tls is not None and self.ready:
            with contextlib.suppress(ssl.SSLError):  # the client's own close_notify is not awaited
                self.tls.unwrap()
            self._flush()
        self.wire.close()

    def abort(self) -> None:
        """Ends the connection at once."""
        self.closing = True
        self.wire.abort()

    def is_closing(self) -> bool:
        """Returns whether the connection ends."""
        return self.closing or bool(self.wire.is_closing())
