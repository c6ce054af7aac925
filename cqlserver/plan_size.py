"""What a plan takes in memory: measured, as Cassandra measures its prepared statements (QueryProcessor.java, ObjectSizes).

Counted are the objects that were made for the plan: containers, texts, functions with what they hold, the code that was
written for it, and instances of the classes of statements (`_OWN`). What it only refers to is shared, and not counted: the
schema, types, stores, the node.
"""

import gc
import sys
from collections.abc import Callable, Sequence
from enum import Enum
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MethodType

from cqlserver.plans.fast.values import shared_heads
from storage.packed_writes import U16_HEADS

_OWN = (
    "cqlserver.plans.", "cqlserver.terms.", "cqlserver.restrictions.", "cqlserver.selection.", "cqlserver.statements",
    "grammar.", "protocol.metadata", "protocol.responses", "storage.projection",
)  # fmt: skip
"""Modules whose instances belong to a plan."""
_BUILTIN = (
    tuple, list, dict, set, frozenset, str, bytes, int, float, CellType, CodeType, FunctionType, MethodType,
    BuiltinFunctionType,
)  # fmt: skip
SMALL_BYTES, SMALL_TEXT_CHARS, SMALL_COLUMNS = 20_000, 128, 30
"""A plan of a text of so few characters, about tables of so few columns, takes so much, and need not be measured."""
_SHARED = (bool, Enum, type)
_PER_PAUSE = 500
_ALLOCATOR_BYTES = 16
"""What an object takes beside its own size: blocks are multiples of sixteen, and not all are taken."""


def measured_bytes(parts: Sequence[object], pause: Callable[[], None]) -> int:
    """Of everything that hangs on these and on nothing else. `pause` is called now and then."""
    found = [*parts]
    seen = {*map(id, found), *map(id, shared_heads()), id(U16_HEADS)}
    total = looked_at = 0
    own: dict[type, bool] = {}
    size_of, referents = sys.getsizeof, gc.get_referents
    while found:
        one = found.pop()
        looked_at += 1
        if not looked_at % _PER_PAUSE:
            pause()
        kind = type(one)
        is_own = own.get(kind)
        if is_own is None:
            is_own = own[kind] = _is_own(kind)
        if not is_own:
            continue
        total += size_of(one) + _ALLOCATOR_BYTES
        for other in _of_function(one) if isinstance(one, FunctionType) else referents(one):
            if id(other) not in seen:
                seen.add(id(other))
                found.append(other)
    return total


def _is_own(kind: type) -> bool:
    if issubclass(kind, _SHARED):
        return False
    return issubclass(kind, _BUILTIN) or kind.__module__.startswith(_OWN)


def _of_function(function: FunctionType) -> list[object]:
    """What a function holds. Its module and its code are everybody's, but for one that was written for the plan."""
    held: list[object] = [*(function.__closure__ or ()), function.__defaults__, function.__kwdefaults__]
    names = function.__globals__
    if "__spec__" not in names:
        held.append(function.__code__)
        held += [value for name, value in names.items() if name != "__builtins__"]
    return held
