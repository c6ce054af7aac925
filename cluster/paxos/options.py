"""What cassandra.yaml says of Paxos."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PaxosOptions:
    """`is_v2`: paxos_variant, as far as it says when Paxos is repaired: with repairs, and before the ring changes, else only
    where a repair is of nothing else. `is_repaired` (paxos_repair_enabled): whether it is at all. What is skipped before the
    ring changes: `skips_topology_repair`, or `unrepaired_keyspaces`. `keeps_three_hours`: state is kept for as long where
    gc_grace is shorter, as with paxos_state_purging: legacy."""

    is_v2: bool = False
    is_repaired: bool = True
    skips_topology_repair: bool = False
    unrepaired_keyspaces: frozenset[str] = frozenset()
    keeps_three_hours: bool = True
