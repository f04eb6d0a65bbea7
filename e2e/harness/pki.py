"""Certificates of a test cluster: one authority for all, one for the front proxy."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

BEFORE = timedelta(hours=1)
"""Clocks of containers may lag."""
AFTER = timedelta(days=30)
SERVICE_ACCOUNTS = "sa"
API_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)


@dataclass(frozen=True)
class Credential:
    """A certificate and its private key, PEM."""

    certificate: bytes
    key: bytes

    def write(self, folder: Path, name: str) -> None:
        """`NAME.crt` and `NAME.key`, the key for its owner only."""
        (folder / f"{name}.crt").write_bytes(self.certificate)
        (folder / f"{name}.key").touch(mode=0o600)
        (folder / f"{name}.key").write_bytes(self.key)


class Authority:
    """A certificate authority that lives in memory."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = _begun(self._name, self._name, self._key.public_key(), self._key.public_key())
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        made = made.add_extension(_key_usage(signs_certificates=True), critical=True)
        self._certificate = made.sign(self._key, hashes.SHA256())
        self.credential = Credential(_pem(self._certificate), _private(self._key))

    def issue(self, name: str, groups: Sequence[str] = (), hosts: Sequence[str] = ()) -> Credential:
        """A certificate for a client; with hosts (names or addresses) for a server as well."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name(
            [
                *(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups),
                x509.NameAttribute(NameOID.COMMON_NAME, name),
            ]
        )
        made = _begun(subject, self._name, key.public_key(), self._key.public_key())
        uses = [ExtendedKeyUsageOID.CLIENT_AUTH]
        if hosts:
            uses.append(ExtendedKeyUsageOID.SERVER_AUTH)
            names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
            made = made.add_extension(names, critical=False)
        made = made.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        made = made.add_extension(_key_usage(signs_certificates=False), critical=True)
        return Credential(_pem(made.sign(self._key, hashes.SHA256())), _private(key))


def write_pki(folder: Path, authority: Authority, addresses: Sequence[str]) -> None:
    """All that the components read, below a folder; `addresses`: where the API server answers."""
    front = Authority("front-proxy-ca")
    front.credential.write(folder, "front-ca")
    front.issue("front-proxy").write(folder, "front-proxy")
    authority.credential.write(folder, "ca")
    authority.issue("kube-apiserver", hosts=(*API_NAMES, *addresses)).write(folder, "apiserver")
    authority.issue("admin", groups=("system:masters",)).write(folder, "admin")
    key = ec.generate_private_key(ec.SECP256R1())
    (folder / f"{SERVICE_ACCOUNTS}.key").write_bytes(_private(key))
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (folder / f"{SERVICE_ACCOUNTS}.pub").write_bytes(public)


def _begun(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePublicKey,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    # Python from 3.13 on refuses certificates without the two identifiers.
    named = x509.SubjectKeyIdentifier.from_public_key(key)
    signed_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BEFORE)
        .not_valid_after(now + AFTER)
        .add_extension(named, critical=False)
        .add_extension(signed_by, critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
