"""Encrypted connections beside plain ones, and users who are known by their certificates."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from small_server import TIMEOUT_S, SmallServer, done, serving

from cqlserver.program.auth_settings import AuthSettings
from cqlserver.program.own_certificates import client_certificate
from cqlserver.program.tls_settings import TlsError, TlsSettings, make_context, read_tls
from protocol.client import Connection
from protocol.errors import BadCredentials
from protocol.responses import RowsResult

SPIFFE = "spiffe://test/alice"


@dataclass(frozen=True)
class Certificates:
    ca: trustme.CA
    keystore: Path
    truststore: Path


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("tls")
    ca = trustme.CA()
    ca.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    ca.cert_pem.write_to_path(folder / "ca.pem")
    return Certificates(ca, folder / "server.pem", folder / "ca.pem")


def client_context(certificates: Certificates, client: Path | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    certificates.ca.configure_trust(context)
    if client is not None:
        context.load_cert_chain(client)
    return context


def client_file(certificates: Certificates, folder: Path, uri: str | None) -> Path:
    path = folder / "client.pem"
    path.write_bytes(client_certificate(certificates.ca, uri)[0])
    return path


@contextmanager
def encrypted(server: SmallServer, context: ssl.SSLContext) -> Iterator[Connection]:
    plain = socket.create_connection(("127.0.0.1", server.node.port), timeout=TIMEOUT_S)
    with context.wrap_socket(plain, server_hostname="localhost") as stream, Connection(stream) as connection:
        yield connection


def seen(connection: Connection) -> list[tuple[bytes | None, ...]]:
    response = done(connection.query("SELECT ssl_enabled, ssl_protocol, username FROM system_views.clients")).response
    assert isinstance(response, RowsResult)
    return response.rows()


def test_a_connection_is_encrypted(certificates: Certificates) -> None:
    settings = TlsSettings(certificates.keystore)
    with serving(tls=settings) as server, encrypted(server, client_context(certificates)) as connection:
        assert seen(connection) == [(b"\1", b"TLSv1.3", b"anonymous")]


def test_long_answers_and_long_requests(certificates: Certificates) -> None:
    settings, text = TlsSettings(certificates.keystore), "x" * 3_000_000
    with serving(tls=settings) as server, encrypted(server, client_context(certificates)) as connection:
        for statement in (
            "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
            "CREATE TABLE ks.t (k int PRIMARY KEY, v text)",
            f"INSERT INTO ks.t (k, v) VALUES (1, '{text}')",
        ):
            done(connection.query(statement))
        response = done(connection.query("SELECT v FROM ks.t")).response
        assert isinstance(response, RowsResult)
        assert response.rows() == [(text.encode(),)]


def test_a_plain_client_is_turned_away(certificates: Certificates) -> None:
    with serving(tls=TlsSettings(certificates.keystore)) as server, pytest.raises((OSError, Exception)):
        server.connect()


def test_where_encryption_is_optional_both_are_served(certificates: Certificates) -> None:
    settings = TlsSettings(certificates.keystore, is_optional=True)
    with (
        serving(tls=settings) as server,
        server.connect() as plain,
        encrypted(server, client_context(certificates)) as connection,
    ):
        assert sorted(row[0] or b"" for row in seen(plain)) == [b"\0", b"\1"]
        assert len(seen(connection)) == 2


def mutual(certificates: Certificates, authenticator: str) -> dict[str, object]:
    tls = TlsSettings(certificates.keystore, truststore=certificates.truststore, requires_client_certificate=True)
    return {"tls": tls, "auth": AuthSettings(authenticator=authenticator)}


def test_a_certificate_says_who_one_is(certificates: Certificates, tmp_path: Path) -> None:
    alice = client_context(certificates, client_file(certificates, tmp_path, SPIFFE))
    other = client_context(certificates, client_file(certificates, tmp_path, None))
    with serving(**mutual(certificates, "MutualTlsAuthenticator")) as server:
        server.node.access.tables.write(
            "INSERT INTO system_auth.roles (role, can_login, is_superuser) VALUES (?, ?, ?)", "alice", True, False
        )
        with (
            pytest.raises(BadCredentials, match=f"Certificate identity '{SPIFFE}' not authorized"),
            encrypted(server, alice),
        ):
            pass
        server.node.access.roles.add_identity(SPIFFE, "alice")
        with encrypted(server, alice) as connection:
            assert seen(connection) == [(b"\1", b"TLSv1.3", b"alice")]
        with (
            pytest.raises(BadCredentials, match="Unable to extract Spiffe"),
            encrypted(server, other),
        ):
            pass


def test_who_shows_no_certificate_is_turned_away(certificates: Certificates) -> None:
    with serving(**mutual(certificates, "MutualTlsAuthenticator")) as server, pytest.raises((OSError, Exception)):  # noqa: SIM117
        with encrypted(server, client_context(certificates)):
            pass


def test_stores_of_pkcs12(certificates: Certificates, tmp_path: Path) -> None:
    issued = certificates.ca.issue_cert("localhost")
    key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
    certificate = x509.load_pem_x509_certificate(issued.cert_chain_pems[0].bytes())
    store = tmp_path / "store.p12"
    encryption = serialization.BestAvailableEncryption(b"secret")
    store.write_bytes(pkcs12.serialize_key_and_certificates(b"x", key, certificate, None, encryption))  # type: ignore[arg-type]
    with (
        serving(tls=TlsSettings(store, "secret")) as server,
        encrypted(server, client_context(certificates)) as connection,
    ):
        assert seen(connection)
    with pytest.raises(TlsError, match=r"store\.p12"):
        make_context(TlsSettings(store, "wrong"))


def test_what_the_settings_say(certificates: Certificates, tmp_path: Path) -> None:
    store = str(certificates.keystore)
    assert read_tls({"enabled": False}) is None
    assert read_tls({"enabled": True, "keystore": store}) == TlsSettings(certificates.keystore)
    optional = read_tls({"enabled": False, "optional": True, "keystore": store})
    assert optional == TlsSettings(certificates.keystore, is_optional=True)
    with pytest.raises(TlsError, match="keystore is missing"):
        read_tls({"enabled": True})
    with pytest.raises(TlsError, match="neither true nor false"):
        read_tls({"enabled": "yes", "keystore": store})
    jks = tmp_path / "store.jks"
    jks.write_bytes(b"\xfe\xed\xfe\xed and more")
    with pytest.raises(TlsError, match="keytool -importkeystore"):
        make_context(TlsSettings(jks))
    with pytest.raises(TlsError, match="No such file"):
        make_context(TlsSettings(tmp_path / "missing.pem"))
    with pytest.raises(TlsError, match="needs a truststore"):
        make_context(TlsSettings(certificates.keystore, requires_client_certificate=True))
