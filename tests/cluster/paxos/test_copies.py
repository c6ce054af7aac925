"""Messages that come twice: what a replica says of the second copy is not what it did with the first one."""

from cluster.paxos.messages import Accept, Prepare, Promise, Propose, Refusal
from cluster.paxos.proposer import Phase, Proposer, Quorums
from cluster.paxos.replica import answered
from cluster.paxos.state import NOTHING, UNTOUCHED, Ballot, PaxosState, Proposal
from storage.environment.environment import Rng


def ballot(number: int) -> Ballot:
    return Ballot(number.to_bytes(16, "big"))


def proposing() -> Proposer[str]:
    """With the promises of two of three, and nothing accepted yet."""
    proposer = Proposer(("a", "b", "c"), Quorums(2, 2), lambda minimum: ballot(7), Rng(b"1"), 1e9)
    proposer.start()
    for peer in ("a", "b"):
        proposer.receive(peer, Promise(ballot(7), NOTHING, NOTHING), 0.0)
    proposer.read(b"a change")
    assert proposer.phase is Phase.PROPOSING
    return proposer


def test_the_refused_copy_of_a_prepare_is_no_refusal_of_what_was_proposed() -> None:
    proposer = proposing()
    for peer in ("a", "b", "c"):
        proposer.receive(peer, Refusal(ballot(7), ballot(7)), 0.0)
    assert proposer.phase is Phase.PROPOSING
    for peer in ("a", "b", "c"):
        proposer.receive(peer, Refusal(ballot(7), ballot(8), of_proposal=True), 0.0)
    assert proposer.phase is Phase.BACKING_OFF


def test_who_has_accepted_refuses_no_copy_of_it() -> None:
    propose = Propose(Proposal(ballot(7), b"a change"))
    state, answer = answered(UNTOUCHED, Prepare(ballot(7)))
    assert isinstance(answer, Promise)
    assert answered(state, Prepare(ballot(7)))[1] == Refusal(ballot(7), ballot(7))
    state, answer = answered(state, propose)
    assert answer == Accept(ballot(7))
    state, answer = answered(state, Prepare(ballot(9)))
    assert isinstance(answer, Promise)
    assert answered(state, propose) == (state, Accept(ballot(7)))
    not_accepted = PaxosState(ballot(9), NOTHING, NOTHING)
    assert answered(not_accepted, propose)[1] == Refusal(ballot(7), ballot(9), of_proposal=True)
