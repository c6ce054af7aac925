"""What a replica must never forget of a partition's Paxos rounds (system.paxos; service/paxos/PaxosState.java)."""

from struct import Struct
from typing import Final, NamedTuple

from protocol.types.uuids import EPOCH_100NS

_BALLOT = Struct(">Q8s")
_unpack_time = Struct(">Q").unpack_from
_VERSION_1: Final = 1 << 60
_TIME: Final = _VERSION_1 - 1
BALLOT_BYTES: Final = _BALLOT.size


class Ballot(bytes):
    """Orders proposals of all nodes: a timeuuid whose time comes from the highest bits on, so that bytes compare as ballots
    do. The time is also the write timestamp of what is decided; the last eight bytes tell those of one microsecond apart."""

    __slots__ = ()

    @classmethod
    def of(cls, timestamp_us: int, tail: bytes) -> "Ballot":
        return cls(_BALLOT.pack(timestamp_us * 10 + EPOCH_100NS | _VERSION_1, tail))

    @classmethod
    def of_timeuuid(cls, data: bytes) -> "Ballot":
        """As system.paxos has it; nothing where there is none."""
        return cls(data[6:8] + data[4:6] + data[:4] + data[8:]) if data else NO_BALLOT

    @property
    def timeuuid(self) -> bytes:
        return b"" if self == NO_BALLOT else self[4:8] + self[2:4] + self[:2] + self[8:]

    @property
    def timestamp_us(self) -> int:
        time: int = _unpack_time(self)[0]
        return ((time & _TIME) - EPOCH_100NS) // 10


NO_BALLOT: Final = Ballot(BALLOT_BYTES)
"""Below all ballots: zeros."""


class Proposal(NamedTuple):
    """A change (an encoded mutation) at a ballot. The empty change is what reads and unmet conditions propose: it decides
    nothing, but that what was proposed before will not be decided later."""

    ballot: Ballot
    update: bytes


NOTHING = Proposal(NO_BALLOT, b"")


class PaxosState(NamedTuple):
    """`promised`: nothing below is accepted any more; `accepted`: the latest proposal taken, decided or not; `committed`:
    the latest one known to be decided, whose change is in the table."""

    promised: Ballot = NO_BALLOT
    accepted: Proposal = NOTHING
    committed: Proposal = NOTHING

    @property
    def latest(self) -> Ballot:
        """The highest ballot seen (Snapshot.latestWitnessedOrLowBound)."""
        return max(self.promised, self.accepted.ballot, self.committed.ballot)


UNTOUCHED = PaxosState()
