"""A private certificate authority, and the certificates that it issues."""

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mockserver.files.trust import PASSWORD

LOOPBACK = ("127.0.0.1", "::1")
LOOPBACK_NETWORKS = ("127.0.0.0/8", "::1/128")
AUTHORITY_DAYS = 3650
CERTIFICATE_DAYS = 397  # browsers accept no longer ones
USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)

PrivateKey = ec.EllipticCurvePrivateKey


class Authority:
    """A certificate authority that can issue for some names only, and for loopback."""

    def __init__(self, key: Any, certificate: x509.Certificate) -> None:
        self._key = key
        self.certificate = certificate

    @classmethod
    def create(cls, names: Sequence[str]) -> Self:
        """Makes an authority with a new key, limited to names or addresses and loopback."""
        key = ec.generate_private_key(ec.SECP256R1())
        permitted = [*_limits(names), *map(_network, LOOPBACK_NETWORKS)]
        subject = _name(f"Mockserver authority {x509.random_serial_number() % 16**8:08x}")
        builder = _builder(subject, key, subject, key, _days(-1), _days(AUTHORITY_DAYS))
        builder = (
            builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
            .add_extension(x509.NameConstraints(permitted, None), critical=True)
        )
        return cls(key, builder.sign(key, SHA256()))

    @classmethod
    def load(cls, pem: bytes) -> Self:
        """Loads what ``pem_with_key`` returned; raises ValueError."""
        return cls(load_pem_private_key(pem, None), x509.load_pem_x509_certificate(pem))

    @property
    def pem(self) -> bytes:
        """The certificate, which clients trust."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def pem_with_key(self) -> bytes:
        """The private key and the certificate."""
        return _private(self._key) + self.pem

    def trust_store(self) -> bytes | None:
        """Returns the certificate as a trust store for Java; None where cryptography is too old."""
        if not hasattr(pkcs12, "serialize_java_truststore"):
            return None
        entry = pkcs12.PKCS12Certificate(self.certificate, b"mockserver")
        encryption = BestAvailableEncryption(PASSWORD.encode())
        return pkcs12.serialize_java_truststore([entry], encryption)

    def covers(self, names: Sequence[str]) -> bool:
        """Returns whether it is valid and can issue for all of the names."""
        try:
            found = self.certificate.extensions.get_extension_for_class(x509.NameConstraints)
        except x509.ExtensionNotFound:
            return False
        permitted = found.value.permitted_subtrees or []
        return self.certificate.not_valid_after_utc > _days(1) and all(
            limit in permitted for limit in _limits(names)
        )

    def issue(self, names: Sequence[str], start: int = -1, end: int = CERTIFICATE_DAYS) -> bytes:
        """Issues a certificate for names and addresses, as PEM with a new key.

        ``start`` and ``end`` are days from now.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        return _issue(names, key, self.certificate.subject, self._key, start, end)


def self_signed(names: Sequence[str]) -> bytes:
    """Issues a certificate that no authority has signed, as PEM with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    return _issue(names, key, _name("Mock exchange"), key, -1, CERTIFICATE_DAYS)


def _issue(
    names: Sequence[str], key: PrivateKey, issuer: x509.Name, by: PrivateKey, start: int, end: int
) -> bytes:
    subject = _name("Mock exchange")
    builder = _builder(subject, key, issuer, by, _days(start), _days(end))
    alternatives = x509.SubjectAlternativeName([_general(name) for name in names])
    purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    certificate = (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage("digital_signature"), critical=True)
        .add_extension(purpose, critical=False)
        .add_extension(alternatives, critical=False)
        .sign(by, SHA256())
    )
    return _private(key) + certificate.public_bytes(Encoding.PEM)


def _builder(
    subject: x509.Name,
    key: PrivateKey,
    issuer: x509.Name,
    by: PrivateKey,
    start: datetime,
    end: datetime,
) -> x509.CertificateBuilder:
    authority_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(authority_id, critical=False)
    )


def _usage(*allowed: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{usage: usage in allowed for usage in USAGES})


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _limits(names: Sequence[str]) -> list[x509.GeneralName]:
    """Returns the limits for names and addresses beside loopback, each once."""
    limits = [_limit(name) for name in names if name not in LOOPBACK]
    return list(dict.fromkeys(limits))


def _limit(name: str) -> x509.GeneralName:
    """Returns a limit: a name also permits the names below it."""
    if is_address(name):
        return _network(name)
    return x509.DNSName("localhost" if name.endswith(".localhost") else name)


def _network(text: str) -> x509.IPAddress:
    return x509.IPAddress(ipaddress.ip_network(text))


def _general(name: str) -> x509.GeneralName:
    return x509.IPAddress(ipaddress.ip_address(name)) if is_address(name) else x509.DNSName(name)


def is_address(name: str) -> bool:
    """Returns whether a host is an IP address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _days(count: int) -> datetime:
    return datetime.now(UTC) + timedelta(days=count)


def _private(key: PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
