"""What nodes tell each other of nodes: three messages make one round (gms/GossipDigestSyn, -Ack, -Ack2).

Syn says of every node how much the sender knows; Ack answers with what the sender lacks and asks for what the receiver
lacks; Ack2 brings that. Echo asks a node that was down whether it takes messages; only its answer makes it alive.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from cluster.gossip.endpoint import Endpoint, EndpointState, Generation, Version

States: TypeAlias = Mapping[Endpoint, EndpointState]


class Digest(NamedTuple):
    """How much somebody knows of a node; as a request: send me what is newer."""

    endpoint: Endpoint
    generation: Generation
    max_version: Version


@dataclass(frozen=True, slots=True)
class Syn:
    cluster_name: str
    partitioner: str
    digests: tuple[Digest, ...]


@dataclass(frozen=True, slots=True)
class Ack:
    wanted: tuple[Digest, ...]
    states: States


@dataclass(frozen=True, slots=True)
class Ack2:
    states: States


@dataclass(frozen=True, slots=True)
class Echo:
    """`is_reply`: the node that was asked lives."""

    is_reply: bool = False


@dataclass(frozen=True, slots=True)
class Shutdown:
    """The sender stops of its own will: it is down from now on, nobody needs to find out."""

    state: EndpointState


GossipMessage: TypeAlias = Syn | Ack | Ack2 | Echo | Shutdown
