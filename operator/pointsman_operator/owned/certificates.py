"""Roots and leaves as PEM: made, read, judged. No I/O; the time comes from the caller."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ROOT_LASTS = dt.timedelta(days=730)
LEAF_LASTS = dt.timedelta(days=90)
SKEW = dt.timedelta(minutes=5)
"""Certificates are valid from a little before they are made: clocks differ."""
RENEW_AT = 2 / 3
"""The share of its life after which a certificate is replaced."""


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key, both PEM."""

    certificate: str
    key: str

    def parsed(self) -> x509.Certificate | None:
        """The certificate, if it is one and the key is its own."""
        try:
            found = x509.load_pem_x509_certificate(self.certificate.encode())
            key = serialization.load_pem_private_key(self.key.encode(), password=None)
        except (ValueError, TypeError):
            return None
        return found if key.public_key() == found.public_key() else None


def issue_root(name: str, now: dt.datetime) -> Pair:
    """A new authority that signs leaves only."""
    key = ec.generate_private_key(ec.SECP256R1())
    # Verifiers look a root up by its name first: two roots of one day must not share theirs.
    own = f"{name} {now:%Y-%m-%dT%H:%M:%S.%fZ}"
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, own)])
    builder = (
        _builder(subject, subject, key.public_key(), now, ROOT_LASTS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
    )
    return _pair(builder.sign(key, hashes.SHA256()), key)


def issue_leaf(root: Pair, names: Sequence[str], now: dt.datetime) -> Pair:
    """A server's certificate for these DNS names, signed by the root."""
    key = ec.generate_private_key(ec.SECP256R1())
    signed, signer = _leaf(root, key.public_key(), names, now)
    return _pair(signed.sign(signer, hashes.SHA256()), key)


def issue_requested(root: Pair, request: str, names: Sequence[str], now: dt.datetime) -> str:
    """A certificate (PEM) for the key of a request; the names are ours to say.

    Raises ValueError where it is no request, or not signed by its own key.
    """
    asked = x509.load_pem_x509_csr(request.encode())
    public = asked.public_key()
    if not asked.is_signature_valid or not isinstance(public, ec.EllipticCurvePublicKey):
        raise ValueError("the request is not signed by the elliptic key that it names")
    signed, signer = _leaf(root, public, names, now)
    certificate = signed.sign(signer, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _leaf(
    root: Pair, public: ec.EllipticCurvePublicKey, names: Sequence[str], now: dt.datetime
) -> tuple[x509.CertificateBuilder, ec.EllipticCurvePrivateKey]:
    """A server's certificate but for the signature, and who signs."""
    authority = x509.load_pem_x509_certificate(root.certificate.encode())
    signer = serialization.load_pem_private_key(root.key.encode(), password=None)
    if not isinstance(signer, ec.EllipticCurvePrivateKey):
        raise TypeError("the root's key is not of the kind that we make")
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    builder = (
        _builder(subject, authority.subject, public, now, LEAF_LASTS)
        .add_extension(alternatives, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(issuer_key, critical=False)
    )
    return builder, signer


def made_at(certificate: x509.Certificate) -> dt.datetime:
    """When it was made."""
    return certificate.not_valid_before_utc + SKEW


def ages(certificate: x509.Certificate, now: dt.datetime) -> bool:
    """Whether it has lived so long that it is to be replaced."""
    life = certificate.not_valid_after_utc - made_at(certificate)
    return now >= made_at(certificate) + life * RENEW_AT


def signed_by(certificate: x509.Certificate, root: x509.Certificate) -> bool:
    """Whether the root has signed it."""
    try:
        certificate.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def dns_names(certificate: x509.Certificate) -> list[str]:
    """The names that it is for."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return found.value.get_values_for_type(x509.DNSName)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    now: dt.datetime,
    lasts: dt.timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + lasts)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return Pair(certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode())
