"""The option `compaction` of tables (schema/CompactionParams.java and each strategy's validateOptions)."""

import math
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from cqlserver.ddl.numbers import bytes_text, float_option, integer_option, is_digits, is_true_or_false, parse_bytes
from protocol.errors import ConfigurationError
from protocol.types.java_floats import double_text
from protocol.types.java_text import parse_java_double

_PACKAGE: Final = "org.apache.cassandra.db.compaction."
SIZE_TIERED: Final = _PACKAGE + "SizeTieredCompactionStrategy"
LEVELED: Final = _PACKAGE + "LeveledCompactionStrategy"
TIME_WINDOW: Final = _PACKAGE + "TimeWindowCompactionStrategy"
UNIFIED: Final = _PACKAGE + "UnifiedCompactionStrategy"

# Classes of that package that are there but are no strategies: a name that Cassandra finds and then refuses.
_OTHER_CLASSES: Final = frozenset(
    (
        "AbstractCompactionTask",
        "ActiveCompactions",
        "CompactionController",
        "CompactionInfo",
        "CompactionIterator",
        "CompactionLogger",
        "CompactionManager",
        "CompactionStrategyHolder",
        "CompactionStrategyManager",
        "CompactionTask",
        "LeveledCompactionTask",
        "LeveledManifest",
        "OperationType",
    )
)
_LONG_MAX: Final = (1 << 63) - 1
_LEVEL_COUNT_MAX: Final = 9
_TARGET_SSTABLE_BYTES_MIN: Final = 1 << 20
_TARGET_SSTABLE_BYTES: Final = 1 << 30
_SCALING = re.compile(r"(N)|L(\d+)|T(\d+)|([+-]?\d+)")
_TOMBSTONE_OPTIONS: Final = ("NONE", "ROW", "CELL")

Options = dict[str, str]


def prepare_compaction(options: Mapping[str, str]) -> Mapping[str, str]:
    """The options to store: the class by its full name, thresholds filled in. Checks what Cassandra checks when it
    reads the statement; the rest is check_compaction's."""
    name = options.get("class")
    if name is None:
        raise ConfigurationError("Missing sub-option 'class' for the 'compaction' option")
    strategy = name if "." in name else _PACKAGE + name
    if strategy not in _CHECKS:
        if strategy.removeprefix(_PACKAGE) in _OTHER_CLASSES:
            raise ConfigurationError(f"Compaction strategy class {strategy} is not derived from AbstractReplicationStrategy")
        raise ConfigurationError(f"Unable to find compaction strategy class '{strategy}'")
    overlapping = options.get("provide_overlapping_tombstones", "NONE").upper()
    if overlapping not in _TOMBSTONE_OPTIONS:
        raise ConfigurationError(
            f"Invalid value {overlapping} for 'provide_overlapping_tombstones' compaction sub-option - "
            f"must be one of the following [{', '.join(_TOMBSTONE_OPTIONS)}]."
        )
    prepared = {**options, "class": strategy}
    if strategy != UNIFIED:
        prepared.setdefault("min_threshold", "4")
        prepared.setdefault("max_threshold", "32")
    return MappingProxyType(prepared)


def default_bloom_filter_fp_chance(compaction: Mapping[str, str]) -> float:
    return 0.1 if compaction["class"] == LEVELED else 0.01


def check_compaction(compaction: Mapping[str, str]) -> None:
    """Checks prepared options. Raises ConfigurationError."""
    options = {key: value for key, value in compaction.items() if key != "class"}
    strategy = compaction["class"]
    unknown = _CHECKS[strategy](options, _check_common(options))
    if unknown:
        simple_name = strategy.removeprefix(_PACKAGE)
        raise ConfigurationError(f"Properties specified [{', '.join(unknown)}] are not understood by {simple_name}")
    thresholds = []
    for name, default in (("min_threshold", "4"), ("max_threshold", "32")):
        text = options.get(name, default)
        if not is_digits(text):
            raise ConfigurationError(f"Invalid value {text} for '{name}' compaction sub-option - must be an integer")
        thresholds.append(int(text))
    low, high = thresholds
    if low <= 0 or high <= 0:
        raise ConfigurationError(
            "Disabling compaction by setting compaction thresholds to 0 has been removed,"
            " set the compaction option 'enabled' to false instead."
        )
    if low <= 1:
        raise ConfigurationError(f"Min compaction threshold cannot be less than 2 (got {low})")
    if low > high:
        raise ConfigurationError(
            f"Min compaction threshold (got {low}) cannot be greater than max compaction threshold (got {high})"
        )


def _check_common(options: Options) -> Options:
    """Checks the options of all strategies; returns the others."""
    rest = dict(options)
    threshold = rest.pop("tombstone_threshold", None)
    if threshold is not None:
        try:
            value = parse_java_double(threshold)
        except ValueError:
            raise ConfigurationError(f"{threshold} is not a parsable int (base10) for tombstone_threshold") from None
        if value < 0:
            raise ConfigurationError(f"tombstone_threshold must be greater than 0, but was {value:.6f}")
    interval = rest.pop("tombstone_compaction_interval", None)
    if interval is not None:
        seconds = integer_option(interval, "tombstone_compaction_interval", 64)
        if seconds < 0:
            raise ConfigurationError(f"tombstone_compaction_interval must be greater than 0, but was {seconds}")
    unchecked = rest.pop("unchecked_tombstone_compaction", "true")
    if not is_true_or_false(unchecked):
        raise ConfigurationError(f"'unchecked_tombstone_compaction' should be either 'true' or 'false', not '{unchecked}'")
    log_all = rest.pop("log_all", "true")
    if not is_true_or_false(log_all):
        raise ConfigurationError(f"'log_all' should either be 'true' or 'false', not {log_all}")
    enabled = rest.pop("enabled", "true")
    if not is_true_or_false(enabled):
        raise ConfigurationError(f"enabled should either be 'true' or 'false', not {enabled}")
    rest.pop("only_purge_repaired_tombstones", None)
    rest.pop("provide_overlapping_tombstones", None)
    return rest


def _check_size_tiered(options: Options, rest: Options) -> Options:
    size = integer_option(options.get("min_sstable_size", "52428800"), "min_sstable_size", 64)
    if size < 0:
        raise ConfigurationError(f"min_sstable_size must be non negative: {size}")
    low = float_option(options.get("bucket_low", "0.5"), "bucket_low")
    high = float_option(options.get("bucket_high", "1.5"), "bucket_high")
    if high <= low:
        raise ConfigurationError(
            f"bucket_high value ({double_text(high)}) is less than or equal to the bucket_low value ({double_text(low)})"
        )
    known = ("min_sstable_size", "bucket_low", "bucket_high", "min_threshold", "max_threshold")
    return {key: value for key, value in rest.items() if key not in known}


def _check_leveled(options: Options, rest: Options) -> Options:
    sizes = []
    for name, default in (("sstable_size_in_mb", "1"), ("fanout_size", "10")):
        value = integer_option(rest.pop(name, default), name)
        if value < 1:
            raise ConfigurationError(f"{name} must be larger than 0, but was {value}")
        sizes.append(value)
    size, fanout = sizes
    level_bytes = fanout ** (_LEVEL_COUNT_MAX - 1) * size * 1024 * 1024
    if level_bytes > _LONG_MAX:
        raise ConfigurationError(
            f"At most {_LONG_MAX} bytes may be in a compaction level; "
            f"your maxSSTableSize must be absurdly high to compute {level_bytes}"
        )
    rest.pop("single_sstable_uplevel", None)
    return _check_size_tiered(options, rest)


def _check_time_window(options: Options, rest: Options) -> Options:
    for name, units in (
        ("timestamp_resolution", ("SECONDS", "MILLISECONDS", "MICROSECONDS", "NANOSECONDS")),
        ("compaction_window_unit", ("MINUTES", "HOURS", "DAYS")),
    ):
        unit = rest.pop(name, units[0])
        if unit not in units:
            raise ConfigurationError(f"{unit} is not valid for {name}")
    size = integer_option(rest.pop("compaction_window_size", "1"), "compaction_window_size")
    if size < 1:
        raise ConfigurationError(f"{size} must be greater than 1 for compaction_window_size")
    name = "expired_sstable_check_frequency_seconds"
    frequency = integer_option(rest.pop(name, "600"), name, 64)
    if frequency < 0:
        raise ConfigurationError(f"{name} must not be negative, but was {frequency}")
    name = "unsafe_aggressive_sstable_expiration"
    aggressive = rest.pop(name, "false")
    if not is_true_or_false(aggressive):
        raise ConfigurationError(f"{name} is not 'true' or 'false' ({aggressive})")
    if aggressive.lower() == "true":
        raise ConfigurationError(
            f"{name} is requested but not allowed, restart cassandra with "
            "-Dcassandra.allow_unsafe_aggressive_sstable_expiration=true to allow it"
        )
    return _check_size_tiered(options, rest)


def _check_unified(options: Options, rest: Options) -> Options:
    for parameter in rest.pop("scaling_parameters", "T4").split(","):
        _check_scaling(parameter.strip())
    shards = integer_option(rest.pop("base_shard_count", "4"), "base_shard_count")
    if shards <= 0:
        raise ConfigurationError(f"Invalid configuration, base_shard_count should be positive: {shards}")
    target = _target_size(rest, "target_sstable_size", _TARGET_SSTABLE_BYTES)
    _target_size(rest, "flush_size_override", _TARGET_SSTABLE_BYTES)
    integer_option(rest.pop("max_sstables_to_compact", "0"), "max_sstables_to_compact")
    name = "expired_sstable_check_frequency_seconds"
    frequency = integer_option(rest.pop(name, "600"), name, 64, "long")
    if frequency <= 0:
        raise ConfigurationError(f"Invalid configuration, {name} should be positive: {frequency}")
    name = "unsafe_aggressive_sstable_expiration"
    aggressive = rest.pop(name, "false")
    if not is_true_or_false(aggressive):
        raise ConfigurationError(f"{name} should either be 'true' or 'false', not {aggressive}")
    method = rest.pop("overlap_inclusion_method", "NONE")
    if method.upper() not in ("NONE", "SINGLE", "TRANSITIVE"):
        raise ConfigurationError(
            f"Invalid overlap inclusion method {method}. The valid options are [NONE, SINGLE, TRANSITIVE]."
        )
    _check_unified_sizes(rest, target)
    return rest


def _check_scaling(parameter: str) -> None:
    found = _SCALING.fullmatch(parameter)
    if found is None:
        raise ConfigurationError(f"Scaling parameter {parameter} must match N|L[0-9]+|T[0-9]+|[+-]?[0-9]+")
    factor = found[2] or found[3]
    if factor is not None and int(factor) < 2:
        raise ConfigurationError(f"Fan factor cannot be lower than 2 in {parameter}")


def _target_size(rest: Options, name: str, default: int) -> int:
    text = rest.pop(name, None)
    if text is None:
        return default
    try:
        size = parse_bytes(text)
    except ValueError as error:
        raise ConfigurationError(f"{name} {text} is not a valid size in bytes: {error}") from None
    if size >= _LONG_MAX:
        raise ConfigurationError(f"{name} {text} is out of range of Long.")
    if size < _TARGET_SSTABLE_BYTES_MIN:
        least = bytes_text(_TARGET_SSTABLE_BYTES_MIN)
        raise ConfigurationError(f"{name} {text} is not acceptable, size must be at least {least}")
    return math.ceil(size)


def _check_unified_sizes(rest: Options, target: int) -> None:
    text = rest.pop("min_sstable_size", None)
    if text is not None:
        try:
            size = int(parse_bytes(text))
        except ValueError:
            raise ConfigurationError(f"{text} is not a valid size in bytes for min_sstable_size") from None
        if size < 0:
            raise ConfigurationError("Invalid configuration, min_sstable_size should be greater than or equal to 0 (zero)")
        if size >= math.ceil(target * math.sqrt(0.5)):
            raise ConfigurationError(
                f"Invalid configuration, min_sstable_size ({bytes_text(size)}) should be less than 70% of the "
                f"targetSSTableSize ({bytes_text(target)})"
            )
    text = rest.pop("sstable_growth", None)
    if text is not None:
        number = text.strip()
        try:
            growth = parse_java_double(number.removesuffix("%")) / (100 if number.endswith("%") else 1)
        except ValueError:
            raise ConfigurationError(
                f'sstable_growth is not a valid number between 0 and 1: For input string: "{number}"'
            ) from None
        if not 0 <= growth <= 1:
            raise ConfigurationError(f"sstable_growth {text} must be between 0 and 1")


_CHECKS: Final[Mapping[str, Callable[[Options, Options], Options]]] = MappingProxyType(
    {
        SIZE_TIERED: _check_size_tiered,
        LEVELED: _check_leveled,
        TIME_WINDOW: _check_time_window,
        UNIFIED: _check_unified,
    }
)
