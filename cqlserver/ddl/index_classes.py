"""The kinds of index that USING names: the classes there are, and what each of them takes (schema/IndexMetadata.java,
validate; index/sai/StorageAttachedIndex.java, validateOptions)."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from cqlserver.java_order import hash_ordered
from protocol.errors import ConfigurationError, InvalidRequest
from protocol.types import (
    ASCII,
    BIGINT,
    BOOLEAN,
    DATE,
    DECIMAL,
    DOUBLE,
    FLOAT,
    INET,
    INT,
    SMALLINT,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMEUUID,
    TINYINT,
    UUID,
    VARINT,
    CqlType,
    MapType,
    TupleType,
    UserType,
    VectorType,
)
from storage.indexes.analysis import ANALYSIS_OPTIONS
from storage.indexes.attached import SAI_CLASS, java_class
from storage.indexes.sasi import (
    ANALYZER_CLASS,
    ANALYZERS,
    MODE,
    MODES,
    NO_OP,
    NON_TOKENIZING,
    SASI_CLASS,
    SPARSE,
    analyzer_fault,
    is_analyzed,
    sasi_mode,
)
from storage.indexes.target import CLASS_OPTION, TARGET_OPTION, IndexTarget, TargetKind, maybe_target, value_type
from storage.indexes.vector_scores import COSINE, DOT_PRODUCT, EUCLIDEAN
from storage.indexes.vectors import SIMILARITY
from storage.schema.metadata import ColumnKind, ColumnMetadata, IndexMetadata, TableMetadata

_NODE_CONNECTIONS: Final = "maximum_node_connections"
_BEAM_WIDTH: Final = "construction_beam_width"
_OPTIMIZE_FOR: Final = "optimize_for"
_VECTOR_OPTIONS: Final = (_NODE_CONNECTIONS, _BEAM_WIDTH, SIMILARITY, _OPTIMIZE_FOR)
_SAI_OPTIONS: Final = frozenset((TARGET_OPTION, CLASS_OPTION, *_VECTOR_OPTIONS, *ANALYSIS_OPTIONS))
_NORMALIZATIONS: Final = frozenset(("normalize_lowercase", "normalize_uppercase"))
_SIMILARITIES: Final = (EUCLIDEAN, DOT_PRODUCT, COSINE)
_OPTIMIZATIONS: Final = ("LATENCY", "RECALL")
_SAI_TYPES: Final = (
    ASCII, BIGINT, DATE, DOUBLE, FLOAT, INT, SMALLINT, TEXT, TIME, TIMESTAMP, TIMEUUID, TINYINT, UUID, INET, VARINT, DECIMAL,
    BOOLEAN,
)  # fmt: skip
_VECTOR_WARNING: Final = (
    "SAI ANN indexes on vector columns are experimental and are not recommended for production use.\n"
    "They don't yet support SELECT queries with:\n"
    " * Consistency level higher than ONE/LOCAL_ONE.\n"
    " * Paging.\n"
    " * No LIMIT clauses.\n"
    " * PER PARTITION LIMIT clauses.\n"
    " * GROUP BY clauses.\n"
    " * Aggregation functions.\n"
    " * Filters on columns without a SAI index."
)

Warn = Callable[[str], None]


def check_class(table: TableMetadata, index: IndexMetadata, warn: Warn) -> None:
    """Raises ConfigurationError or InvalidRequest for a class that isn't, and for what it does not take."""
    check = _CLASSES.get(java_class(index.options[CLASS_OPTION]))
    if check is None:
        raise ConfigurationError(f"Unable to find custom indexer class '{java_class(index.options[CLASS_OPTION])}'")
    check(table, index, warn)


def standing_warnings(table: TableMetadata) -> list[str]:
    """What Cassandra says of a table's indexes whenever it validates the table anew."""
    for index in table.indexes.values():
        target = maybe_target(table, index)
        is_attached = java_class(index.options.get(CLASS_OPTION, "")) == SAI_CLASS
        if is_attached and target is not None and isinstance(value_type(target), VectorType):
            return [_VECTOR_WARNING]
    return []


def _check_sai(table: TableMetadata, index: IndexMetadata, warn: Warn) -> None:
    options = index.options
    unknown = [name for name in hash_ordered(options) if name not in _SAI_OPTIONS]
    if unknown:
        raise ConfigurationError(f"Properties specified [{', '.join(unknown)}] are not understood by StorageAttachedIndex")
    text = options[TARGET_OPTION]
    if "," in text:
        raise InvalidRequest(f"A storage-attached index cannot be created over multiple columns: {text}")
    target = maybe_target(table, index)
    if target is None:
        raise InvalidRequest(f"Failed to retrieve target column for: {text}")
    column = target.column
    for other in table.indexes.values():
        if java_class(other.options.get(CLASS_OPTION, "")) == SAI_CLASS and maybe_target(table, other) == target:
            raise InvalidRequest(f"Cannot create more than one storage-attached index on the same column: {column.name}")
    analysis = {name: value for name, value in options.items() if name in ANALYSIS_OPTIONS}
    if column.is_primary_key and analysis:
        text = ", ".join(f"'{name}': '{analysis[name]}'" for name in hash_ordered(analysis))
        raise InvalidRequest(f"Analysis options are not supported on primary key columns, but found {{{text}}}")
    term_type = value_type(target)
    type_text = _type_text(target)
    if analysis:
        _check_analysis(analysis, term_type, type_text)
    similarity = _check_vector_options(options, target, type_text)
    is_of_entries = target.is_of_elements and target.kind is TargetKind.ENTRIES
    if is_of_entries:
        assert isinstance(column.type, MapType)
        for part in (column.type.keys, column.type.values):
            if part not in _SAI_TYPES and not _is_frozen(part):
                raise InvalidRequest(f"Unsupported type: {part.cql()}")
        return
    if term_type not in _SAI_TYPES and not _is_frozen(term_type):
        raise InvalidRequest(f"Unsupported type: {type_text}")
    if isinstance(term_type, VectorType):
        if term_type.elements != FLOAT:
            raise InvalidRequest("SAI ANN indexes are only allowed on vector columns with float elements")
        if term_type.dimension == 1 and similarity == COSINE:
            raise InvalidRequest("Cosine similarity is not supported for single-dimension vectors")
        warn(_VECTOR_WARNING)


def _type_text(target: IndexTarget) -> str:
    return value_type(target).cql()


def _is_frozen(type_: CqlType) -> bool:
    return bool(type_.referenced_types) or isinstance(type_, TupleType | UserType | VectorType)


def _check_analysis(options: Mapping[str, str], type_: CqlType, type_text: str) -> None:
    if type_ not in (TEXT, ASCII):
        raise InvalidRequest(f"CQL type {type_text} cannot be analyzed.")
    for name in hash_ordered(options):
        value = options[name]
        if not value:
            raise InvalidRequest(f"Empty value for boolean option '{name}'")
        if value.lower() not in ("true", "false"):
            raise InvalidRequest(f"Illegal value for boolean option '{name}': {value}")


def _check_vector_options(options: Mapping[str, str], target: IndexTarget, type_text: str) -> str:
    """The similarity function (index/sai/disk/v1/IndexWriterConfig.java)."""
    if not any(name in options for name in _VECTOR_OPTIONS):
        return COSINE
    if not isinstance(value_type(target), VectorType):
        raise InvalidRequest(f"CQL type {type_text} cannot have vector options")
    if _NODE_CONNECTIONS in options:
        raise InvalidRequest("Maximum node connections cannot be set without enabling SAI_VECTOR_ALLOW_CUSTOM_PARAMETERS")
    if _BEAM_WIDTH in options:
        raise InvalidRequest("Construction beam width cannot be set without enabling SAI_VECTOR_ALLOW_CUSTOM_PARAMETERS")
    similarity = options.get(SIMILARITY, COSINE).upper()
    if similarity not in _SIMILARITIES:
        raise InvalidRequest(
            f"Similarity function {similarity} was not recognized for index null. Valid values are: "
            f"{', '.join(_SIMILARITIES)}"
        )
    optimize_for = options.get(_OPTIMIZE_FOR, "LATENCY").upper()
    if optimize_for not in _OPTIMIZATIONS:
        raise InvalidRequest(
            f"optimize_for '{optimize_for}' was not recognized for index null. Valid values are: {', '.join(_OPTIMIZATIONS)}"
        )
    return similarity


def _check_sasi(table: TableMetadata, index: IndexMetadata, warn: Warn) -> None:
    """index/sasi/SASIIndex.java, validateOptions."""
    options = index.options
    target = maybe_target(table, index)
    if target is None:
        raise ConfigurationError(f"failed to retrieve target column for: {options[TARGET_OPTION]}")
    column = target.column
    if column.type.is_multicell:
        raise ConfigurationError("complex columns are not yet supported by SASI")
    if column.kind is ColumnKind.PARTITION_KEY:
        raise ConfigurationError("partition key columns are not yet supported by SASI")
    _check_sasi_analyzer(options, column)
    if options.get(MODE, SPARSE).upper() not in MODES:
        raise ConfigurationError(f"Incorrect index mode: {options[MODE]}")
    is_literal = column.type in (TEXT, ASCII) and not column.reversed
    if sasi_mode(options) == SPARSE and is_literal:
        raise ConfigurationError("SPARSE mode is only supported on non-literal columns.")
    if sasi_mode(options) == SPARSE and is_analyzed(options):
        raise ConfigurationError("SPARSE mode doesn't support analyzers.")


def _check_sasi_analyzer(options: Mapping[str, str], column: ColumnMetadata) -> None:
    name = options.get(ANALYZER_CLASS)
    is_literal = column.type in (TEXT, ASCII) and not column.reversed
    if name is not None and name not in ANALYZERS:
        raise ConfigurationError(f"Invalid analyzer class option specified [{name}]")
    if name not in (None, NO_OP) and not is_literal:
        assert name is not None
        raise ConfigurationError(f"{name.rpartition('.')[2]} does not support type {column.type.cql()}")
    if name == NON_TOKENIZING and "case_sensitive" in options and _NORMALIZATIONS & options.keys():
        raise ConfigurationError(
            "case_sensitive option cannot be specified together with either normalize_lowercase or normalize_uppercase"
        )
    fault = analyzer_fault(options) if is_literal else None
    if fault is not None:
        raise InvalidRequest(fault)


_Check = Callable[[TableMetadata, IndexMetadata, Warn], None]
_CLASSES: Final[Mapping[str, _Check]] = MappingProxyType({SAI_CLASS: _check_sai, SASI_CLASS: _check_sasi})
