"""What `audit_logging_options` and `full_query_logging_options` say, in Cassandra's names (audit/AuditLogOptions.java,
fql/FullQueryLoggerOptions.java, utils/binlog/BinLogOptions.java). Faults are ValueErrors with a message for the user."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, TypeVar

ROLL_CYCLES: Final[Mapping[str, tuple[int, str]]] = {
    "FIVE_MINUTELY": (300, "%Y%m%d-%H%MV"),
    "TEN_MINUTELY": (600, "%Y%m%d-%H%MX"),
    "TWENTY_MINUTELY": (1_200, "%Y%m%d-%H%MXX"),
    "HALF_HOURLY": (1_800, "%Y%m%d-%H%MH"),
    "FAST_HOURLY": (3_600, "%Y%m%d-%HF"),
    "TWO_HOURLY": (7_200, "%Y%m%d-%HII"),
    "FOUR_HOURLY": (14_400, "%Y%m%d-%HIV"),
    "SIX_HOURLY": (21_600, "%Y%m%d-%HVI"),
    "FAST_DAILY": (86_400, "%Y%m%dF"),
    "MINUTELY": (60, "%Y%m%d-%H%M"),
    "HOURLY": (3_600, "%Y%m%d-%H"),
    "DAILY": (86_400, "%Y%m%d"),
    "LARGE_HOURLY": (3_600, "%Y%m%d-%HL"),
    "LARGE_DAILY": (86_400, "%Y%m%dL"),
    "XLARGE_DAILY": (86_400, "%Y%m%dX"),
    "HUGE_DAILY": (86_400, "%Y%m%dH"),
    "SMALL_DAILY": (86_400, "%Y%m%dS"),
    "LARGE_HOURLY_SPARSE": (3_600, "%Y%m%d-%HLS"),
    "LARGE_HOURLY_XSPARSE": (3_600, "%Y%m%d-%HLX"),
    "HUGE_DAILY_XSPARSE": (86_400, "%Y%m%dHX"),
}
"""Seconds, and how a file of the cycle is called (net.openhft.chronicle.queue.RollCycles, but for those of its tests)."""
CATEGORIES: Final = ("QUERY", "DML", "DDL", "DCL", "OTHER", "AUTH", "ERROR", "PREPARE")
FILTERS: Final = tuple(
    f"{side}_{what}" for side in ("included", "excluded") for what in ("keyspaces", "categories", "users")
)
LOGGERS: Final = ("BinAuditLogger", "FileAuditLogger", "NoOpAuditLogger")
BIN_LOGGER: Final = LOGGERS[0]

T = TypeVar("T", bound="BinLogOptions")


@dataclass(frozen=True, slots=True)
class BinLogOptions:
    """`max_log_size`: bytes of all files together, beyond which the oldest go; `block`: whether nobody is served any more
    when the log can't be written, rather than nothing logged; `max_queue_weight` is told and checked: there is no queue."""

    archive_command: str = ""
    allow_nodetool_archive_command: bool = False
    roll_cycle: str = "HOURLY"
    block: bool = True
    max_queue_weight: int = 256 << 20
    max_log_size: int = 16 << 30
    max_archive_retries: int = 10


@dataclass(frozen=True, slots=True)
class AuditLogOptions(BinLogOptions):
    """The lists are comma-separated, as nodetool takes and shows them; an empty one includes all, or excludes nothing."""

    enabled: bool = False
    logger: str = BIN_LOGGER
    included_keyspaces: str = ""
    excluded_keyspaces: str = "system,system_schema,system_virtual_schema"
    included_categories: str = ""
    excluded_categories: str = ""
    included_users: str = ""
    excluded_users: str = ""
    audit_logs_dir: str = ""


@dataclass(frozen=True, slots=True)
class FullQueryLogOptions(BinLogOptions):
    log_dir: str = ""


def read_audit_log_options(value: object) -> AuditLogOptions:
    """Of what cassandra.yaml has there. Raises ValueError."""
    settings = _mapping("audit_logging_options", value)
    logger = settings.pop("logger", None)
    if isinstance(logger, list):  # a class, and its parameters, as YAML writes them
        logger = logger[0] if logger else None
    if isinstance(logger, Mapping):
        logger = logger.get("class_name")
    if logger is not None:
        settings["logger"] = str(logger).rsplit(".", 1)[-1]
    return checked_audit(_read(AuditLogOptions, "audit_logging_options", settings))


def read_full_query_log_options(value: object) -> FullQueryLogOptions:
    """Of what cassandra.yaml has there. Raises ValueError."""
    name = "full_query_logging_options"
    return checked(_read(FullQueryLogOptions, name, _mapping(name, value)))


def placed_audit(options: AuditLogOptions, data: Path | None) -> AuditLogOptions:
    """Files are beside the data where nothing else is said."""
    if options.audit_logs_dir:
        return options
    return replace(options, audit_logs_dir=str((data or Path()).resolve() / "audit"))


def checked_audit(options: AuditLogOptions) -> AuditLogOptions:
    """Raises ValueError."""
    if options.logger not in LOGGERS:
        raise ValueError(f"Unable to find audit logger class '{options.logger}': write one of {', '.join(LOGGERS)}")
    for name in ("included_categories", "excluded_categories"):
        for category in filter(None, getattr(options, name).split(",")):
            if category not in CATEGORIES:
                raise ValueError(f"category {category} not found in AuditLogEntryCategory: one of {', '.join(CATEGORIES)}")
    return checked(options)


def checked(options: T) -> T:
    """utils/binlog/BinLog.java. Raises ValueError."""
    if options.roll_cycle.upper() not in ROLL_CYCLES:
        raise ValueError(f"unrecognized roll cycle {options.roll_cycle}: write one of {', '.join(ROLL_CYCLES)}")
    if options.max_queue_weight <= 0:
        raise ValueError("maxQueueWeight must be > 0")
    if options.max_log_size <= 0:
        raise ValueError("maxLogSize must be > 0")
    return options


def _mapping(name: str, value: object) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError(f"{name}: write a mapping, like enabled: true")
    return {str(key): entry for key, entry in value.items() if entry is not None}


def _read(kind: type[T], name: str, settings: dict[str, Any]) -> T:
    known = {field.name: field.default for field in fields(kind)}
    for key, value in settings.items():
        if key not in known:
            raise ValueError(f"Invalid yaml. Please remove properties [{name}.{key}] from your cassandra.yaml")
        if type(value) is not type(known[key]):
            if isinstance(known[key], str) and isinstance(value, list):
                settings[key] = ",".join(map(str, value))
                continue
            raise ValueError(f"{name}.{key}: {value!r} is no {type(known[key]).__name__}")
    return kind(**settings)
