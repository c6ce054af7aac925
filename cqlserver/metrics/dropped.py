"""Messages to other nodes that were given up, by Cassandra's names for them (metrics/DroppedMessageMetrics.java).

Cassandra drops what waited too long. Here nothing waits for its turn; what is given up is what a node that can't be reached,
or does not keep up, should have had.
"""

from collections.abc import Mapping
from typing import Final

from cluster.internode.verbs import Verb

MESSAGE_TYPES: Final[Mapping[Verb, str]] = {
    Verb.MUTATE: "MUTATION_REQ",
    Verb.MUTATE_EACH: "MUTATION_REQ",
    Verb.COUNT: "COUNTER_MUTATION_REQ",
    Verb.READ: "READ_REQ",
    Verb.READ_DIGEST: "READ_REQ",
    Verb.READ_EACH: "READ_REQ",
    Verb.FETCH: "READ_REQ",
    Verb.DATA: "READ_RSP",
    Verb.DIGEST: "READ_RSP",
    Verb.DIGESTS: "READ_RSP",
    Verb.FETCHED: "READ_RSP",
    Verb.PREPARE: "PAXOS_PREPARE_REQ",
    Verb.PROPOSE: "PAXOS_PROPOSE_REQ",
    Verb.COMMIT: "PAXOS_COMMIT_REQ",
    Verb.STORE_BATCH: "BATCH_STORE_REQ",
    Verb.REMOVE_BATCH: "BATCH_REMOVE_REQ",
    Verb.HINTS: "HINT_REQ",
    Verb.TRUNCATE: "TRUNCATE_REQ",
    Verb.SCHEMA_CHANGED: "SCHEMA_PUSH_REQ",
    Verb.SCHEMA_WANTED: "SCHEMA_PULL_REQ",
    Verb.SCHEMA: "SCHEMA_PULL_RSP",
    Verb.SYN: "GOSSIP_DIGEST_SYN",
    Verb.ACK: "GOSSIP_DIGEST_ACK",
    Verb.ACK2: "GOSSIP_DIGEST_ACK2",
    Verb.ECHO: "ECHO_REQ",
    Verb.ECHOED: "ECHO_RSP",
    Verb.SHUTDOWN: "GOSSIP_SHUTDOWN",
}
"""All others have the names that they have here."""
_ALWAYS: Final = ("MUTATION_REQ", "READ_REQ", "HINT_REQ")


def dropped_by_type(by_verb: Mapping[int, int]) -> dict[str, int]:
    """How many, those that dashboards always ask for with 0 where there were none."""
    found = dict.fromkeys(_ALWAYS, 0)
    for verb, count in by_verb.items():
        name = MESSAGE_TYPES.get(Verb(verb), Verb(verb).name)
        found[name] = found.get(name, 0) + count
    return found
