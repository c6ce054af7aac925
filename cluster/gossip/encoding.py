"""Gossip's messages as bytes (docs/formats/internode.md): lists of texts, most of them an endpoint with numbers before it.
"""

import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cluster.gossip.endpoint import (
    NO_VERSION,
    ApplicationState,
    Endpoint,
    EndpointState,
    Generation,
    Version,
    VersionedValue,
)
from cluster.gossip.messages import Ack, Ack2, Digest, Echo, GossipMessage, Shutdown, States, Syn
from cluster.internode.texts import decode_texts, encode_texts
from cluster.internode.verbs import Verb
from protocol.errors import PeerError

_DIGEST = struct.Struct(">HQq")
"""Port, generation, version; the address stands behind."""
_STATE = struct.Struct(">Bq")
"""Key, version; the value stands behind."""
_COUNT = struct.Struct(">I")
VERBS: Final = frozenset((Verb.SYN, Verb.ACK, Verb.ACK2, Verb.ECHO, Verb.ECHOED, Verb.SHUTDOWN))


def encode_gossip(message: GossipMessage) -> tuple[Verb, bytes]:
    match message:
        case Syn(cluster_name, partitioner, digests):
            return Verb.SYN, encode_texts((cluster_name.encode(), partitioner.encode(), *map(_digest, digests)))
        case Ack(wanted, states):
            return Verb.ACK, encode_texts((_COUNT.pack(len(wanted)), *map(_digest, wanted), *_states(states)))
        case Ack2(states):
            return Verb.ACK2, encode_texts(_states(states))
        case Echo(is_reply):
            return Verb.ECHOED if is_reply else Verb.ECHO, b""
        case Shutdown(state):
            return Verb.SHUTDOWN, _state(Endpoint("", 0), state)


def decode_gossip(verb: int, body: bytes) -> GossipMessage:
    """Of one of `VERBS`. Raises PeerError."""
    try:
        match verb:
            case Verb.SYN:
                name, partitioner, *digests = decode_texts(body)
                return Syn(name.decode(), partitioner.decode(), tuple(map(_read_digest, digests)))
            case Verb.ACK:
                count, *texts = decode_texts(body)
                wanted = _COUNT.unpack(count)[0]
                return Ack(tuple(map(_read_digest, texts[:wanted])), _read_states(texts[wanted:]))
            case Verb.ACK2:
                return Ack2(_read_states(decode_texts(body)))
            case Verb.ECHO | Verb.ECHOED:
                return Echo(verb == Verb.ECHOED)
            case Verb.SHUTDOWN:
                return Shutdown(_read_state(body)[1])
            case _:
                raise PeerError(f"verb {verb} is none of gossip's")
    except (ValueError, struct.error) as error:
        raise PeerError(f"a message of gossip that can't be read: {error}") from None


def _digest(digest: Digest) -> bytes:
    endpoint, generation, version = digest
    return _DIGEST.pack(endpoint.port, generation, version) + endpoint.address.encode()


def _read_digest(text: bytes) -> Digest:
    port, generation, version = _DIGEST.unpack_from(text)
    return Digest(Endpoint(text[_DIGEST.size :].decode(), port), Generation(generation), Version(version))


def _states(states: States) -> list[bytes]:
    return [_state(endpoint, state) for endpoint, state in states.items()]


def _state(endpoint: Endpoint, state: EndpointState) -> bytes:
    head = _digest(Digest(endpoint, state.generation, state.heartbeat))
    values = [_STATE.pack(key, version) + value.encode() for key, (value, version) in state.states.items()]
    if state.since > NO_VERSION:
        values.append(_STATE.pack(_SINCE, state.since))
    return encode_texts((head, *values))


def _read_states(texts: list[bytes]) -> Mapping[Endpoint, EndpointState]:
    return MappingProxyType(dict(map(_read_state, texts)))


def _read_state(text: bytes) -> tuple[Endpoint, EndpointState]:
    head, *values = decode_texts(text)
    endpoint, generation, heartbeat = _read_digest(head)
    states: dict[ApplicationState, VersionedValue] = {}
    since = NO_VERSION
    for value in values:
        key, version = _STATE.unpack_from(value)
        if key == _SINCE:
            since = Version(version)
        elif key in _KNOWN:  # a later version may say more
            states[ApplicationState(key)] = VersionedValue(value[_STATE.size :].decode(), Version(version))
    return endpoint, EndpointState(generation, heartbeat, MappingProxyType(states), since)


_SINCE: Final = 0
"""Stands where an application state does; none has this number."""
_KNOWN: Final = frozenset(ApplicationState)
