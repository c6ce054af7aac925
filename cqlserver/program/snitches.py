"""Which datacenter and rack a node is in, by cassandra.yaml's endpoint_snitch (locator/*Snitch.java).

A node says of itself where it is, and others believe it: of the files that a snitch reads only the node's own place is
taken. The snitches of clouds ask services of theirs for the place, which is not done here: they take it from
cassandra-rackdc.properties.
"""

from collections.abc import Mapping
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Final, NamedTuple

from cqlserver.program.properties import parse_properties

_OF_CLOUDS: Final = frozenset(
    (
        "AlibabaCloudSnitch",
        "AzureSnitch",
        "CloudstackSnitch",
        "Ec2MultiRegionSnitch",
        "Ec2Snitch",
        "GoogleCloudSnitch",
    )
)
_RACKDC: Final = "cassandra-rackdc.properties"
_TOPOLOGY: Final = "cassandra-topology.properties"
_KNOWN: Final = _OF_CLOUDS | {"SimpleSnitch", "GossipingPropertyFileSnitch", "PropertyFileSnitch", "RackInferringSnitch"}


class Place(NamedTuple):
    """`prefers_local`: nodes of the same datacenter are reached at the address that they listen on."""

    datacenter: str = "datacenter1"
    rack: str = "rack1"
    prefers_local: bool = False


def snitch_named(text: str) -> str:
    """The simple name of the class. Raises ValueError for one that there is not."""
    name = text.removeprefix("org.apache.cassandra.locator.")
    if name not in _KNOWN:
        raise ValueError(f"endpoint_snitch: {text} is not supported; there are {', '.join(sorted(_KNOWN))}")
    return name


def place_by(snitch: str, folder: Path, address: str) -> Place:
    """`folder`: where cassandra.yaml is; `address`: the node's for the others. Raises ValueError."""
    if snitch == "SimpleSnitch":
        return Place()
    if snitch == "RackInferringSnitch":
        return _inferred(address)
    if snitch == "PropertyFileSnitch":
        return _of_topology(_properties(folder / _TOPOLOGY), address)
    found = _properties(folder / _RACKDC)
    if snitch in _OF_CLOUDS and not ("dc" in found and "rack" in found):
        raise ValueError(
            f"endpoint_snitch: {snitch} can't ask its cloud for the datacenter and rack here; write them as dc and rack to "
            f"{folder / _RACKDC}, or give --dc and --rack"
        )
    if "dc" not in found or "rack" not in found:
        raise ValueError(f"DC or rack not found in snitch properties, check your configuration in: {_RACKDC}")
    return Place(found["dc"].strip(), found["rack"].strip(), found.get("prefer_local", "").strip().lower() == "true")


def _properties(path: Path) -> Mapping[str, str]:
    try:
        return parse_properties(path.read_text())
    except OSError as error:
        raise ValueError(f"Unable to read {path.name}: {path}: {error.strerror}") from None


def _inferred(address: str) -> Place:
    """10.20.30.40 is in datacenter 20 and rack 30."""
    parsed = ip_address(address)
    if not isinstance(parsed, IPv4Address):
        raise ValueError(f"endpoint_snitch: RackInferringSnitch infers from addresses of IPv4, {address} is none")
    return Place(str(parsed.packed[1]), str(parsed.packed[2]))


def _of_topology(properties: Mapping[str, str], address: str) -> Place:
    """Of lines like 10.0.0.1=DC1:RAC1 and default=DC1:r1."""
    own = ip_address(address)
    found = properties.get("default")
    for name, value in properties.items():
        if name != "default" and _is_address(name, own):
            found = value
    if found is None:
        raise ValueError(
            f"Snitch definitions at {_TOPOLOGY} do not define a location for this node's broadcast address {address}, nor "
            "does it provides a default"
        )
    datacenter, colon, rack = (part.strip() for part in found.partition(":"))
    return Place(datacenter, rack.partition(":")[0]) if colon else Place("default", "default")


def _is_address(text: str, own: object) -> bool:
    """Whether it is this address, be it with a port."""
    for candidate in (text, text.rpartition(":")[0].strip("[]")):
        try:
            if ip_address(candidate.replace("/", "")) == own:
                return True
        except ValueError:
            continue
    return False
