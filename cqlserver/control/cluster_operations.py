"""The operations of the control port on the cluster that a node is in: those that nodetool asks for."""

from typing import TYPE_CHECKING, Final

from cqlserver.control.later import later
from cqlserver.control.operation import BOOLEAN, INTEGER, NOTHING, STRING, STRINGS, Argument, Operation, list_of

if TYPE_CHECKING:
    from cqlserver.control import cluster_facts, gossiping, repair_sessions, repairing
else:
    cluster_facts, gossiping = later("cluster_facts", "gossiping")
    repair_sessions, repairing = later("repair_sessions", "repairing")

_TABLES_AND_RANGE: Final = (
    Argument("keyspace", STRING, "of its tables alone", None),
    Argument("tables", STRINGS, "of these alone", []),
    Argument("start_token", STRING, "of ranges from behind this token on", None),
    Argument("end_token", STRING, "up to this token", None),
)

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
        "repair",
        "Begins to make what replicas have the same",
        (
            Argument("keyspace", STRING, "of this keyspace"),
            Argument("tables", STRINGS, "of these tables alone", []),
            Argument("parallelism", STRING, "which look at once: parallel, sequential, dc_parallel", "parallel"),
            Argument("primary_range", BOOLEAN, "what the node is the first replica of alone", False),
            Argument("full", BOOLEAN, "what is marked as repaired too", True),
            Argument("job_threads", INTEGER, "tables at a time", 1),
            Argument("datacenters", STRINGS, "with nodes of these alone", []),
            Argument("hosts", STRINGS, "with these nodes alone, of which this one is to be one", []),
            Argument("start_token", STRING, "from behind this token on", None),
            Argument("end_token", STRING, "up to this token", None),
            Argument("preview", STRING, "only tell what differs: ALL, UNREPAIRED or REPAIRED", "NONE"),
            Argument("pull", BOOLEAN, "only get what this node lacks", False),
            Argument("force", BOOLEAN, "without nodes that are down", False),
            Argument("optimise_streams", BOOLEAN, "get nothing twice", False),
            Argument("ignore_unreplicated", BOOLEAN, "leave out what nobody else has", False),
            Argument("skip_paxos", BOOLEAN, "leave out unfinished rounds of Paxos", False),
            Argument("paxos_only", BOOLEAN, "nothing but those", False),
        ),
        {"type": "object", "properties": {"command": INTEGER.schema}},
        repairing.repair,
    ),
    Operation(
        "repair_sessions",
        "The incremental repairs that the node takes part in",
        (
            Argument("all", BOOLEAN, "those that are over, too", False),
            Argument("start_token", STRING, "of ranges from behind this token on", None),
            Argument("end_token", STRING, "up to this token", None),
        ),
        list_of("sessions"),
        repair_sessions.repair_sessions,
        reads=True,
        alone=False,
    ),
    Operation(
        "cancel_repair_session",
        "Ends an incremental repair",
        (
            Argument("session", STRING, "its id"),
            Argument("force", BOOLEAN, "though another node coordinates it", False),
        ),
        NOTHING,
        repair_sessions.cancel_repair_session,
    ),
    Operation(
        "repaired_ranges",
        "Since when what of tables is repaired, by incremental repairs",
        _TABLES_AND_RANGE,
        list_of("tables"),
        repair_sessions.repaired_ranges,
        reads=True,
        alone=False,
    ),
    Operation(
        "pending_repairs",
        "What of tables is set apart for incremental repairs",
        _TABLES_AND_RANGE,
        list_of("tables"),
        repair_sessions.pending_repairs,
        reads=True,
        alone=False,
    ),
    Operation(
        "release_repairs",
        "Hands back what incremental repairs that are over have set apart still",
        _TABLES_AND_RANGE,
        list_of("tables"),
        repair_sessions.release_repairs,
    ),
    Operation(
        "repair_lines",
        "What a repair has told",
        (Argument("command", INTEGER, "its number"), Argument("since", INTEGER, "from this line on", 0)),
        list_of("lines"),
        repairing.repair_lines,
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
