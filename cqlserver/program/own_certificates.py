"""`--tls auto`: an authority of one's own, and the certificates that it signs for the server and for its clients.

They are made once and kept beside the data; without data they live in a temporary folder, as long as the server does. Needs
trustme (`pip install 'cqlserver[tls]'`).
"""

import datetime
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cqlserver.program.tls_settings import TlsError, TlsSettings

if TYPE_CHECKING:
    import trustme

FOLDER: Final = "tls"
"""In the data folder."""
PASSWORD: Final = "cassandra"
"""Of the PKCS12 stores: Java opens none without. It guards nothing, the key stands in clear beside it."""
CLIENT_IDENTITY: Final = "spiffe://cqlserver.test/client"
"""What MutualTlsAuthenticator knows the client's certificate by (auth/SpiffeCertificateValidator.java)."""
LOCAL_NAMES: Final = ("localhost", "127.0.0.1", "::1")
VALID_DAYS: Final = 3650


@dataclass(frozen=True, slots=True)
class OwnCertificates:
    """Files in `folder`: PEM for most drivers, PKCS12 with the same contents for Java.
    `is_temporary`: they go with the server."""

    folder: Path
    is_temporary: bool

    @property
    def authority(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def server(self) -> Path:
        return self.folder / "server.pem"

    @property
    def client(self) -> Path:
        return self.folder / "client.pem"

    @property
    def truststore(self) -> Path:
        return self.folder / "truststore.p12"

    @property
    def keystore(self) -> Path:
        return self.folder / "client.p12"

    def settings(self, requires_client: bool) -> TlsSettings:
        return TlsSettings(self.server, truststore=self.authority, requires_client_certificate=requires_client)

    def told(self) -> dict[str, str]:
        """What a client needs, for the ready file."""
        files = {"ca": self.authority, "client": self.client, "truststore": self.truststore, "keystore": self.keystore}
        return {**{name: str(path) for name, path in files.items()}, "password": PASSWORD}


@contextmanager
def own_certificates(data: Path | None, hosts: Sequence[str]) -> Iterator[OwnCertificates]:
    """Those of the data folder, made for these hosts where there are none yet, or (None) temporary ones. Raises TlsError."""
    if data is not None:
        certificates = OwnCertificates(data.resolve() / FOLDER, is_temporary=False)
        try:
            if not certificates.keystore.exists():  # the last one that is written
                _write(certificates, hosts)
        except OSError as error:
            raise TlsError(f"{certificates.folder}: {error.strerror}; choose another folder with --data") from error
        yield certificates
        return
    certificates = OwnCertificates(Path(tempfile.mkdtemp(prefix="cqlserver-tls-")), is_temporary=True)
    try:
        _write(certificates, hosts)
        yield certificates
    finally:
        shutil.rmtree(certificates.folder, ignore_errors=True)


def _write(certificates: OwnCertificates, hosts: Sequence[str]) -> None:
    try:
        import trustme
    except ImportError as error:
        raise TlsError("--tls auto needs the package trustme: pip install 'cqlserver[tls]'") from error
    certificates.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority = trustme.CA(organization_name="cqlserver")
    names = dict.fromkeys((*LOCAL_NAMES, *(host for host in hosts if host not in ("0.0.0.0", "::"))))
    server = authority.issue_cert(*names, key_type=trustme.KeyType.ECDSA)
    client, keystore = client_certificate(authority, CLIENT_IDENTITY)
    for path, content in (
        (certificates.authority, authority.cert_pem.bytes()),
        (certificates.server, server.private_key_and_cert_chain_pem.bytes()),
        (certificates.client, client),
        (certificates.truststore, _java_truststore(authority.cert_pem.bytes())),
        (certificates.keystore, keystore),
    ):
        path.touch(mode=0o600)
        path.write_bytes(content)


def client_certificate(authority: "trustme.CA", identity: str | None) -> tuple[bytes, bytes]:
    """A client's key and certificate as PEM and as PKCS12; `identity` is the URI it is for. (trustme's are for hosts.)"""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import pkcs12

    issuer = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
    issuer_key = serialization.load_pem_private_key(authority.private_key_pem.bytes(), None)
    assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "client")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(issuer.subject, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(VALID_DAYS))
    alternative = x509.DNSName("client.example") if identity is None else x509.UniformResourceIdentifier(identity)
    builder = builder.add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
    signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    certificate = builder.add_extension(signer, critical=False).sign(issuer_key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    secret = serialization.BestAvailableEncryption(PASSWORD.encode())
    keystore = pkcs12.serialize_key_and_certificates(b"client", key, certificate, [issuer], secret)
    return private + certificate.public_bytes(pem), keystore


def _java_truststore(authority_pem: bytes) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.serialization import pkcs12

    trusted = [pkcs12.PKCS12Certificate(x509.load_pem_x509_certificate(authority_pem), b"ca")]
    secret = serialization.BestAvailableEncryption(PASSWORD.encode())
    return pkcs12.serialize_java_truststore(trusted, secret)
