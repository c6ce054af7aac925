"""How a node comes into the ring: what cassandra.yaml and Cassandra's properties (`-Dcassandra.NAME=VALUE`) say of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

_RATE: Final = re.compile(r"(\d+)\s*(B/s|KiB/s|MiB/s|)")
_RATE_BYTES: Final = {"B/s": 1, "KiB/s": 1 << 10, "MiB/s": 1 << 20, "": 125_000}
"""A bare number is megabits, as stream_throughput_outbound_megabits_per_sec has them."""
_PREFIX: Final = "cassandra."
PHI_MIN: Final = 5
PHI_MAX: Final = 16
_TOKENS: Final = range(-(1 << 63), 1 << 63)
_SKIPS: Final = "skip_paxos_repair_on_topology_change"
_UNREPAIRED: Final = "skip_paxos_repair_on_topology_change_keyspaces"


@dataclass(frozen=True, slots=True)
class RingSettings:
    """`auto_bootstrap`: a new node has its data before it is read from; `initial_tokens`: those it takes;
    `local_replication_factor`: they are chosen so that nodes own about the same; `replaces`: the address of the dead node
    whose place it takes; `stream_bytes_per_s` 0: as fast as it comes; `nodes_together`: so
    many are started at once, and it takes clients when it sees them; `ignores_datacenter`, `ignores_rack`: it may be in
    another one than in its life before; `phi_convict_threshold`: how improbable, in powers of ten, a node's silence has to
    be until it is taken for down; `skips_paxos_repair`, `paxos_unrepaired_keyspaces`: what is left out before the ring
    changes."""

    auto_bootstrap: bool = True
    initial_tokens: tuple[int, ...] = ()
    local_replication_factor: int | None = None
    replaces: str | None = None
    ring_delay_ms: int = 30_000
    is_movement_consistent: bool = True
    overrides_decommission: bool = False
    stream_bytes_per_s: int = 24 << 20
    nodes_together: int = 1
    ignores_datacenter: bool = False
    ignores_rack: bool = False
    phi_convict_threshold: float = 8.0
    skips_paxos_repair: bool = False
    paxos_unrepaired_keyspaces: frozenset[str] = frozenset()


def read_ring(known: RingSettings, settings: Mapping[str, object]) -> RingSettings:
    """`known` with what cassandra.yaml says. Raises ValueError."""
    changed = known
    if "auto_bootstrap" in settings:
        changed = replace(changed, auto_bootstrap=_boolean("auto_bootstrap", settings["auto_bootstrap"]))
    if settings.get("initial_token") is not None:
        changed = replace(changed, initial_tokens=_tokens(str(settings["initial_token"])))
    factor = settings.get("allocate_tokens_for_local_replication_factor")
    if factor is not None:
        changed = replace(changed, local_replication_factor=_integer("allocate_tokens_for_local_replication_factor", factor))
    old = "stream_throughput_outbound_megabits_per_sec"
    rate = settings.get("stream_throughput_outbound", settings.get(old))
    if rate is not None:
        changed = replace(changed, stream_bytes_per_s=_rate("stream_throughput_outbound", rate))
    if settings.get("phi_convict_threshold") is not None:
        changed = replace(changed, phi_convict_threshold=_phi(settings["phi_convict_threshold"]))
    if (value := settings.get(_SKIPS)) is not None:
        changed = replace(changed, skips_paxos_repair=_boolean(_SKIPS, value))
    if (value := settings.get(_UNREPAIRED)) is not None:
        changed = replace(changed, paxos_unrepaired_keyspaces=_names(_UNREPAIRED, value))
    return changed


def set_property(known: RingSettings, text: str) -> RingSettings:
    """`known` with a property of Cassandra's, as `cassandra.ring_delay_ms=1000`. Those that mean nothing here are left
    alone. Raises ValueError."""
    name, _, value = text.partition("=")
    match name.removeprefix(_PREFIX):
        case "replace_address" | "replace_address_first_boot":
            return replace(known, replaces=value or None)
        case "ring_delay_ms":
            return replace(known, ring_delay_ms=_integer(name, value))
        case "consistent.rangemovement":
            return replace(known, is_movement_consistent=_boolean(name, value))
        case "override_decommission":
            return replace(known, overrides_decommission=_boolean(name, value))
        case "cqlserver.nodes_together":
            return replace(known, nodes_together=_integer(name, value))
        case "ignore_dc":
            return replace(known, ignores_datacenter=_boolean(name, value))
        case "ignore_rack":
            return replace(known, ignores_rack=_boolean(name, value))
        case "initial_token":
            return replace(known, initial_tokens=_tokens(value))
        case "skip_paxos_repair_on_topology_change":
            return replace(known, skips_paxos_repair=_boolean(name, value))
        case "skip_paxos_repair_on_topology_change_keyspaces":
            return replace(known, paxos_unrepaired_keyspaces=frozenset(filter(None, value.split(","))))
        case _:
            return known


def _names(name: str, value: object) -> frozenset[str]:
    if not isinstance(value, list):
        raise ValueError(f"{name}: {value} is no list of keyspaces")
    return frozenset(map(str, value))


def _tokens(text: str) -> tuple[int, ...]:
    tokens = sorted(_integer("initial_token", part.strip()) for part in text.split(",") if part.strip())
    if any(token not in _TOKENS for token in tokens):
        raise ValueError(f"initial_token: tokens are whole numbers from {_TOKENS[0]} to {_TOKENS[-1]}")
    return tuple(tokens)


def _phi(value: object) -> float:
    try:
        phi = float(str(value))
    except ValueError:
        raise ValueError(f"phi_convict_threshold: {value} is no number") from None
    if not PHI_MIN <= phi <= PHI_MAX:
        raise ValueError(f"phi_convict_threshold must be between {PHI_MIN} and {PHI_MAX}, but was {phi}")
    return phi


def _integer(name: str, value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise ValueError(f"{name}: {value} is no whole number") from None


def _boolean(name: str, value: object) -> bool:
    text = str(value).lower()
    if text not in ("true", "false"):
        raise ValueError(f"{name}: {value} is neither true nor false")
    return text == "true"


def _rate(name: str, value: object) -> int:
    match = _RATE.fullmatch(str(value).strip())
    if match is None:
        raise ValueError(f"Invalid data rate: {value} of {name}. Write a number and MiB/s, KiB/s or B/s, like 24MiB/s.")
    return int(match[1]) * _RATE_BYTES[match[2]]
