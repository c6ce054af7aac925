"""One table in some ranges with all of its replicas: their trees are asked for, compared, and what differs is streamed
(repair/RepairJob.java).

    validating --all trees--> synchronising --all streams--> done
        any of it fails --> failed
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Protocol
from uuid import UUID

from cluster.coordination.outcome import Outcome, all_of
from cluster.gossip.endpoint import Endpoint
from cluster.repair.asking import RepairFailed
from cluster.repair.messages import PaxosRepair, Stepping, Synchronisation, Validation
from cluster.repair.options import Parallelism
from cluster.repair.tree import MerkleTree, differences
from cluster.repair.validation import Looked
from cluster.ring import Node
from cluster.streaming.ranges import TokenRange

Trees = Sequence[MerkleTree]


class Replicas(Protocol):
    """How replicas are asked, the local one among them."""

    def validate(self, node: Node, validation: Validation) -> Outcome[list[MerkleTree]]: ...
    def synchronise(self, node: Node, sync: Synchronisation) -> Outcome[None]: ...
    def step(self, node: Node, stepping: Stepping) -> Outcome[None]: ...
    def repair_paxos(self, node: Node, repair: PaxosRepair) -> Outcome[None]: ...


@dataclass(frozen=True, slots=True)
class JobOptions:
    """`pulls`: only the local node gets what it lacks; `streams`: not for a preview; `optimises`: nobody gets from two what
    both have."""

    parallelism: Parallelism
    looked: Looked
    pulls: bool
    streams: bool
    optimises: bool
    depth_max: int


@dataclass(frozen=True, slots=True)
class Flow:
    """What a stream is for: `target` lacks something of what `source` has in these ranges. `size`: of what the source has
    there, in bytes, about."""

    source: Node
    target: Node
    ranges: tuple[TokenRange, ...]
    size: int


class RepairJob:
    """See the module. `nodes`: the local one and its neighbours. The outcome is what differed."""

    def __init__(
        self,
        session_id: UUID,
        table_id: UUID,
        ranges: tuple[TokenRange, ...],
        nodes: Sequence[Node],
        local: Node,
        options: JobOptions,
        replicas: Replicas,
    ) -> None:
        self._session_id, self._table_id, self._ranges = session_id, table_id, ranges
        self._nodes, self._local, self._options, self._replicas = tuple(nodes), local, options, replicas
        self._trees: dict[Node, Trees] = {}
        self.outcome: Outcome[tuple[Flow, ...]] = Outcome()

    def start(self, now_s: int) -> None:
        """`now_s` is the same for all."""
        options = self._options
        validation = Validation(
            self._session_id, self._table_id, now_s, options.looked, options.depth_max, self._ranges
        )
        match options.parallelism:
            case Parallelism.PARALLEL:
                queues = [[node] for node in self._nodes]
            case Parallelism.SEQUENTIAL:
                queues = [list(self._nodes)]
            case Parallelism.DATACENTER_AWARE:
                names = dict.fromkeys(node.datacenter for node in self._nodes)
                queues = [[node for node in self._nodes if node.datacenter == name] for name in names]
        for queue in queues:
            self._validate_next(queue, validation)

    def _validate_next(self, queue: list[Node], validation: Validation) -> None:
        if not queue or self.outcome.is_done:
            return
        node = queue.pop(0)
        trees = self._replicas.validate(node, validation)

        def arrived() -> None:
            if trees.error is not None:
                self.outcome.fail(trees.error)
                return
            if [tree.range for tree in trees.result] != list(self._ranges):
                self.outcome.fail(RepairFailed(f"/{node.address}:{node.port} sent trees of other ranges"))
                return
            self._trees[node] = trees.result
            self._validate_next(queue, validation)
            if len(self._trees) == len(self._nodes) and not self.outcome.is_done:
                self._synchronise()

        trees.when_done(arrived)

    # --- what differs ----------------------------------------------------------------------------------------------------

    def _synchronise(self) -> None:
        trees = self._trees
        flows = optimised_flows(trees) if self._options.optimises else pairwise_flows(trees)
        if self._options.pulls:
            flows = [flow for flow in flows if flow.target == self._local]
        self._trees = {}
        if not self._options.streams:
            self.outcome.settle(tuple(flows))
            return
        under_way = [
            self._replicas.synchronise(node, sync) for node, sync in self._requests(flows)
        ]
        whole = all_of(under_way)
        whole.when_done(lambda: self._end(whole, flows))

    def _end(self, whole: Outcome[None], flows: Sequence[Flow]) -> None:
        if whole.error is not None:
            self.outcome.fail(whole.error)
        else:
            self.outcome.settle(tuple(flows))

    def _requests(self, flows: Sequence[Flow]) -> list[tuple[Node, Synchronisation]]:
        """By whom it is to be done: what goes both ways is one request, the local node's where it takes part."""
        by_pair: dict[tuple[Node, Node, tuple[TokenRange, ...]], list[Flow]] = {}
        for flow in flows:
            ends = (flow.source, flow.target)
            one, other = sorted(ends, key=lambda node: (node != self._local, self._nodes.index(node)))
            by_pair.setdefault((one, other, flow.ranges), []).append(flow)
        is_pending = self._options.looked is Looked.PENDING
        return [
            (
                one,
                Synchronisation(
                    self._session_id,
                    self._table_id,
                    Endpoint(other.address, other.port),
                    any(flow.target == one for flow in found),
                    any(flow.target == other for flow in found),
                    is_pending,
                    ranges,
                ),
            )
            for (one, other, ranges), found in by_pair.items()
        ]


def pairwise_flows(trees: dict[Node, Trees]) -> list[Flow]:
    """Each two that differ get from each other."""
    flows: list[Flow] = []
    for one, other in combinations(trees, 2):
        found: list[TokenRange] = []
        sizes = [0, 0]
        for left, right in zip(trees[one], trees[other], strict=True):
            for range_ in differences(left, right):
                found.append(range_)
                sizes[0] += left.size_of(range_)
                sizes[1] += right.size_of(range_)
        if found:
            flows += [Flow(one, other, tuple(found), sizes[0]), Flow(other, one, tuple(found), sizes[1])]
    return flows


def optimised_flows(trees: dict[Node, Trees]) -> list[Flow]:
    """Each gets from one of those who have the same: of its own datacenter, if there is one
    (repair/asymmetric/ReduceHelper.java)."""
    nodes = list(trees)
    ranges: dict[tuple[Node, Node], list[TokenRange]] = {}
    sizes: dict[tuple[Node, Node], int] = {}
    for together in zip(*trees.values(), strict=True):
        depth = min(tree.depth for tree in together)
        level = [tree.reduced(depth) for tree in together]
        for leaf in range(1 << depth):
            digests = [(tree.digests[leaf], tree.partitions[leaf]) for tree in level]
            if len(set(digests)) < 2:
                continue
            range_ = level[0].leaf_range(leaf, leaf + 1)
            for target, own in zip(nodes, digests, strict=True):
                for digest in dict.fromkeys(digests):
                    if digest == own:
                        continue
                    sources = [node for node, other in zip(nodes, digests, strict=True) if other == digest]
                    source = next((node for node in sources if node.datacenter == target.datacenter), sources[0])
                    ranges.setdefault((source, target), []).append(range_)
                    size = level[nodes.index(source)].sizes[leaf]
                    sizes[source, target] = sizes.get((source, target), 0) + size
    return [Flow(source, target, tuple(found), sizes[source, target]) for (source, target), found in ranges.items()]
