"""A packed row from the literals of a text, as bytes that stand in the request (grammar/shape_pattern.py).

What packed_write.py does with bound terms, for the commonest of QUERY: an INSERT or UPDATE of literals and constants. The
kinds of the literals are known before, so each column has one function from a literal to its value; a literal for which
that fails makes the whole not plain, and the general path finds the words for it.
"""

from binascii import unhexlify
from collections.abc import Callable, Sequence
from struct import Struct
from struct import error as StructError

from cqlserver.bound_terms import Constant, LiteralTerm
from cqlserver.plans.packed_write import INTEGERS, PackedWrite
from cqlserver.plans.plan import LiteralWriter
from protocol.types import CqlType
from storage.engine import Engine
from storage.keys import KEY_LENGTH_MAX, clustering_order_key, key_composer

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
        for value in values[key_count:]:
            timestamp += _WIRE_HEAD(len(value)) + value
        write_row(key, ck, timestamp)
        return True

    return write


def _converter(term: LiteralTerm, kind: str, type_: CqlType) -> Convert:
    name = type_.cql()
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
