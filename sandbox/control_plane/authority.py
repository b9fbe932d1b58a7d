"""A certificate authority kept in two files, and the certificates that it signs."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sandbox.files import write_private

LIFETIME = timedelta(days=3650)
_FOR_BOTH = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])


@dataclass(frozen=True)
class Pair:
    """The PEM files of a certificate and of its private key (0600)."""

    certificate: Path
    key: Path

    @property
    def complete(self) -> bool:
        """The certificate is written last."""
        return self.certificate.exists()


class Authority:
    """An authority in `pair`, made when it is not there."""

    def __init__(self, pair: Pair, name: str) -> None:
        self.pair = pair
        if not pair.complete:
            key = ec.generate_private_key(ec.SECP256R1())
            subject = _name(name, None)
            builder = _builder(subject, subject, key.public_key(), key.public_key())
            _write(pair, key, _as_authority(builder, key).sign(key, hashes.SHA256()))
        self._certificate = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
        self._key = _load(pair.key)

    def issue(self, pair: Pair, name: str, organization: str | None = None, hosts: Iterable[str] = ()) -> Pair:
        """`pair` itself, made when it is not there: for `name` as a client and, with `hosts`, as a server of these.

        To Kubernetes `name` is the user and `organization` its group.
        """
        if not pair.complete:
            key = ec.generate_private_key(ec.SECP256R1())
            builder = _builder(
                _name(name, organization), self._certificate.subject, key.public_key(), self._key.public_key()
            )
            builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            builder = builder.add_extension(_FOR_BOTH, critical=False)
            if names := [_general_name(host) for host in hosts]:
                builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
            _write(pair, key, builder.sign(self._key, hashes.SHA256()))
        return pair


def ensure_key(path: Path) -> Path:
    """A private key in `path` (0600) with its public half beside it, `.pub`, made when they are not there."""
    if not path.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        write_private(path, _private_pem(key))
    public = _load(path).public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    path.with_suffix(".pub").write_bytes(public.public_bytes(serialization.Encoding.PEM, form))
    return path


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, signer: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), critical=False)
    )


def _as_authority(builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    no = dict.fromkeys(
        ("content_commitment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False
    )
    usage = x509.KeyUsage(True, key_cert_sign=True, crl_sign=True, key_encipherment=False, **no)
    return (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(common: str, organization: str | None) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)] if organization else []
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write(pair: Pair, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
    write_private(pair.key, _private_pem(key))
    write_private(pair.certificate, certificate.public_bytes(serialization.Encoding.PEM))


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)


def _load(path: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{path} holds another kind of key than the one made here")
    return key
