"""What cassandra.yaml says of SSTables, compactions and what reads pass over (config/DatabaseDescriptor.java)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

COMPATIBILITY_MODES: Final = ("CASSANDRA_4", "UPGRADING", "NONE")
FORMATS: Final = ("big", "bti")
DISK_FAILURE_POLICIES: Final = ("best_effort", "stop", "ignore", "stop_paranoid", "die")
_RATE_BYTES: Final = {"B/s": 1, "KiB/s": 1 << 10, "MiB/s": 1 << 20, "": 1 << 20}


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """`compaction_bytes_per_s` 0: as fast as they can. `tombstone_*`: how many of them a read may pass over;
    `read_thresholds_enabled`: what replicas say of that is told in one line.
    `protected_rows_*`: how many rows may be held to complete what replicas filtered (replica_filtering_protection).
    `column_index_bytes` None: each format has its own. `disk_failure_policy`: what `nodetool verify -d` does where an
    SSTable is damaged; `attached_index_bytes`: of memory, which SAI and SASI indexes may take together."""

    compatibility_mode: str = "CASSANDRA_4"
    selected_format: str = "big"
    compaction_bytes_per_s: int = 64 << 20
    key_cache_bytes: int = 16 << 20
    row_cache_bytes: int = 0
    loads_row_cache: bool = False
    column_index_bytes: int | None = None
    disk_failure_policy: str = "ignore"
    tombstone_warn_threshold: int = 1_000
    tombstone_failure_threshold: int = 100_000
    read_thresholds_enabled: bool = False
    protected_rows_warn_threshold: int = 2_000
    protected_rows_fail_threshold: int = 32_000
    attached_index_bytes: int = 1 << 30

    @property
    def sstable_version(self) -> str:
        """Of SSTables that are written."""
        if self.selected_format == "bti":
            return "da"
        return "nb" if self.compatibility_mode == "CASSANDRA_4" else "oa"


def read_storage(known: StorageSettings, settings: Mapping[str, object]) -> StorageSettings:
    """`known` with what the file says. Raises ValueError."""
    mode = str(settings.get("storage_compatibility_mode", known.compatibility_mode)).upper()
    if mode not in COMPATIBILITY_MODES:
        raise ValueError(f"storage_compatibility_mode: {mode} is none of {', '.join(COMPATIBILITY_MODES)}")
    sstable = settings.get("sstable")
    chosen = sstable.get("selected_format") if isinstance(sstable, Mapping) else None
    selected = known.selected_format if chosen is None else str(chosen)
    if selected not in FORMATS:
        raise ValueError(f"Selected sstable format '{selected}' is not available.")
    if selected == "bti" and mode == "CASSANDRA_4":
        raise ValueError(
            f"Selected sstable format 'bti' is not available when in storage compatibility mode '{mode}'."
        )
    policy = str(settings.get("disk_failure_policy", known.disk_failure_policy)).lower()
    if policy not in DISK_FAILURE_POLICIES:
        raise ValueError(f"disk_failure_policy: {policy} is none of {', '.join(DISK_FAILURE_POLICIES)}")
    throughput = settings.get("compaction_throughput", settings.get("compaction_throughput_mb_per_sec"))
    changed = replace(known, compatibility_mode=mode, selected_format=selected, disk_failure_policy=policy)
    if throughput is not None:
        changed = replace(changed, compaction_bytes_per_s=_rate("compaction_throughput", throughput))
    protection = settings.get("replica_filtering_protection", {})
    if not isinstance(protection, Mapping):
        raise ValueError(f"replica_filtering_protection: {protection} has no cached_rows_warn_threshold")
    return replace(
        changed,
        protected_rows_warn_threshold=_integer(
            protection, "cached_rows_warn_threshold", known.protected_rows_warn_threshold
        ),
        protected_rows_fail_threshold=_integer(
            protection, "cached_rows_fail_threshold", known.protected_rows_fail_threshold
        ),
        tombstone_warn_threshold=_integer(settings, "tombstone_warn_threshold", known.tombstone_warn_threshold),
        tombstone_failure_threshold=_integer(settings, "tombstone_failure_threshold", known.tombstone_failure_threshold),
        read_thresholds_enabled=_boolean(settings, "read_thresholds_enabled", known.read_thresholds_enabled),
    )


def _integer(settings: Mapping[str, object], name: str, default: int) -> int:
    value = settings.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{name}: {value} is no whole number")
    return value


def _boolean(settings: Mapping[str, object], name: str, default: bool) -> bool:
    value = settings.get(name, default)
    if not isinstance(value, bool):
        raise ValueError(f"{name}: {value} is neither true nor false")
    return value


def _rate(name: str, text: object) -> int:
    """'64MiB/s', or a bare number of MiB/s."""
    match = re.fullmatch(r"(\d+)\s*(B/s|KiB/s|MiB/s|)", str(text).strip())
    if match is None:
        raise ValueError(f"Invalid data rate: {text} of {name}. Write a number and B/s, KiB/s or MiB/s, like 64MiB/s.")
    return int(match[1]) * _RATE_BYTES[match[2]]
