"""How many messages went from a node to others: what nodetool netstats tells by its pools.

Gossip goes with the small messages here, so what of it waits counts among those.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from cluster.gossip.encoding import VERBS as GOSSIP_VERBS
from cluster.internode.frames import Message


class Pool(NamedTuple):
    name: str
    pending: int
    completed: int
    dropped: int


def _nothing_waits() -> tuple[int, int]:
    return 0, 0


@dataclass(slots=True)
class Traffic:
    """One node's. `sent`: all that was handed to connections, `large` of them to those for large ones; `dropped`: what of it
    was given up, by its verb; `pending`: how many large ones wait for their connection, and how many others."""

    sent: int = 0
    large: int = 0
    large_dropped: int = 0
    dropped: Counter[int] = field(default_factory=Counter)
    pending: Callable[[], tuple[int, int]] = _nothing_waits

    def lose(self, messages: Sequence[Message], are_large: bool = False) -> None:
        self.dropped.update(message.verb for message in messages)
        if are_large:
            self.large_dropped += len(messages)

    def pools(self, gossip: int) -> list[Pool]:
        """`gossip`: so many of those sent were gossip's."""
        large_pending, pending = self.pending()
        gossip_dropped = sum(self.dropped[verb] for verb in GOSSIP_VERBS)
        dropped = self.dropped.total() - self.large_dropped - gossip_dropped
        small = self.sent - self.large - gossip
        return [
            Pool("Large messages", large_pending, self.large - self.large_dropped - large_pending, self.large_dropped),
            Pool("Small messages", pending, max(0, small - dropped - pending), dropped),
            Pool("Gossip messages", 0, max(0, gossip - gossip_dropped), gossip_dropped),
        ]
