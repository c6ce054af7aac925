"""Who answers reads slowly is asked last: how long nodes take, and what follows from it for their order
(locator/DynamicEndpointSnitch.java).

Of each node the latest answers count, in whole milliseconds, so that healthy nodes are all the same. A node's score is its
median as a share of the worst one. The order is the snitch's (nearest first), unless at one of its places stands a node
whose score exceeds the one that would stand there by scores by more than the badness threshold: then it is that of the
scores. The coordinator itself comes first, whatever it takes. From time to time all is forgotten, because nothing new is
heard of who is not asked.
"""

from collections import deque
from collections.abc import Callable, Sequence
from statistics import median
from typing import Final

from cluster.coordination.plans import nearest_first
from cluster.ring import Node

SAMPLES_MAX: Final = 100
"""Of each node."""


class Scores:
    """One node's. `changed` is called when the order of nodes may be another one; looked at when an answer comes, at most
    every `update_s`. `badness_threshold`: 0: the scores alone say the order."""

    def __init__(self, local: Node, clock: Callable[[], float], changed: Callable[[], None]) -> None:
        self._local, self._clock, self._changed = local, clock, changed
        self.is_enabled = True
        self.badness_threshold = 1.0
        self.update_s = 0.1
        self.reset_s = 600.0
        self.of: dict[Node, float] = {}
        """What was found at last."""
        self._samples: dict[Node, deque[int]] = {}
        self._updated_s = self._reset_s = clock()

    def took(self, node: Node, seconds: float) -> None:
        """An answer to a read came, or did not come, after that time."""
        if not self.is_enabled:
            return
        samples = self._samples.get(node)
        if samples is None:
            samples = self._samples[node] = deque(maxlen=SAMPLES_MAX)
        samples.append(int(seconds * 1000))
        now_s = self._clock()
        if now_s - self._updated_s >= self.update_s:
            self._updated_s = now_s
            self._update(now_s)

    def _update(self, now_s: float) -> None:
        if now_s - self._reset_s >= self.reset_s:
            self._reset_s = now_s
            self._samples.clear()
        medians = {node: median(samples) for node, samples in self._samples.items()}
        worst = max((1.0, *medians.values()))
        scores = {node: round(found / worst, 2) for node, found in medians.items()}
        if scores != self.of:
            self.of = scores
            self._changed()

    def by_proximity(self, nodes: Sequence[Node]) -> list[Node]:
        """Whom to ask, the best first."""
        nearest = nearest_first(nodes, self._local)
        if not self.is_enabled or len(nearest) < 2:
            return nearest
        first = 1 if nearest[0] == self._local else 0
        others = nearest[first:]
        found = [self.of.get(node, 0.0) for node in others]
        limit = 1.0 + self.badness_threshold
        is_fine = all(score <= best * limit for score, best in zip(found, sorted(found), strict=True))
        if is_fine and self.badness_threshold:
            return nearest
        return [*nearest[:first], *sorted(others, key=lambda node: self.of.get(node, 0.0))]
