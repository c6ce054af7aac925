"""Which datacenter and rack a node is in, by each snitch."""

from pathlib import Path

import pytest

from cqlserver.__main__ import configure
from cqlserver.program.config import ConfigError, apply_setting, placed
from cqlserver.program.snitches import Place, place_by, snitch_named

ADDRESS = "10.20.30.40"
CLOUDS = ("AlibabaCloudSnitch", "AzureSnitch", "CloudstackSnitch", "Ec2MultiRegionSnitch", "Ec2Snitch", "GoogleCloudSnitch")


def test_simple_and_inferring(tmp_path: Path) -> None:
    assert place_by("SimpleSnitch", tmp_path, ADDRESS) == Place("datacenter1", "rack1")
    assert place_by("RackInferringSnitch", tmp_path, ADDRESS) == Place("20", "30")
    with pytest.raises(ValueError, match="infers from addresses of IPv4"):
        place_by("RackInferringSnitch", tmp_path, "::1")


@pytest.mark.parametrize("snitch", ["GossipingPropertyFileSnitch", *CLOUDS])
def test_rackdc(tmp_path: Path, snitch: str) -> None:
    path = tmp_path / "cassandra-rackdc.properties"
    with pytest.raises(ValueError, match=r"Unable to read cassandra-rackdc.properties"):
        place_by(snitch, tmp_path, ADDRESS)
    path.write_text("# comment\ndc=east\n rack = r2 \nprefer_local=true\n")
    assert place_by(snitch, tmp_path, ADDRESS) == Place("east", "r2", prefers_local=True)
    path.write_text("dc=east\nrack=r2\n")
    assert place_by(snitch, tmp_path, ADDRESS) == Place("east", "r2")
    path.write_text("dc_suffix=_1\n")
    with pytest.raises(ValueError, match="can't ask its cloud" if snitch in CLOUDS else "DC or rack not found"):
        place_by(snitch, tmp_path, ADDRESS)


def test_topology(tmp_path: Path) -> None:
    path = tmp_path / "cassandra-topology.properties"
    path.write_text("10.20.30.40=DC2 : RAC7\n10.0.0.1\\:7001=DC3:RAC1\n2001\\:db8\\:\\:1=DC4:RAC4\ndefault=DC1:r1\n")
    addresses = (ADDRESS, "10.0.0.1", "2001:db8::1", "10.9.9.9")
    places = [place_by("PropertyFileSnitch", tmp_path, address) for address in addresses]
    assert places == [Place("DC2", "RAC7"), Place("DC3", "RAC1"), Place("DC4", "RAC4"), Place("DC1", "r1")]
    path.write_text("10.0.0.1=DC1\n")
    assert place_by("PropertyFileSnitch", tmp_path, "10.0.0.1") == Place("default", "default")
    with pytest.raises(ValueError, match=r"do not define a location for this node's broadcast address 10.20.30.40, nor"):
        place_by("PropertyFileSnitch", tmp_path, ADDRESS)


def test_names(tmp_path: Path) -> None:
    assert snitch_named("org.apache.cassandra.locator.Ec2Snitch") == snitch_named("Ec2Snitch") == "Ec2Snitch"
    with pytest.raises(ConfigError, match=r"endpoint_snitch: org.example.Mine is not supported; there are Ali"):
        configure(["--set", "endpoint_snitch=org.example.Mine"])


def test_what_the_command_line_says_wins(tmp_path: Path) -> None:
    yaml = tmp_path / "cassandra.yaml"
    yaml.write_text("endpoint_snitch: GossipingPropertyFileSnitch\n")
    (tmp_path / "cassandra-rackdc.properties").write_text("dc=east\nrack=r2\n")
    config = configure(["--config", str(yaml), "--rack", "r9"])
    assert (config.datacenter, config.rack) == ("east", "r9")
    cloud = apply_setting(config, "endpoint_snitch=Ec2Snitch")
    assert placed(cloud, "eu-west", "1a").datacenter == "eu-west"
