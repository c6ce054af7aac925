"""One question to one node, asked again until it is answered.

    asked --GOES--> asked       it works on it
          --answer--> settled
          --FAILED--> failed
          --nothing for RETRY_S--> asked again, or failed where the node is down
"""

from collections.abc import Callable
from math import inf
from typing import Final

from cluster.coordination.outcome import Outcome
from cluster.internode.frames import Message
from cluster.internode.verbs import Verb
from cluster.ring import Node

RETRY_S: Final = 5.0
"""How long nothing is heard before it is asked again."""


class RepairFailed(Exception):
    """A repair, or a part of it, can't be done; the message says why."""


class Asking:
    """See the module. `send` sends it, `is_alive` says whether the node is up, `what` is it called where it fails."""

    def __init__(self, node: Node, send: Callable[[], None], is_alive: Callable[[Node], bool], what: str) -> None:
        self._node, self._send, self._is_alive, self._what = node, send, is_alive, what
        self.outcome: Outcome[Message] = Outcome()
        self.wake_s = inf

    @property
    def is_over(self) -> bool:
        return self.outcome.is_done

    def start(self, now_s: float) -> None:
        self.wake_s = now_s + RETRY_S
        self._send()

    def receive(self, sender: Node, message: Message, now_s: float) -> None:
        if sender != self._node or self.is_over:
            return
        if message.verb == Verb.REPAIR_GOES:
            self.wake_s = now_s + RETRY_S
        elif message.verb == Verb.FAILED:
            self.fail(f"{self._what} failed on /{self._node.address}:{self._node.port}")
        else:
            self.outcome.settle(message)

    def tick(self, now_s: float) -> None:
        if not self._is_alive(self._node):
            self.fail(f"Endpoint /{self._node.address}:{self._node.port} died")
            return
        self.wake_s = now_s + RETRY_S
        self._send()

    def fail(self, why: str) -> None:
        self.wake_s = inf
        self.outcome.fail(RepairFailed(why))
