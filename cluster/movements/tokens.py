"""Which tokens a new node takes (dht/BootStrapper.java, getBootstrapTokens): those it is told, or such as halve the largest
ranges there are, or any."""

from collections.abc import Sequence
from dataclasses import dataclass

from cluster.ring import TOKEN_MIN, Node, Ring
from protocol.errors import MovementRefused

_RING = 1 << 64


@dataclass(frozen=True, slots=True)
class TokensWanted:
    """`initial`: initial_token; `count`: num_tokens; `local_replication_factor`:
    allocate_tokens_for_local_replication_factor, None: any tokens will do."""

    initial: tuple[int, ...] = ()
    count: int = 16
    local_replication_factor: int | None = None


def bootstrap_tokens(wanted: TokensWanted, ring: Ring, local: Node) -> tuple[int, ...]:
    """`local.tokens` are any. Raises MovementRefused where it is told tokens that others own."""
    taken = set(ring.tokens)
    if wanted.initial:
        for token in wanted.initial:
            if token in taken:
                raise MovementRefused(
                    f"Bootstrapping to existing token {token} is not allowed (decommission/removenode the old node first)."
                )
        return tuple(sorted(wanted.initial))
    if wanted.local_replication_factor is not None:
        return allocated(ring, local, wanted.count)
    return tuple(token for token in local.tokens if token not in taken)


def allocated(ring: Ring, local: Node, count: int) -> tuple[int, ...]:
    """So many tokens, each in the midst of the largest range of the local datacenter's ring: so every node comes to own
    about as much as the others. (TokenAllocation.java also looks at who holds the copies.)"""
    tokens: list[int] = sorted(
        token for node in ring.nodes if node.datacenter == local.datacenter for token in node.tokens
    )
    every = set(ring.tokens)
    found: list[int] = []
    while len(found) < count:
        token = _halving(tokens)
        while token in every:
            token = _wrapped(token + 1)
        found.append(token)
        every.add(token)
        tokens = sorted((*tokens, token))
    return tuple(sorted(found))


def _halving(tokens: Sequence[int]) -> int:
    """The middle of the largest range between neighbours."""
    if not tokens:
        return 0
    _, start, size = max(
        ((tokens[at] - tokens[at - 1]) % _RING or _RING, tokens[at - 1], (tokens[at] - tokens[at - 1]) % _RING or _RING)
        for at in range(len(tokens))
    )
    return _wrapped(start + size // 2)


def _wrapped(token: int) -> int:
    found = (token - TOKEN_MIN) % _RING + TOKEN_MIN
    return found if found != TOKEN_MIN else TOKEN_MIN + 1
