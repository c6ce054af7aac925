"""`--tls auto` and `--mtls`: a server that makes the certificates itself, for whoever tests with encryption."""

import socket
import ssl
from pathlib import Path

import pytest
from small_server import TIMEOUT_S, done

import cqlserver
from cqlserver.commands.run import environment
from protocol.client import Connection
from protocol.responses import RowsResult


def ask(server: cqlserver.Server, context: ssl.SSLContext, host: str = "127.0.0.1") -> bytes | None:
    """The protocol of the connection as the server sees it."""
    plain = socket.create_connection((server.host, server.port), timeout=TIMEOUT_S)
    with context.wrap_socket(plain, server_hostname=host) as stream, Connection(stream) as connection:
        response = done(connection.query("SELECT ssl_protocol FROM system_views.clients")).response
        assert isinstance(response, RowsResult)
        return response.rows()[0][0]


def trusting(server: cqlserver.Server) -> ssl.SSLContext:
    """A client that has no certificate of its own."""
    assert server.tls is not None
    return ssl.create_default_context(cafile=server.tls["ca"])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_client_that_trusts_the_authority_is_served(host: str) -> None:
    with cqlserver.start(tls=True) as server:
        assert ask(server, trusting(server), host) == b"TLSv1.3"
        assert server.tls is not None
        with pytest.raises(ssl.SSLCertVerificationError):
            ask(server, ssl.create_default_context())
        assert all(Path(path).stat().st_mode & 0o777 == 0o600 for name, path in server.tls.items() if name != "password")


def test_mutual_tls_asks_for_the_clients_certificate() -> None:
    with cqlserver.start(mtls=True) as server:
        assert ask(server, server.ssl_context()) == b"TLSv1.3"
        with pytest.raises(OSError, match=r"certificate required|reset|closed|EOF"):
            ask(server, trusting(server))


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_without_data_the_certificates_go_with_the_server(end: str) -> None:
    server = cqlserver.start(tls=True)
    assert server.tls is not None
    folder = Path(server.tls["ca"]).parent
    assert folder.exists()
    server.stop() if end == "stop" else server.kill()
    assert not folder.exists()


def test_beside_data_they_stay_the_same(tmp_path: Path) -> None:
    with cqlserver.start(data=tmp_path / "data", tls=True) as server:
        context = server.ssl_context()
    with cqlserver.start(data=tmp_path / "data", mtls=True) as server:
        assert ask(server, context) == b"TLSv1.3"


def test_a_command_is_told_of_them() -> None:
    with cqlserver.start(tls=True) as server:
        told = environment(server, "test")
        assert server.tls is not None
        assert told["CASSANDRA_TLS_CA"] == told["SSL_CERTFILE"] == server.tls["ca"]
        truststore = told["CONFIG_FORCE_datastax__java__driver_advanced_ssl__engine__factory_truststore__path"]
        assert Path(truststore).read_bytes()
    with cqlserver.start() as plain, pytest.raises(ValueError, match="tls=True"):
        plain.ssl_context()


def test_without_trustme_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "trustme.py").write_text("raise ImportError('not here')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(cqlserver.StartError, match=r"--tls auto needs the package trustme: pip install 'cqlserver\[tls\]'"):
        cqlserver.start(tls=True)
