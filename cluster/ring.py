"""The ring: which node owns which tokens. Immutable; a change of the cluster makes a new one.

A node owns, for each of its tokens, the range from the token before it (exclusive) to it (inclusive), as
dht/Range.java has it; behind the highest token the ring goes on at the lowest.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from uuid import UUID

from storage.environment.environment import Rng

TOKEN_MIN = -(1 << 63)
"""No partition has it (Murmur3Partitioner's minimum); it stands for both ends of the ring."""

NUM_TOKENS_DEFAULT = 16


@dataclass(frozen=True, slots=True)
class Node:
    """A node as the others see it. Compared by host id: its address may change, its identity does not."""

    host_id: UUID
    address: str = field(compare=False)
    datacenter: str = field(compare=False, default="datacenter1")
    rack: str = field(compare=False, default="rack1")
    tokens: tuple[int, ...] = field(compare=False, default=())
    port: int = field(compare=False, default=7000)


class Ring:
    """All nodes that own tokens, in token order. Raises ValueError where two own the same."""

    __slots__ = ("_owners", "_tokens", "nodes")

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.nodes = tuple(nodes)
        pairs = sorted(((token, node) for node in self.nodes for token in node.tokens), key=lambda pair: pair[0])
        self._tokens = [token for token, _ in pairs]
        self._owners = [node for _, node in pairs]
        for first, second in pairwise(pairs):
            if first[0] == second[0]:
                raise ValueError(f"token {first[0]} is owned by {first[1].address} and by {second[1].address}")

    def __len__(self) -> int:
        return len(self._tokens)

    @property
    def tokens(self) -> Sequence[int]:
        """In their order."""
        return self._tokens

    def owner(self, token: int) -> Node:
        """The node whose range holds the token. The ring must not be empty."""
        return self._owners[bisect_left(self._tokens, token) % len(self._tokens)]

    def walk(self, token: int) -> Iterator[Node]:
        """The owners of the token's range and of those behind it, once around; nodes come once per token of theirs."""
        at = bisect_left(self._tokens, token)
        yield from self._owners[at:]
        yield from self._owners[:at]

    def range_index(self, token: int) -> int:
        """Which of the ranges holds a token, in the order of their ends; the first one also what is behind the last."""
        return bisect_left(self._tokens, token) % len(self._tokens)

    def range_end(self, token: int) -> int | None:
        """The end of the range that holds a token; None where the ring ends before it does."""
        at = bisect_left(self._tokens, token)
        return self._tokens[at] if at < len(self._tokens) else None

    def ranges(self) -> Iterator[tuple[int, int, Node]]:
        """(start exclusive, end inclusive, owner) of all ranges by end; the first one begins at the highest token."""
        for index, end in enumerate(self._tokens):
            yield self._tokens[index - 1], end, self._owners[index]

    @property
    def datacenters(self) -> tuple[str, ...]:
        """In alphabetical order."""
        return tuple(sorted({node.datacenter for node in self.nodes}))


def random_tokens(rng: Rng, count: int = NUM_TOKENS_DEFAULT) -> tuple[int, ...]:
    """`count` different tokens, sorted (dht/BootStrapper.java, getRandomTokens)."""
    tokens: dict[int, None] = {}
    while len(tokens) < count:
        token = rng.int64()
        if token != TOKEN_MIN:
            tokens[token] = None
    return tuple(sorted(tokens))
