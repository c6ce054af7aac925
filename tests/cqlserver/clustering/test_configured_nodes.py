"""Nodes that are told their place by cassandra.yaml and the files beside it, as Cassandra's are."""

import sys
from ipaddress import ip_address
from pathlib import Path

import pytest
import trustme
from process_ring import ALL, ONE, ProcessRing, ask, count

from cqlserver.launcher import Server, StartError, launch

pytestmark = pytest.mark.slow

YAML = """\
cluster_name: Configured
seed_provider: [{{class_name: SimpleSeedProvider, parameters: [{{seeds: "127.0.0.1:{storage_port}"}}]}}]
endpoint_snitch: GossipingPropertyFileSnitch
storage_port: {storage_port}
native_transport_port: {port}
rpc_address: 127.0.0.{number}
listen_address: 127.0.0.{number}
data_file_directories: ["{folder}/data{number}"]
"""
RACKDC = "dc={dc}\nrack=r{number}\nprefer_local=true\n"


ENCRYPTED = """\
internode_compression: all
server_encryption_options:
  internode_encryption: all
  keystore: {folder}/node.pem
  truststore: {folder}/ca.pem
  require_client_auth: true
  require_endpoint_verification: true
"""
TEXT = "a text that compresses, for it says the same thing again and again " * 20


def start(ring: ProcessRing, number: int, datacenter: str, more: str) -> Server:
    folder = ring.folder / f"conf{number}"
    folder.mkdir()
    values = {"storage_port": ring.storage_port, "port": ring.port, "number": number}
    values |= {"folder": ring.folder, "dc": datacenter}
    (folder / "cassandra.yaml").write_text(YAML.format(**values) + more)
    (folder / "cassandra-rackdc.properties").write_text(RACKDC.format(**values))
    command = [sys.executable, "-P", "-m", "cqlserver", "--config", str(folder / "cassandra.yaml"), "--control-port", "0"]
    command += ["-Dcassandra.ring_delay_ms=4000", "--log-level", "info", "--ready-file", "-", "--until-stdin-ends"]
    ring.servers.append(launch(command))
    return ring.servers[-1]


def one_row(server: Server, cql: str) -> tuple[object, ...]:
    found = ask(server, cql, ONE)
    assert found is not None
    (row,) = found.rows()
    return tuple(c.type.decode(v) for c, v in zip(found.metadata.columns, row, strict=True) if v is not None)


def test_the_files_place_nodes(tmp_path: Path) -> None:
    with ProcessRing(tmp_path) as ring:
        first = start(ring, 1, "east", "num_tokens: 2\ninitial_token: -5, 7\n")
        behind = "broadcast_address: 127.0.0.12\nlisten_on_broadcast_address: true\nbroadcast_rpc_address: 127.0.0.2\n"
        second = start(ring, 2, "east", behind + "num_tokens: 4\nallocate_tokens_for_local_replication_factor: 1\n")
        third = start(ring, 3, "west", "auto_bootstrap: false\n")
        place = "SELECT data_center, rack, listen_address, broadcast_address, rpc_address FROM system.local"
        addresses = [ip_address(text) for text in ("127.0.0.2", "127.0.0.12", "127.0.0.2")]
        assert one_row(second, place) == ("east", "r2", *addresses)
        seen = "SELECT data_center, rack, native_address FROM system.peers_v2 WHERE peer = '127.0.0.12'"
        assert one_row(third, seen) == ("east", "r2", ip_address("127.0.0.2"))
        assert one_row(first, "SELECT tokens FROM system.local") == ({"-5", "7"},)
        (allocated,) = one_row(second, "SELECT tokens FROM system.local")
        assert isinstance(allocated, set)
        assert len(allocated) == 4
        replication = "{'class': 'NetworkTopologyStrategy', 'east': 2, 'west': 1}"
        ask(first, f"CREATE KEYSPACE ks WITH replication = {replication}", ONE)
        ask(second, "CREATE TABLE ks.t (k int PRIMARY KEY)", ONE)
        for key in range(5):
            ask(third, f"INSERT INTO ks.t (k) VALUES ({key})", ALL)
        assert [count(server, "SELECT k FROM ks.t", ALL) for server in ring.servers] == [5, 5, 5]


def test_nodes_that_encrypt_and_compress_are_one_ring(tmp_path: Path) -> None:
    ca = trustme.CA()
    certificate = ca.issue_cert(*(f"127.0.0.{number}" for number in (1, 2)))
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "node.pem")
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    with ProcessRing(tmp_path) as ring:
        first = start(ring, 1, "east", ENCRYPTED.format(folder=tmp_path))
        ask(first, "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}", ONE)
        ask(first, "CREATE TABLE ks.t (k int PRIMARY KEY, v text)", ONE)
        for key in range(100):
            ask(first, f"INSERT INTO ks.t (k, v) VALUES ({key}, '{TEXT}')", ONE)
        second = start(ring, 2, "east", ENCRYPTED.format(folder=tmp_path))  # and has its data streamed
        assert [count(server, "SELECT k FROM ks.t", ONE) for server in ring.servers] == [100, 100]
        ask(second, f"INSERT INTO ks.t (k, v) VALUES (100, '{TEXT}')", ALL)
        with pytest.raises(StartError, match="Unable to gossip with any peers"):
            start(ring, 3, "east", "")
        assert "takes encrypted connections alone (server_encryption_options)" in first.log
