"""The machine of what every node has to do: a change of the schema, TRUNCATE (service/TruncateResponseHandler.java)."""

from collections.abc import Callable, Sequence
from math import inf

from cluster.coordination.errors import reason_name
from cluster.coordination.outcome import Outcome
from cluster.coordination.writing import REASON_BYTES
from cluster.internode.frames import Message
from cluster.internode.verbs import Verb
from cluster.ring import Node
from protocol.errors import RequestError, TruncateError

OnMissing = Callable[[int, dict[Node, int]], RequestError]
"""(how many have done it, by node why the others have not: none where they did not say) -> what the client is told."""


class Spreading:
    """Under way to `nodes`, until all have answered or the time is over. `on_missing` None: then it is as well."""

    def __init__(self, nodes: Sequence[Node], deadline_s: float, on_missing: OnMissing | None = None) -> None:
        self.nodes = tuple(nodes)
        self._left = dict.fromkeys(nodes)
        self._failures: dict[Node, int] = {}
        self._on_missing = on_missing
        self.wake_s = deadline_s
        self.outcome: Outcome[None] = Outcome()
        self._judge()

    @property
    def is_over(self) -> bool:
        return self.outcome.is_done

    def receive(self, sender: Node, message: Message, now_s: float) -> None:
        if message.verb == Verb.DONE:
            self._left.pop(sender, None)
            self._judge()
        else:
            self.fail(sender, int.from_bytes(message.body[:REASON_BYTES], "big"))

    def fail(self, node: Node, reason: int) -> None:
        self._failures[node] = reason
        self._end()

    def tick(self, now_s: float) -> None:
        self.wake_s = inf
        self._end()

    def _judge(self) -> None:
        if not self._left:
            self.outcome.settle(None)

    def _end(self) -> None:
        if self._on_missing is None:
            self.outcome.settle(None)
        else:
            self.outcome.fail(self._on_missing(len(self.nodes) - len(self._left), self._failures))


def truncation_error(done: int, failures: dict[Node, int]) -> RequestError:
    if not failures:
        done += 1  # the local node did it
        return TruncateError(f"Error during truncate: Truncate timed out - received only {done} responses")
    told = ", ".join(
        f"replica /{node.address}:{node.port} -> {reason_name(reason)}" for node, reason in failures.items()
    )
    return TruncateError(f"Truncate failed on {told}")
