"""Values from the literals of a text, as bytes that stand in the request (grammar/shape_pattern.py).

The kinds of the literals are known before, so each has one function that makes its value; a literal for which that fails
makes the whole not plain, and the general path finds the words for it.

Two ways lead on. An INSERT or UPDATE of literals and constants is what packed_write.py makes of bound terms. Any other text
may have a twin, the same statement with bind markers for the literals: if that has a fast path of EXECUTE, it is given the
request that a client would have sent for the twin.
"""

from binascii import unhexlify
from collections.abc import Callable, Sequence
from struct import Struct
from struct import error as StructError

from cqlserver.plans.fast.packed import INTEGERS, PackedWrite
from cqlserver.plans.plan import OPTIONS_AT, LiteralReader, LiteralWriter, Plan
from cqlserver.terms.bound_terms import Constant, LiteralTerm
from cqlserver.terms.raw_terms import literal_term
from grammar.shape import LITERAL_KINDS
from protocol.requests import SKIP_METADATA, VALUES
from protocol.types import COUNTER, CqlType
from storage.engine import Engine
from storage.keys import KEY_LENGTH_MAX, clustering_order_key, key_composer
from storage.memtable.packed import join_wire_values

Convert = Callable[[bytes], bytes]
"""The value of a literal. Raises ValueError or struct.error."""
_WIRE_HEAD = Struct(">i").pack


def maybe_literal_writer(engine: Engine, packed: PackedWrite, kinds: str) -> LiteralWriter | None:
    """`kinds`: of the literals, as in the shape's key. None where a value is computed, or made of several literals."""
    steps: list[tuple[int, Convert]] = []
    for term, column in zip(packed.terms, packed.columns, strict=True):
        if isinstance(term, LiteralTerm):
            steps.append((term.position, _converter(term, kinds[term.position], column.type)))
        elif isinstance(term, Constant) and isinstance(term.value, bytes):
            steps.append((0, _constantly(term.value)))
        else:
            return None
    return _writer(engine, packed, steps)


def _writer(engine: Engine, packed: PackedWrite, steps: Sequence[tuple[int, Convert]]) -> LiteralWriter:
    table = packed.store.table
    key_count, clustering_count = len(table.partition_key), len(table.clustering)
    compose_key, order_key = key_composer(table), clustering_order_key(table)
    clustering_end = key_count + clustering_count
    write_row = engine.packed_writer(packed.store, packed.layout)

    def write(literals: Sequence[bytes], timestamp: bytes) -> bool:
        try:
            values = [convert(literals[place]) for place, convert in steps]
        except (ValueError, StructError):
            return False
        key = values[0] if key_count == 1 else compose_key(values[:key_count])
        if not 0 < len(key) <= KEY_LENGTH_MAX:
            return False
        ck = order_key(values[key_count:clustering_end]) if clustering_count else b""
        wire_values = b""
        for value in values[key_count:]:
            wire_values += _WIRE_HEAD(len(value)) + value
        write_row(key, ck, timestamp, wire_values)
        return True

    return write


def maybe_literal_reader(twin: Plan, kinds: str, version: int) -> LiteralReader | None:
    """Executes `twin` with literals. None where it has no fast path."""
    fast = twin.maybe_fast(version)
    if fast is None or len(twin.bind_specs) != len(kinds):
        return None
    converters = [
        _converter(literal_term(0, LITERAL_KINDS[kind], spec.type), kind, spec.type)
        for kind, spec in zip(kinds, twin.bind_specs, strict=True)
    ]
    has_metadata = twin.result_metadata is not None
    metadata_id = twin.result_metadata.id if twin.result_metadata is not None else bytes(16)
    start = (bytes(20) + metadata_id)[: OPTIONS_AT[version]]
    count = len(kinds).to_bytes(2, "big")

    def execute(literals: Sequence[bytes], options: bytes, behind: bytes) -> bytes | None:
        try:
            values = [convert(literal) for convert, literal in zip(converters, literals, strict=True)]
        except (ValueError, StructError):
            return None
        flags = int.from_bytes(options[2:], "big")
        if flags & SKIP_METADATA and not has_metadata:
            return None  # the answer of a conditional write has some, which EXECUTE never leaves out
        head = options[:2] + (flags | VALUES).to_bytes(len(options) - 2, "big") + count
        return fast(b"".join((start, head, join_wire_values(values), behind)))

    return execute


def _converter(term: LiteralTerm, kind: str, type_: CqlType) -> Convert:
    name = "bigint" if type_ == COUNTER else type_.cql()
    if kind == "I" and name in INTEGERS:
        pack = INTEGERS[name]
        return lambda literal: pack(int(literal))
    if kind == "H":
        return lambda literal: unhexlify(literal[2:])
    if kind == "S" and name == "text":
        return _text
    parse = term.parse
    if kind == "S":
        return lambda literal: parse(_text(literal).decode())
    return lambda literal: parse(literal.decode())


def _constantly(value: bytes) -> Convert:
    return lambda literal: value


def _text(literal: bytes) -> bytes:
    """What stands between quotes. Raises UnicodeDecodeError."""
    if not literal.isascii():
        literal.decode()
    return literal.replace(b"''", b"'") if b"'" in literal else literal
