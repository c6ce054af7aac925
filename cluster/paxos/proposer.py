"""The machine that gets one conditional write, or one serial read, decided (StorageProxy.doPaxos, paxos_variant v1).

    PREPARING  promises of enough replicas are asked for
       -> FINISHING   somebody's proposal was accepted but maybe not decided: it is proposed again, then committed
       -> REFRESHING  a replica that promised lacks the latest commit: it is sent, and the attempt begins anew
       -> READING     the caller reads what the condition is about, and says with `read` what to propose. What replicas
                      have of one row they may be asked for with the promise, as Paxos v2 does: where a quorum has the same
                      that is a read at QUORUM
    PROPOSING  the change, or the empty change where nothing is to be changed
    COMMITTING acknowledgements of as many replicas as the commit's level wants

A refusal means that somebody else is at it with a higher ballot: BACKING_OFF for a random time, the longer the more often
it was refused, then anew with a ballot above all that were seen. But where a single replica may have accepted the change,
somebody else may get it decided: only if all have refused does the attempt begin anew, otherwise nobody knows what will
become of it (Unknown; CASSANDRA-6013).

The machine says what to do (actions), is told what came of it, and names the time at which it wants to be called again. It
never takes a timeout for success or failure: TimedOut says what is known.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Generic, TypeAlias, TypeVar

from cluster.paxos.messages import Accept, Commit, Committed, PaxosAnswer, PaxosRequest, Prepare, Promise, Propose, Refusal
from cluster.paxos.state import NO_BALLOT, NOTHING, Ballot, Proposal
from storage.environment.environment import Rng

Peer = TypeVar("Peer", bound=Hashable)

BACKOFF_S: Final = 0.002
BACKOFF_S_MAX: Final = 0.1
"""As long, at most, is the other proposer given to finish: after the first refusal, which mostly meets somebody who needs a
round trip more, and after many, when several are at it or the others are far away."""


class Phase(Enum):
    PREPARING = auto()
    FINISHING = auto()
    FINISHING_COMMIT = auto()
    READING = auto()
    PROPOSING = auto()
    COMMITTING = auto()
    BACKING_OFF = auto()
    DONE = auto()


@dataclass(frozen=True, slots=True)
class Send(Generic[Peer]):
    peers: tuple[Peer, ...]
    message: PaxosRequest


@dataclass(frozen=True, slots=True)
class Read:
    """Read what the condition is about, at the level's quorum, and call `read(data)` with it. `agreeing`: those of whom that
    is known: they have the same of the row that was asked for."""

    ballot: Ballot
    agreeing: tuple[Hashable, ...] = ()


@dataclass(frozen=True, slots=True)
class Decided:
    """`was_applied`: the change was; else what the condition found is with the caller already."""

    was_applied: bool
    ballot: Ballot


@dataclass(frozen=True, slots=True)
class TimedOut:
    """Nobody knows yet whether the change will be. `write_type`: CAS before it was decided, SIMPLE while it was committed;
    so many of the `required` had answered."""

    write_type: str
    received: int
    required: int
    contentions: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """All have answered, and some but too few accepted: another proposer may finish it or not (CAS_WRITE_UNKNOWN)."""

    received: int
    required: int
    contentions: int


Action: TypeAlias = Send[Peer] | Read | Decided | TimedOut | Unknown


@dataclass(frozen=True, slots=True)
class Quorums:
    """How many must promise and accept, and acknowledge a commit (0: nobody is waited for)."""

    paxos: int
    commit: int


class Proposer(Generic[Peer]):
    """See the module. `replicas` are the live ones of the key, at least `quorums.paxos`; `next_ballot(minimum)` makes a
    ballot of now, above `minimum`; `deadline_s` is when the client's patience ends (cas_contention_timeout); `ck`: of the
    row that whoever promises is asked for, None: of none."""

    def __init__(
        self,
        replicas: Sequence[Peer],
        quorums: Quorums,
        next_ballot: Callable[[Ballot], Ballot],
        rng: Rng,
        deadline_s: float,
        ck: bytes | None = None,
    ) -> None:
        self._replicas, self._quorums, self._ck = tuple(replicas), quorums, ck
        self._next_ballot, self._rng, self._deadline_s = next_ballot, rng, deadline_s
        self.phase = Phase.BACKING_OFF
        self._ballot = NO_BALLOT
        self._seen = NO_BALLOT
        self.contentions = 0
        """How often it began anew, because others were faster."""
        self._promises: dict[Peer, Promise] = {}
        self._acks: dict[Peer, None] = {}
        self._refused: dict[Peer, None] = {}
        self._proposal = NOTHING
        self._is_applying = False
        self.wake_s = deadline_s

    # --- what happens --------------------------------------------------------------------------------------------------

    def start(self) -> list[Action[Peer]]:
        return self._prepare()

    def receive(self, sender: Peer, answer: PaxosAnswer, now_s: float) -> list[Action[Peer]]:
        """A replica answered; answers to attempts before are of no use."""
        if isinstance(answer, Refusal):
            self._seen = max(self._seen, answer.promised)
            refusable = _PROPOSING if answer.of_proposal else _PREPARING  # else it is of a copy that came late
            is_current = answer.ballot == self._ballot and self.phase in refusable
            return self._receive_refusal(sender, now_s) if is_current else []
        if answer.ballot != self._ballot:
            return []
        match answer:
            case Promise() if self.phase is Phase.PREPARING:
                self._promises[sender] = answer
                if len(self._promises) >= self._quorums.paxos:
                    return self._prepared()
            case Accept() if self.phase in (Phase.PROPOSING, Phase.FINISHING):
                self._acks[sender] = None
                if len(self._acks) >= self._quorums.paxos:
                    return self._accepted()
                return self._maybe_unknown(now_s)
            case Committed() if self.phase in (Phase.COMMITTING, Phase.FINISHING_COMMIT):
                self._acks[sender] = None
                if len(self._acks) >= self._quorums.commit:
                    return self._committed()
        return []

    def read(self, update: bytes | None) -> list[Action[Peer]]:
        """What the condition found leads to: the change, or None where there is none to be made."""
        if self.phase is not Phase.READING:
            return []
        self._is_applying = update is not None
        self._proposal = Proposal(self._ballot, update if update is not None else b"")
        return self._propose(Phase.PROPOSING)

    def tick(self, now_s: float) -> list[Action[Peer]]:
        """To be called at `wake_s`."""
        if self.phase is Phase.DONE:
            return []
        if now_s >= self._deadline_s:
            return self._time_out()
        if self.phase is Phase.BACKING_OFF and now_s >= self.wake_s:
            return self._prepare()
        return []

    # --- phases --------------------------------------------------------------------------------------------------------

    def _prepare(self) -> list[Action[Peer]]:
        self.phase, self.wake_s = Phase.PREPARING, self._deadline_s
        self._ballot = self._next_ballot(self._seen)
        assert self._ballot > self._seen, (self._ballot, self._seen)
        self._promises = {}
        return self._to_all(Prepare(self._ballot, self._ck))

    def _prepared(self) -> list[Action[Peer]]:
        promises = self._promises.values()
        in_progress = max(promise.accepted for promise in promises)
        committed = max(promise.committed for promise in promises)
        self._seen = max(self._seen, in_progress.ballot, committed.ballot)
        if in_progress.update and in_progress.ballot > committed.ballot:
            self._proposal = Proposal(self._ballot, in_progress.update)
            return self._propose(Phase.FINISHING)
        behind = [peer for peer, promise in self._promises.items() if promise.committed.ballot != committed.ballot]
        if behind:
            return [Send(tuple(behind), Commit(committed)), *self._prepare()]
        self.phase = Phase.READING
        digests = {promise.digest for promise in promises}
        is_agreed = len(digests) == 1 and b"" not in digests
        return [Read(self._ballot, tuple(self._promises) if is_agreed else ())]

    def _propose(self, phase: Phase) -> list[Action[Peer]]:
        self.phase, self._acks, self._refused = phase, {}, {}
        return self._to_all(Propose(self._proposal))

    def _receive_refusal(self, sender: Peer, now_s: float) -> list[Action[Peer]]:
        if self.phase is not Phase.PROPOSING or not self._proposal.update:
            return self._back_off(now_s)  # nobody can replay what is not a change of this client's
        self._refused[sender] = None
        return self._maybe_unknown(now_s)

    def _maybe_unknown(self, now_s: float) -> list[Action[Peer]]:
        """Where all have answered, without a quorum of accepts."""
        if len(self._acks) + len(self._refused) < len(self._replicas) or self.phase is not Phase.PROPOSING:
            return []
        if not self._acks:
            return self._back_off(now_s)
        self.phase = Phase.DONE
        return [Unknown(len(self._acks), self._quorums.paxos, self.contentions)]

    def _accepted(self) -> list[Action[Peer]]:
        if not self._proposal.update:
            return self._finish()
        is_finishing = self.phase is Phase.FINISHING
        self.phase, self._acks = Phase.FINISHING_COMMIT if is_finishing else Phase.COMMITTING, {}
        sent = self._to_all(Commit(self._proposal))
        return sent if self._quorums.commit else sent + self._committed()

    def _committed(self) -> list[Action[Peer]]:
        return self._prepare() if self.phase is Phase.FINISHING_COMMIT else self._finish()

    def _finish(self) -> list[Action[Peer]]:
        self.phase = Phase.DONE
        return [Decided(self._is_applying, self._ballot)]

    def _back_off(self, now_s: float) -> list[Action[Peer]]:
        longest_s = min(BACKOFF_S_MAX, BACKOFF_S * 2**self.contentions)
        self.contentions += 1
        self.phase = Phase.BACKING_OFF
        self.wake_s = min(self._deadline_s, now_s + self._rng.float() * longest_s)
        return []

    def _time_out(self) -> list[Action[Peer]]:
        is_committing = self.phase is Phase.COMMITTING
        required = self._quorums.commit if is_committing else self._quorums.paxos
        answered = self._acks if self.phase in _COUNTING else self._promises if self.phase is Phase.PREPARING else ()
        received = len(answered)
        self.phase = Phase.DONE
        return [TimedOut("SIMPLE" if is_committing else "CAS", received, required, self.contentions)]

    def _to_all(self, message: PaxosRequest) -> list[Action[Peer]]:
        return [Send(self._replicas, message)]


_PREPARING: Final = frozenset((Phase.PREPARING,))
_PROPOSING: Final = frozenset((Phase.PROPOSING, Phase.FINISHING))
_COUNTING: Final = frozenset((Phase.PROPOSING, Phase.COMMITTING))
