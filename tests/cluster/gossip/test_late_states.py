"""What a node was told in its life before may come when it has forgotten what stood in front of it."""

from types import MappingProxyType

from cluster.gossip.encoding import decode_gossip, encode_gossip
from cluster.gossip.endpoint import ApplicationState, Endpoint, Generation, Version
from cluster.gossip.gossiper import PARTITIONER, Gossiper
from cluster.gossip.messages import Ack, Ack2, Digest, Syn
from storage.environment.environment import Rng

ONE, OTHER = Endpoint("10.0.0.1", 7000), Endpoint("10.0.0.2", 7000)
NOW_S = 1_800_000_000


def gossiper(local: Endpoint) -> Gossiper:
    return Gossiper(local, "Test Cluster", [ONE], Generation(NOW_S), Rng(local.address.encode()))


def test_the_end_of_what_there_is_to_know_is_not_taken_for_all_of_it() -> None:
    teller, forgetful = gossiper(ONE), gossiper(OTHER)
    teller.say({ApplicationState.SCHEMA: "a", ApplicationState.HOST_ID: "b"})
    seen = teller.maybe_state(ONE)
    assert seen is not None
    teller.say({ApplicationState.LOAD: "1"})
    syn = Syn("Test Cluster", PARTITIONER, (Digest(ONE, seen.generation, seen.max_version),))
    ((_, late),) = teller.receive(OTHER, syn, 0.0, NOW_S)
    assert isinstance(late, Ack)
    assert late.states[ONE].since == seen.max_version
    assert decode_gossip(*encode_gossip(late)) == late

    forgetful.receive(ONE, late, 0.0, NOW_S)
    assert forgetful.maybe_state(ONE) is None
    half = late.states[ONE].newer_than(Version(late.states[ONE].since + 100))
    whole = teller.maybe_state(ONE)
    assert whole is not None
    forgetful.receive(ONE, Ack2(MappingProxyType({ONE: whole})), 0.0, NOW_S)
    forgetful.receive(ONE, Ack2(MappingProxyType({ONE: half})), 0.0, NOW_S)
    known = forgetful.maybe_state(ONE)
    assert known is not None
    assert {known.get(key) for key in (ApplicationState.SCHEMA, ApplicationState.HOST_ID, ApplicationState.LOAD)} == {
        "a", "b", "1",
    }  # fmt: skip
