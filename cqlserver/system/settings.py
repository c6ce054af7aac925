"""system_views.settings: what Cassandra's would show of the same cassandra.yaml (db/virtual/SettingsTable.java).

Defaults of Cassandra, then what the file says, then what is so here. Names of before 4.0 follow the new ones' values.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from cqlserver.program.auth_settings import CacheSettings
from cqlserver.program.cluster_settings import ClusterSettings
from cqlserver.program.config import Config
from cqlserver.system.setting_defaults import SETTING_DEFAULTS

REDACTED = "<REDACTED>"
_ALL_NETWORKS = "AllowAllNetworkAuthorizer"
_SECRETS = ("password", "keystore", "truststore", "private_key")
_OLD_NAMES = (("_in_mb", "MiB"), ("_mb", "MiB"), ("_in_kb", "KiB"), ("_kb", "KiB"), ("_in_ms", "ms"), ("_ms", "ms"))

_RENAMED = {
    "enable_drop_compact_storage": "drop_compact_storage_enabled",
    "enable_materialized_views": "materialized_views_enabled",
    "enable_sasi_indexes": "sasi_indexes_enabled",
    "enable_transient_replication": "transient_replication_enabled",
    "enable_user_defined_functions": "user_defined_functions_enabled",
}
"""What settings were called before 4.1."""
_NAMED_OTHERWISE = {
    "audit_logging_options_logger": "audit_logging_options.logger.class_name",
    "server_encryption_options_client_auth": "server_encryption_options.require_client_auth",
    "server_encryption_options_endpoint_verification": "server_encryption_options.require_endpoint_verification",
    "server_encryption_options_legacy_ssl_storage_port": "server_encryption_options.legacy_ssl_storage_port_enabled",
    "server_encryption_options_protocol": "server_encryption_options.accepted_protocols",
}
_CLASSES = frozenset(("authenticator", "authorizer", "network_authorizer", "role_manager", "internode_authenticator"))
_OPTIONS = {
    "audit_logging_options": "audit_logs_dir enabled excluded_categories excluded_keyspaces excluded_users "
    "included_categories included_keyspaces included_users",
    "server_encryption_options": "algorithm cipher_suites enabled internode_encryption optional",
    "transparent_data_encryption_options": "chunk_length_kb cipher enabled iv_length",
}
"""Whose settings 4.0 called by one word: server_encryption_options_enabled."""
_AMOUNT = re.compile(r"\d+(ms|us|s|m|h|d|B|KiB|MiB|GiB|MiB/s)")
"""A duration or size, which is shown as it was written."""


def setting_rows(config: Config) -> Iterator[Mapping[str, str | None]]:
    """By name."""
    found = _defaults()
    given: dict[str, str | None] = {}
    for name, value in config.given.items():
        _flatten(name, value, given)
    own = _own(config)
    as_written = {name: text for name, text in given.items() if name in own and text and _AMOUNT.fullmatch(text)}
    changed = {**given, **own, **as_written}
    for name, value in changed.items():
        found[name] = value
        if f"{name}.class_name" in found:
            found[f"{name}.class_name"] = value
    for old, suffix, unit in ((f"{name}{suffix}", suffix, unit) for name in changed for suffix, unit in _OLD_NAMES):
        value = found[old.removesuffix(suffix)]
        if old in found and value is not None and value.endswith(unit):
            found[old] = value.removesuffix(unit)
    for old, name in _RENAMED.items():
        found[old] = found[name]
    for name in sorted(found):
        yield {"name": name, "value": found[name]}


def warn_of_names(keys: Iterable[bytes], warn: Callable[[str], None]) -> None:
    """What a client is told who asks for settings by names of 4.0, which are not those of cassandra.yaml."""
    for name in (key.decode() for key in keys):
        written = _maybe_written(name)
        if written is not None:
            warn(f"key '{name}' is deprecated; should switch to '{written}'")


def _maybe_written(name: str) -> str | None:
    if name in _CLASSES:
        return f"{name}.class_name"
    for options, parts in _OPTIONS.items():
        part = name.removeprefix(f"{options}_")
        if part != name and part in parts.split():
            return f"{options}.{part}"
    return _NAMED_OTHERWISE.get(name)


def _defaults() -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for line in SETTING_DEFAULTS.strip().splitlines():
        name, separator, value = line.partition(" =")
        found[name] = value.removeprefix(" ") if separator else None
    return found


def _flatten(name: str, value: object, found: dict[str, str | None]) -> None:
    """A value of YAML as Java prints it; of a map each entry by itself."""
    if any(word in name for word in _SECRETS):
        found[name] = REDACTED
    elif isinstance(value, dict):
        for key, part in value.items():
            _flatten(f"{name}.{key}", part, found)
    elif isinstance(value, list):
        found[name] = f"[{', '.join(map(_text, value))}]"
    else:
        found[name] = None if value is None else _text(value)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _own(config: Config) -> dict[str, str | None]:
    """The settings that mean something here, by Cassandra's names and in its units."""
    column_index_bytes = config.storage.column_index_bytes
    return {
        "auth_read_consistency_level": config.auth.read_level,
        "auth_write_consistency_level": config.auth.write_level,
        "authenticator": config.auth.authenticator,
        "authorizer": config.auth.authorizer,
        "cluster_name": config.cluster_name,
        "compaction_throughput": f"{config.storage.compaction_bytes_per_s >> 20}MiB/s",
        "key_cache_size": f"{config.storage.key_cache_bytes >> 20}MiB",
        "replica_filtering_protection.cached_rows_fail_threshold": str(config.storage.protected_rows_fail_threshold),
        "replica_filtering_protection.cached_rows_warn_threshold": str(config.storage.protected_rows_warn_threshold),
        "column_index_size": None if column_index_bytes is None else f"{column_index_bytes >> 10}KiB",
        "read_thresholds_enabled": str(config.storage.read_thresholds_enabled).lower(),
        "row_cache_size": f"{config.storage.row_cache_bytes >> 20}MiB",
        "tombstone_failure_threshold": str(config.storage.tombstone_failure_threshold),
        "tombstone_warn_threshold": str(config.storage.tombstone_warn_threshold),
        "commitlog_segment_size": f"{config.commitlog_segment_bytes >> 20}MiB",
        "commitlog_sync": config.commitlog_sync,
        **_sync_settings(config),
        "commitlog_sync_period": f"{config.commitlog_sync_period_ms}ms",
        "data_file_directories": f"[{config.data}]" if config.data is not None else "[]",
        "endpoint_snitch": config.snitch,
        "listen_address": config.listen_address or config.host,
        "native_transport_max_frame_size": f"{config.frame_bytes_max >> 20}MiB",
        "native_transport_port": str(config.port),
        "num_tokens": str(config.num_tokens),
        "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
        "network_authorizer": config.auth.network_authorizer if config.auth.network_authorizer != _ALL_NETWORKS else None,
        "role_manager": config.auth.role_manager,
        "traverse_auth_from_root": str(config.auth.traverses_from_root).lower(),
        **_cache_settings("credentials", config.auth.credentials),
        **_cache_settings("permissions", config.auth.permissions),
        **_cache_settings("roles", config.auth.roles),
        "rpc_address": config.host,
        "slow_query_log_timeout": f"{config.slow_query_log_timeout_ms}ms",
        "start_native_transport": "true",
        "cidr_authorizer.class_name": config.auth.cidr_authorizer if config.auth.checks_networks else None,
        "cidr_authorizer.parameters": (
            f"{{cidr_authorizer_mode={'ENFORCE' if config.auth.cidr.enforces else 'MONITOR'}}}"
            if config.auth.checks_networks
            else None
        ),
        **_cdc_settings(config),
        **_cluster_settings(config.cluster),
        "skip_paxos_repair_on_topology_change": _text(config.ring.skips_paxos_repair),
        "skip_paxos_repair_on_topology_change_keyspaces": f"[{', '.join(sorted(config.ring.paxos_unrepaired_keyspaces))}]",
        "default_keyspace_rf": str(config.default_keyspace_rf),
        "drop_compact_storage_enabled": _text(config.drop_compact_storage_enabled),
        "dynamic_data_masking_enabled": _text(config.dynamic_data_masking_enabled),
        "materialized_views_enabled": _text(config.materialized_views_enabled),
        "sasi_indexes_enabled": _text(config.sasi_indexes_enabled),
        "user_defined_functions_enabled": _text(config.user_defined_functions_enabled),
        "native_transport_max_request_data_in_flight": f"{config.in_flight_bytes_max}B",
        "native_transport_max_request_data_in_flight_per_ip": f"{config.in_flight_per_ip_bytes_max}B",
        "native_transport_max_concurrent_connections": str(config.connections_max),
        "native_transport_max_concurrent_connections_per_ip": str(config.connections_per_ip_max),
        "native_transport_receive_queue_capacity": f"{config.receive_queue_bytes}B",
        "prepared_statements_cache_size": f"{config.prepared_statements_bytes_max >> 20}MiB",
        "memtable_heap_space": f"{config.memtable_bytes >> 20}MiB",
        "commitlog_total_space": f"{config.commit_log_bytes >> 20}MiB",
        "file_cache_size": f"{config.file_cache_bytes >> 20}MiB",
    }


def _cluster_settings(settings: ClusterSettings) -> dict[str, str | None]:
    return {
        "hinted_handoff_enabled": _text(settings.hinted_handoff_enabled),
        "hinted_handoff_throttle": f"{settings.hinted_handoff_throttle_bytes >> 10}KiB",
        "max_hint_window": _duration(settings.max_hint_window_ms),
        "transfer_hints_on_decommission": _text(settings.transfer_hints_on_decommission),
        "transient_replication_enabled": _text(settings.transient_replication_enabled),
        "dynamic_snitch": _text(settings.dynamic_snitch),
        "dynamic_snitch_badness_threshold": str(settings.dynamic_snitch_badness_threshold),
        "dynamic_snitch_update_interval": _duration(settings.dynamic_snitch_update_interval_ms),
        "dynamic_snitch_reset_interval": _duration(settings.dynamic_snitch_reset_interval_ms),
        "paxos_repair_enabled": _text(settings.paxos_repair_enabled),
        "paxos_state_purging": settings.paxos_state_purging,
        "paxos_variant": settings.paxos_variant,
    }


def _duration(duration_ms: int) -> str:
    """As DurationSpec has it: '10m', '100ms'."""
    for unit, length_ms in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)):
        if duration_ms and duration_ms % length_ms == 0:
            return f"{duration_ms // length_ms}{unit}"
    return f"{duration_ms}ms"


def _sync_settings(config: Config) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    if config.commitlog_sync == "group":
        found["commitlog_sync_group_window"] = f"{config.commitlog_sync_group_window_ms}ms"
    if config.data is not None:
        found["commitlog_directory"] = str(config.data / "commitlog")
    return found


def _cdc_settings(config: Config) -> dict[str, str | None]:
    cdc, data = config.cdc, config.data
    if not cdc.enabled or data is None:
        return {}
    return {
        "cdc_free_space_check_interval": f"{cdc.check_interval_ms}ms",
        "cdc_raw_directory": str(cdc.folder(data)),
        "cdc_total_space": f"{cdc.total_bytes(data) >> 20}MiB",
    }


def _cache_settings(name: str, cache: CacheSettings) -> dict[str, str | None]:
    interval = cache.update_interval_ms
    return {
        f"{name}_cache_max_entries": str(cache.max_entries),
        f"{name}_update_interval": None if interval is None else f"{interval}ms",
        f"{name}_validity": _duration(cache.validity_ms),
    }
