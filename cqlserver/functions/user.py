"""User-defined functions and aggregates at work: metadata -> functions that can be called (functions/UDFunction.java,
UDAggregate.java).

A body is compiled when its function is created, to see whether it can be, and again when a statement first calls it after
a start. A function that does not compile any more is there all the same, and says so when it is called.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from cqlserver.functions.model import (
    AggregateFunction,
    Arguments,
    CallContext,
    Function,
    ScalarFunction,
    client_warn,
    signature_type,
)
from cqlserver.java.errors import CompileError, ExecutionLimit, JavaThrow, Throwable
from cqlserver.java.values import text_of, units_of
from protocol.errors import FunctionFailure, InvalidRequest, RequestError
from protocol.types import CqlType, UserType
from storage.environment.strands import long_work, pause
from storage.schema.metadata import AggregateMetadata, FunctionMetadata, KeyspaceMetadata, Schema, Signature
from storage.schema.type_text import parse_type

if TYPE_CHECKING:
    from cqlserver.java.run import Run

DISABLED = "User-defined functions are disabled in cassandra.yaml - set user_defined_functions_enabled=true to enable"
ONLY_JAVA = "Currently only Java UDFs are available in Cassandra. For more information - CASSANDRA-18252 and CASSANDRA-17281"


class World(Protocol):
    """What executing functions takes from the node."""

    def now_ms(self) -> int: ...
    def monotonic(self) -> float: ...


def assert_enabled(is_enabled: bool, language: str) -> None:
    """Raises InvalidRequest."""
    if not is_enabled:
        raise InvalidRequest(DISABLED)
    if language.lower() != "java":
        raise InvalidRequest(ONLY_JAVA)


def load_function(function: FunctionMetadata, types: Mapping[str, UserType]) -> Any:
    """The compiled body (java.program.Program). Raises InvalidRequest with the compiler's problems."""
    from cqlserver.java.program import Declaration, compile_body

    declaration = Declaration(
        function.keyspace,
        function.name,
        function.argument_names,
        function.argument_types,
        function.return_type,
        not function.called_on_null_input,
        types,
        lambda text: parse_type(text, types),
    )
    try:
        return compile_body(declaration, function.body)
    except CompileError as error:
        raise InvalidRequest(_complaint(error, function.body)) from None


def _complaint(error: CompileError, source: str) -> str:
    if error.is_refused:
        return f"Java UDF validation failed: [{', '.join(problem.message for problem in error.problems)}]"
    lines = []
    for problem in error.problems:
        where = f"Line {problem.line}" if problem.line else "GENERATED SOURCE ERROR: line 1 (in generated source)"
        lines.append(f"{where}: {problem.message}\n")
    text = f"Java source compilation failed:\n{''.join(lines)}"
    if error.problems[0].line:
        return text
    return f"{text}\n generated source:\n{source}"  # Cassandra shows the class around it, too


class Settings(Protocol):
    """Of cassandra.yaml."""

    @property
    def user_defined_functions_enabled(self) -> bool: ...
    @property
    def user_defined_functions_warn_timeout_ms(self) -> int: ...
    @property
    def user_defined_functions_fail_timeout_ms(self) -> int: ...


class _Body:
    """A function's program with its types; `call` takes and gives Java values, `execute` serialised ones."""

    __slots__ = (
        "_broken",
        "_decoders",
        "_encode",
        "_look_at_clock",
        "_new_run",
        "_now_ms",
        "_program",
        "_run",
        "called_on_null",
        "metadata",
        "settings",
        "shown",
        "world",
    )

    def __init__(
        self, metadata: FunctionMetadata, types: Mapping[str, UserType], settings: Settings, world: World
    ) -> None:
        from cqlserver.java.codecs import encoder, nullable_decoder
        from cqlserver.java.run import Run

        self.metadata, self.settings, self.world = metadata, settings, world
        self.called_on_null = metadata.called_on_null_input
        types_shown = ", ".join(map(signature_type, metadata.argument_types))
        self.shown = f"{metadata.keyspace}.{metadata.name} : ({types_shown}) -> {metadata.return_type.cql()}"
        self._new_run = Run
        self._look_at_clock, self._now_ms = self.look, world.now_ms
        self._decoders = [nullable_decoder(type_) for type_ in metadata.argument_types]
        self._encode = encoder(metadata.return_type)
        self._broken: str | None = None
        self._program: Any = None
        self._run: Callable[[Any, Sequence[Any]], Any] = self._refuse
        try:
            assert_enabled(settings.user_defined_functions_enabled, metadata.language)
            self._program = load_function(metadata, types)
            self._run = self._program.run
        except InvalidRequest as error:
            self._broken = error.message

    @property
    def has_loops(self) -> bool:
        return self._program is not None and bool(self._program.has_loops)

    def execute(self, arguments: Arguments, context: CallContext | None = None) -> bytes | None:
        """Raises InvalidRequest and FunctionFailure."""
        values = [decode(argument) for decode, argument in zip(self._decoders, arguments, strict=True)]
        if not self.called_on_null and None in values:
            self._assert_enabled()
            return None
        try:
            value = self._run(self._new_run(self._look_at_clock, self._now_ms), values)
            return None if value is None else self._encode(value)
        except JavaThrow as error:
            raise self._failure(_as_runtime(error.throwable)) from None
        except ExecutionLimit as error:
            raise self._failure(error.message) from None

    def call(self, values: Sequence[Any]) -> Any:
        try:
            return self._run(self._new_run(self._look_at_clock, self._now_ms), values)
        except JavaThrow as error:
            raise self._failure(_as_runtime(error.throwable)) from None
        except ExecutionLimit as error:
            raise self._failure(error.message) from None

    def encoded(self, value: Any) -> bytes | None:
        try:
            return None if value is None else self._encode(value)
        except JavaThrow as error:
            raise self._failure(_as_runtime(error.throwable)) from None

    def _assert_enabled(self) -> None:
        assert_enabled(self.settings.user_defined_functions_enabled, self.metadata.language)

    def _refuse(self, run: Any, values: Sequence[Any]) -> Any:
        """In place of a program that is not there."""
        self._assert_enabled()
        raise InvalidRequest(
            f"Function '{self.shown}' exists but hasn't been loaded successfully for the following reason: {self._broken}. "
            "Please see the server log for details"
        )

    def look(self, run: "Run") -> None:
        """Others may run here; raises when the function has run too long."""
        settings, now_s = self.settings, self.world.monotonic()
        if not run.deadline_s:
            long_work()
            run.deadline_s = now_s + settings.user_defined_functions_fail_timeout_ms / 1000
            warn_ms = settings.user_defined_functions_warn_timeout_ms
            run.warning_s = now_s + warn_ms / 1000 if warn_ms > 0 else run.deadline_s
        elif now_s > run.deadline_s:
            raise ExecutionLimit(
                f"java.util.concurrent.TimeoutException: User defined function {self.shown} ran longer than "
                f"{settings.user_defined_functions_fail_timeout_ms}ms"
            )
        elif now_s > run.warning_s:
            run.warning_s = run.deadline_s
            warn = client_warn.get()
            if warn is not None:
                warn(
                    f"User defined function {self.shown} ran longer than {settings.user_defined_functions_warn_timeout_ms}ms"
                )
        pause()

    def _failure(self, message: str) -> RequestError:
        metadata = self.metadata
        types = tuple(type_.cql() for type_ in metadata.argument_types)
        return FunctionFailure(text_of(units_of(message)), metadata.keyspace, metadata.name, types)


def _as_runtime(thrown: Throwable) -> str:
    """Functions run in a thread of their own: what is no RuntimeException comes out of it as the cause of one."""
    from cqlserver.java.classes import supertypes
    from cqlserver.java.types import ClassType, as_super

    if as_super(ClassType(thrown.class_name), "java.lang.RuntimeException", supertypes) is not None:
        return thrown.text()
    return f"java.lang.RuntimeException: {thrown.text()}"


class _UserAggregate:
    """The state is a Java value from row to row."""

    def __init__(self, state: _Body, final: _Body | None, state_type: CqlType, initial: bytes | None) -> None:
        from cqlserver.java.codecs import encoder, nullable_decoder

        self._state, self._final, self._initial = state, final, initial
        self._decode, self._encode = nullable_decoder(state_type), encoder(state_type)
        self._decoders = [nullable_decoder(type_) for type_ in state.metadata.argument_types[1:]]

    def start(self) -> Any:
        return self._decode(self._initial)

    def add(self, state: Any, arguments: Arguments) -> Any:
        body = self._state
        values = [decode(argument) for decode, argument in zip(self._decoders, arguments, strict=True)]
        if not body.called_on_null:
            if None in values:
                return state
            if state is None:
                return None
        return body.call([state, *values])

    def result(self, state: Any) -> bytes | None:
        if self._final is None:
            return None if state is None else self._state.encoded(state)
        if state is None and not self._final.called_on_null:
            return None
        return self._final.encoded(self._final.call([state]))


class UserFunctions:
    """The user's functions of a node, loaded when they are first named. `schema` gives the schema of the moment."""

    def __init__(self, schema: Callable[[], Schema], settings: Settings, world: World) -> None:
        self._schema, self._settings, self._world = schema, settings, world
        self._loaded: dict[str, tuple[KeyspaceMetadata, dict[Signature, Function]]] = {}
        self._bodies: dict[tuple[str, Signature], _Body] = {}
        self._aggregates: dict[tuple[str, Signature], tuple[AggregateMetadata, Function]] = {}

    def named(self, keyspace: KeyspaceMetadata, name: str) -> list[Function]:
        """Functions and aggregates of that name, in the order in which they stand in the schema."""
        if not keyspace.functions:
            return []
        functions = [self._function(f, keyspace) for s, f in keyspace.functions.items() if s[0] == name]
        aggregates = [self._aggregate(a, keyspace) for s, a in keyspace.aggregates.items() if s[0] == name]
        return [*functions, *aggregates]

    def _body(self, function: FunctionMetadata, keyspace: KeyspaceMetadata) -> _Body:
        key = (keyspace.name, function.signature)
        found = self._bodies.get(key)
        if found is None or found.metadata is not function:
            if len(self._bodies) > 2 * len(keyspace.functions) + 100:
                self._forget_dropped()
            types = _LiveTypes(self._schema, keyspace.name)
            found = self._bodies[key] = _Body(function, types, self._settings, self._world)
        return found

    def _forget_dropped(self) -> None:
        keyspaces = self._schema().keyspaces
        for key in list(self._bodies):
            keyspace = keyspaces.get(key[0])
            if keyspace is None or key[1] not in keyspace.functions:
                del self._bodies[key]
        for key in list(self._aggregates):
            keyspace = keyspaces.get(key[0])
            if keyspace is None or key[1] not in keyspace.aggregates:
                del self._aggregates[key]

    def _function(self, function: FunctionMetadata, keyspace: KeyspaceMetadata) -> Function:
        body = self._body(function, keyspace)
        return ScalarFunction(
            function.name,
            function.argument_types,
            function.return_type,
            function.keyspace,
            may_take_long=body.has_loops,
            body=body.execute,
            is_deterministic=False,
        )

    def _aggregate(self, aggregate: AggregateMetadata, keyspace: KeyspaceMetadata) -> Function:
        """As it was when it was created: that a function of it is replaced, an aggregate learns at a start only."""
        key = (keyspace.name, aggregate.signature)
        found = self._aggregates.get(key)
        if found is None or found[0] is not aggregate:
            found = self._aggregates[key] = (aggregate, self._made_aggregate(aggregate, keyspace))
        return found[1]

    def _made_aggregate(self, aggregate: AggregateMetadata, keyspace: KeyspaceMetadata) -> Function:
        signatures = aggregate.function_signatures
        state = self._body(keyspace.functions[signatures[0]], keyspace)
        final = self._body(keyspace.functions[signatures[1]], keyspace) if len(signatures) > 1 else None
        initial = None
        if aggregate.initcond is not None:
            initial = _literal_value(aggregate.initcond, aggregate.state_type)
        return AggregateFunction(
            aggregate.name,
            aggregate.argument_types,
            aggregate.return_type,
            aggregate.keyspace,
            may_take_long=state.has_loops or (final is not None and final.has_loops),
            aggregate=_UserAggregate(state, final, aggregate.state_type, initial),
        )


class _LiveTypes(Mapping[str, UserType]):
    """The user types of a keyspace as they are at the moment."""

    def __init__(self, schema: Callable[[], Schema], keyspace: str) -> None:
        self._schema, self._keyspace = schema, keyspace

    def _types(self) -> Mapping[str, UserType]:
        found = self._schema().keyspaces.get(self._keyspace)
        return {} if found is None else found.types

    def __getitem__(self, name: str) -> UserType:
        return self._types()[name]

    def __iter__(self) -> Any:
        return iter(self._types())

    def __len__(self) -> int:
        return len(self._types())


def _literal_value(text: str, type_: CqlType) -> bytes | None:
    """The value of a literal that `to_literal` wrote."""
    from uuid import UUID

    from cqlserver.terms.binding import BindContext
    from cqlserver.terms.terms import raw_term
    from grammar.parser import parse
    from grammar.tree import Insert
    from protocol.responses import ColumnSpec
    from storage.schema.metadata import TableMetadata

    statement = parse(f"INSERT INTO a.b (c) VALUES ({text})")
    assert isinstance(statement, Insert), statement
    table = TableMetadata("", "", UUID(int=0), ())
    binding = BindContext(table, Schema({}), (), _NoCalls())
    found = raw_term(statement.values[0], binding).prepare(ColumnSpec("", "", "", type_)).bind(())
    return found if isinstance(found, bytes) else None


class _NoCalls:
    """Literals call nothing."""

    version = 5

    def now_ms(self) -> int:
        raise AssertionError

    now_ns_of_day = now_ms

    def next_timeuuid(self) -> bytes:
        raise AssertionError

    random_uuid = next_timeuuid

    def user_functions(self, keyspace: KeyspaceMetadata, name: str) -> Sequence[Function]:
        return ()
