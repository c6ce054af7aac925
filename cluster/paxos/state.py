"""What a replica must never forget of a partition's Paxos rounds (system.paxos; service/paxos/PaxosState.java)."""

from typing import NamedTuple


class Ballot(NamedTuple):
    """Orders proposals of all nodes. The time is also the write timestamp of what is decided; `tail` makes ballots of one
    microsecond different (the last eight bytes of a timeuuid)."""

    timestamp_us: int
    tail: bytes


NO_BALLOT = Ballot(0, b"")
"""Below all ballots."""


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
