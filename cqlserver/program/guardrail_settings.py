"""The guardrails of cassandra.yaml: which there are, what they may be (config/GuardrailsOptions.java).

Only what a file sets is kept: without any, nothing of guardrails is imported. `Values` are whole numbers (-1: off), bytes,
microseconds, booleans and sets of words, by name.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from cluster.consistency import Consistency
from cqlserver.nodetool.printing import file_size

Values = Mapping[str, object]

COUNTS = (
    "keyspaces",
    "tables",
    "columns_per_table",
    "secondary_indexes_per_table",
    "materialized_views_per_table",
    "page_size",
    "partition_keys_in_select",
    "in_select_cartesian_product",
    "items_per_collection",
    "fields_per_udt",
    "vector_dimensions",
    "partition_tombstones",
    "sai_sstable_indexes_per_query",
    "maximum_replication_factor",
)
SIZES = (
    "partition_size",
    "column_value_size",
    "collection_size",
    "sai_string_term_size",
    "sai_frozen_term_size",
    "sai_vector_term_size",
)
TERM_BYTES = (1 << 10, 8 << 10)
VECTOR_TERM_BYTES = (16 << 10, 32 << 10)
"""From which size on values with a storage-attached index are warned of, and refused, where nothing is set."""
DISK_SIZE = "data_disk_usage_max_disk_size"
AGES = ("maximum_timestamp", "minimum_timestamp")
PERCENTAGES = ("data_disk_usage_percentage",)
FLAGS = (
    "allow_filtering_enabled",
    "alter_table_enabled",
    "compact_tables_enabled",
    "drop_keyspace_enabled",
    "drop_truncate_table_enabled",
    "group_by_enabled",
    "intersect_filtering_query_enabled",
    "intersect_filtering_query_warned",
    "non_partition_restricted_index_query_enabled",
    "read_before_write_list_operations_enabled",
    "secondary_indexes_enabled",
    "simplestrategy_enabled",
    "uncompressed_tables_enabled",
    "user_timestamps_enabled",
    "vector_type_enabled",
    "zero_ttl_on_twcs_enabled",
    "zero_ttl_on_twcs_warned",
)
PROPERTIES = ("table_properties_warned", "table_properties_ignored", "table_properties_disallowed")
LEVELS = (
    "read_consistency_levels_warned",
    "read_consistency_levels_disallowed",
    "write_consistency_levels_warned",
    "write_consistency_levels_disallowed",
)
NONE: Values = MappingProxyType({})
NEVER = 1 << 62
_REFERENCED = (("warn", 32), ("fail", -1))
_INT_MAX = (1 << 31) - 1


def referenced_thresholds(values: Values) -> tuple[int, int]:
    """sai_sstable_indexes_per_query: from which number on it is warned of, and refused; what is never is too large."""
    found = (values.get(f"sai_sstable_indexes_per_query_{verb}_threshold", default) for verb, default in _REFERENCED)
    warn, fail = (bound if isinstance(bound, int) and bound > 0 else NEVER for bound in found)
    return warn, fail


def read_guardrails(
    known: Values,
    settings: Mapping[str, object],
    size_bytes: Callable[[str, object], int],
    duration_us: Callable[[str, object], int],
    properties: frozenset[str],
    default_factor: int,
) -> Values:
    """`known` with what `settings` say. `properties`: those of tables; `default_factor`: default_keyspace_rf. Raises
    ValueError with Cassandra's words."""
    found = dict(known)
    for stem in (*COUNTS, "minimum_replication_factor", *PERCENTAGES):
        for name in _pair(stem):
            if name in settings:
                found[name] = _count(name, settings[name], 100 if stem in PERCENTAGES else _INT_MAX)
    for stem in SIZES:
        for name in _pair(stem):
            if name in settings:
                found[name] = _size(name, size_bytes(name, settings[name]))
    for stem in AGES:
        for name in _pair(stem):
            if name in settings:
                found[name] = duration_us(name, settings[name])
    if DISK_SIZE in settings:
        found[DISK_SIZE] = _size(DISK_SIZE, size_bytes(DISK_SIZE, settings[DISK_SIZE]))
    for name in FLAGS:
        if name in settings:
            found[name] = _flag(name, settings[name])
    for name in PROPERTIES:
        if name in settings:
            found[name] = _properties(name, settings[name], properties)
    for name in LEVELS:
        if name in settings:
            found[name] = _levels(name, settings[name])
    if found == dict(known):
        return known
    for stem in (*COUNTS, *SIZES, *AGES, *PERCENTAGES):
        _check_order(found, settings if stem in SIZES else found, stem, "lower", lambda warn, fail: fail < warn)
    _check_order(found, found, "minimum_replication_factor", "greater", lambda warn, fail: fail > warn)
    _check_factors(found, default_factor)
    return MappingProxyType(found)


def _pair(stem: str) -> tuple[str, str]:
    return f"{stem}_warn_threshold", f"{stem}_fail_threshold"


def _count(name: str, value: object, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{name}: {value} is no whole number")
    if value > most:
        raise ValueError(f"Invalid value {value} for {name}: maximum allowed value is {most}")
    if value == 0:
        raise ValueError(f"Invalid value for {name}: 0 is not allowed; if attempting to disable use -1")
    if value < -1:
        raise ValueError(
            f"Invalid value {value} for {name}: negative values are not allowed, outside of -1 which disables the guardrail"
        )
    return value


def _size(name: str, size: int) -> int:
    if not size:
        raise ValueError(f"Invalid value for {name}: 0 is not allowed; if attempting to disable use an empty value")
    return size


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{name}: {value} is neither true nor false")
    return value


def _words(name: str, value: object) -> list[str]:
    if not isinstance(value, list):
        raise ValueError(f"{name}: {value} is no list")
    return [str(word) for word in value]


def _properties(name: str, value: object, known: frozenset[str]) -> frozenset[str]:
    words = [word.lower() for word in _words(name, value)]
    unknown = [word for word in words if word not in known]
    if unknown:
        raise ValueError(f"Invalid value for {name}: '[{', '.join(unknown)}]' do not parse as valid table properties")
    return frozenset(words)


def _levels(name: str, value: object) -> frozenset[str]:
    words = [word.upper() for word in _words(name, value)]
    for word in words:
        if word not in Consistency.__members__:
            raise ValueError(f"{name}: {word} is no consistency level")
    return frozenset(words)


def check_disk_size(values: Values, shown: object, total_bytes: int) -> None:
    """There is no more than the disk has. `shown`: as it was written. Raises ValueError."""
    most = values.get(DISK_SIZE, -1)
    assert isinstance(most, int), most
    if most > total_bytes:
        there = f"only {file_size(total_bytes)} are actually available on disk"
        raise ValueError(f"Invalid value for {DISK_SIZE}: {shown} specified, but {there}")


def _check_factors(values: Values, default_factor: int) -> None:
    for side, word, is_wrong in (("minimum", "greater", int.__gt__), ("maximum", "lesser", int.__lt__)):
        name = f"{side}_replication_factor_fail_threshold"
        fail = values.get(name, -1)
        assert isinstance(fail, int), (name, fail)
        if fail != -1 and is_wrong(fail, default_factor):
            raise ValueError(
                f"{name} to be set ({fail}) cannot be {word} than default_keyspace_rf ({default_factor})"
            )


def _check_order(
    values: Values, written: Mapping[str, object], stem: str, word: str, is_wrong: Callable[[int, int], bool]
) -> None:
    """`written`: as messages show them."""
    warn, fail = (values.get(name, -1) for name in _pair(stem))
    assert isinstance(warn, int), (stem, warn)
    assert isinstance(fail, int), (stem, fail)
    if -1 not in (warn, fail) and is_wrong(warn, fail):
        shown = [written.get(name, values.get(name, -1)) for name in _pair(stem)]
        raise ValueError(
            f"The warn threshold {shown[0]} for {stem}_warn_threshold should be {word} than the fail threshold {shown[1]}"
        )
