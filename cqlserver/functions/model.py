"""What a function is: a name, the types of its arguments and of its result, and how to call it.

Values go in and come out serialised; None is null. Functions hold no state and read no clock: what they need of the
world is a `CallContext`. Native functions live in the keyspace `system`.
"""

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from protocol.types import CqlType, quoted_identifier
from storage.schema.metadata import KeyspaceMetadata

SYSTEM = "system"


class CallContext(Protocol):
    """What functions take from the outside."""

    @property
    def version(self) -> int:
        """The protocol version of the connection."""
        ...

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        ...

    def now_ns_of_day(self) -> int:
        """Nanoseconds since midnight, UTC."""
        ...

    def next_timeuuid(self) -> bytes:
        """A version 1 UUID that is later than all before."""
        ...

    def random_uuid(self) -> bytes:
        """A version 4 UUID."""
        ...

    def user_functions(self, keyspace: KeyspaceMetadata, name: str) -> "Sequence[Function]":
        """The user's functions and aggregates of that name."""
        ...


client_warn: ContextVar[Callable[[str], None] | None] = ContextVar("client_warn", default=None)
"""Who tells the client of the request at work what functions have to say, where somebody does."""

Arguments = Sequence[bytes | None]
ScalarBody = Callable[[Arguments, CallContext], bytes | None]
ColumnName = Callable[[Sequence[str]], str]


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """What scalar functions and aggregates share. `name` has no keyspace: `full_name` has."""

    name: str
    argument_types: tuple[CqlType, ...]
    return_type: CqlType
    keyspace: str = SYSTEM
    may_take_long: bool = False
    """Whether a call may take more than microseconds: a user's function with loops."""
    made_by_factory: bool = False
    """Whether the types were inferred from the arguments: such a call is never an exact match."""
    name_column: ColumnName | None = None

    @property
    def full_name(self) -> str:
        return f"{self.keyspace}.{self.name}"

    @property
    def full_cql_name(self) -> str:
        """With quotes where CQL needs them."""
        return f"{self.keyspace}.{self.name if self.name == 'token' else quoted_identifier(self.name)}"

    @property
    def is_aggregate(self) -> bool:
        return False

    def column_name(self, arguments: Sequence[str]) -> str:
        """How a column of a result is called that holds this call, given the names of its arguments."""
        if self.name_column is not None:
            return self.name_column(arguments)
        return f"{self.full_name}({', '.join(arguments)})"

    def __str__(self) -> str:
        """The signature, as messages print it: 'system.token : (int) -> bigint'."""
        return f"{self.full_cql_name} : ({', '.join(map(signature_type, self.argument_types))}) -> {self.return_type.cql()}"


def signature_type(type_: CqlType) -> str:
    """Types of arguments in signatures: tuples without the frozen<...> around them."""
    text = type_.cql()
    return text[len("frozen<") : -1] if text.startswith("frozen<tuple<") else text


@dataclass(frozen=True, slots=True, eq=False)
class ScalarFunction(Function):
    """One row in, one value out. `is_deterministic`: equal arguments give equal results; `check_constants` looks at the
    arguments that are constant (the others are None) even where there are no rows, and raises InvalidRequest."""

    body: ScalarBody = lambda arguments, context: None
    is_deterministic: bool = True
    check_constants: Callable[[Arguments], object] | None = None

    def call(self, arguments: Arguments, context: CallContext) -> bytes | None:
        """Raises InvalidRequest or FunctionFailure."""
        return self.body(arguments, context)

    def bind(self, context: CallContext) -> "BoundFunction":
        return BoundFunction(self, context)


@dataclass(frozen=True, slots=True)
class BoundFunction:
    """A scalar function with its context: `execute(arguments)`."""

    function: ScalarFunction
    context: CallContext

    @property
    def name(self) -> str:
        return self.function.name

    def execute(self, arguments: Arguments) -> bytes | None:
        return self.function.body(arguments, self.context)


class Aggregate(Protocol):
    """How an aggregate is computed. The state is whatever `add` takes and returns."""

    def start(self) -> Any: ...

    def add(self, state: Any, arguments: Arguments) -> Any:
        """The state with one more row."""
        ...

    def result(self, state: Any) -> bytes | None: ...


@runtime_checkable
class ColumnAggregate(Aggregate, Protocol):
    """One of a single argument that takes many rows at once."""

    def add_values(self, state: Any, values: Sequence[bytes | None]) -> Any:
        """The state with these rows."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class AggregateFunction(Function):
    """Many rows in, one value out."""

    aggregate: Aggregate | None = None

    @property
    def is_aggregate(self) -> bool:
        return True

    def new_state(self) -> Any:
        assert self.aggregate is not None
        return self.aggregate.start()

    def add(self, state: Any, arguments: Arguments) -> Any:
        """The state with one more row; the one given must not be used any more."""
        assert self.aggregate is not None
        return self.aggregate.add(state, arguments)

    @property
    def maybe_of_column(self) -> ColumnAggregate | None:
        """Where it takes many rows at once."""
        aggregate: Any = self.aggregate
        return aggregate if hasattr(aggregate, "add_values") else None

    def result(self, state: Any) -> bytes | None:
        assert self.aggregate is not None
        return self.aggregate.result(state)
