"""Waits until other nodes know the status that this one has said it has: until then they do not write to who will need it.
And until all has ended that they began to write before: then whoever has acknowledged it has it for the streams.

Who does not answer is waited for RING_DELAY in all; if he lives, he has heard of it by then
(service/StorageService.java)."""

from collections.abc import Callable, Iterable
from math import inf
from typing import Final

from cluster.coordination.outcome import Outcome
from cluster.internode.frames import Message
from cluster.internode.verbs import Verb
from cluster.ring import Node

ASK_S: Final = 0.1


class Barrier:
    """See the module. `ask` asks a node; the outcome is who has not answered when the time was over."""

    def __init__(self, nodes: Iterable[Node], now_s: float, deadline_s: float, ask: Callable[[Node], None]) -> None:
        self._left = dict.fromkeys(nodes)
        self._deadline_s, self._ask = deadline_s, ask
        self.wake_s = now_s
        self.outcome: Outcome[tuple[Node, ...]] = Outcome()

    @property
    def is_over(self) -> bool:
        return self.outcome.is_done

    def tick(self, now_s: float) -> None:
        if not self._left or now_s >= self._deadline_s:
            self.wake_s = inf
            self.outcome.settle(tuple(self._left))
            return
        self.wake_s = min(now_s + ASK_S, self._deadline_s)
        for node in self._left:
            self._ask(node)

    def receive(self, sender: Node, message: Message, now_s: float) -> None:
        if message.verb == Verb.DONE:
            self._left.pop(sender, None)
            if not self._left:
                self.wake_s = now_s
