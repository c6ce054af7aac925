"""What proposers ask of replicas, and how these answer. Every answer repeats the ballot that it answers, so that a proposer
can tell what belongs to its current attempt."""

from dataclasses import dataclass
from typing import TypeAlias

from cluster.paxos.state import Ballot, Proposal


@dataclass(frozen=True, slots=True)
class Prepare:
    ballot: Ballot


@dataclass(frozen=True, slots=True)
class Promise:
    """`accepted` and `committed` are those from before."""

    ballot: Ballot
    accepted: Proposal
    committed: Proposal


@dataclass(frozen=True, slots=True)
class Refusal:
    """Of a Prepare or a Propose: the replica has promised `promised`, which is higher."""

    ballot: Ballot
    promised: Ballot


@dataclass(frozen=True, slots=True)
class Propose:
    proposal: Proposal


@dataclass(frozen=True, slots=True)
class Accept:
    ballot: Ballot


@dataclass(frozen=True, slots=True)
class Commit:
    proposal: Proposal


@dataclass(frozen=True, slots=True)
class Committed:
    ballot: Ballot


PaxosRequest: TypeAlias = Prepare | Propose | Commit
PaxosAnswer: TypeAlias = Promise | Refusal | Accept | Committed
