"""Hints handed over by a node that leaves the ring: another one keeps them, and sends them when their nodes are up
(hints/HintsDispatchExecutor.java, TransferHintsTask)."""

from math import inf

from cluster.coordination.outcome import Outcome
from cluster.coordination.requests import Requests
from cluster.hints import PAGE_S, Hints
from cluster.internode.frames import Message
from cluster.internode.texts import encode_texts
from cluster.internode.verbs import Verb
from cluster.ring import Node
from protocol.errors import MovementRefused


class HintTransfer:
    """To one node, a page at a time, until there are none; fails with MovementRefused where one is not acknowledged. Begun
    by `start`, under an id of `requests`."""

    def __init__(self, hints: Hints, requests: Requests, target: Node, operation_id: int) -> None:
        self._hints, self._requests, self._target, self._id = hints, requests, target, operation_id
        self._host_id, self._last = target.host_id, b""
        """Whose hints are under way, and up to which one."""
        self.outcome: Outcome[None] = Outcome()
        self.wake_s = inf

    @property
    def is_over(self) -> bool:
        return self.outcome.is_done

    def start(self, now_s: float) -> None:
        while True:
            host_id = next(self._hints.host_ids(), None)
            if host_id is None:
                self.wake_s = inf
                self.outcome.settle(None)
                return
            page = self._hints.page(host_id)
            if page.hints:
                break
            self._hints.delete(host_id, page.last)  # nobody needs them any more
        self._host_id, self._last = host_id, page.last
        self.wake_s = now_s + PAGE_S
        self._requests.send(self._target, Verb.HINTS_FOR, self._id, encode_texts((host_id.bytes, *page.hints)))

    def receive(self, sender: Node, message: Message, now_s: float) -> None:
        if sender != self._target or self.is_over:
            return
        if message.verb != Verb.DONE:
            self.fail()
            return
        self._hints.delete(self._host_id, self._last)
        self.start(now_s)

    def tick(self, now_s: float) -> None:
        self.fail()

    def fail(self) -> None:
        self.wake_s = inf
        self.outcome.fail(MovementRefused(f"Failed to transfer all hints to {self._target.host_id}"))
