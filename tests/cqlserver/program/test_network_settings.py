"""Addresses, seeds and tokens of cassandra.yaml: what they mean, and the words in which they are refused."""

import logging
from pathlib import Path

import pytest

from cqlserver.__main__ import configure
from cqlserver.program.config import Config, ConfigError
from cqlserver.program.network_settings import resolved_seeds
from cqlserver.program.ring_settings import RingSettings, set_property

STOCK = """\
cluster_name: 'Test Cluster'
num_tokens: 16
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters:
      - seeds: "127.0.0.1:7000, 127.0.0.2"
listen_address: localhost
rpc_address: localhost
endpoint_snitch: SimpleSnitch
"""


def configured(folder: Path, text: str, *options: str) -> Config:
    path = folder / "cassandra.yaml"
    path.write_text(text)
    return configure(["--config", str(path), *options])


def test_the_stock_files_settings(tmp_path: Path) -> None:
    config = configured(tmp_path, STOCK)
    assert config.seeds == ("127.0.0.1:7000", "127.0.0.2")
    assert (config.host, config.listen_address) == ("127.0.0.1", "127.0.0.1")
    assert (config.datacenter, config.rack) == ("datacenter1", "rack1")
    assert configured(tmp_path, STOCK, "--seeds", "").seeds == ()
    assert configured(tmp_path, STOCK, "--listen-address", "127.0.0.5").listen_address == "127.0.0.5"


def test_addresses_for_others(tmp_path: Path) -> None:
    text = "rpc_address: 0.0.0.0\nbroadcast_rpc_address: 10.0.0.1\nbroadcast_address: 10.0.0.2\nlisten_interface: lo\n"
    config = configured(tmp_path, text + "listen_on_broadcast_address: true\n")
    assert (config.host, config.broadcast_rpc_address) == ("0.0.0.0", "10.0.0.1")
    assert (config.listen_address, config.broadcast_address) == ("127.0.0.1", "10.0.0.2")
    assert config.listens_on_broadcast_address


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("listen_address: 127.0.0.1\nlisten_interface: lo", "Set listen_address OR listen_interface, not both"),
        ("rpc_address: 127.0.0.1\nrpc_interface: lo", "Set rpc_address OR rpc_interface, not both"),
        ("listen_address: no.such.host.invalid", "Unknown listen_address 'no.such.host.invalid'"),
        ("rpc_address: no.such.host.invalid", "Unknown host in rpc_address no.such.host.invalid"),
        ("broadcast_address: no.such.host.invalid", "Unknown broadcast_address 'no.such.host.invalid'"),
        ("listen_address: 0.0.0.0", r"listen_address cannot be a wildcard address \(0.0.0.0\)!"),
        ("broadcast_address: '::'", r"broadcast_address cannot be a wildcard address \(::\)!"),
        ("rpc_address: 0.0.0.0", r"If rpc_address is set to a wildcard address \(0.0.0.0\), then you must set"),
        ("listen_interface: nosuch0", 'Configured listen_interface "nosuch0" could not be found'),
        ("seed_provider: []", "seeds configuration is missing; a minimum of one seed is required."),
        ("seed_provider: [{class_name: org.example.Mine}]", "seed_provider: Mine is not supported"),
        (STOCK.replace("127.0.0.1:7000, 127.0.0.2", " , "), "The seed provider lists no seeds."),
        ("initial_token: 1,2", "initial_token was set but num_tokens is not!"),
        (
            "initial_token: 1,2\nnum_tokens: 3",
            r"The number of initial tokens \(by initial_token\) specified \(2\) is different from num_tokens value \(3\)",
        ),
        ("initial_token: 9223372036854775808", "initial_token: tokens are whole numbers from"),
        ("phi_convict_threshold: 4", "phi_convict_threshold must be between 5 and 16, but was 4.0"),
        ("phi_convict_threshold: often", "phi_convict_threshold: often is no number"),
        ("skip_paxos_repair_on_topology_change_keyspaces: ks", "ks is no list of keyspaces"),
    ],
)
def test_what_can_not_be_is_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        configured(tmp_path, text)


def test_how_soon_a_silent_node_is_taken_for_down(tmp_path: Path) -> None:
    assert configured(tmp_path, "phi_convict_threshold: 12").ring.phi_convict_threshold == 12
    assert configured(tmp_path, "").ring.phi_convict_threshold == 8


def test_what_of_paxos_is_not_repaired_before_the_ring_changes(tmp_path: Path) -> None:
    ring = configured(
        tmp_path, "skip_paxos_repair_on_topology_change: true\nskip_paxos_repair_on_topology_change_keyspaces: [a, b]"
    ).ring
    assert (ring.skips_paxos_repair, ring.paxos_unrepaired_keyspaces) == (True, {"a", "b"})
    ring = set_property(RingSettings(), "cassandra.skip_paxos_repair_on_topology_change_keyspaces=a,b")
    assert (ring.skips_paxos_repair, ring.paxos_unrepaired_keyspaces) == (False, {"a", "b"})
    assert set_property(ring, "cassandra.skip_paxos_repair_on_topology_change=true").skips_paxos_repair


def test_initial_tokens(tmp_path: Path) -> None:
    assert configured(tmp_path, "initial_token: 5").ring.initial_tokens == (5,)
    assert configured(tmp_path, "initial_token: 5, -7\nnum_tokens: 2").ring.initial_tokens == (-7, 5)


def test_seeds_that_can_not_be_looked_up_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    texts = ["127.0.0.1", "no.such.host.invalid", "127.0.0.2:7001", "[::1]:7002", "::1"]
    with caplog.at_level(logging.WARNING):
        found = resolved_seeds(texts, 7000)
    assert found == [("127.0.0.1", 7000), ("127.0.0.2", 7001), ("::1", 7002), ("::1", 7000)]
    assert [record.getMessage() for record in caplog.records] == ["Seed provider couldn't lookup host no.such.host.invalid"]
    with pytest.raises(ValueError, match=r"lists no seeds that can be looked up: no.such.host.invalid"):
        resolved_seeds(["no.such.host.invalid"], 7000)
