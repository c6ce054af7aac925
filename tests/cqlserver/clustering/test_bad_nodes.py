"""Nodes that can't be in the ring, and what looks like one: refused, with a line that says why, and nothing happens to the
others."""

import socket
from collections.abc import Iterator
from uuid import UUID

import pytest
from process_ring import ALL, ONE, ProcessRing, ask, count, wait_until

from cluster.gossip.endpoint import Endpoint
from cluster.internode.handshake import VERSION, Compression, Hello, Kind, Verdict, encode_hello, maybe_answer
from cqlserver.launcher import StartError

pytestmark = pytest.mark.slow
SOON = "-Dcassandra.ring_delay_ms=2000"
TOKEN = ("--set", "num_tokens=1", "--set", "initial_token=5")


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessRing]:
    """One node, whose only token is 5, with a row."""
    with ProcessRing(tmp_path_factory.mktemp("nodes")) as found:
        first = found.start(1, *TOKEN)
        ask(first, "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}", ONE)
        ask(first, "CREATE TABLE ks.t (k int PRIMARY KEY)", ONE)
        ask(first, "INSERT INTO ks.t (k) VALUES (1)", ONE)
        yield found
        assert count(first, "SELECT * FROM ks.t", ALL) == 1
        assert count(first, "SELECT * FROM system.peers", ONE) == 0


def test_one_of_another_cluster(ring: ProcessRing) -> None:
    with pytest.raises(StartError, match="Unable to gossip with any peers") as caught:
        ring.start(2, SOON, "--set", "cluster_name=Another")
    reason = f"this is cluster 'Test Cluster', the caller at 127.0.0.2:{ring.storage_port} is of 'Another'"
    assert f"refuses this node: {reason}" in str(caught.value)
    assert f"refused 127.0.0.2:{ring.storage_port}: {reason}" in ring.servers[0].log


def test_one_of_another_version(ring: ProcessRing) -> None:
    here = Endpoint("127.0.0.1", ring.storage_port)
    hello = bytearray(encode_hello(Hello("Test Cluster", UUID(int=1), here, here, Kind.SMALL, Compression.NONE)))
    hello[4] = VERSION + 1
    with socket.create_connection(here, 10) as stranger:
        stranger.sendall(hello)
        answer = maybe_answer(stranger.recv(1000))
        assert stranger.recv(100) == b""
    assert answer is not None
    assert answer[0].verdict is Verdict.WRONG_VERSION
    assert f"speaks version {VERSION + 1} of the internode protocol, not {VERSION}" in ring.servers[0].log


def test_one_that_is_told_a_token_of_another(ring: ProcessRing) -> None:
    with pytest.raises(StartError, match="Bootstrapping to existing token 5 is not allowed"):
        ring.start(3, *TOKEN)


def test_one_whose_address_is_taken(ring: ProcessRing) -> None:
    with pytest.raises(StartError, match=r"can't listen .* Address already in use"):
        ring.start(4, "--host", "127.0.0.1", "--port", "0")


def test_one_that_finds_no_seed(ring: ProcessRing) -> None:
    with pytest.raises(StartError, match=r"Unable to gossip with any peers: of 127\.0\.0\.9:\d+ none answers"):
        ring.start(4, SOON, "--seeds", "127.0.0.9")


def test_what_waits_in_the_handshake_and_what_goes_in_its_midst(ring: ProcessRing) -> None:
    here = Endpoint("127.0.0.1", ring.storage_port)
    hello = encode_hello(Hello("Test Cluster", UUID(int=1), here, here, Kind.SMALL, Compression.NONE))
    with socket.create_connection(here, 10) as silent, socket.create_connection(here, 10) as sudden:
        sudden.sendall(hello[:10])
        sudden.close()
        with socket.create_connection(here, 10) as broken:
            broken.sendall(hello)
            assert maybe_answer(broken.recv(1000)) is not None
            broken.sendall(b"no frame" * 100)
            assert broken.recv(100) == b""
        silent.settimeout(10)
        assert silent.recv(100) == b""  # after HANDSHAKE_S
    assert "the checksum of a frame's header does not match" in ring.servers[0].log


def test_one_of_several_seeds_is_down(tmp_path_factory: pytest.TempPathFactory) -> None:
    with ProcessRing(tmp_path_factory.mktemp("seeds")) as ring:
        for number in (1, 2):
            ring.start(number, "--seeds", "127.0.0.9,127.0.0.1")
        for server in ring.servers:
            wait_until(lambda server=server: count(server, "SELECT * FROM system.peers", ONE) == 1, "both know each other")  # type: ignore[misc]
