"""What a message between nodes is about (docs/formats/internode.md). An answer has the id of what it answers."""

from enum import IntEnum, unique


@unique
class Verb(IntEnum):
    SYN = 1
    ACK = 2
    ACK2 = 3
    ECHO = 4
    ECHOED = 5
    SHUTDOWN = 6
    MUTATE = 10
    """Mutations, to be applied as one record."""
    DONE = 11
    """What was asked for holds: it is in the commit log."""
    FAILED = 12
    """It could not be done; the body is a reason, two bytes."""
    READ = 13
    """A command; answered with DATA."""
    DATA = 14
    READ_DIGEST = 15
    """A command; answered with DIGEST."""
    DIGEST = 16
    TRUNCATE = 17
    """A table's id."""
    SCHEMA_CHANGED = 18
    """Mutations of system_schema, as a change of the schema made them."""
    SCHEMA_WANTED = 19
    SCHEMA = 20
    """All of system_schema, as mutations."""
    COUNT = 21
    """Increments, for the leader of a counter."""
    PREPARE = 22
    PROMISE = 23
    PROPOSE = 24
    ACCEPT = 25
    COMMIT = 26
    COMMITTED = 27
    REFUSAL = 28
    STORE_BATCH = 29
    REMOVE_BATCH = 30
    HINTS = 31
    """What the receiver missed, each with the time at which it was written."""
    STREAM_OFFER = 32
    """What the receiver is to fetch from the sender; answered by STREAM_GOES, later by DONE or FAILED."""
    STREAM_GOES = 33
    STREAM_BEGIN = 34
    """What the sender is going to fetch; answered by STREAM_PLAN."""
    STREAM_PLAN = 35
    STREAM_PULL = 36
    """Answered by STREAM_CHUNK or FAILED."""
    STREAM_CHUNK = 37
    STREAM_END = 38
    """The sender fetches nothing more of a session."""
    MUTATE_EACH = 39
    """Records, each to be applied by itself; answered with DONE, DONE_BUT or FAILED for all."""
    DONE_BUT = 40
    """Of several things what could not be done, by its index the reason; all else was."""
    READ_EACH = 41
    """Plain reads of a table; answered with DIGESTS or FAILED."""
    DIGESTS = 42
    FETCH = 43
    """Read commands of single partitions; answered with FETCHED or FAILED."""
    FETCHED = 44
    """The answers to the first of them, as many as there was room for."""
    HINTS_FOR = 45
    """A host id, and hints that the sender, who leaves, has kept for that node; answered with DONE when they are kept, or
    taken where the receiver is that node."""
    STATUS_KNOWN = 50
    """The status that the sender has said it has; answered by DONE where the receiver knows that, and all writes have ended
    that it planned before, or by FAILED."""
    RESTORE = 51
    """A host id: the receiver is to fetch what it gains when that node is gone; answered by STREAM_GOES, then DONE or
    FAILED."""
    REPAIR_VALIDATE = 60
    """Answered by REPAIR_GOES, later by REPAIR_TREES or FAILED."""
    REPAIR_TREES = 61
    REPAIR_SYNC = 62
    """Answered by REPAIR_GOES, later by DONE or FAILED."""
    REPAIR_GOES = 63
    """What was asked for is under way."""
    REPAIR_END = 64
    """The session is over; nothing more is asked of it."""
    REPAIR_STEP = 65
    """A step of an incremental repair; answered by REPAIR_GOES, later by DONE or FAILED."""
    REPAIR_STATUS = 66
    """An incremental repair's id; answered by DONE with its state, one byte."""
    PAXOS_REPAIR = 67
    """What of a table is half decided is to be finished; answered by REPAIR_GOES, later by DONE or FAILED."""


STREAM_VERBS = frozenset((Verb.STREAM_OFFER, Verb.STREAM_BEGIN, Verb.STREAM_PULL, Verb.STREAM_END))
"""Those that nobody asked for."""

REPAIR_VERBS = frozenset(
    (
        Verb.REPAIR_VALIDATE,
        Verb.REPAIR_SYNC,
        Verb.REPAIR_END,
        Verb.REPAIR_STEP,
        Verb.REPAIR_STATUS,
        Verb.PAXOS_REPAIR,
    )
)
"""Those that nobody asked for."""


class FailureReason(IntEnum):
    """exceptions/RequestFailureReason.java."""

    UNKNOWN = 0
    READ_TOO_MANY_TOMBSTONES = 1
    TIMEOUT = 2
    INCOMPATIBLE_SCHEMA = 3
    READ_SIZE = 4
    NODE_DOWN = 5
    READ_TOO_MANY_INDEXES = 7
    NOT_A_REPLICA = 0xFFFF
    """Between nodes alone: the range is not the replica's any more."""
