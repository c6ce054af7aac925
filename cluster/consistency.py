"""Consistency levels: how many replicas a request needs, and what a client is told when they are not there.

Mirrors db/ConsistencyLevel.java and the checks of locator/ReplicaPlans.java of Cassandra 5.0, messages included. Where
levels are validated differs by statement, and not always as one would think: batches validate nothing, so that a batch
at SERIAL counts replicas like QUORUM.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum

from cluster.replication import NetworkTopologyStrategy, ReplicationStrategy
from cluster.ring import Node
from protocol.errors import InvalidRequest, ProtocolError, ServerError, Unavailable


class Consistency(IntEnum):
    """Numbers of native_protocol_v5.spec, section 3; NODE_LOCAL is Cassandra's own."""

    ANY = 0
    ONE = 1
    TWO = 2
    THREE = 3
    QUORUM = 4
    ALL = 5
    LOCAL_QUORUM = 6
    EACH_QUORUM = 7
    SERIAL = 8
    LOCAL_SERIAL = 9
    LOCAL_ONE = 10
    NODE_LOCAL = 11


SERIAL_LEVELS = (Consistency.SERIAL, Consistency.LOCAL_SERIAL)
LOCAL_LEVELS = (Consistency.LOCAL_ONE, Consistency.LOCAL_QUORUM, Consistency.LOCAL_SERIAL)
"""Only replicas of the coordinator's datacenter count."""
_FIXED: Mapping[Consistency, int] = {
    Consistency.ANY: 1,
    Consistency.ONE: 1,
    Consistency.LOCAL_ONE: 1,
    Consistency.TWO: 2,
    Consistency.THREE: 3,
}


def consistency_of(code: int) -> Consistency:
    """Raises ProtocolError for a number that is no level."""
    try:
        return Consistency(code)
    except ValueError:
        raise ProtocolError(f"Unknown code {code} for a consistency level") from None


def quorum(replication_factor: int) -> int:
    return replication_factor // 2 + 1


def local_quorum(strategy: ReplicationStrategy, datacenter: str) -> int:
    if isinstance(strategy, NetworkTopologyStrategy):
        return quorum(strategy.factors.get(datacenter, 0))
    return quorum(strategy.replication_factor)


def block_for(level: Consistency, strategy: ReplicationStrategy, datacenter: str) -> int:
    """How many replicas must answer; `datacenter` is the coordinator's. Raises ServerError for NODE_LOCAL."""
    fixed = _FIXED.get(level)
    if fixed is not None:
        return fixed
    if level is Consistency.ALL:
        return strategy.replication_factor
    if level in (Consistency.LOCAL_QUORUM, Consistency.LOCAL_SERIAL):
        return local_quorum(strategy, datacenter)
    if level is Consistency.EACH_QUORUM and isinstance(strategy, NetworkTopologyStrategy):
        return sum(quorum(factor) for factor in strategy.factors.values())
    if level is Consistency.NODE_LOCAL:
        raise ServerError("java.lang.UnsupportedOperationException: Invalid consistency level: NODE_LOCAL")
    return quorum(strategy.replication_factor)


def assure_sufficient(
    level: Consistency, strategy: ReplicationStrategy, live: Sequence[Node], datacenter: str, pending: int = 0
) -> int:
    """How many replicas must answer. Raises Unavailable when fewer than that are `live`.

    `pending`: nodes that are about to own the token (for writes; those of this datacenter for local levels)."""
    required = block_for(level, strategy, datacenter)
    if level is Consistency.ANY:  # a hint is enough, and whoever coordinates can keep one
        return required
    required += pending
    if level in (Consistency.LOCAL_ONE, Consistency.LOCAL_QUORUM):
        alive = sum(1 for node in live if node.datacenter == datacenter)
        if alive < required:
            raise unavailable(level, 1 if level is Consistency.LOCAL_ONE else required, alive)
    elif level is Consistency.EACH_QUORUM and isinstance(strategy, NetworkTopologyStrategy):
        for name, factor in strategy.factors.items():
            if sum(1 for node in live if node.datacenter == name) < quorum(factor):
                # Cassandra hands its counts over in the wrong order here: `alive` is always 0
                raise unavailable(level, quorum(factor), 0, f" in DC {name}")
    elif len(live) < required:
        raise unavailable(level, required, len(live))
    return required


def unavailable(level: Consistency, required: int, alive: int, where: str = "") -> Unavailable:
    return Unavailable(f"Cannot achieve consistency level {level.name}{where}", level.value, required, alive)


def assure_paxos(level: Consistency, replicas: Sequence[Node], live: Sequence[Node], datacenter: str) -> int:
    """How many of a key's replicas must promise and accept (ReplicaPlans.forPaxos). They are counted as they are, not
    by the replication factor. Raises Unavailable."""
    if level is Consistency.LOCAL_SERIAL:
        replicas = [node for node in replicas if node.datacenter == datacenter]
        live = [node for node in live if node.datacenter == datacenter]
    required = quorum(len(replicas))
    if len(live) < required:
        raise unavailable(level, required, len(live))
    return required


# --- which levels a statement may have ---------------------------------------------------------------------------


def validate_for_query(level: Consistency) -> None:
    """For all statements but batches (QueryProcessor.processStatement)."""
    if level is Consistency.NODE_LOCAL:
        raise InvalidRequest(
            "NODE_LOCAL consistency level is highly dangerous and should be used only for debugging purposes"
        )


def validate_for_read(level: Consistency) -> None:
    validate_for_query(level)
    if level is Consistency.ANY:
        raise InvalidRequest("ANY ConsistencyLevel is only supported for writes")


def validate_for_write(level: Consistency) -> None:
    validate_for_query(level)
    if level in SERIAL_LEVELS:
        raise InvalidRequest("You must use conditional updates for serializable writes")


def validate_for_counter(level: Consistency, table_name: str) -> None:
    validate_for_query(level)
    if level is Consistency.ANY:
        raise InvalidRequest(f"Consistency level ANY is not yet supported for counter table {table_name}")
    if level in SERIAL_LEVELS:
        raise InvalidRequest("Counter operations are inherently non-serializable")


def validate_for_cas(serial: Consistency) -> None:
    if serial not in SERIAL_LEVELS:
        raise InvalidRequest("Invalid consistency for conditional update. Must be one of SERIAL or LOCAL_SERIAL")


def validate_for_cas_commit(level: Consistency, strategy: ReplicationStrategy) -> None:
    if level in SERIAL_LEVELS:
        raise InvalidRequest(
            f"{level.name} is not supported as conditional update commit consistency. Use ANY if you mean "
            '"make sure it is accepted but I don\'t care how many replicas commit it for non-SERIAL reads"'
        )
    if level is Consistency.EACH_QUORUM and not isinstance(strategy, NetworkTopologyStrategy):
        raise InvalidRequest(
            f"consistency level {level.name} not compatible with replication strategy ({strategy.java_class})"
        )
