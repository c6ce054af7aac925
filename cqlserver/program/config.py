"""The configuration: one frozen value, read once from the command line and cassandra.yaml, checked here, passed down.

cassandra.yaml is read with Cassandra's names, units and messages (config/YamlConfigurationLoader.java,
config/DatabaseDescriptor.java). What the file says gives way to what the command line says.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from cqlserver.program.auth_settings import (
    AUTH_CLASSES,
    LDAP,
    AuthSettings,
    CacheSettings,
    cidr_settings,
    class_of,
    level_of,
)
from cqlserver.program.cdc_settings import MIB, CdcSettings
from cqlserver.program.cluster_settings import ClusterSettings, read_cluster
from cqlserver.program.config_names import CASSANDRA_NAMES, CONTROL_OPTIONS, OWN_NAMES
from cqlserver.program.control_settings import ControlSettings
from cqlserver.program.ring_settings import RingSettings, read_ring, set_property
from cqlserver.program.storage_settings import StorageSettings, read_storage

if TYPE_CHECKING:
    from cqlserver.audit.options import AuditLogOptions, FullQueryLogOptions
    from cqlserver.program.log_files import LogFile
    from cqlserver.program.tls_settings import InternodeTlsSettings, TlsSettings
    from storage.commitlog.archiving import ArchivingOptions

NOTHING: Mapping[str, object] = MappingProxyType({})
SyncMode = Literal["periodic", "group", "batch"]

_DURATION_MS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1, "": 1}
_SIZE_BYTES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


class ConfigError(ValueError):
    """The configuration can't be used; the message says which setting and what to do."""


@dataclass(frozen=True, slots=True)
class Config:
    """Everything a server is told before it starts. `data` None: nothing is kept (`--memory`); `control_port` None: there
    is none; `control_writes`: its page may change something; `ready_file` "-": standard output; `until_stdin_ends`: the
    server lives as long as whoever started it; `own_certificates`: it makes `tls` itself, and with
    `requires_client_certificate` for its clients too; `seeds`: nodes (ADDRESS or ADDRESS:PORT) of the cluster that it is
    one of, none: it is alone; `listen_address`: where it listens for other nodes, None: at `host`; `broadcast_address`:
    where these reach it, None: there too; `broadcast_rpc_address`: where clients do, None: at `host`; `folder`: of
    cassandra.yaml, where snitches have their files; `prefers_local`: snitches.Place's."""

    host: str = "127.0.0.1"
    port: int = 9042
    data: Path | None = Path("cqlserver-data")
    init: tuple[Path, ...] = ()
    control_port: int | None = 7199
    control_writes: bool = False
    control: ControlSettings = field(default_factory=ControlSettings)
    until_stdin_ends: bool = False
    query_log: bool = False
    copy_of: Path | None = None
    ready_file: Path | None = None
    log_level: str = "info"
    log_format: str = "plain"
    log_file: "LogFile | None" = None
    log_table: bool = False
    slow_query_log_timeout_ms: int = 500
    cluster_name: str = "Test Cluster"
    num_tokens: int = 16
    datacenter: str = "datacenter1"
    rack: str = "rack1"
    storage_port: int = 7000
    listen_address: str | None = None
    broadcast_address: str | None = None
    broadcast_rpc_address: str | None = None
    listens_on_broadcast_address: bool = False
    snitch: str = "SimpleSnitch"
    folder: Path = Path()
    prefers_local: bool = False
    seeds: tuple[str, ...] = ()
    read_timeout_ms: int = 5_000
    range_timeout_ms: int = 10_000
    write_timeout_ms: int = 2_000
    counter_write_timeout_ms: int = 5_000
    cas_contention_timeout_ms: int = 1_800
    truncate_timeout_ms: int = 60_000
    commitlog_sync: SyncMode = "periodic"
    commitlog_sync_period_ms: int = 10_000
    commitlog_sync_group_window_ms: int = 10
    commitlog_segment_bytes: int = 32 << 20
    frame_bytes_max: int = 16 << 20
    connections_max: int = -1
    connections_per_ip_max: int = -1
    in_flight_bytes_max: int = 64 << 20
    in_flight_per_ip_bytes_max: int = 16 << 20
    receive_queue_bytes: int = 128 << 10
    prepared_statements_bytes_max: int = 32 << 20
    memtable_bytes: int = 256 << 20
    memtables: frozenset[str] = frozenset(("default",))
    commit_log_bytes: int = 8 << 30
    file_cache_bytes: int = 64 << 20
    storage: StorageSettings = field(default_factory=StorageSettings)
    ring: RingSettings = field(default_factory=RingSettings)
    cluster: ClusterSettings = field(default_factory=ClusterSettings)
    ignore_replay_errors: bool = False
    auto_snapshot: bool = True
    auto_snapshot_ttl_s: int | None = None
    incremental_backups: bool = False
    archiving: "ArchivingOptions | None" = None
    cdc: CdcSettings = field(default_factory=CdcSettings)
    default_keyspace_rf: int = 1
    dynamic_data_masking_enabled: bool = False
    drop_compact_storage_enabled: bool = False
    sasi_indexes_enabled: bool = False
    materialized_views_enabled: bool = True
    auth: AuthSettings = field(default_factory=AuthSettings)
    user_defined_functions_enabled: bool = True
    user_defined_functions_warn_timeout_ms: int = 500
    user_defined_functions_fail_timeout_ms: int = 1_500
    given: Mapping[str, object] = field(default_factory=lambda: NOTHING)
    guardrails: Mapping[str, object] = field(default_factory=lambda: NOTHING)
    tls: "TlsSettings | None" = None
    internode_tls: "InternodeTlsSettings | None" = None
    internode_compression: str = "none"
    own_certificates: bool = False
    requires_client_certificate: bool = False
    audit_log: "AuditLogOptions | None" = None
    full_query_log: "FullQueryLogOptions | None" = None


def parse_duration_ms(name: str, text: object) -> int:
    """'10s', '10000ms', or a bare number of milliseconds."""
    match = re.fullmatch(r"(\d+)\s*(d|h|ms|m|s|)", str(text).strip())
    if not match:
        raise ConfigError(f"Invalid duration: {text} of {name}. Write a number and ms, s, m, h or d, like 10000ms.")
    return int(match[1]) * _DURATION_MS[match[2]]


def parse_size_bytes(name: str, text: object, bare_unit: str = "MiB") -> int:
    """'32MiB', or a bare number of `bare_unit`."""
    match = re.fullmatch(r"(\d+)\s*(B|KiB|MiB|GiB|)", str(text).strip())
    if not match:
        raise ConfigError(f"Invalid data storage: {text} of {name}. Write a number and B, KiB, MiB or GiB, like 32MiB.")
    return int(match[1]) * _SIZE_BYTES[match[2] or bare_unit]


def read_yaml(config: Config, path: Path) -> Config:
    """`config` with what the file at `path` says. Raises ConfigError."""
    import yaml

    try:
        text = path.read_text()
    except OSError as error:
        raise ConfigError(f"can't read the configuration {path}: {error.strerror}") from error
    config = _with_archiving(replace(config, folder=path.parent), path)
    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        settings = yaml.load(text, Loader=loader)  # a safe loader either way
    except yaml.YAMLError as error:
        raise ConfigError(f"Invalid yaml: {path}: {error}") from error
    if settings is None:
        return config
    if not isinstance(settings, dict):
        raise ConfigError(f"Invalid yaml: {path} must hold names and values, like `cluster_name: Test`.")
    unknown = [str(name) for name in settings if name not in CASSANDRA_NAMES | OWN_NAMES]
    if unknown:
        raise ConfigError(f"Invalid yaml. Please remove properties [{', '.join(unknown)}] from your cassandra.yaml")
    return _apply(config, {str(name): value for name, value in settings.items() if value is not None})


def _with_archiving(config: Config, path: Path) -> Config:
    """With what commitlog_archiving.properties beside the file says. Raises ConfigError."""
    properties = path.with_name("commitlog_archiving.properties")
    if not properties.is_file():
        return config
    from cqlserver.program.archiving_settings import read_archiving

    try:
        return replace(config, archiving=read_archiving(properties))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{properties}: {error}") from error


def apply_setting(config: Config, text: str) -> Config:
    """`config` with NAME=VALUE of the command line, the value written as in cassandra.yaml. Raises ConfigError."""
    import yaml

    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"--set {text}: write a name of cassandra.yaml and its value, like num_tokens=4")
    if name not in CASSANDRA_NAMES | OWN_NAMES:
        raise ConfigError(f"--set {text}: cassandra.yaml knows no {name}")
    try:
        setting = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {text}: the value is no YAML: {error}") from error
    return _apply(config, {name: setting}) if setting is not None else config


def apply_property(config: Config, text: str) -> Config:
    """`config` with a property of Cassandra's, NAME=VALUE as its command line has it behind -D. Raises ConfigError."""
    try:
        return replace(config, ring=set_property(config.ring, text))
    except ValueError as error:
        raise ConfigError(f"-D{text}: {error}") from None


def _apply(config: Config, settings: Mapping[str, object]) -> Config:
    config = replace(config, given=MappingProxyType({**config.given, **settings}))
    config = replace(config, auth=_auth(config.auth, settings), storage=_storage(config.storage, settings))
    config = replace(config, cdc=_cdc(config.cdc, settings))
    config = replace(config, guardrails=_guardrails(config.guardrails, settings, config.default_keyspace_rf))
    config = _apply_audit(config, settings)
    try:
        cluster = read_cluster(config.cluster, settings, parse_duration_ms, parse_size_bytes)
        config = replace(config, ring=read_ring(config.ring, settings), cluster=cluster)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    config = _apply_encryption(config, settings)
    config = _apply_internode(config, settings)
    partitioner = str(settings.get("partitioner", "Murmur3Partitioner")).rsplit(".", 1)[-1]
    if partitioner != "Murmur3Partitioner":
        raise ConfigError(f"partitioner: {partitioner} is not supported; use Murmur3Partitioner")
    folders = settings.get("data_file_directories")
    if isinstance(folders, list) and folders:
        config = replace(config, data=Path(str(folders[0])))
    config = _apply_network(config, settings)
    if "native_transport_port" in settings:
        config = replace(config, port=_integer("native_transport_port", settings["native_transport_port"]))
    if "storage_port" in settings:
        config = replace(config, storage_port=_integer("storage_port", settings["storage_port"]))
    if "cluster_name" in settings:
        config = replace(config, cluster_name=str(settings["cluster_name"]))
    if "num_tokens" in settings:
        config = replace(config, num_tokens=_integer("num_tokens", settings["num_tokens"]))
    if "default_keyspace_rf" in settings:
        config = replace(config, default_keyspace_rf=_integer("default_keyspace_rf", settings["default_keyspace_rf"]))
    if "enable_materialized_views" in settings:  # what it was called before 4.1
        settings = {"materialized_views_enabled": settings["enable_materialized_views"], **settings}
    switched = {name: _boolean(settings, name, getattr(config, name)) for name in _SWITCHES}
    config = replace(config, **switched)  # type: ignore[arg-type]
    config = _apply_functions(config, settings)
    config = replace(
        config,
        auto_snapshot=_boolean(settings, "auto_snapshot", config.auto_snapshot),
        auto_snapshot_ttl_s=_auto_snapshot_ttl_s(settings),
        incremental_backups=_boolean(settings, "incremental_backups", config.incremental_backups),
    )
    memtable = settings.get("memtable")
    if isinstance(memtable, Mapping) and isinstance(memtable.get("configurations"), Mapping):
        config = replace(config, memtables=frozenset(map(str, memtable["configurations"])) | {"default"})
    frame = settings.get("native_transport_max_frame_size", settings.get("native_transport_max_frame_size_in_mb"))
    if frame is not None:
        config = replace(config, frame_bytes_max=parse_size_bytes("native_transport_max_frame_size", frame))
    return _apply_commitlog(_apply_limits(_apply_timeouts(config, settings), settings), settings)


_NETWORK = frozenset(
    """broadcast_address broadcast_rpc_address listen_address listen_interface listen_on_broadcast_address rpc_address
    rpc_interface seed_provider""".split()
)


def _apply_network(config: Config, settings: Mapping[str, object]) -> Config:
    """Addresses, seeds and the snitch."""
    try:
        if not _NETWORK.isdisjoint(settings):
            from cqlserver.program.network_settings import read_network

            config = replace(config, **read_network(settings))  # type: ignore[arg-type]
        if "endpoint_snitch" in settings:
            from cqlserver.program.snitches import snitch_named

            config = replace(config, snitch=snitch_named(str(settings["endpoint_snitch"])))
    except ValueError as error:
        raise ConfigError(str(error)) from None
    return config


def _apply_encryption(config: Config, settings: Mapping[str, object]) -> Config:
    if not settings.keys() & {"client_encryption_options", CONTROL_OPTIONS}:
        return config
    from cqlserver.program.tls_settings import TlsError, read_tls

    try:
        if "client_encryption_options" in settings:
            config = replace(config, tls=read_tls(settings["client_encryption_options"]))
        if CONTROL_OPTIONS in settings:
            tls = read_tls(settings[CONTROL_OPTIONS], CONTROL_OPTIONS)
            config = replace(config, control=replace(config.control, tls=tls))
    except TlsError as error:
        raise ConfigError(str(error)) from None
    return config


def _apply_internode(config: Config, settings: Mapping[str, object]) -> Config:
    """How connections to other nodes are made."""
    if "internode_compression" in settings:
        scope = str(settings["internode_compression"])
        if scope not in ("none", "dc", "all"):
            raise ConfigError(f"internode_compression: {scope} is none of none, dc, all")
        config = replace(config, internode_compression=scope)
    if "server_encryption_options" in settings:
        from cqlserver.program.tls_settings import TlsError, read_internode_tls

        try:
            config = replace(config, internode_tls=read_internode_tls(settings["server_encryption_options"]))
        except TlsError as error:
            raise ConfigError(str(error)) from None
    return config


def placed(config: Config, datacenter: str | None, rack: str | None) -> Config:
    """With its datacenter and rack: those given, else its snitch's. Raises ConfigError."""
    if config.snitch != "SimpleSnitch" and (datacenter is None or rack is None):
        from cqlserver.program.snitches import place_by

        address = config.broadcast_address or config.listen_address or config.host
        try:
            place = place_by(config.snitch, config.folder, address)
        except ValueError as error:
            raise ConfigError(str(error)) from None
        config = replace(
            config, datacenter=place.datacenter, rack=place.rack, prefers_local=place.prefers_local
        )
    return replace(
        config,
        datacenter=config.datacenter if datacenter is None else datacenter,
        rack=config.rack if rack is None else rack,
    )


def check_tokens(config: Config) -> None:
    """Whether initial_token and num_tokens go together. Raises ConfigError."""
    tokens, wanted = config.ring.initial_tokens, config.given.get("num_tokens")
    if "initial_token" not in config.given or not tokens:
        return
    if wanted is None and len(tokens) > 1:
        raise ConfigError("initial_token was set but num_tokens is not!")
    if wanted is not None and len(tokens) != wanted:
        raise ConfigError(
            f"The number of initial tokens (by initial_token) specified ({len(tokens)}) is different from num_tokens value "
            f"({wanted})"
        )


def _auto_snapshot_ttl_s(settings: Mapping[str, object]) -> int | None:
    text = settings.get("auto_snapshot_ttl")
    return None if text is None else parse_duration_ms("auto_snapshot_ttl", text) // 1000


_SWITCHES = (
    "dynamic_data_masking_enabled",
    "drop_compact_storage_enabled",
    "materialized_views_enabled",
    "sasi_indexes_enabled",
)
_CONNECTIONS = {
    "connections_max": "native_transport_max_concurrent_connections",
    "connections_per_ip_max": "native_transport_max_concurrent_connections_per_ip",
}
_IN_FLIGHT = "native_transport_max_request_data_in_flight"
_IN_FLIGHT_BEFORE = "native_transport_max_concurrent_requests_in_bytes"
_LIMITS = {
    # its name, its name before, and the unit of a number without one
    "in_flight_bytes_max": (_IN_FLIGHT, _IN_FLIGHT_BEFORE, "B"),
    "in_flight_per_ip_bytes_max": (f"{_IN_FLIGHT}_per_ip", f"{_IN_FLIGHT_BEFORE}_per_ip", "B"),
    "receive_queue_bytes": (
        "native_transport_receive_queue_capacity",
        "native_transport_receive_queue_capacity_in_bytes",
        "B",
    ),
    "prepared_statements_bytes_max": ("prepared_statements_cache_size", "prepared_statements_cache_size_mb", "MiB"),
    "memtable_bytes": ("memtable_heap_space", "memtable_heap_space_in_mb", "MiB"),
    "commit_log_bytes": ("commitlog_total_space", "commitlog_total_space_in_mb", "MiB"),
    "file_cache_bytes": ("file_cache_size", "file_cache_size_in_mb", "MiB"),
}


_TIMEOUTS = {
    "read_timeout_ms": "read_request_timeout",
    "range_timeout_ms": "range_request_timeout",
    "write_timeout_ms": "write_request_timeout",
    "counter_write_timeout_ms": "counter_write_request_timeout",
    "cas_contention_timeout_ms": "cas_contention_timeout",
    "truncate_timeout_ms": "truncate_request_timeout",
    "slow_query_log_timeout_ms": "slow_query_log_timeout",
}


def _apply_timeouts(config: Config, settings: Mapping[str, object]) -> Config:
    """How long other nodes are waited for, and from when on a query is slow."""
    found = {}
    for timeout, name in _TIMEOUTS.items():
        value = settings.get(name, settings.get(f"{name}_in_ms"))
        if value is not None:
            found[timeout] = parse_duration_ms(name, value)
    return replace(config, **found)  # type: ignore[arg-type]


def _apply_limits(config: Config, settings: Mapping[str, object]) -> Config:
    """What clients may take together, and what is held in memory of the data."""
    found = {limit: _integer(name, settings[name]) for limit, name in _CONNECTIONS.items() if name in settings}
    for limit, (name, old_name, unit) in _LIMITS.items():
        value = settings.get(name, settings.get(old_name))
        if value is not None:
            found[limit] = parse_size_bytes(name, value, unit)
    if found.get("prepared_statements_bytes_max") == 0:
        raise ConfigError(
            "prepared_statements_cache_size option was set incorrectly to '0MiB', supported values are <integer> >= 0."
        )
    return replace(config, **found)  # type: ignore[arg-type]


def _storage(known: StorageSettings, settings: Mapping[str, object]) -> StorageSettings:
    try:
        read = read_storage(known, settings)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    for cache in ("key_cache", "row_cache"):
        size = settings.get(f"{cache}_size", settings.get(f"{cache}_size_in_mb"))
        if size is not None:
            read = replace(read, **{f"{cache}_bytes": parse_size_bytes(f"{cache}_size", size)})  # type: ignore[arg-type]
    options = settings.get("sai_options")
    size = options.get("segment_write_buffer_size") if isinstance(options, Mapping) else None
    if size is not None:
        read = replace(read, attached_index_bytes=_segment_bytes(size))
    period = settings.get("row_cache_save_period")
    if period is not None:
        text = f"{period}s" if isinstance(period, int) else period  # as it was written before Cassandra 4.1
        read = replace(read, loads_row_cache=parse_duration_ms("row_cache_save_period", text) > 0)
    size = settings.get("column_index_size", settings.get("column_index_size_in_kb"))
    if size is not None:
        read = replace(read, column_index_bytes=parse_size_bytes("column_index_size", size, "KiB"))
    return read


def _segment_bytes(text: object) -> int:
    size = parse_size_bytes("segment_write_buffer_size", text)
    if size > _SEGMENT_BYTES_MAX:
        raise ConfigError(
            "Invalid value for segment_write_buffer_size. Value must be a positive integer less than 32768MiB"
        )
    return size


def _cdc(known: CdcSettings, settings: Mapping[str, object]) -> CdcSettings:
    """What the file says of change data capture."""
    total = settings.get("cdc_total_space", settings.get("cdc_total_space_in_mb"))
    interval = settings.get("cdc_free_space_check_interval", settings.get("cdc_free_space_check_interval_ms"))
    folder = settings.get("cdc_raw_directory")
    return CdcSettings(
        _boolean(settings, "cdc_enabled", known.enabled),
        known.raw_directory if folder is None else str(folder),
        known.total_mib if total is None else parse_size_bytes("cdc_total_space", total) // MIB,
        known.check_interval_ms if interval is None else parse_duration_ms("cdc_free_space_check_interval", interval),
        _boolean(settings, "cdc_block_writes", known.blocks_writes),
        _boolean(settings, "cdc_on_repair_enabled", known.on_repair),
    )


def _auth(auth: AuthSettings, settings: Mapping[str, object]) -> AuthSettings:
    """What the file says of who may log in and do what."""

    def cache(name: str, known: CacheSettings) -> CacheSettings:
        validity = settings.get(f"{name}_validity", settings.get(f"{name}_validity_in_ms", known.validity_ms))
        interval = settings.get(f"{name}_update_interval", settings.get(f"{name}_update_interval_in_ms"))
        return CacheSettings(
            parse_duration_ms(f"{name}_validity", validity),
            known.update_interval_ms if interval is None else parse_duration_ms(f"{name}_update_interval", interval),
            _integer(f"{name}_cache_max_entries", settings.get(f"{name}_cache_max_entries", known.max_entries)),
        )

    try:
        chosen: dict[str, Any] = {name: class_of(name, settings[name]) for name in AUTH_CLASSES if name in settings}
        if chosen.get("authenticator") == LDAP:
            from cqlserver.program.ldap_settings import read_ldap

            named = settings["authenticator"]
            chosen["ldap"] = read_ldap(named.get("parameters") if isinstance(named, dict) else None)
        if "cidr_authorizer" in settings:
            chosen["cidr"] = cidr_settings(settings["cidr_authorizer"])
        for way, known in (("read", auth.read_level), ("write", auth.write_level)):
            name = f"auth_{way}_consistency_level"
            chosen[f"{way}_level"] = level_of(name, settings.get(name, known))
    except ValueError as error:
        raise ConfigError(str(error)) from None
    return replace(
        auth,
        **chosen,
        traverses_from_root=_boolean(settings, "traverse_auth_from_root", auth.traverses_from_root),
        permissions=cache("permissions", auth.permissions),
        roles=cache("roles", auth.roles),
        credentials=cache("credentials", auth.credentials),
    )


_SEGMENT_BYTES_MAX = 32768 << 20
_GUARDRAIL_ENDS = ("_threshold", "_enabled", "_warned", "_ignored", "_disallowed", "_max_disk_size")


def _guardrails(
    known: Mapping[str, object], settings: Mapping[str, object], default_factor: int
) -> Mapping[str, object]:
    if not any(name.endswith(_GUARDRAIL_ENDS) for name in settings):
        return known
    from cqlserver.ddl.table_params import KNOWN_PROPERTIES
    from cqlserver.program.guardrail_settings import read_guardrails

    def size_bytes(name: str, value: object) -> int:
        return parse_size_bytes(name, value, "B")

    def duration_us(name: str, value: object) -> int:
        return parse_duration_ms(name, value) * 1000

    try:
        factor = _integer("default_keyspace_rf", settings.get("default_keyspace_rf", default_factor))
        return read_guardrails(known, settings, size_bytes, duration_us, KNOWN_PROPERTIES, factor)
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError(str(error)) from None


def _apply_functions(config: Config, settings: Mapping[str, object]) -> Config:
    named = {**settings}
    if "enable_user_defined_functions" in settings:  # what it was called before 4.1
        named.setdefault("user_defined_functions_enabled", settings["enable_user_defined_functions"])
    enabled = _boolean(named, "user_defined_functions_enabled", config.user_defined_functions_enabled)
    timeouts = {}
    for word in ("warn", "fail"):
        name = f"user_defined_functions_{word}_timeout"
        old = f"user_defined_function_{word}_timeout"
        value = settings.get(name, settings.get(old))
        timeout = f"{name}_ms"
        timeouts[timeout] = getattr(config, timeout) if value is None else parse_duration_ms(name, value)
    if timeouts["user_defined_functions_fail_timeout_ms"] < timeouts["user_defined_functions_warn_timeout_ms"]:
        raise ConfigError(
            "user_defined_functions_warn_timeout must less than user_defined_function_fail_timeout"
        )
    return replace(
        config,
        user_defined_functions_enabled=enabled,
        user_defined_functions_warn_timeout_ms=timeouts["user_defined_functions_warn_timeout_ms"],
        user_defined_functions_fail_timeout_ms=timeouts["user_defined_functions_fail_timeout_ms"],
    )


def _apply_audit(config: Config, settings: Mapping[str, object]) -> Config:
    if "audit_logging_options" not in settings and "full_query_logging_options" not in settings:
        return config
    from cqlserver.audit.options import read_audit_log_options, read_full_query_log_options

    try:
        if "audit_logging_options" in settings:
            config = replace(config, audit_log=read_audit_log_options(settings["audit_logging_options"]))
        if "full_query_logging_options" in settings:
            config = replace(config, full_query_log=read_full_query_log_options(settings["full_query_logging_options"]))
    except ValueError as error:
        raise ConfigError(str(error)) from None
    return config


def _apply_commitlog(config: Config, settings: Mapping[str, object]) -> Config:
    def duration(name: str) -> int:
        value = settings.get(name, settings.get(f"{name}_in_ms", 0))
        return parse_duration_ms(name, value)

    segment = settings.get("commitlog_segment_size", settings.get("commitlog_segment_size_in_mb"))
    if segment is not None:
        config = replace(config, commitlog_segment_bytes=parse_size_bytes("commitlog_segment_size", segment))
    if "commitlog_sync" not in settings:
        lonely = next((name for name in settings if name.startswith("commitlog_sync_")), None)
        if lonely is not None:  # DatabaseDescriptor.java
            raise ConfigError(f"Missing required directive CommitLogSync: {lonely} is given, and commitlog_sync is not")
        return config
    period, window = duration("commitlog_sync_period"), duration("commitlog_sync_group_window")
    match str(settings["commitlog_sync"]):
        case "periodic":
            if not period:
                raise ConfigError("Missing value for commitlog_sync_period.")
            return replace(config, commitlog_sync="periodic", commitlog_sync_period_ms=period)
        case "group":
            if not window:
                raise ConfigError("Missing value for commitlog_sync_group_window.")
            if period:
                raise ConfigError(
                    "Group sync specified, but commitlog_sync_period found. "
                    "Only specify commitlog_sync_group_window when using group sync"
                )
            return replace(config, commitlog_sync="group", commitlog_sync_group_window_ms=window)
        case "batch":
            if period:
                raise ConfigError("Batch sync specified, but commitlog_sync_period found.")
            return replace(config, commitlog_sync="batch")
        case other:
            raise ConfigError(f"commitlog_sync: {other} is none of periodic, group, batch")


def _integer(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(f"{name}: {value} is no whole number")
    return value


def _boolean(settings: Mapping[str, object], name: str, default: bool) -> bool:
    value = settings.get(name, default)
    if not isinstance(value, bool):
        raise ConfigError(f"{name}: {value} is neither true nor false")
    return value
