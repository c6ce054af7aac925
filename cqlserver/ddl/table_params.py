"""WITH options of tables: properties -> `TableParams` (schema/TableParams.java, TableAttributes.java).

Three steps, as in Cassandra, because they fail at different times: `build_params` reads the values, `check_params`
checks their ranges, `Properties.check_names` refuses unknown names.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Decimal
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from cqlserver.ddl.compaction import check_compaction, default_bloom_filter_fp_chance, prepare_compaction
from cqlserver.ddl.compression import prepare_compression
from cqlserver.ddl.numbers import is_digits
from cqlserver.ddl.properties import Properties
from protocol.errors import ConfigurationError, ServerError
from protocol.types.java_floats import double_text
from protocol.types.java_text import parse_java_double
from storage.schema.metadata import DEFAULT_PARAMS, TableParams

KNOWN_PROPERTIES: Final = frozenset({*TableParams.__dataclass_fields__, "auto_repair", "id"})
DEFAULT_MEMTABLES: Final = frozenset(("default",))
TTL_MAX_S: Final = 20 * 365 * 24 * 60 * 60
_BLOOM_FILTER_FP_CHANCE_MIN: Final = 6.71e-5
_DEFAULT_CHANCE: Final = -1.0
_INT_MAX: Final = (1 << 31) - 1
_UUID = re.compile(r"[0-9a-fA-F]{1,8}-[0-9a-fA-F]{1,4}-[0-9a-fA-F]{1,4}-[0-9a-fA-F]{1,4}-[0-9a-fA-F]{1,12}")

_PERCENTILE = re.compile(r"([0-9.]+)p(ercentile)?", re.IGNORECASE)
_FIXED = re.compile(r"([0-9.]+)ms", re.IGNORECASE)
_HYBRID = re.compile(r"(MIN|MAX)\(([0-9.]+[a-z]+)\s*,\s*([0-9.]+[a-z]+)\)", re.IGNORECASE)


def build_params(
    properties: Properties, previous: TableParams | None, memtables: frozenset[str] = DEFAULT_MEMTABLES
) -> TableParams:
    """The parameters after the statement: of a new table (`previous` None) or of an altered one; `memtables`: names of
    configurations. Raises."""
    if not properties:
        return previous or DEFAULT_PARAMS
    values: dict[str, Any] = {}
    for name, read in _READERS:
        if name in properties:
            values[name] = read(properties, name)
            if name == "memtable" and values[name] not in memtables:
                _fail(f'Memtable configuration "{values[name]}" not found.')
    if "auto_repair" in properties:
        for option in properties.map("auto_repair"):
            raise ConfigurationError(f"Unknown property '{option}'")
    if not values:
        return previous or DEFAULT_PARAMS
    is_default = previous is None and "bloom_filter_fp_chance" not in values and "compaction" in values
    if is_default or values.get("bloom_filter_fp_chance") == _DEFAULT_CHANCE:
        compaction = values.get("compaction", (previous or DEFAULT_PARAMS).compaction)
        values["bloom_filter_fp_chance"] = default_bloom_filter_fp_chance(compaction)
    return replace(previous or DEFAULT_PARAMS, **values)


def check_properties(properties: Properties, memtables: frozenset[str]) -> TableParams:
    """TableAttributes.validate: names, and the values as those of a new table; returns its parameters."""
    properties.check_names(KNOWN_PROPERTIES)
    if "auto_repair" in properties:
        raise ConfigurationError(
            "auto_repair option is not supported unless auto-repair is enabled with -Dcassandra.autorepair.enable=true"
        )
    params = build_params(properties, None, memtables)
    if params is not DEFAULT_PARAMS:
        check_params(params)
    return params


def maybe_table_id(properties: Properties) -> UUID | None:
    text = properties.maybe_text("id")
    if text is None:
        return None
    if not _UUID.fullmatch(text):
        raise ConfigurationError("Invalid table id")
    widths = (8, 4, 4, 4, 12)
    return UUID("".join(part.rjust(width, "0") for part, width in zip(text.split("-"), widths, strict=True)))


def check_params(params: TableParams) -> None:
    """Ranges. Raises ConfigurationError."""
    check_compaction(params.compaction)
    chance = params.bloom_filter_fp_chance
    if chance <= _BLOOM_FILTER_FP_CHANCE_MIN or chance > 1:  # NaN is neither
        _fail(
            f"bloom_filter_fp_chance must be larger than {double_text(_BLOOM_FILTER_FP_CHANCE_MIN)} and less than or "
            f"equal to 1.0 (got {double_text(chance)})"
        )
    if params.crc_check_chance < 0 or params.crc_check_chance > 1:
        _fail(
            "crc_check_chance must be larger than or equal to 0 and smaller than or equal to 1.0 "
            f"(got {double_text(params.crc_check_chance)})"
        )
    _check_least("default_time_to_live", params.default_time_to_live, 0)
    if params.default_time_to_live > TTL_MAX_S:
        _fail(f"default_time_to_live must be less than or equal to {TTL_MAX_S} (got {params.default_time_to_live})")
    _check_least("gc_grace_seconds", params.gc_grace_seconds, 0)
    _check_least("min_index_interval", params.min_index_interval, 1)
    if params.max_index_interval < params.min_index_interval:
        _fail(
            f"max_index_interval must be greater than or equal to min_index_interval ({params.min_index_interval}) "
            f"(got {params.max_index_interval})"
        )
    _check_least("memtable_flush_period_in_ms", params.memtable_flush_period_in_ms, 0)


def _check_least(name: str, value: int, least: int) -> None:
    if value < least:
        _fail(f"{name} must be greater than or equal to {least} (got {value})")


def _fail(message: str) -> None:
    raise ConfigurationError(message)


def _caching(properties: Properties, name: str) -> Mapping[str, str]:
    given = dict(properties.map(name))
    keys, rows = given.pop("keys", "NONE"), given.pop("rows_per_partition", "NONE")
    if keys.upper() not in ("ALL", "NONE"):
        _fail(f"Invalid value '{keys}' for caching sub-option 'keys': only 'ALL' and 'NONE' are allowed")
    if rows.upper() in ("ALL", "NONE"):
        rows = rows.upper()
    elif is_digits(rows) and int(rows) <= _INT_MAX:
        rows = {0: "NONE", _INT_MAX: "ALL"}.get(int(rows), str(int(rows)))
    else:
        _fail(
            f"Invalid value '{rows}' for caching sub-option 'rows_per_partition':"
            " only 'ALL', 'NONE', and integer values are allowed"
        )
    if given:
        _fail(f"Invalid caching sub-options [{', '.join(given)}]: only 'keys' and 'rows_per_partition' are allowed")
    return MappingProxyType({"keys": keys.upper(), "rows_per_partition": rows})


def _compaction(properties: Properties, name: str) -> Mapping[str, str]:
    return prepare_compaction(properties.map(name))


def _compression(properties: Properties, name: str) -> Mapping[str, str]:
    return prepare_compression(properties.map(name))


def _read_repair(properties: Properties, name: str) -> str:
    strategy = properties.text(name).upper()
    if strategy not in ("NONE", "BLOCKING"):
        raise ServerError(
            "java.lang.IllegalArgumentException: No enum constant "
            f"org.apache.cassandra.service.reads.repair.ReadRepairStrategy.{strategy}"
        )
    return strategy


def _speculative(properties: Properties, name: str) -> str:
    return speculative_retry(properties.text(name))


def speculative_retry(text: str) -> str:
    """A policy in the form in which Cassandra keeps it: '99p', '5ms', 'MAX(99.9p,5ms)', 'ALWAYS', 'NEVER'. Messages
    name 'speculative_retry' for additional_write_policy too, as Cassandra's do."""
    if text.upper() in ("ALWAYS", "NEVER", "NONE"):
        return "ALWAYS" if text.upper() == "ALWAYS" else "NEVER"
    if found := _PERCENTILE.fullmatch(text):
        return _percentile(text, found[1])
    if found := _FIXED.fullmatch(text):
        return f"{int(min(_number(text, found[1]), _INT_MAX))}ms"
    if found := _HYBRID.fullmatch(text):
        return _hybrid(text, found)
    raise ConfigurationError(f"Invalid value {text} for option 'speculative_retry'")


def _number(text: str, number: str) -> float:
    try:
        return parse_java_double(number)
    except ValueError:
        raise ConfigurationError(f"Invalid value {text} for option 'speculative_retry'") from None


def _percentile(text: str, number: str) -> str:
    percentile = _number(text, number)
    if not 0 < percentile < 100:
        raise ConfigurationError(
            f"Invalid value {text} for PERCENTILE option 'speculative_retry': must be between (0.0 and 100.0)"
        )
    rounded = Decimal(repr(percentile)).quantize(Decimal("0.0001"), ROUND_HALF_EVEN).normalize()
    return f"{rounded:f}p"


def _hybrid(text: str, found: re.Match[str]) -> str:
    policies = []
    for part in (found[2], found[3]):
        try:
            policies.append(speculative_retry(part))
        except ConfigurationError:
            raise ConfigurationError(f"Invalid value {text} for option 'speculative_retry'") from None
    are_fixed = [policy.endswith("ms") for policy in policies]
    if are_fixed[0] == are_fixed[1]:
        kind = "FIXED" if are_fixed[0] else "PERCENTILE"
        raise ConfigurationError(
            f"Invalid value {text} for option 'speculative_retry': MIN()/MAX() arguments should be of different types, "
            f"but both are of type {kind}"
        )
    percentile, fixed = reversed(policies) if are_fixed[0] else policies
    return f"{found[1].upper()}({percentile},{fixed})"


# In the order in which Cassandra reads them: the first bad one is the one that the client hears of. `extensions` is
# known, but nothing reads it.
_READERS: Final = (
    ("allow_auto_snapshot", Properties.boolean),
    ("bloom_filter_fp_chance", Properties.double),
    ("caching", _caching),
    ("comment", Properties.text),
    ("compaction", _compaction),
    ("compression", _compression),
    ("memtable", Properties.text),
    ("default_time_to_live", Properties.integer),
    ("gc_grace_seconds", Properties.integer),
    ("incremental_backups", Properties.boolean),
    ("max_index_interval", Properties.integer),
    ("memtable_flush_period_in_ms", Properties.integer),
    ("min_index_interval", Properties.integer),
    ("speculative_retry", _speculative),
    ("additional_write_policy", _speculative),
    ("crc_check_chance", Properties.double),
    ("cdc", Properties.boolean),
    ("read_repair", _read_repair),
)
