"""A replica's side of Paxos: (state, request) -> (state, answer), pure.

Whoever calls this keeps the new state durably *before* the answer leaves. What a Commit brings is applied to the table in
any case, also where a later one is known already: its timestamp decides what of it still counts. Both are one record. What
was accepted at its ballot or below is of no more use then, and is forgotten (SystemKeyspace.savePaxosCommit).
"""

from cluster.paxos.messages import Accept, Commit, Committed, PaxosAnswer, PaxosRequest, Prepare, Promise, Propose, Refusal
from cluster.paxos.state import NOTHING, PaxosState


def answered(state: PaxosState, request: PaxosRequest) -> tuple[PaxosState, PaxosAnswer]:
    """The state from now on, and the answer. The same state object: there is nothing to be kept."""
    match request:
        case Prepare(ballot):
            if ballot <= state.latest:
                return state, Refusal(ballot, state.latest)
            _, accepted, committed = state
            return PaxosState(ballot, accepted, committed), Promise(ballot, accepted, committed)
        case Propose(proposal):
            if proposal.ballot == state.accepted.ballot:  # it came twice: who has accepted may not say that he refuses
                return state, Accept(proposal.ballot)
            if proposal.ballot < state.latest:
                return state, Refusal(proposal.ballot, state.latest, of_proposal=True)
            if proposal.ballot == state.committed.ballot:  # it was decided without this replica, and it knows already
                return state, Accept(proposal.ballot)
            return PaxosState(state.promised, proposal, state.committed), Accept(proposal.ballot)
        case Commit(proposal):
            if proposal.ballot <= state.committed.ballot:
                return state, Committed(proposal.ballot)
            accepted = state.accepted if state.accepted.ballot > proposal.ballot else NOTHING
            return PaxosState(state.promised, accepted, proposal), Committed(proposal.ballot)
