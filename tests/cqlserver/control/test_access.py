"""A control port that asks for its token, and one that is encrypted: who gets in, with which tools, what strangers do."""

import http.client
import json
import logging
import os
import socket
import ssl
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import TypeVar, cast

import h11
import pytest
import trio
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from small_session import SmallSession

import cqlserver
from cqlserver.__main__ import configure
from cqlserver.commands import COMMANDS
from cqlserver.control import http as http_module
from cqlserver.control.access import Access, AccessError, kept_token, maybe_access
from cqlserver.control.client import Access as Shown
from cqlserver.control.client import ControlClient, ControlError
from cqlserver.control.context import Exclusive
from cqlserver.control.operations import BY_NAME
from cqlserver.control.port import open_control_socket, serve_control
from cqlserver.launcher import launch
from cqlserver.nodetool import program
from cqlserver.program.config import ConfigError
from cqlserver.program.control_settings import is_loopback
from cqlserver.program.own_certificates import client_certificate

# --- the token ---------------------------------------------------------------------------------------------------------


def test_a_token_is_made_once_and_nobody_else_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "data" / "control-token"
    made = kept_token(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = file.read_text().strip()
    assert len(text) >= 40
    assert kept_token(file) == made
    assert text not in repr(made)
    assert os.listdir(file.parent) == ["control-token"]
    assert kept_token(tmp_path / "other") != made


def test_what_shows_it_and_what_does_not(tmp_path: Path) -> None:
    file = tmp_path / "token"
    token = kept_token(file)
    text = file.read_bytes().strip()
    assert token.is_shown_by(b"Bearer " + text)
    assert token.is_shown_by(b"bearer  " + text + b" ")
    others = (b"Bearer", b"Bearer ", b"Basic " + text, b"Bearer " + text[:-1], b"Bearer " + text + b"x", b"\xff")
    for header in (b"", text, *others):
        assert not token.is_shown_by(header)


@pytest.mark.parametrize("content", [b"", b"short", b"two words of it " * 3, b"\xff" * 40])
def test_files_that_hold_no_token(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.touch(0o600)
    file.write_bytes(content)
    with pytest.raises(AccessError, match="no token"):
        kept_token(file)


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    kept_token(file)
    file.chmod(0o640)
    with pytest.raises(AccessError, match="chmod 600"):
        kept_token(file)


def test_when_it_is_asked_for(tmp_path: Path) -> None:
    data = ["--data", str(tmp_path)]
    assert maybe_access(configure(data), "127.0.0.1") is None
    asked = maybe_access(configure([*data, "--control-auth"]), "127.0.0.1")
    beyond = maybe_access(configure(data), "10.0.0.5")
    assert asked is not None
    assert asked == beyond
    assert asked.token is not None
    assert asked.token.file == tmp_path / "control-token"
    memory = maybe_access(configure(["--memory", "--control-auth"]), "127.0.0.1")
    assert memory is not None
    assert memory.token is not None
    assert memory.token.file.exists()
    memory.close()
    assert not memory.token.file.parent.exists()
    addresses = ("127.8.0.1", "::1", "0.0.0.0", "fe80::1%eth0")
    assert [is_loopback(address) for address in addresses] == [True, True, False, False]


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["--control-tls", "x"], "--control-tls takes CERT:KEY, two PEM files, or clients"),
        (["--set", "control_encryption_options={enabled: true}"], "control_encryption_options: keystore is missing"),
        (["--set", "control_encryption_options={enabled: maybe}"], "control_encryption_options: enabled: maybe is neither"),
    ],
)
def test_options_that_are_wrong(words: list[str], fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        configure(words)


def test_certificates_that_are_wrong() -> None:
    with pytest.raises(AccessError, match="connections of clients are not encrypted"):
        maybe_access(configure(["--control-tls", "clients"]), "127.0.0.1")
    with pytest.raises(AccessError, match="--control-tls: nosuch"):
        maybe_access(configure(["--control-tls", "nosuch:nosuch"]), "127.0.0.1")


# --- what a guarded port answers ---------------------------------------------------------------------------------------

T = TypeVar("T")


def with_port(access: Access | None, action: Callable[[int], T]) -> T:
    """What `action` gives, which runs in a thread while a control port is served."""

    async def main() -> T:
        with open_control_socket(0) as sock:
            async with trio.open_nursery() as nursery:
                node, listener = SmallSession(False, ()).node, cast(Exclusive, SimpleNamespace(takes_clients=True))
                nursery.start_soon(serve_control, sock, node, listener, None, access)
                done = await trio.to_thread.run_sync(action, sock.getsockname()[1])
                nursery.cancel_scope.cancel()
        return done

    return trio.run(main)


def asked(port: int, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, text


@pytest.fixture
def guarded(tmp_path: Path) -> tuple[Access, str]:
    token = kept_token(tmp_path / "token")
    return Access(token), token.file.read_text().strip()


def test_without_the_token_there_is_the_page_and_health(guarded: tuple[Access, str]) -> None:
    access, token = guarded

    def check(port: int) -> None:
        for name in ("metrics", "openapi.json", "", "nosuch"):
            assert asked(port, "GET", f"/{name}")[0] == 401, name
        for name, operation in BY_NAME.items():
            assert asked(port, "GET" if operation.reads else "POST", f"/{name}")[0] == 401, name
        status, text = asked(port, "GET", "/about", Authorization="Bearer wrong")
        assert (status, json.loads(text)["error"]["code"]) == (401, "Unauthorized")
        assert asked(port, "GET", f"/about?token={token}")[0] == 401
        assert asked(port, "GET", "/", Accept="text/html")[0] == 200
        assert [asked(port, "GET", f"/health/{name}")[0] for name in ("live", "ready", "cluster")] == [200, 200, 200]
        assert asked(port, "POST", "/health/live")[0] == 405
        assert asked(port, "GET", "/about", Authorization=f"Bearer {token}")[0] == 200
        told = json.loads(asked(port, "GET", "/openapi.json", Authorization=f"Bearer {token}")[1])
        assert told["security"] == [{"token": []}]
        assert told["components"]["securitySchemes"]["token"] == {"type": "http", "scheme": "bearer"}
        assert "cqlserver_uptime_seconds" in asked(port, "GET", "/metrics", Authorization=f"Bearer {token}")[1]

    with_port(access, check)


def test_pages_of_others_are_refused_with_the_token_too(guarded: tuple[Access, str]) -> None:
    access, token = guarded

    def check(port: int) -> None:
        shown, own = f"Bearer {token}", f"http://127.0.0.1:{port}"
        assert asked(port, "POST", "/about", Authorization=shown, Origin=own)[0] == 200
        assert asked(port, "POST", "/about", Authorization=shown, Origin="http://evil.example")[0] == 403
        assert asked(port, "GET", "/about", Authorization=shown, Sec_Fetch_Site="cross-site")[0] == 403
        assert asked(port, "GET", "/health/live", Sec_Fetch_Site="cross-site")[0] == 403
        assert asked(port, "OPTIONS", "/about", Origin="http://evil.example")[0] == 403
        # reached by a name, as it is beyond loopback: its own page goes on, a link leads there, and nobody may frame it
        name = f"node1.example:{port}"
        assert asked(port, "POST", "/about", Authorization=shown, Host=name, Origin=f"http://{name}")[0] == 200
        link = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Accept": "text/html"}
        assert asked(port, "GET", "/", **link)[0] == 200
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/health/live")
        assert connection.getresponse().headers["Content-Security-Policy"] == "frame-ancestors 'none'"
        connection.close()

    with_port(access, check)


def test_strangers_are_not_waited_for(guarded: tuple[Access, str], monkeypatch: pytest.MonkeyPatch) -> None:
    access, _ = guarded
    monkeypatch.setattr(http_module, "STRANGER_S_MAX", 0.2)

    def check(port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), 10) as stranger:
            stranger.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\nGET /about HTTP/1.1\r\n")
            assert b"200 OK" in stranger.recv(65_536)
            assert stranger.recv(65_536) == b""  # it was ended
        client = ControlClient("127.0.0.1", port, Shown(str(access.token and access.token.file)))
        client.call("about")
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", port), 10) as stranger:
            assert stranger.recv(1) == b""
        assert time.monotonic() - began >= 0.15
        (connection,) = (sock for _, sock in client._idle)
        client.call("about")
        assert [sock for _, sock in client._idle] == [connection]  # who showed it may stay
        client.close()

    with_port(access, check)


def test_what_strangers_send_is_not_kept() -> None:
    received = list[int]()

    class Stream(trio.abc.Stream):
        async def receive_some(self, max_bytes: int | None = None) -> bytes:
            await trio.lowlevel.checkpoint()
            received.append(65_536)
            return b"x" * 65_536

        async def send_all(self, data: bytes | bytearray | memoryview) -> None: ...
        async def wait_send_all_might_not_block(self) -> None: ...
        async def aclose(self) -> None: ...

    async def body() -> bytes | None:
        connection = h11.Connection(h11.SERVER)
        connection.receive_data(b"POST /execute HTTP/1.1\r\nHost: x\r\nContent-Length: 6553600\r\n\r\n")
        assert isinstance(connection.next_event(), h11.Request)
        return await http_module._body(Stream(), connection, False)

    assert trio.run(body) == b""
    assert len(received) == 100


def test_the_log_tells_of_strangers_once_a_minute_and_never_the_token(
    guarded: tuple[Access, str], caplog: pytest.LogCaptureFixture
) -> None:
    access, token = guarded

    def check(port: int) -> None:
        for _ in range(5):
            asked(port, "GET", "/about", Authorization="Bearer guessed-token")
        asked(port, "POST", "/nosuch", Authorization=f"Bearer {token}")
        asked(port, "POST", "/execute", b'{"cql": "x"}', Authorization=f"Bearer {token}")

    with caplog.at_level(logging.DEBUG):
        with_port(access, check)
    assert caplog.text.count("did not show its token: 1 since it was last told, now from 127.0.0.1") == 1
    assert "guessed" not in caplog.text
    assert token not in caplog.text


def test_tools_without_the_token(guarded: tuple[Access, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    access, token = guarded
    file = tmp_path / "of-jmx"
    file.write_text(f"monitorRole {token}\n")

    def check(port: int) -> None:
        assert program.main(["-p", str(port), "info"]) == 1
        told = capsys.readouterr().err
        assert f"Failed to connect to '127.0.0.1:{port}' - SecurityException: 'the control port asks for its" in told
        assert program.main(["-p", str(port), "-pwf", str(file), "statusbinary"]) == 0
        assert program.main(["-p", str(port), "-pwf", str(tmp_path / "nosuch"), "statusbinary"]) == 2
        assert "nosuch: No such file or directory" in capsys.readouterr().err
        for command in (["top", "--once", "--period", "0"], ["about"]):
            words = [*command, "--control-port", str(port)]
            assert COMMANDS[command[0]].main(command[0], words[1:]) == 1
            assert "asks for its token" in capsys.readouterr().err
            shown = [*words[1:], "--control-token-file", str(tmp_path / "token")]
            assert COMMANDS[command[0]].main(command[0], shown) == 0
            assert capsys.readouterr().out

    with_port(access, check)


# --- encrypted ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder: ca.pem, server.pem, server.p12 and client.pem, which has a key."""
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    server = authority.issue_cert("127.0.0.1", "localhost")
    server.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    pem = (folder / "server.pem").read_bytes()
    key = serialization.load_pem_private_key(pem, None)
    chain = x509.load_pem_x509_certificates(pem)
    secret = serialization.BestAvailableEncryption(b"secret")
    store = pkcs12.serialize_key_and_certificates(b"s", key, chain[0], chain[1:], secret)  # type: ignore[arg-type]
    (folder / "server.p12").write_bytes(store)
    (folder / "client.pem").write_bytes(client_certificate(authority, None)[0])
    return folder


@pytest.mark.parametrize("store", ["{keystore: %s/server.pem}", "{keystore: %s/server.p12, keystore_password: secret}"])
def test_encrypted_with_stores_like_those_of_clients(certificates: Path, store: str) -> None:
    options = f"{{enabled: true, {(store % certificates)[1:]}"
    config = configure(["--memory", "--set", f"control_encryption_options={options}"])
    access = maybe_access(config, "127.0.0.1")
    assert access is not None
    assert access.token is None

    def check(port: int) -> None:
        client = ControlClient("localhost", port, Shown(ca=str(certificates / "ca.pem")))
        assert client.call("about")
        assert "cqlserver_uptime" in client.text("metrics")
        client.close()
        with pytest.raises(ConnectionError):
            ControlClient("127.0.0.1", port).call("about")
        with pytest.raises(ssl.SSLCertVerificationError):
            ControlClient("127.0.0.1", port, Shown(ca=trustme_ca(certificates))).call("about")

    with_port(access, check)


def trustme_ca(folder: Path) -> str:
    """Another authority's."""
    path = folder / "other-ca.pem"
    trustme.CA().cert_pem.write_to_path(path)
    return str(path)


def test_encrypted_as_clients_are_who_must_show_a_certificate(certificates: Path) -> None:
    stores = f"keystore: {certificates}/server.pem, truststore: {certificates}/ca.pem"
    options = f"{{enabled: true, require_client_auth: true, {stores}}}"
    config = configure(["--memory", "--control-tls", "clients", "--set", f"client_encryption_options={options}"])
    access = maybe_access(config, "127.0.0.1")

    def check(port: int) -> None:
        ca = str(certificates / "ca.pem")
        client = ControlClient("127.0.0.1", port, Shown(ca=ca, certificate=str(certificates / "client.pem")))
        assert client.call("about")
        client.close()
        with pytest.raises(OSError):
            ControlClient("127.0.0.1", port, Shown(ca=ca)).call("about")

    with_port(access, check)


def test_encrypted_where_that_is_optional(certificates: Path) -> None:
    options = f"{{enabled: true, optional: true, keystore: {certificates}/server.pem}}"
    access = maybe_access(configure(["--memory", "--set", f"control_encryption_options={options}"]), "127.0.0.1")

    def check(port: int) -> None:
        for shown in (Shown(), Shown(ca=str(certificates / "ca.pem"))):
            with closing(ControlClient("127.0.0.1", port, shown)) as client:
                assert client.call("about")

    with_port(access, check)


# --- whole servers -----------------------------------------------------------------------------------------------------


def command(*words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, **variables}
    whole = [sys.executable, "-P", "-m", "cqlserver", *words]
    return subprocess.run(whole, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_server_that_asks_on_loopback(tmp_path: Path) -> None:
    with cqlserver.start(data=tmp_path / "data", control_auth=True, log_level="info") as server:
        assert server.access.token_file == str(tmp_path / "data" / "control-token")
        token = Path(server.access.token_file).read_text().strip()
        assert server.about()["port"] == server.port
        with pytest.raises(ControlError) as caught:
            cqlserver.attach(server.control_port)
        assert caught.value.code == "Unauthorized"
        attached = cqlserver.attach(server.control_port, token_file=server.access.token_file)
        assert attached.port == server.port
        attached.close()
        port, variables = str(server.control_port), server.access.variables()
        assert command("nodetool", "-p", port, "statusbinary").returncode == 1
        assert command("nodetool", "-p", port, "statusbinary", **variables).stdout == "running\n"
        assert command("about", "--control-port", port, **variables).returncode == 0
        assert f"asks for the token in {tmp_path}/data/control-token" in server.log
        assert token not in server.log
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                assert token.encode() not in (process / "cmdline").read_bytes()
    with cqlserver.start(data=tmp_path / "data", control_auth=True) as again:
        assert Path(again.access.token_file or "").read_text().strip() == token


@pytest.mark.slow
def test_a_server_without_data_leaves_no_token_behind() -> None:
    with cqlserver.start(control_auth=True) as server:
        folder = Path(server.access.token_file or "").parent
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not folder.exists()
    with cqlserver.start(control_auth=True) as server:
        folder = Path(server.access.token_file or "").parent
        server.kill()
    assert not folder.exists()


@pytest.mark.slow
def test_beyond_loopback_it_asks_and_warns_that_it_is_not_encrypted(tmp_path: Path) -> None:
    words = ["--memory", "--port", "0", "--control-port", "0", "--control-host", "0.0.0.0", "--ready-file", "-"]
    with launch([sys.executable, "-P", "-m", "cqlserver", *words, "--until-stdin-ends"]) as server:
        assert server.about()
        assert server.access.token_file is not None
        assert "The control port is not encrypted" in server.log
        port = server.control_port
        with closing(ControlClient("127.0.0.2", port)) as client, pytest.raises(ControlError, match="its token"):
            client.call("about")
        with closing(ControlClient("127.0.0.2", port, server.access)) as client:
            assert client.call("about")


@pytest.mark.slow
def test_its_own_certificates_serve_the_control_port_too() -> None:
    words = ["--memory", "--port", "0", "--control-port", "0", "--tls", "auto", "--control-tls", "clients", "--control-auth"]
    whole = [sys.executable, "-P", "-m", "cqlserver", *words, "--ready-file", "-", "--until-stdin-ends"]
    with launch(whole) as server:
        assert server.about()
        done = command("nodetool", "-p", str(server.control_port), "statusbinary", **server.access.variables())
        assert (done.returncode, done.stdout) == (0, "running\n")
        assert command("nodetool", "-p", str(server.control_port), "statusbinary").returncode == 1


@pytest.mark.slow
def test_nodes_of_one_process_ask_for_one_token() -> None:
    with cqlserver.start(nodes=2, control_auth=True) as server:
        assert server.nodes[1].nodetool("statusbinary") == "running\n"
        port = server.nodes[1].control_port
        with closing(ControlClient("127.0.0.1", port)) as client, pytest.raises(ControlError, match="its token"):
            client.call("about")


@pytest.mark.slow
def test_a_command_is_told_where_the_token_is() -> None:
    script = "import cqlserver, os; print(cqlserver.attach(int(os.environ['CQLSERVER_CONTROL_PORT'])).about()['port'])"
    done = command("run", "--control-auth", "--", sys.executable, "-c", script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().isdecimal()
