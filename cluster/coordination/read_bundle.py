"""Plain reads of one go and one table, by the replicas that they have in common: data from here, one message of digests from
each other that the level wants.

    open --the go ends--> SENT --digests agree--> the clients get the data
                           |--one differs, or a replica can't say: that read goes the general way (reading.py)
                           |--slow: one more replica is asked (speculative_retry)
                           |--time is over: ReadTimeout
"""

from collections.abc import Callable
from math import inf

from cluster.coordination.errors import read_timeout
from cluster.coordination.plans import ReadPlan
from cluster.coordination.write_bundle import Waiter, Waiting
from cluster.internode.frames import Message
from cluster.internode.records import encode_records
from cluster.internode.verbs import Verb
from cluster.reading.plain import DIGEST_BYTES
from cluster.ring import Node


class ReadBundle:
    """See the module. `waiters`, `answers` and `digests` have one entry for each of `commands` (reading/plain.py)."""

    __slots__ = (
        "_agreeing", "_ask", "_began_s", "_body", "_deadline_s", "_node_took", "_spares", "_table_id", "_took",
        "_waited_for", "_waiting", "answers", "commands", "digests", "is_over", "plan", "waiters", "wake_s",
    )  # fmt: skip

    def __init__(self, plan: ReadPlan, table_id: bytes, waiting: Waiting) -> None:
        self.plan, self._table_id, self._waiting = plan, table_id, waiting
        self.commands: list[bytes] = []
        self.digests: list[bytes] = []
        self.answers: list[bytes] = []
        self.waiters: list[Waiter] = []
        self.wake_s = inf
        self.is_over = False
        self._agreeing: dict[int, int] = {}  # by index, of those that are not told yet: how many others have the same
        self._waited_for: dict[Node, float] = {}  # since when
        self._spares = list(plan.spares)

    def start(
        self,
        now_s: float,
        timeout_s: float,
        speculation_s: float,
        ask: Callable[[Node, bytes], None],
        took: Callable[[float], None],
        node_took: Callable[[Node, float], None],
    ) -> None:
        """Asks the others; `ask` sends a message of this bundle, `took` hears how long an answer takes, `node_took` how long
        a node."""
        self._began_s, self._deadline_s, self._took, self._node_took = now_s, now_s + timeout_s, took, node_took
        self.wake_s = min(now_s + speculation_s, self._deadline_s) if self._spares else self._deadline_s
        self._agreeing = dict.fromkeys(range(len(self.commands)), 0)
        self._body = self._table_id + encode_records(self.commands)
        self._ask = ask
        for node in self.plan.contacts[1:]:
            self._ask_for_digests(node, now_s)

    def _ask_for_digests(self, node: Node, now_s: float) -> None:
        self._waited_for[node] = now_s
        self._ask(node, self._body)

    def receive(self, sender: Node, message: Message, now_s: float) -> None:
        if sender not in self._waited_for:
            return
        self._node_took(sender, now_s - self._waited_for.pop(sender))
        if message.verb != Verb.DIGESTS or len(message.body) != DIGEST_BYTES * len(self.commands):
            self._leave(list(self._agreeing))
            return
        self._took(now_s - self._began_s)
        needed = self.plan.required - 1
        if needed == 1 and len(self._agreeing) == len(self.commands) and message.body == b"".join(self.digests):
            self._agreeing = {}
            self.is_over = True
            self._waiting.read(self.waiters, self.answers)
            return
        self._compare(message.body, needed)

    def _compare(self, theirs: bytes, needed: int) -> None:
        agreed: list[int] = []
        differing: list[int] = []
        for index, count in self._agreeing.items():
            if theirs[index * DIGEST_BYTES : (index + 1) * DIGEST_BYTES] != self.digests[index]:
                differing.append(index)
            elif count + 1 >= needed:
                agreed.append(index)
            else:
                self._agreeing[index] = count + 1
        for index in agreed:
            del self._agreeing[index]
        self._waiting.read([self.waiters[index] for index in agreed], [self.answers[index] for index in agreed])
        self._leave(differing)

    def _leave(self, indexes: list[int]) -> None:
        for index in indexes:
            del self._agreeing[index]
        self.is_over = not self._agreeing
        if indexes:
            self._waiting.again([self.waiters[index] for index in indexes])

    def tick(self, now_s: float) -> None:
        for node, asked_s in self._waited_for.items():
            self._node_took(node, now_s - asked_s)
        if now_s < self._deadline_s:
            self.wake_s = self._deadline_s
            if self._spares:
                self._ask_for_digests(self._spares.pop(0), now_s)
            return
        self.wake_s = inf
        self.is_over = True
        left = [self.waiters[index] for index in self._agreeing]
        plan = self.plan
        received = min(1 + min(self._agreeing.values(), default=0), plan.required)
        self._waiting.refused(left, read_timeout(plan.level, received, plan.required, True))
