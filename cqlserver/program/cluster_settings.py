"""What cassandra.yaml says of how nodes of a cluster deal with each other: hints, whom to ask first, compare-and-set."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from cqlserver.program.config_names import MINORITY_REFUSES

PAXOS_VARIANTS: Final = ("v1_without_linearizable_reads_or_rejected_writes", "v1", "v2_without_linearizable_reads", "v2")
PAXOS_PURGINGS: Final = ("legacy", "gc_grace", "repaired")
_TRUTHS: Final = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """By Cassandra's names, but for what is ours. `hinted_handoff_throttle_bytes` a second, 0: as fast as they are taken."""

    hinted_handoff_enabled: bool = True
    max_hint_window_ms: int = 3 * 3_600_000
    hinted_handoff_throttle_bytes: int = 1 << 20
    transfer_hints_on_decommission: bool = True
    transient_replication_enabled: bool = False
    dynamic_snitch: bool = True
    dynamic_snitch_badness_threshold: float = 1.0
    dynamic_snitch_update_interval_ms: int = 100
    dynamic_snitch_reset_interval_ms: int = 600_000
    paxos_variant: str = "v1"
    paxos_state_purging: str = "legacy"
    paxos_repair_enabled: bool = True
    minority_refuses_writes: bool = False


def read_cluster(
    known: ClusterSettings,
    settings: Mapping[str, object],
    duration_ms: Callable[[str, object], int],
    size_bytes: Callable[[str, object, str], int],
) -> ClusterSettings:
    """`known` with what cassandra.yaml says. Raises ValueError."""
    found: dict[str, Any] = {}
    for name in (
        "hinted_handoff_enabled", "transfer_hints_on_decommission", "transient_replication_enabled", "dynamic_snitch",
        "paxos_repair_enabled", MINORITY_REFUSES,
    ):  # fmt: skip
        if (value := settings.get(name)) is not None:
            found[name] = _boolean(name, value)
    old = settings.get("enable_transient_replication")
    if old is not None and "transient_replication_enabled" not in found:
        found["transient_replication_enabled"] = _boolean("enable_transient_replication", old)
    for name in ("max_hint_window", "dynamic_snitch_update_interval", "dynamic_snitch_reset_interval"):
        value = settings.get(name, settings.get(f"{name}_in_ms"))
        if value is not None:
            found[f"{name}_ms"] = duration_ms(name, value)
    throttle = settings.get("hinted_handoff_throttle", settings.get("hinted_handoff_throttle_in_kb"))
    if throttle is not None:
        found["hinted_handoff_throttle_bytes"] = size_bytes("hinted_handoff_throttle", throttle, "KiB")
    threshold = settings.get("dynamic_snitch_badness_threshold")
    if threshold is not None:
        found["dynamic_snitch_badness_threshold"] = _share("dynamic_snitch_badness_threshold", threshold)
    for name, words in (("paxos_variant", PAXOS_VARIANTS), ("paxos_state_purging", PAXOS_PURGINGS)):
        if (value := settings.get(name)) is not None:
            if str(value) not in words:
                raise ValueError(f"{name}: {value} is none of {', '.join(words)}")
            found[name] = str(value)
    return replace(known, **found) if found else known


def _boolean(name: str, value: object) -> bool:
    found = _TRUTHS.get(str(value).lower())
    if found is None:
        raise ValueError(f"{name}: {value} is neither true nor false")
    return found


def _share(name: str, value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        raise ValueError(f"{name}: {value} is no number") from None
