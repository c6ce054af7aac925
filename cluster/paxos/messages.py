"""What proposers ask of replicas, and how these answer. Every answer repeats the ballot that it answers, so that a proposer
can tell what belongs to its current attempt.

Made many thousand times a second, so they are tuples: a frozen dataclass takes three times as long to make."""

from typing import NamedTuple, TypeAlias

from cluster.paxos.state import Ballot, Proposal


class Prepare(NamedTuple):
    """`ck`: whoever promises is to say what it has of the row of that order key; None: it is not asked."""

    ballot: Ballot
    ck: bytes | None = None


class Promise(NamedTuple):
    """`accepted` and `committed` are those from before. `digest`: of the row that was asked for, empty where it was not, or
    where the replica can't say; equal where replicas have the same."""

    ballot: Ballot
    accepted: Proposal
    committed: Proposal
    digest: bytes = b""


class Refusal(NamedTuple):
    """The replica has promised `promised`, which is higher. Of a Prepare, or `of_proposal`: who has refused a copy of the
    one may have accepted the other."""

    ballot: Ballot
    promised: Ballot
    of_proposal: bool = False


class Propose(NamedTuple):
    proposal: Proposal


class Accept(NamedTuple):
    ballot: Ballot


class Commit(NamedTuple):
    proposal: Proposal


class Committed(NamedTuple):
    ballot: Ballot


PaxosRequest: TypeAlias = Prepare | Propose | Commit
PaxosAnswer: TypeAlias = Promise | Refusal | Accept | Committed
