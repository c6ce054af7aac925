"""Paxos's messages as bytes (docs/formats/internode.md). A ballot is a timeuuid, as it is in system.paxos."""

from struct import Struct
from typing import Final, NamedTuple
from uuid import UUID

from cluster.internode.texts import decode_texts, encode_texts
from cluster.internode.verbs import Verb
from cluster.paxos.messages import Accept, Commit, Committed, PaxosAnswer, PaxosRequest, Prepare, Promise, Propose, Refusal
from cluster.paxos.state import NO_BALLOT, Ballot, Proposal
from protocol.errors import PeerError
from protocol.types.uuids import EPOCH_100NS

TAIL_BYTES: Final = 8
_TIMEUUID = Struct(">IHH8s")
"""Low, middle and high bits of the time, these with the version; the rest."""
_VERSION_1: Final = 0x1000
_TIME_HIGH: Final = 0x0FFF
REQUESTS: Final = frozenset((Verb.PREPARE, Verb.PROPOSE, Verb.COMMIT))


class PaxosKey(NamedTuple):
    """The partition that a round is about."""

    table_id: UUID
    key: bytes


def encode_ballot(ballot: Ballot) -> bytes:
    """Nothing where there is none."""
    timestamp_us, tail = ballot
    if not tail:
        return b""
    time = timestamp_us * 10 + EPOCH_100NS
    return _TIMEUUID.pack(time & 0xFFFFFFFF, time >> 32 & 0xFFFF, time >> 48 & _TIME_HIGH | _VERSION_1, tail)


def decode_ballot(data: bytes) -> Ballot:
    """Raises PeerError."""
    if not data:
        return NO_BALLOT
    if len(data) != _TIMEUUID.size:
        raise PeerError(f"a ballot of {len(data)} bytes")
    low, middle, high, tail = _TIMEUUID.unpack(data)
    return Ballot(((high & _TIME_HIGH) << 48 | middle << 32 | low) // 10 - EPOCH_100NS // 10, tail)


def encode_request(about: PaxosKey, request: PaxosRequest) -> tuple[Verb, bytes]:
    place = about.table_id.bytes, about.key
    match request:
        case Prepare(ballot, ck):
            read = () if ck is None else (ck,)
            return Verb.PREPARE, encode_texts((*place, encode_ballot(ballot), *read))
        case Propose(proposal):
            return Verb.PROPOSE, encode_texts((*place, encode_ballot(proposal.ballot), proposal.update))
        case Commit(proposal):
            return Verb.COMMIT, encode_texts((*place, encode_ballot(proposal.ballot), proposal.update))


def decode_request(verb: int, body: bytes) -> tuple[PaxosKey, PaxosRequest]:
    """Of one of `REQUESTS`. Raises PeerError."""
    try:
        table_id, key, ballot, *rest = decode_texts(body)
        about = PaxosKey(UUID(bytes=table_id), key)
        if verb == Verb.PREPARE:
            return about, Prepare(decode_ballot(ballot), rest[0] if rest else None)
        proposal = Proposal(decode_ballot(ballot), rest[0])
        return about, Propose(proposal) if verb == Verb.PROPOSE else Commit(proposal)
    except (ValueError, IndexError) as error:
        raise PeerError(f"a message of Paxos that can't be read: {error}") from None


def encode_answer(answer: PaxosAnswer) -> tuple[Verb, bytes]:
    ballot = encode_ballot(answer.ballot)
    match answer:
        case Promise(_, accepted, committed, digest):
            of_accepted, of_committed = encode_ballot(accepted.ballot), encode_ballot(committed.ballot)
            told = (ballot, of_accepted, accepted.update, of_committed, committed.update, digest)
            return Verb.PROMISE, encode_texts(told)
        case Refusal(_, promised):
            return Verb.REFUSAL, encode_texts((ballot, encode_ballot(promised)))
        case Accept():
            return Verb.ACCEPT, encode_texts((ballot,))
        case Committed():
            return Verb.COMMITTED, encode_texts((ballot,))


def maybe_answer(verb: int, body: bytes) -> PaxosAnswer | None:
    """None for a message that is none. Raises PeerError."""
    if verb not in (Verb.PROMISE, Verb.REFUSAL, Verb.ACCEPT, Verb.COMMITTED):
        return None
    try:
        ballot, *rest = decode_texts(body)
        answered = decode_ballot(ballot)
        if verb == Verb.PROMISE:
            accepted = Proposal(decode_ballot(rest[0]), rest[1])
            return Promise(answered, accepted, Proposal(decode_ballot(rest[2]), rest[3]), rest[4])
        if verb == Verb.REFUSAL:
            return Refusal(answered, decode_ballot(rest[0]))
    except (ValueError, IndexError) as error:
        raise PeerError(f"an answer of Paxos that can't be read: {error}") from None
    return Accept(answered) if verb == Verb.ACCEPT else Committed(answered)
