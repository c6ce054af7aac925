"""Encrypted and compressed connections between nodes: what passes, and who is turned away, and why."""

import logging
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from wire_end import End, wait_taken

from cluster.gossip.endpoint import Endpoint
from cluster.internode.frames import Message
from cqlserver.clustering.connecting import PLAIN, Connecting, WireTls, is_in_scope
from cqlserver.program.tls_settings import TlsError, make_internode_contexts, read_internode_tls

PASSWORD = "secret"
LARGE = bytes(range(256)) * 2_000


class Stores:
    """Files of an authority that all nodes believe, and keystores of a node, of one at another address, of a stranger."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca, self.stranger = trustme.CA(), trustme.CA()
        for name, ca, address in (
            ("node.pem", self.ca, "127.0.0.1"),
            ("elsewhere.pem", self.ca, "10.0.0.1"),
            ("stranger.pem", self.stranger, "127.0.0.1"),
        ):
            ca.issue_cert(address).private_key_and_cert_chain_pem.write_to_path(folder / name)
        self.ca.cert_pem.write_to_path(folder / "ca.pem")
        certificate = self.ca.issue_cert("127.0.0.1")
        key = serialization.load_pem_private_key(certificate.private_key_pem.bytes(), None)
        chain = [x509.load_pem_x509_certificate(blob.bytes()) for blob in certificate.cert_chain_pems]
        authority = x509.load_pem_x509_certificate(self.ca.cert_pem.bytes())
        encryption = serialization.BestAvailableEncryption(PASSWORD.encode())
        (folder / "node.p12").write_bytes(
            pkcs12.serialize_key_and_certificates(b"node", key, chain[0], [authority], encryption)  # type: ignore[arg-type]
        )

    def connecting(self, **options: object) -> Connecting:
        """With server_encryption_options, `internode_encryption: all` unless they say otherwise."""
        given = {"internode_encryption": "all", "keystore": "node.pem", "truststore": "ca.pem", **options}
        for name in ("keystore", "truststore", "outbound_keystore"):
            if name in given:
                given[name] = str(self.folder / str(given[name]))
        settings = read_internode_tls(given)
        assert settings is not None
        tls = WireTls(*make_internode_contexts(settings), settings.accepting.is_optional, settings.verifies_endpoint)
        return Connecting(lambda _: False, lambda _: settings.scope == "all", tls)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Stores:
    return Stores(tmp_path_factory.mktemp("stores"))


@asynccontextmanager
async def two(caller: Connecting, callee: Connecting) -> AsyncIterator[tuple[End, End]]:
    async with trio.open_nursery() as nursery:
        ends = End(how=caller), End(how=callee)
        for end in ends:
            await nursery.start(end.run)
        yield ends
        nursery.cancel_scope.cancel()


async def assert_passes(caller: Connecting, callee: Connecting) -> None:
    """In order, small and large, also on the connection that is there, and back."""
    async with two(caller, callee) as (one, other):
        sent = [Message(1, number, b"small" * number) for number in range(50)]
        for message in sent:
            one.wire.carry(other.endpoint, [message])
        assert await wait_taken(other, len(sent)) == sent
        one.wire.carry(other.endpoint, sent)
        assert (await wait_taken(other, 2 * len(sent)))[len(sent) :] == sent
        one.wire.carry(other.endpoint, [Message(2, 1, LARGE)])
        assert (await wait_taken(other, 2 * len(sent) + 1))[-1] == Message(2, 1, LARGE)


async def told(caller: Connecting, callee: Connecting, caplog: pytest.LogCaptureFixture, text: str) -> None:
    """Nothing passes, and one of the logs says why."""
    async with two(caller, callee) as (one, other):
        with trio.fail_after(20), caplog.at_level(logging.INFO):
            while text not in caplog.text:
                one.wire.carry(other.endpoint, [Message(1, 1, b"x")])
                await trio.sleep(0.01)
        assert not other.station.taken


OPTIONS: Mapping[str, Mapping[str, object]] = {
    "plain": {},
    "mutual": {"require_client_auth": True},
    "verified": {"require_client_auth": True, "require_endpoint_verification": True},
    "pkcs12": {
        "keystore": "node.p12",
        "keystore_password": PASSWORD,
        "truststore": "node.p12",
        "truststore_password": PASSWORD,
        "require_client_auth": True,
    },
    "outbound": {"outbound_keystore": "elsewhere.pem", "require_client_auth": True},
    "tls12": {"accepted_protocols": ["TLSv1.2"], "require_client_auth": True},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_messages_pass_encrypted(stores: Stores, name: str) -> None:
    how = stores.connecting(**OPTIONS[name])
    trio.run(assert_passes, how, how)


def test_what_passes_is_encrypted_or_compressed(stores: Stores) -> None:
    """Somebody who listens in between sees the bytes of a plain connection alone, and fewer of a compressed one."""

    async def seen(how: Connecting) -> bytes:
        passed = bytearray()
        async with two(how, how) as (one, other):
            (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")

            async def between(stream: trio.SocketStream) -> None:
                onward = await trio.open_tcp_stream(*other.endpoint)
                async with onward, trio.open_nursery() as pair:

                    async def back() -> None:
                        async for data in onward:
                            await stream.send_all(data)

                    pair.start_soon(back)
                    async for data in stream:
                        passed.extend(data)
                        await onward.send_all(data)
                    pair.cancel_scope.cancel()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.serve_listeners, between, [listener])
                address, port = listener.socket.getsockname()[:2]
                one.wire.route = lambda _: Endpoint(address, port)
                message = Message(1, 1, b"recognisable " * 1_000)
                one.wire.carry(other.endpoint, [message])
                assert await wait_taken(other, 1) == [message]
                nursery.cancel_scope.cancel()
        return bytes(passed)

    compressed = Connecting(lambda _: True, lambda _: False)
    plain, small, secret = (trio.run(seen, how) for how in (PLAIN, compressed, stores.connecting()))
    assert b"recognisable recognisable" in plain
    assert b"recognisable" not in secret
    assert len(secret) > 13_000
    assert b"CQLN" in small
    assert len(small) < 1_000


def test_an_optional_end_takes_both(stores: Stores) -> None:
    optional = stores.connecting(optional=True)
    trio.run(assert_passes, PLAIN, optional)
    trio.run(assert_passes, stores.connecting(), optional)
    trio.run(assert_passes, PLAIN, stores.connecting(internode_encryption="dc"))
    trio.run(assert_passes, PLAIN, stores.connecting(internode_encryption="none"))


@pytest.mark.parametrize(
    ("caller", "callee", "text"),
    [
        (None, {}, "refuses this node: 127.0.0.1:{port} takes encrypted connections alone (server_encryption_options)"),
        ({}, None, "encrypts, and this node does not (server_encryption_options)"),
        ({"keystore": "stranger.pem"}, {"require_client_auth": True}, "the connection can't be encrypted: "),
        ({}, {"keystore": "stranger.pem"}, "can't be encrypted: unable to get local issuer certificate"),
        (
            {"require_endpoint_verification": True},
            {"keystore": "elsewhere.pem"},
            "can't be encrypted: IP address mismatch, certificate is not valid for '127.0.0.1'",
        ),
        (
            {"outbound_keystore": "elsewhere.pem"},
            {"require_client_auth": True, "require_endpoint_verification": True},
            "the certificate of 127.0.0.1 is for other addresses: 10.0.0.1",
        ),
    ],
    ids=["plain", "encrypted", "stranger calls", "stranger answers", "answers from elsewhere", "calls from elsewhere"],
)
def test_who_is_turned_away_and_why(
    stores: Stores,
    caplog: pytest.LogCaptureFixture,
    caller: Mapping[str, object] | None,
    callee: Mapping[str, object] | None,
    text: str,
) -> None:
    ends = [PLAIN if options is None else stores.connecting(**options) for options in (caller, callee)]
    trio.run(told, *ends, caplog, text.partition("{port}")[2] or text)


def test_scopes() -> None:
    own, of_rack, of_datacenter, elsewhere = ("dc1", "r1"), ("dc1", "r1"), ("dc1", "r2"), ("dc2", "r1")
    found = {
        scope: [is_in_scope(scope, own, other) for other in (of_rack, of_datacenter, elsewhere, None)]
        for scope in ("none", "rack", "dc", "all")
    }
    assert found == {
        "none": [False] * 4,
        "rack": [False, True, True, True],
        "dc": [False, False, True, True],
        "all": [True] * 4,
    }


def test_settings(stores: Stores, caplog: pytest.LogCaptureFixture) -> None:
    assert read_internode_tls({"internode_encryption": "none", "keystore": "conf/.keystore"}) is None
    for options, text in (
        ({"internode_encryption": "some"}, "internode_encryption: some is none of none, rack, dc, all"),
        ({"internode_encryption": "all"}, "keystore is missing"),
        ({"internode_encryption": "all", "keystore": "x"}, "truststore is missing"),
        ({"internode_encryption": "none", "optional": "maybe"}, "optional: maybe is neither true nor false"),
    ):
        with pytest.raises(TlsError, match=f"server_encryption_options: {text}"):
            read_internode_tls(options)
    with pytest.raises(TlsError, match=r"server_encryption_options: .*nowhere\.pem"):
        stores.connecting(keystore="nowhere.pem")
    with caplog.at_level(logging.WARNING):
        stores.connecting(internode_encryption="rack", require_client_auth=True)
    assert "Setting require_client_auth is incompatible with 'rack' and 'dc'" in caplog.text


def test_versions_of_before_are_not_spoken(stores: Stores) -> None:
    tls = stores.connecting().tls
    assert tls is not None
    assert {context.minimum_version for context in (tls.accepting, tls.calling)} == {ssl.TLSVersion.TLSv1_2}
