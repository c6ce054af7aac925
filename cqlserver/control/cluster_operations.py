"""The operations of the control port on the cluster that a node is in: those that nodetool asks for."""

from typing import Final

from cqlserver.control import cluster_facts, gossiping
from cqlserver.control.operation import BOOLEAN, INTEGER, NOTHING, STRING, Argument, Operation, list_of

CLUSTER_OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        "ring",
        "The nodes of the cluster",
        (Argument("keyspace", STRING, "how much of it each node has", None),),
        list_of("nodes"),
        cluster_facts.ring,
        reads=True,
        alone=False,
    ),
    Operation(
        "cluster_facts",
        "Name, schema versions and keyspaces of the cluster",
        (),
        {"type": "object"},
        cluster_facts.cluster_facts,
        reads=True,
        alone=False,
    ),
    Operation(
        "endpoints",
        "The nodes that have a partition",
        (
            Argument("keyspace", STRING, "its keyspace"),
            Argument("table", STRING, "its table"),
            Argument("key", STRING, "its key as text, columns with colons between them"),
        ),
        list_of("endpoints"),
        cluster_facts.endpoints,
        reads=True,
        alone=False,
    ),
    Operation(
        "describe_ring",
        "The ranges of the ring, each with the nodes that have it",
        (Argument("keyspace", STRING, "as this one has them"),),
        list_of("ranges"),
        cluster_facts.describe_ring,
        reads=True,
        alone=False,
    ),
    Operation(
        "gossip_info",
        "What each node says of itself",
        (),
        list_of("nodes"),
        gossiping.gossip_info,
        reads=True,
        alone=False,
    ),
    Operation(
        "failure_detector",
        "How sure the node is that others are down",
        (),
        list_of("nodes"),
        gossiping.failure_detector,
        reads=True,
        alone=False,
    ),
    Operation(
        "gossip",
        "Has the node gossip, or no more: then the others take it for down",
        (Argument("on", BOOLEAN, "gossip"),),
        NOTHING,
        gossiping.gossip,
    ),
    Operation(
        "hinted_handoff",
        "Whether what nodes miss is kept for them, and for how long",
        (),
        {"type": "object", "properties": {"is_enabled": BOOLEAN.schema, "window_ms": INTEGER.schema}},
        gossiping.hinted_handoff,
        reads=True,
        alone=False,
    ),
    Operation(
        "set_hinted_handoff",
        "Changes how hints are kept and sent, until the next start",
        (
            Argument("on", BOOLEAN, "keep them", None),
            Argument("paused", BOOLEAN, "send none", None),
            Argument("window_ms", INTEGER, "for how long a node that is down is kept hints for", None),
            Argument("throttle_kib", INTEGER, "KiB a second to one node, 0 for as fast as it takes them", None),
        ),
        NOTHING,
        gossiping.set_hinted_handoff,
    ),
    Operation(
        "pending_hints",
        "For which nodes hints wait",
        (),
        list_of("nodes"),
        gossiping.pending_hints,
        reads=True,
        alone=False,
    ),
    Operation(
        "truncate_hints",
        "Forgets hints",
        (Argument("address", STRING, "those for this node alone", None),),
        NOTHING,
        gossiping.truncate_hints,
    ),
)
