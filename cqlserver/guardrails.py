"""Guardrails: what those who log in, and are no superusers, are warned of or refused (db/guardrails/Guardrails.java).

`Guardrails.of(state)` gives what one request is asked by, or None where it may do everything. A guardrail that is violated
is told as "Guardrail NAME violated: ...": as a warning, or as an InvalidRequest with the warning beside it.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from cluster.consistency import Consistency
from cqlserver.program.guardrail_settings import NEVER, TERM_BYTES, VECTOR_TERM_BYTES, Values
from cqlserver.state import User
from protocol.errors import InvalidRequest
from storage.engine import Engine
from storage.indexes.attached import TERM_BYTES_MAX, TermKind
from storage.keys import key_text
from storage.schema.metadata import TableMetadata

log = logging.getLogger("cqlserver.guardrails")

Words = Callable[[bool, str, int, int], str]
"""(is it a warning, of what, value, threshold) -> the message."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A value that must not be greater than two settings (less: `is_least`). `defaults`: what is warned of and what fails
    where nothing is set, -1: nothing."""

    name: str
    setting: str
    words: Words
    reason: str = ""
    is_least: bool = False
    defaults: tuple[int, int] = (-1, -1)


@dataclass(frozen=True, slots=True)
class Flag:
    """A feature that a setting switches off; `warned`: another, that has it warned of."""

    name: str
    setting: str
    feature: str
    reason: str = ""
    warned: str = ""


def _creating(noun: str, kind: str, plural: str, many: str) -> Words:
    def words(is_warning: bool, what: str, value: int, threshold: int) -> str:
        if is_warning:
            return f"Creating {kind} {what}, current number of {plural} {value} exceeds warning threshold of {threshold}."
        return f"{many} have more than {threshold} {noun}, aborting the creation of {kind} {what}"

    return words


def _exceeding(head: str) -> Words:
    def words(is_warning: bool, what: str, value: int, threshold: int) -> str:
        kind = "warning" if is_warning else "failure"
        return f"{head.format(what=what, value=value)}, this exceeds the {kind} threshold of {threshold}."

    return words


def _columns(is_warning: bool, what: str, value: int, threshold: int) -> str:
    if is_warning:
        return f"The table {what} has {value} columns, this exceeds the warning threshold of {threshold}."
    return f"Tables cannot have more than {threshold} columns, but {value} provided for table {what}"


def _fields(is_warning: bool, what: str, value: int, threshold: int) -> str:
    if is_warning:
        return f"The user type {what} has {value} columns, this exceeds the warning threshold of {threshold}."
    return f"User types cannot have more than {threshold} columns, but {value} provided for user type {what}."


def _page(is_warning: bool, what: str, value: int, threshold: int) -> str:
    if is_warning:
        return f"Query for table {what} with page size {value} exceeds warning threshold of {threshold}."
    return f"Aborting query for table {what}, page size {value} exceeds fail threshold of {threshold}."


def _keys(is_warning: bool, what: str, value: int, threshold: int) -> str:
    if is_warning:
        return (
            f"Query with partition keys in IN clause on table {what}, with number of partition keys {value} "
            f"exceeds warning threshold of {threshold}."
        )
    return (
        f"Aborting query with partition keys in IN clause on table {what}, number of partition keys {value} "
        f"exceeds fail threshold of {threshold}."
    )


def _product(is_warning: bool, what: str, value: int, threshold: int) -> str:
    if is_warning:
        return (
            f"The cartesian product of the IN restrictions on {what} produces {value} values, "
            f"this exceeds warning threshold of {threshold}."
        )
    return (
        f"Aborting query because the cartesian product of the IN restrictions on {what} produces {value} values, "
        f"this exceeds fail threshold of {threshold}."
    )


def _factor(side: str) -> Words:
    def words(is_warning: bool, what: str, value: int, threshold: int) -> str:
        kind = "warning" if is_warning else "failure"
        return f"The keyspace {what} has a replication factor of {value}, {side} the {kind} threshold of {threshold}."

    return words


def _age(side: str, bound: str) -> Words:
    def words(is_warning: bool, what: str, value: int, threshold: int) -> str:
        kind = "warning" if is_warning else "failure"
        head = f"The modification to table {what} has a timestamp {value}"
        return f"{head} {side} the {bound} allowable {kind} threshold {threshold}"

    return words


def _disk(is_warning: bool, what: str, value: int, threshold: int) -> str:
    head = f"Local data disk usage {value}%({what}) exceeds"
    if is_warning:
        return f"{head} warning threshold of {threshold}%"
    return f"{head} failure threshold of {threshold}%, will stop accepting writes"


KEYSPACES: Final = Threshold("keyspaces", "keyspaces", _creating("keyspaces", "keyspace", "keyspaces", "Cannot"))
TABLES: Final = Threshold("tables", "tables", _creating("tables", "table", "tables", "Cannot"))
COLUMNS: Final = Threshold("columns_per_table", "columns_per_table", _columns)
INDEXES: Final = Threshold(
    "secondary_indexes_per_table",
    "secondary_indexes_per_table",
    _creating("secondary indexes", "secondary index", "indexes", "Tables cannot"),
)
VIEWS: Final = Threshold(
    "materialized_views_per_table",
    "materialized_views_per_table",
    _creating("materialized views", "materialized view", "views", "Tables cannot"),
)
FIELDS: Final = Threshold("fields_per_udt", "fields_per_udt", _fields)
DIMENSIONS: Final = Threshold(
    "vector_dimensions", "vector_dimensions", _exceeding("{what} has a vector of {value} dimensions")
)
PARTITION_SIZE: Final = Threshold(
    "partition_size",
    "partition_size",
    _exceeding("Partition {what} has size {value}"),
    "Too large partitions can cause performance problems.",
)
PARTITION_TOMBSTONES: Final = Threshold(
    "partition_tombstones",
    "partition_tombstones",
    _exceeding("Partition {what} has {value} tombstones"),
    "Partitions with too many tombstones can cause performance problems.",
)
PAGE_SIZE: Final = Threshold("page_size", "page_size", _page)
PARTITION_KEYS: Final = Threshold("partition_keys_in_select", "partition_keys_in_select", _keys)
PRODUCT: Final = Threshold("in_select_cartesian_product", "in_select_cartesian_product", _product)
VALUE_SIZE: Final = Threshold(
    "column_value_size", "column_value_size", _exceeding("Value of column '{what}' has size {value}")
)
COLLECTION_SIZE: Final = Threshold(
    "collection_size", "collection_size", _exceeding("Detected collection {what} of size {value}")
)
ITEMS: Final = Threshold(
    "items_per_collection", "items_per_collection", _exceeding("Detected collection {what} with {value} items")
)
LEAST_FACTOR: Final = Threshold(
    "minimum_replication_factor", "minimum_replication_factor", _factor("below"), is_least=True
)
MOST_FACTOR: Final = Threshold("maximum_replication_factor", "maximum_replication_factor", _factor("above"))
LATEST: Final = Threshold(
    "maximum_timestamp",
    "maximum_timestamp",
    _age("after", "maximum"),
    "Timestamps too far in the future can lead to data that can't be easily overwritten",
)
EARLIEST: Final = Threshold(
    "minimum_timestamp",
    "minimum_timestamp",
    _age("before", "minimum"),
    "Timestamps too far in the past can cause writes can be unexpectedly lost",
    is_least=True,
)
LOCAL_DISK: Final = Threshold("local_data_disk_usage", "data_disk_usage_percentage", _disk)
_TERM: Final = _exceeding("Value of column '{what}' has size {value}")
STRING_TERM: Final = Threshold("sai_string_term_size", "sai_string_term_size", _TERM, defaults=TERM_BYTES)
FROZEN_TERM: Final = Threshold("sai_frozen_term_size", "sai_frozen_term_size", _TERM, defaults=TERM_BYTES)
VECTOR_TERM: Final = Threshold("sai_vector_term_size", "sai_vector_term_size", _TERM, defaults=VECTOR_TERM_BYTES)
TERMS: Final[Mapping[TermKind, Threshold]] = MappingProxyType(
    {TermKind.STRING: STRING_TERM, TermKind.FROZEN: FROZEN_TERM, TermKind.VECTOR: VECTOR_TERM}
)

ALTER_TABLE: Final = Flag("alter_table", "alter_table_enabled", "ALTER TABLE changing columns")
DROP_TRUNCATE: Final = Flag(
    "drop_truncate_table_enabled", "drop_truncate_table_enabled", "DROP and TRUNCATE TABLE functionality"
)
DROP_KEYSPACE: Final = Flag("drop_keyspace_enabled", "drop_keyspace_enabled", "DROP KEYSPACE functionality")
UNCOMPRESSED: Final = Flag("uncompressed_tables_enabled", "uncompressed_tables_enabled", "Uncompressed table")
COMPACT: Final = Flag("compact_tables", "compact_tables_enabled", "Creation of new COMPACT STORAGE tables")
INDEX: Final = Flag("secondary_indexes", "secondary_indexes_enabled", "Creating secondary indexes")
SIMPLE_STRATEGY: Final = Flag("simplestrategy", "simplestrategy_enabled", "SimpleStrategy")
VECTOR: Final = Flag("vector_type_enabled", "vector_type_enabled", "usage of the vector type")
GROUP_BY: Final = Flag("group_by", "group_by_enabled", "GROUP BY functionality")
TIMESTAMPS: Final = Flag("user_timestamps", "user_timestamps_enabled", "User provided timestamps (USING TIMESTAMP)")
READ_BEFORE_WRITE: Final = Flag(
    "read_before_write_list_operations",
    "read_before_write_list_operations_enabled",
    "List operation requiring read before write",
)
FILTERING: Final = Flag(
    "allow_filtering",
    "allow_filtering_enabled",
    "Querying with ALLOW FILTERING",
    "ALLOW FILTERING can potentially visit all the data in the table and have unpredictable performance.",
)
INDEX_QUERY: Final = Flag(
    "non_partition_restricted_index_query_enabled",
    "non_partition_restricted_index_query_enabled",
    "Non-partition key restricted query",
    "Executing a query on secondary indexes without partition key restriction might degrade performance",
)
INTERSECTION: Final = Flag(
    "intersect_filtering_query",
    "intersect_filtering_query_enabled",
    "Filtering query with intersection on mutable columns at consistency level requiring coordinator reconciliation",
    "Filtering queries involving an intersection on multiple mutable (i.e. non-key) columns over unrepaired data at read "
    "consistency levels that would require coordinator reconciliation may violate the guarantees of those consistency "
    "levels.",
    "intersect_filtering_query_warned",
)
TWCS: Final = Flag(
    "zero_ttl_on_twcs",
    "zero_ttl_on_twcs_enabled",
    "0 default_time_to_live on a table with TimeWindowCompactionStrategy compaction strategy",
    "It is suspicious to use default_time_to_live set to 0 with such compaction strategy. Please keep in mind that data "
    "will not start to automatically expire after they are older than a respective compaction window unit of a certain "
    "size. Please set TTL for your INSERT or UPDATE statements if you expect data to be expired as table settings will "
    "not do it. ",
    "zero_ttl_on_twcs_warned",
)
CELL_BYTES: Final = 20
"""What Cassandra counts of a cell beside its value and path: times, and how long it lives."""
LIST_PATH_BYTES: Final = 16
_LEVELS: Final = {level.name: level.value for level in Consistency}
_WARNED_BY_DEFAULT = frozenset(("zero_ttl_on_twcs_warned", "intersect_filtering_query_warned"))


class Guarded:
    """What one request is asked by; `warn` tells its client."""

    __slots__ = ("_settings", "warn")

    def __init__(self, settings: Values, warn: Callable[[str], None]) -> None:
        self._settings, self.warn = settings, warn

    def limit(self, threshold: Threshold, value: int, what: str) -> None:
        """Warns, or raises InvalidRequest, where the value is beyond."""
        found = _exceeded(self._settings, threshold, value)
        if found is None:
            return
        bound, is_warning = found
        message = decorated(threshold, threshold.words(is_warning, what, value, bound))
        self.warn(message)
        if not is_warning:
            raise InvalidRequest(message)

    def is_beyond(self, threshold: Threshold, value: int) -> bool:
        """Whether the value would be warned of, or refused."""
        return _exceeded(self._settings, threshold, value) is not None

    def value(self, column: str, value: bytes) -> None:
        """A value that is written, or the path of one."""
        self.limit(VALUE_SIZE, len(value), column)

    def frozen_collection(self, column: str, count: int, value: bytes) -> None:
        """One that is written as one value."""
        self.limit(ITEMS, count, column)
        self.value(column, value)
        self.limit(COLLECTION_SIZE, len(value) + CELL_BYTES, column)

    def collection(self, column: str, parts: Sequence[bytes | None], parts_each: int, is_list: bool) -> None:
        """One that is written cell by cell. `parts`: of its items, each of which has `parts_each`."""
        count = len(parts) // parts_each
        self.limit(ITEMS, count, column)
        for part in parts:
            self.value(column, part or b"")
        size = sum(len(part or b"") for part in parts) + count * (CELL_BYTES + (LIST_PATH_BYTES if is_list else 0))
        self.limit(COLLECTION_SIZE, size, column)

    def read_before_write(self, feature: str) -> None:
        self.feature(READ_BEFORE_WRITE, feature)

    def alters_columns(self) -> None:
        self.feature(ALTER_TABLE)

    def columns(self, table: str, count: int) -> None:
        self.limit(COLUMNS, count, table)

    def fields(self, user_type: str, count: int) -> None:
        self.limit(FIELDS, count, user_type)

    def views(self, view: str, count: int) -> None:
        self.limit(VIEWS, count, view)

    def indexes(self, index: str, count: int) -> None:
        self.limit(INDEXES, count, index)

    def replication(self, keyspace: str, factor: int) -> None:
        self.limit(LEAST_FACTOR, factor, keyspace)
        self.limit(MOST_FACTOR, factor, keyspace)

    def drops_keyspaces(self) -> None:
        self.feature(DROP_KEYSPACE)

    def compression(self, compression: Mapping[str, str]) -> None:
        """Of a table that is created or altered."""
        if compression.get("enabled", "true") == "false":
            self.feature(UNCOMPRESSED)

    def drops_tables(self) -> None:
        self.feature(DROP_TRUNCATE)

    def groups(self) -> None:
        self.feature(GROUP_BY)

    def filters(self) -> None:
        self.feature(FILTERING)

    def may_filter(self) -> bool:
        return bool(self._settings.get(FILTERING.setting, True))

    def intersects(self) -> None:
        """Filters by several columns that change, of what replicas have together."""
        self.feature(INTERSECTION)

    def read(self, consistency: int) -> None:
        self.levels("read", (Consistency(consistency).name,))

    def reads_by_index(self) -> None:
        """Without a partition that is named."""
        self.feature(INDEX_QUERY)

    def keys(self, table: str, count: int) -> None:
        """Partitions that IN names."""
        self.limit(PARTITION_KEYS, count, table)

    def page(self, table: str, size: int) -> None:
        self.limit(PAGE_SIZE, size, table)

    def product(self, what: str, count: int) -> None:
        """Values that several IN restrictions make together."""
        self.limit(PRODUCT, count, what)

    def user_timestamps(self) -> None:
        self.feature(TIMESTAMPS)

    def write(self, consistency: int, serial: int | None, timestamps: Iterable[tuple[str, int]], now_us: int) -> None:
        """A write at these levels. `timestamps`: (table, microseconds) of its statements."""
        names = {Consistency(consistency).name, Consistency.SERIAL.name if serial is None else Consistency(serial).name}
        self.levels("write", names)
        for table, timestamp_us in timestamps:
            self.age(LATEST, timestamp_us, now_us, table)
            self.age(EARLIEST, timestamp_us, now_us, table)

    def age(self, threshold: Threshold, timestamp_us: int, now_us: int, what: str) -> None:
        """The same of a timestamp, whose bounds lie that far in the future or the past."""
        bounds = bounds_of(self._settings, threshold)
        if bounds is None:
            return
        sign = -1 if threshold.is_least else 1
        warn, fail = (now_us + sign * bound if bound > 0 else -1 for bound in bounds)
        absolute = {f"{threshold.setting}_warn_threshold": warn, f"{threshold.setting}_fail_threshold": fail}
        Guarded(absolute, self.warn).limit(threshold, timestamp_us, what)

    def feature(self, flag: Flag, feature: str = "") -> None:
        """Warns of, or refuses (InvalidRequest), a feature."""
        shown = feature or flag.feature
        if not self._settings.get(flag.setting, True):
            message = decorated(flag, f"{shown} is not allowed")
            self.warn(message)
            raise InvalidRequest(message)
        if flag.warned and self._settings.get(flag.warned, flag.warned in _WARNED_BY_DEFAULT):
            self.warn(decorated(flag, f"{shown} is not recommended"))

    def properties(self, given: Iterable[str]) -> frozenset[str]:
        """Of a table: warns, refuses, and returns those to be ignored."""
        return self._values("table_properties", "Table Properties", frozenset(given))

    def levels(self, kind: str, given: Iterable[str]) -> None:
        """Consistency levels; `kind`: read or write."""
        self._values(f"{kind}_consistency_levels", f"{kind} consistency levels", frozenset(given))

    def _values(self, name: str, what: str, given: frozenset[str]) -> frozenset[str]:
        refused, ignored, warned = (
            _shown(self._settings.get(f"{name}_{verb}", frozenset())) for verb in ("disallowed", "ignored", "warned")
        )
        if found := sorted(given.intersection(refused)):
            message = f"Provided values {_list(found)} are not allowed for {what} (disallowed values are: {_list(refused)})"
            message = f"Guardrail {name} violated: {message}"
            self.warn(message)
            raise InvalidRequest(message)
        left_out = sorted(given.intersection(ignored))
        if left_out:
            self.warn(
                f"Guardrail {name} violated: Ignoring provided values {_list(left_out)} as they are not supported for "
                f"{what} (ignored values are: {_list(ignored)})"
            )
        if found := sorted(given.intersection(warned)):
            self.warn(
                f"Guardrail {name} violated: Provided values {_list(found)} are not recommended for {what} "
                f"(warned values are: {_list(warned)})"
            )
        return frozenset(left_out)


class PartitionGuard:
    """What the log is told of partitions that are written to SSTables (storage/sstable/writer.py, PartitionWritten): of
    those of everybody, and nothing is refused."""

    def __init__(self, settings: Values) -> None:
        self._settings = settings

    @property
    def is_on(self) -> bool:
        return any(f"{name}_{verb}_threshold" in self._settings for name in _OF_PARTITIONS for verb in ("warn", "fail"))

    def written(self, table: TableMetadata, key: bytes, size: int, tombstones: int, path: str) -> None:
        for threshold, value in ((PARTITION_SIZE, size), (PARTITION_TOMBSTONES, tombstones)):
            found = _exceeded(self._settings, threshold, value)
            if found is not None:
                bound, is_warning = found
                what = f"{table}:{key_text(table, key)} on sstable {path}"
                message = decorated(threshold, threshold.words(is_warning, what, value, bound))
                log.log(logging.WARNING if is_warning else logging.ERROR, "%s", message)


def limit_terms(engine: Engine, settings: Values) -> None:
    """What the settings leave out of storage-attached indexes, because it is too large."""
    bytes_max = dict(TERM_BYTES_MAX)
    for kind, threshold in TERMS.items():
        bounds = bounds_of(settings, threshold)
        bytes_max[kind] = NEVER if bounds is None or bounds[1] <= 0 else bounds[1]
    engine.indexed.limit_terms(bytes_max)


def guard_partitions(engine: Engine, settings: Values) -> None:
    """Has the log told of partitions, where the settings ask for it."""
    guard = PartitionGuard(settings)
    if guard.is_on or engine.maybe_files is not None:
        engine.files.tell_partitions(guard.written if guard.is_on else None)


_OF_PARTITIONS: Final = (PARTITION_SIZE.setting, PARTITION_TOMBSTONES.setting)


class Guardrails:
    """Those of a server. `settings`: what cassandra.yaml sets; `is_superuser` knows the roles."""

    def __init__(self, settings: Values, is_superuser: Callable[[User], bool]) -> None:
        self._settings, self._is_superuser = settings, is_superuser

    def of(self, user: User | None, warn: Callable[[str], None]) -> Guarded | None:
        """What a request of that user is asked by; None: nothing."""
        if user is None or user.is_anonymous or user.is_system or self._is_superuser(user):
            return None
        return Guarded(self._settings, warn)


def bounds_of(settings: Values, threshold: Threshold) -> tuple[int, int] | None:
    warn = settings.get(f"{threshold.setting}_warn_threshold", threshold.defaults[0])
    fail = settings.get(f"{threshold.setting}_fail_threshold", threshold.defaults[1])
    assert isinstance(warn, int), (threshold.name, warn)
    assert isinstance(fail, int), (threshold.name, fail)
    return (warn, fail) if warn > 0 or fail > 0 else None


def _exceeded(settings: Values, threshold: Threshold, value: int) -> tuple[int, bool] | None:
    """The bound that a value is beyond, and whether that is the one which is warned of."""
    bounds = bounds_of(settings, threshold)
    if bounds is None:
        return None
    warn, fail = bounds
    for bound, is_warning in ((fail, False), (warn, True)):
        if bound > 0 and (value < bound if threshold.is_least else value > bound):
            return bound, is_warning
    return None


def decorated(guardrail: Threshold | Flag, message: str) -> str:
    message = f"Guardrail {guardrail.name} violated: {message}"
    if not guardrail.reason:
        return message
    return f"{message}{' ' if message.endswith('.') else '. '}{guardrail.reason}"


def _shown(words: object) -> list[str]:
    """In the order of the levels, or of the alphabet."""
    assert isinstance(words, frozenset), words
    return sorted(words, key=lambda word: (_LEVELS.get(word, 0), word))


def _list(words: Iterable[str]) -> str:
    return f"[{', '.join(words)}]"
