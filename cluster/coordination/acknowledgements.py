"""Answers of replicas, counted toward a consistency level (service/*WriteResponseHandler.java)."""

from collections.abc import Sequence
from copy import copy

from cluster.consistency import LOCAL_LEVELS, Consistency, quorum
from cluster.replication import NetworkTopologyStrategy, ReplicationStrategy
from cluster.ring import Node


class Acknowledgements:
    """`required` in all; `candidates`: all replicas, live or not, those that are about to be ones too."""

    __slots__ = ("_datacenter", "_failed", "_is_local", "_left", "_taken", "candidate_count", "required")

    def __init__(
        self,
        level: Consistency,
        strategy: ReplicationStrategy,
        datacenter: str,
        required: int,
        candidates: Sequence[Node],
        pending: Sequence[Node] = (),
    ) -> None:
        self.required, self._datacenter = required, datacenter
        self._is_local = level in LOCAL_LEVELS
        self._taken: dict[Node, None] = {}
        self._failed: dict[Node, int] = {}
        self._left: dict[str, int] | None = None
        if level is Consistency.EACH_QUORUM and isinstance(strategy, NetworkTopologyStrategy):
            self._left = {name: quorum(factor) for name, factor in strategy.factors.items()}
            for node in pending:
                self._left[node.datacenter] += 1
        self.candidate_count = sum(1 for node in candidates if self.counts(node))

    def copy(self) -> "Acknowledgements":
        """With what has been counted until now."""
        other = copy(self)
        other._taken, other._failed = dict(self._taken), dict(self._failed)
        return other

    def counts(self, node: Node) -> bool:
        return not self._is_local or node.datacenter == self._datacenter

    def add(self, node: Node) -> None:
        if self.counts(node):
            self._taken[node] = None

    def fail(self, node: Node, reason: int) -> None:
        self._failed[node] = reason

    @property
    def received(self) -> int:
        if self._left is None:
            return len(self._taken)
        return sum(self.required_of(name) - self._missing(name) for name in self._left)

    def required_of(self, datacenter: str) -> int:
        return 0 if self._left is None else self._left[datacenter]

    def _missing(self, datacenter: str) -> int:
        taken = sum(1 for node in self._taken if node.datacenter == datacenter)
        return max(0, self.required_of(datacenter) - taken)

    @property
    def are_enough(self) -> bool:
        if self._left is None:
            return len(self._taken) >= self.required
        return not any(self._missing(name) for name in self._left)

    @property
    def cannot_be_enough(self) -> bool:
        """So many have failed that waiting is of no use."""
        failed = sum(1 for node in self._failed if self.counts(node))
        return self.required + failed > self.candidate_count

    @property
    def failures(self) -> dict[Node, int]:
        """By replica the reason (FailureReason)."""
        return self._failed
