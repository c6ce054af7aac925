"""The operations of the control port that change the ring."""

from typing import TYPE_CHECKING, Final

from cqlserver.control.later import later
from cqlserver.control.operation import BOOLEAN, INTEGER, NOTHING, STRING, STRINGS, Argument, Operation

if TYPE_CHECKING:
    from cqlserver.control import movements, nodes
else:
    movements, nodes = later("movements", "nodes")

_NODE: Final = Argument("node", INTEGER, "of a cluster in one process: the node's number, from 1 on", None)
_STATUS: Final = {"type": "object", "properties": {"status": STRING.schema}}

MOVEMENT_OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        "decommission",
        "Has a node give its data to the others and leave the ring",
        (Argument("force", BOOLEAN, "even where fewer nodes are left than there are copies", False), _NODE),
        NOTHING,
        movements.decommission,
        alone=False,
    ),
    Operation(
        "removenode",
        "Removes a node that is dead, and makes up for its copies",
        (Argument("host_id", STRING, "the dead node's"), _NODE),
        NOTHING,
        movements.removenode,
        alone=False,
    ),
    Operation(
        "removenode_status", "What of a removal goes on", (_NODE,), _STATUS, movements.removenode_status, True, False
    ),
    Operation(
        "removenode_force", "Ends a removal without waiting", (_NODE,), _STATUS, movements.removenode_force, alone=False
    ),
    Operation(
        "assassinate",
        "Has all forget a node at once",
        (Argument("address", STRING, "the node's"), _NODE),
        NOTHING,
        movements.assassinate,
        alone=False,
    ),
    Operation(
        "move",
        "Has a node of one token take another one",
        (Argument("token", STRING, "the new one"), _NODE),
        NOTHING,
        movements.move,
        alone=False,
    ),
    Operation(
        "rebuild",
        "Gets the data of a node's ranges anew",
        (
            Argument("source_dc", STRING, "from nodes of this datacenter alone", None),
            Argument("keyspace", STRING, "of this keyspace alone", None),
            Argument("tokens", STRING, "of these ranges of the keyspace alone, like (1,2],(3,4]", None),
            Argument("sources", STRINGS, "from nodes at these addresses alone", []),
            Argument("exclude_local_dc", BOOLEAN, "not from nodes of its own datacenter", False),
            _NODE,
        ),
        NOTHING,
        movements.rebuild,
        alone=False,
    ),
    Operation(
        "bootstrap_resume",
        "Goes on with a bootstrap that has failed",
        (_NODE,),
        {"type": "object", "properties": {"resumed": BOOLEAN.schema}},
        movements.bootstrap_resume,
        alone=False,
    ),
    Operation(
        "netstats",
        "A node's mode, the streams under way, read repairs, messages to other nodes",
        (_NODE,),
        {
            "type": "object",
            "properties": {
                "mode": STRING.schema,
                "sessions": {"type": "array", "items": {"type": "object"}},
                "mismatches": INTEGER.schema,
                "pools": {"type": "array", "items": {"type": "object"}},
            },
        },
        movements.netstats,
        reads=True,
        alone=False,
    ),
    Operation(
        "add_node",
        "Starts one more node of a cluster in this process, which comes into the ring",
        (),
        {
            "type": "object",
            "properties": {
                "node": INTEGER.schema,
                "host": STRING.schema,
                "port": INTEGER.schema,
                "control_port": INTEGER.schema,
            },
        },
        nodes.add_node,
        alone=False,
    ),
)
