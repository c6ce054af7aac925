"""Paxos's messages as bytes (docs/formats/internode.md)."""

from struct import Struct
from struct import error as StructError
from typing import Final, NamedTuple

from cluster.internode.verbs import Verb
from cluster.paxos.messages import Accept, Commit, Committed, PaxosAnswer, PaxosRequest, Prepare, Promise, Propose, Refusal
from cluster.paxos.state import BALLOT_BYTES, Ballot, Proposal
from protocol.errors import PeerError

TAIL_BYTES: Final = 8
REQUESTS: Final = frozenset((Verb.PREPARE, Verb.PROPOSE, Verb.COMMIT))
_REQUEST = Struct(">16s16sH")
"""Table, ballot, length of the key."""
_PROMISE = Struct(">16s16s16sII")
"""The ballot, that of what was accepted, of what was committed; the lengths of what these are."""
_READS: Final = b"\x01"


class PaxosKey(NamedTuple):
    """The partition that a round is about. `table_id`: its bytes."""

    table_id: bytes
    key: bytes


def encode_request(about: PaxosKey, request: PaxosRequest) -> tuple[Verb, bytes]:
    table_id, key = about
    match request:
        case Prepare(ballot, ck):
            return Verb.PREPARE, _REQUEST.pack(table_id, ballot, len(key)) + key + (b"" if ck is None else _READS + ck)
        case Propose((ballot, update)):
            return Verb.PROPOSE, _REQUEST.pack(table_id, ballot, len(key)) + key + update
        case Commit((ballot, update)):
            return Verb.COMMIT, _REQUEST.pack(table_id, ballot, len(key)) + key + update


def decode_request(verb: int, body: bytes) -> tuple[PaxosKey, PaxosRequest]:
    """Of one of `REQUESTS`. Raises PeerError."""
    try:
        table_id, ballot, key_length = _REQUEST.unpack_from(body)
    except StructError:
        raise PeerError(f"a message of Paxos of {len(body)} bytes") from None
    end = _REQUEST.size + key_length
    if end > len(body):
        raise PeerError(f"a message of Paxos of {len(body)} bytes with a key of {key_length}")
    about = PaxosKey(table_id, body[_REQUEST.size : end])
    if verb == Verb.PREPARE:
        return about, Prepare(Ballot(ballot), body[end + 1 :] if end < len(body) else None)
    proposal = Proposal(Ballot(ballot), body[end:])
    return about, Propose(proposal) if verb == Verb.PROPOSE else Commit(proposal)


def encode_answer(answer: PaxosAnswer) -> tuple[Verb, bytes]:
    match answer:
        case Promise(ballot, (accepted, proposal), (committed, commit), digest):
            head = _PROMISE.pack(ballot, accepted, committed, len(proposal), len(commit))
            return Verb.PROMISE, b"".join((head, proposal, commit, digest))
        case Refusal(ballot, promised, of_proposal):
            return Verb.REFUSAL, ballot + promised + (b"\1" if of_proposal else b"\0")
        case Accept(ballot):
            return Verb.ACCEPT, ballot
        case Committed(ballot):
            return Verb.COMMITTED, ballot


def maybe_answer(verb: int, body: bytes) -> PaxosAnswer | None:
    """None for a message that is none. Raises PeerError."""
    if verb == Verb.ACCEPT:
        return Accept(_ballot(body))
    if verb == Verb.COMMITTED:
        return Committed(_ballot(body))
    if verb == Verb.REFUSAL:
        return Refusal(_ballot(body[:BALLOT_BYTES]), _ballot(body[BALLOT_BYTES:-1]), body[-1:] == b"\1")
    return _promise(body) if verb == Verb.PROMISE else None


def _promise(body: bytes) -> Promise:
    try:
        ballot, accepted, committed, proposal_length, commit_length = _PROMISE.unpack_from(body)
    except StructError:
        raise PeerError(f"a promise of {len(body)} bytes") from None
    at = _PROMISE.size + proposal_length
    end = at + commit_length
    if end > len(body):
        raise PeerError(f"a promise of {len(body)} bytes with proposals of {proposal_length} and {commit_length}")
    proposal = Proposal(Ballot(accepted), body[_PROMISE.size : at])
    return Promise(Ballot(ballot), proposal, Proposal(Ballot(committed), body[at:end]), body[end:])


def _ballot(data: bytes) -> Ballot:
    if len(data) != BALLOT_BYTES:
        raise PeerError(f"a ballot of {len(data)} bytes")
    return Ballot(data)
