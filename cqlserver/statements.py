"""From a request to its plan: plans by statement id, by text, by shape; and what QUERY, PREPARE, EXECUTE and BATCH do.

A text is parsed once: afterwards it is found as it is or, when only its literals differ, by its shape (grammar/shape.py).
Plans are compiled against the schema; `schema_changed` drops those that a change concerns. A prepared statement whose
table changed is forgotten, and the client told so (UNPREPARED), so that it prepares anew and sees the new metadata, as
with Cassandra.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, cast

from cqlserver.paging import check_paging_state
from cqlserver.pending import Pending
from cqlserver.plan_cache import PlanCache
from cqlserver.plan_size import SMALL_BYTES, SMALL_TEXT_CHARS, measured_bytes
from cqlserver.plans.plan import PATTERN_BYTES, PATTERNS_TOTAL_MAX, FastPath, KnownShapes, Plan, QueryPath
from cqlserver.state import ClientState
from grammar import tree
from grammar.errors import CqlNestingError, CqlTooLongError
from grammar.errors import CqlSyntaxError as GrammarError
from grammar.parser import parse
from grammar.shape import parse_shaped, shape
from grammar.shape_pattern import KEY_CHARS_MAX
from protocol.errors import CqlSyntaxError, InvalidRequest, ProtocolError, RequestError, ServerError, Unprepared
from protocol.metadata import EMPTY_METADATA, PreparedMetadata, ResultMetadata, prepared_id
from protocol.primitives import Value
from protocol.requests import Batch, Execute, QueryOptions
from protocol.responses import PreparedResult, Response, Result, RowsResult
from storage.environment.strands import TooLong, let_go_later, let_go_wholly, long_work, pause, paused

TEXTS_BYTES_MAX = 8 << 20
"""Plans of unprepared texts kept, and as many of shapes."""
TEXT_CHARS_MAX = 8_192
"""A longer text or shape is compiled each time: few clients send one twice, and a few of them would take all the room."""
TRIED_MAX = 1_000
"""Shapes of which is remembered that nothing can be gained with them."""
BATCHES_BYTES_MAX = 8 << 20
"""Combinations of prepared statements in BATCH messages whose plans are kept."""
VERSIONS = 3
PLANS_BYTES_MAX = 2 * TEXTS_BYTES_MAX + BATCHES_BYTES_MAX + VERSIONS * PATTERNS_TOTAL_MAX * PATTERN_BYTES
"""All of these, and the shapes that each version of the protocol knows by patterns."""
BATCH_BYTES, BATCH_ENTRY_BYTES = 2_000, 100
"""What such a plan takes, and each of its entries, beside the statements' plans."""
PROBATION_SHARE = 0.25
"""Of the prepared statements' room: those who were used longest ago have to show whether they still are."""
MARKERS_MAX = 65_535
BATCH_ENTRIES_KEPT_MAX = 8_000
"""A longer batch is compiled each time: what it takes would be let go of at once when it has to make room."""
BATCH_ENTRIES_PER_GO = 200
"""Of a BATCH message with more of them others must be able to interrupt the work: an entry takes some ten microseconds."""


class StatementCompiler(Protocol):
    """What turns trees into plans (plans/compiler.py)."""

    def compile(self, statement: tree.Statement, text: str, state: ClientState, keyspace: str | None, shaped: bool) -> Plan:
        """`shaped`: literals are markers. Raises RequestError."""
        ...

    def check_prepared(self, plan: Plan, state: ClientState) -> None:
        """What PREPARE checks beside compiling. Raises RequestError."""
        ...

    @property
    def check(self) -> Callable[[ClientState, Plan], None] | None:
        """Whether a client may execute a plan, where somebody asks. Raises RequestError."""
        ...

    def batch_of_message(self, request: Batch, plans: Sequence[Plan]) -> Plan: ...

    def has_small_tables(self, plan: Plan) -> bool:
        """Whether its tables have so few columns that a short statement about them is small."""
        ...

    def check_keyspace(self, name: str) -> None:
        """Raises InvalidRequest when there is no keyspace of that name."""
        ...

    def fast_query(
        self, plan_of_shape: Callable[[tuple[str | None, str]], Plan | None], known: KnownShapes, version: int
    ) -> QueryPath: ...

    def learn_twin(
        self,
        known: KnownShapes,
        plan: Plan,
        keyspace: str | None,
        key: str,
        compile_text: Callable[[str], Plan | None],
        version: int,
    ) -> None:
        """Makes texts of a shape known to the hot path of QUERY, where they fit; `plan`: the shape's."""
        ...

    def fast_batch(self, plan_of_id: Callable[[bytes], Plan | None], version: int) -> FastPath: ...


@dataclass(slots=True)
class Prepared:
    """A prepared statement. `keyspace`: what USE had chosen when it was prepared, None if its names are qualified; `size`:
    bytes, without fast paths, of which each takes `fast_size`, and `fast_count` are reckoned with."""

    id: bytes
    text: str
    plan: Plan
    keyspace: str | None
    is_qualified: bool
    response: PreparedResult
    size: int = 0
    fast_size: int = 0
    fast_count: int = 0

    @property
    def tables_keyspace(self) -> str | None:
        """Where the statement's tables are looked for; statements about other things than rows have none."""
        return self.keyspace if self.plan.tables else None


class Statements:
    """The statement caches of one node, and what serves the four kinds of requests that carry statements."""

    def __init__(self, compiler: StatementCompiler, prepared_bytes_max: int, warn: Callable[[str], None]) -> None:
        self._compiler = compiler
        self._check = compiler.check
        self._warn = warn
        self._prepared: PlanCache[bytes, Prepared] = PlanCache(prepared_bytes_max, self._left)
        self.evicted_count = 0
        self._probation: set[bytes] = set()
        """Prepared statements without a fast path, so that their next use is seen: fast paths don't tell of theirs."""
        self._query_paths: dict[int, QueryPath] = {}
        self._batch_paths: dict[int, FastPath] = {}
        self._batches: PlanCache[tuple[int, tuple[Plan, ...]], Plan] = PlanCache(BATCHES_BYTES_MAX)
        self._fast: dict[int, dict[bytes, FastPath]] = {}
        self._texts: PlanCache[tuple[str | None, str], Plan] = PlanCache(TEXTS_BYTES_MAX)
        self._shapes: PlanCache[tuple[str | None, str], Plan] = PlanCache(TEXTS_BYTES_MAX)
        self._known_shapes: dict[int, KnownShapes] = {}
        self._tried_twins: set[tuple[int, str | None, str]] = set()
        self._unshared: dict[bytes, None] = {}
        """Shapes, by an id as of prepared ones, whose texts have no plan in common. A change of the schema may make one
        possible, so it empties this."""

    @property
    def prepared_count(self) -> int:
        return len(self._prepared)

    def fast_paths(self, version: int) -> dict[bytes, FastPath]:
        """Statement id -> fast path, for the bodies of this protocol version."""
        paths = self._fast.get(version)
        if paths is None:
            paths = self._fast[version] = {}
            self._probation.update(self._prepared)  # each gets its path at its next use
        return paths

    def fast_query(self, version: int) -> QueryPath:
        """The hot path of QUERY."""
        path = self._query_paths.get(version)
        if path is None:
            path = self._query_paths[version] = self._compiler.fast_query(self._shapes.get, self._known_of(version), version)
        return path

    def _known_of(self, version: int) -> KnownShapes:
        return self._known_shapes.setdefault(version, {})

    def fast_batch(self, version: int) -> FastPath:
        """The hot path of BATCH."""
        path = self._batch_paths.get(version)
        if path is None:
            path = self._batch_paths[version] = self._compiler.fast_batch(self._maybe_plan, version)
        return path

    def _maybe_plan(self, statement_id: bytes) -> Plan | None:
        prepared = self.maybe_prepared(statement_id)
        return prepared.plan if prepared is not None else None

    def _add_fast(self, prepared: Prepared) -> None:
        """The fast paths that it hasn't got. It is the one used last."""
        count = 0
        for version, paths in self._fast.items():
            if prepared.id not in paths:
                fast = prepared.plan.maybe_fast(version) if version else None
                if fast is None:
                    continue
                paths[prepared.id] = fast
            count += 1
        if count > prepared.fast_count:
            more, prepared.fast_count = count - prepared.fast_count, count
            self._prepared.grow(prepared.id, more * prepared.fast_size)

    # --- QUERY ---------------------------------------------------------------------------------------------------------

    def query(self, state: ClientState, text: str, options: QueryOptions) -> "Response | Pending[Response]":
        check_paging_state(options.paging_state)
        keyspace = self._keyspace(options.keyspace, state)
        if options.page_size == 0:
            raise ProtocolError("The page size cannot be 0")
        plan, literals = self._plan_of(state, text, keyspace)
        if state.trace is not None:
            state.trace.preparing()
        if options.names is not None:
            options = in_order(options, plan)
        if len(options.values) != len(plan.bind_specs):
            raise InvalidRequest("Invalid amount of bind variables")
        if literals:
            outcome = self._execute_shaped(state, text, keyspace, plan, options._replace(values=options.values + literals))
        else:
            outcome = self._run(state, plan, options)
        if options.skip_metadata:
            return _then(outcome, lambda result: _skipped(result, True))
        return outcome

    def _execute_shaped(
        self, state: ClientState, text: str, keyspace: str | None, plan: Plan, options: QueryOptions
    ) -> "Result | Pending[Result]":
        """An error of the execution comes behind those of literals, which a compilation of the text itself finds first."""
        try:
            return self._run(state, plan, options)
        except RequestError:
            self.compile(state, text, keyspace)
            raise

    def _run(self, state: ClientState, plan: Plan, options: QueryOptions) -> "Result | Pending[Result]":
        if self._check is not None:
            self._check(state, plan)
        state.meters = plan.meters(options.consistency)
        return plan.execute(state, options)

    def _keyspace(self, of_request: str | None, state: ClientState) -> str | None:
        """The keyspace of names without one: a request of v5 may say it. Raises InvalidRequest when it doesn't exist."""
        if of_request is None:
            return state.keyspace
        self._compiler.check_keyspace(of_request)
        return of_request

    def _plan_of(self, state: ClientState, text: str, keyspace: str | None) -> "tuple[Plan, tuple[Value, ...]]":
        """The plan of a text, and the literals that were cut out of it (as texts, for a plan of its shape)."""
        plan = self._texts.use((keyspace, text))
        if plan is not None:
            return plan, ()
        cut = shape(text)
        if cut is not None:
            key, literals = cut
            known = self._shapes.use((keyspace, key))
            if known is None and prepared_id(key, keyspace) not in self._unshared:
                known = self._compile_shape(state, text, literals, keyspace)
                if len(key) <= TEXT_CHARS_MAX:
                    self._remember_shape((keyspace, key), known)
            elif known is not None:
                self._try_twin(state, known, keyspace, key)
            if known is not None:
                if not literals and len(text) <= TEXT_CHARS_MAX:  # from now on found without a look for literals
                    self._keep(self._texts, (keyspace, text), known)
                return known, cast(tuple[Value, ...], tuple(literals))
        plan = self.compile(state, text, keyspace)
        if plan.tables and cut is None and len(text) <= TEXT_CHARS_MAX:
            self._keep(self._texts, (keyspace, text), plan)
        else:
            let_go_wholly(plan)
        return plan, ()

    def _keep(self, plans: PlanCache[tuple[str | None, str], Plan], key: tuple[str | None, str], plan: Plan) -> None:
        """If it is small enough."""
        size = self._size_of(plan, key[1])
        if size <= plans.bytes_max:
            plans.keep(key, plan, plan.tables, size)
        else:
            let_go_wholly(plan)

    def _size_of(self, plan: Plan, text: str) -> int:
        """In bytes: measured where it may be more than others."""
        if len(text) <= SMALL_TEXT_CHARS and self._compiler.has_small_tables(plan):
            return SMALL_BYTES
        return measured_bytes((plan, text), pause)

    def _try_twin(self, state: ClientState, plan: Plan, keyspace: str | None, key: str) -> None:
        """A shape that comes again may be one for the hot path: as its twin with bind markers."""
        if len(key) > KEY_CHARS_MAX or self._shapes.size_of((keyspace, key)) > PATTERN_BYTES:
            return
        place = (state.version, keyspace, key)
        if place in self._tried_twins:
            return
        if len(self._tried_twins) >= TRIED_MAX:
            self._tried_twins.clear()
        self._tried_twins.add(place)

        def compile_text(text: str) -> Plan | None:
            try:
                return self.compile(state, text, keyspace)
            except RequestError:
                return None

        self._compiler.learn_twin(self._known_of(state.version), plan, keyspace, key, compile_text, state.version)

    def _remember_shape(self, key: tuple[str | None, str], plan: Plan | None) -> None:
        if plan is not None:
            self._keep(self._shapes, key, plan)
            return
        if len(self._unshared) >= TRIED_MAX:
            del self._unshared[next(iter(self._unshared))]
        self._unshared[prepared_id(key[1], key[0])] = None

    def compile(self, state: ClientState, text: str, keyspace: str | None) -> Plan:
        """Parses and compiles; raises RequestError."""
        return self._compiler.compile(_parse(text), text, state, keyspace, False)

    def _compile_shape(self, state: ClientState, text: str, literals: list[str], keyspace: str | None) -> Plan | None:
        """The plan for all texts of this shape; None where one can't be made (then each text gets its own, and the
        error, if there is one, is that of the text)."""
        statement = parse_shaped(text, literals, pause)
        if statement is None:
            return None
        try:
            return self._compiler.compile(statement, text, state, keyspace, True)
        except RequestError:
            return None

    # --- PREPARE and EXECUTE -------------------------------------------------------------------------------------------

    def prepare(self, state: ClientState, text: str, keyspace: str | None) -> PreparedResult:
        keyspace = self._keyspace(keyspace, state)
        for known_id in (prepared_id(text, None, pause), prepared_id(text, keyspace, pause)):
            known = self.maybe_prepared(known_id)
            if known is not None and (known.is_qualified or known.keyspace == keyspace is not None):
                return known.response
        statement = _parse(text)
        if len(statement.markers) > MARKERS_MAX:
            raise InvalidRequest(
                f"Too many markers(?). {len(statement.markers)} markers exceed the allowed maximum of {MARKERS_MAX}"
            )
        plan = self._compiler.compile(statement, text, state, keyspace, False)
        self._compiler.check_prepared(plan, state)
        is_qualified = _is_qualified(statement)
        bound_to = None if is_qualified else keyspace
        statement_id = prepared_id(text, bound_to, pause)
        result_metadata = plan.result_metadata or EMPTY_METADATA
        metadata = PreparedMetadata(plan.bind_specs, plan.partition_key_indexes)
        response = PreparedResult(statement_id, metadata, result_metadata)
        if not is_qualified:
            _warn_of_use(state, prepared_id(text, keyspace), keyspace)
        prepared = Prepared(statement_id, text, plan, bound_to, is_qualified, response)
        fast = plan.maybe_fast(state.version)
        prepared.size = size = measured_bytes((prepared,), pause)
        prepared.fast_size = measured_bytes((prepared, fast), pause) - size if fast is not None else 0
        if size + prepared.fast_size > self._prepared.bytes_max:
            let_go_wholly(prepared)
            raise InvalidRequest(
                f"Prepared statement of size {size} bytes is larger than allowed maximum of "
                f"{self._prepared.bytes_max >> 20} MB: {text[:200]}..."
            )
        if statement_id in self._prepared:
            self._forget(statement_id)
        self._prepared.keep(statement_id, prepared, plan.tables, size)
        self._add_fast(prepared)
        for old_id in self._prepared.oldest_share(PROBATION_SHARE):
            if old_id != statement_id:
                self._probation.add(old_id)
                self._without_fast(old_id)
        return response

    def execute(self, state: ClientState, request: Execute) -> "Response | Pending[Response]":
        check_paging_state(request.options.paging_state)
        prepared = self._get(request.statement_id)
        plan, options, was_warned = prepared.plan, request.options, state.is_warned_of_use
        if not prepared.is_qualified and state.keyspace != prepared.tables_keyspace:
            _warn_of_use(state, prepared.id, prepared.tables_keyspace)
        if options.names is not None:
            options = in_order(options, plan)
        if options.page_size == 0:
            raise ProtocolError("The page size cannot be 0")
        if len(options.values) != len(plan.bind_specs):
            raise InvalidRequest(
                f"there were {len(plan.bind_specs)} markers(?) in CQL but {len(options.values)} bound variables"
            )
        try:
            outcome = self._run(state, plan, options)
        except TooLong:  # it is asked for again, and has to be warned of then
            state.is_warned_of_use = was_warned
            raise
        if plan.result_metadata is None:
            return outcome
        metadata: ResultMetadata = plan.result_metadata
        known_id, skip = request.result_metadata_id, options.skip_metadata
        if known_id is None:
            return _then(outcome, lambda result: _skipped(result, skip)) if skip else outcome
        if known_id != metadata.id:
            return _then(outcome, _changed)
        return _then(outcome, lambda result: _skipped(result, skip)) if skip else outcome

    def prepared_texts(self) -> dict[bytes, str]:
        """Of all prepared statements, by id."""
        return {prepared.id: prepared.text for prepared in self._prepared.values()}

    def maybe_prepared(self, statement_id: bytes) -> Prepared | None:
        prepared = self._prepared.use(statement_id)
        if prepared is not None and statement_id in self._probation:
            self._probation.discard(statement_id)
            self._add_fast(prepared)
        return prepared

    def _get(self, statement_id: bytes) -> Prepared:
        prepared = self.maybe_prepared(statement_id)
        if prepared is None:
            raise Unprepared(
                f"Prepared query with ID {statement_id.hex()} not found (either the query was not prepared on this host "
                "(maybe the host has been restarted?) or you have prepared too many queries and it has been evicted "
                "from the internal cache)",
                statement_id,
            )
        return prepared

    def _forget(self, statement_id: bytes) -> None:
        self._prepared.pop(statement_id)
        self._probation.discard(statement_id)
        self._without_fast(statement_id)

    def _left(self, statement_id: bytes) -> None:
        """A prepared statement had to make room."""
        self.evicted_count += 1
        self._warn(f"prepared statements are discarded because cache limit reached ({self._prepared.bytes_max >> 20} MiB)")
        self._probation.discard(statement_id)
        self._without_fast(statement_id)

    def _without_fast(self, statement_id: bytes) -> None:
        for paths in self._fast.values():
            paths.pop(statement_id, None)

    # --- BATCH -----------------------------------------------------------------------------------------------------------

    def batch(self, state: ClientState, request: Batch) -> "Response | Pending[Response]":
        keyspace = self._keyspace(request.options.keyspace, state)
        plans: list[Plan] = []
        values: list[tuple[Value, ...]] = []
        if len(request.entries) > BATCH_ENTRIES_PER_GO:
            long_work()
        for entry in paused(request.entries):
            literals: tuple[Value, ...] = ()
            if isinstance(entry.statement, bytes):
                plan = self._get(entry.statement).plan
            else:
                plan, literals = self._plan_of(state, entry.statement, keyspace)
            if len(entry.values) != len(plan.bind_specs):
                raise InvalidRequest(
                    f"There were {len(plan.bind_specs)} markers(?) in CQL but {len(entry.values)} bound variables"
                )
            plans.append(plan)
            values.append(entry.values + literals)
        key = (request.type, tuple(plans))
        let_go_later(plans, values, request.entries)
        batch = self._batches.use(key)
        if batch is None:
            batch = self._compiler.batch_of_message(request, plans)
            tables = [table for plan in plans for table in plan.tables]
            # it keeps its statements' plans, though they may have had to make room
            size = BATCH_BYTES + BATCH_ENTRY_BYTES * len(plans) + measured_bytes((*dict.fromkeys(plans),), pause)
            if size <= self._batches.bytes_max and len(plans) <= BATCH_ENTRIES_KEPT_MAX:
                self._batches.keep(key, batch, tables, size)
            else:
                let_go_wholly(batch)
        return self._run(state, batch, request.options._replace(values=cast(tuple[Value, ...], tuple(values))))

    # --- schema ----------------------------------------------------------------------------------------------------------

    def schema_changed(self, keyspace: str, table: str | None) -> None:
        """Forgets what was compiled against a table (None: any of the keyspace) that changed or went."""
        self._tried_twins.clear()
        for known in self._known_shapes.values():
            known.clear()
        self._unshared.clear()
        for cache in (self._batches, self._texts, self._shapes):
            cache.forget(keyspace, table)
        for statement_id in self._prepared.keys_about(keyspace, table):
            self._forget(statement_id)


def _parse(text: str) -> tree.Statement:
    try:
        return parse(text, pause=pause, long_work=long_work)
    except CqlNestingError as error:
        raise ServerError(error.message) from None  # as Cassandra answers when its parser's stack is full
    except CqlTooLongError as error:
        raise InvalidRequest(error.message) from None
    except GrammarError as error:
        for java_class in error.java_classes:
            from cqlserver.terms.type_names import check_custom_types

            check_custom_types(tree.CustomTypeName(java_class))
        raise CqlSyntaxError(error.message) from None


def _warn_of_use(state: ClientState, statement_id: bytes, prepared_keyspace: str | None) -> None:
    """Once per connection (ClientState.warnAboutUseWithPreparedStatements)."""
    if not state.is_warned_of_use:
        state.is_warned_of_use = True
        state.warn(
            "`USE <keyspace>` with prepared statements is considered to be an anti-pattern due to ambiguity in "
            "non-qualified table names. Please consider removing instances of `Session#setKeyspace(<keyspace>)`, "
            '`Session#execute("USE <keyspace>")` and `cluster.newSession(<keyspace>)` from your code, and always use '
            "fully qualified table names (e.g. <keyspace>.<table>). Keyspace used: "
            f"{state.keyspace or 'null'}, statement keyspace: {prepared_keyspace or 'null'}, "
            f"statement id: {statement_id.hex()}"
        )


def in_order(options: QueryOptions, plan: Plan) -> QueryOptions:
    """Values that came with names, in the order of the markers (cql3/QueryOptions.java, OptionsWithNames)."""
    assert options.names is not None
    # of values with one name the first counts
    given = dict(zip(reversed(options.names), reversed(options.values), strict=True))
    values = tuple(given[spec.name] for spec in plan.bind_specs if spec.name in given)
    return options._replace(values=values, names=None)


def _is_qualified(statement: tree.Statement) -> bool:
    """Whether every table is named with its keyspace, so that the meaning does not hang on USE."""
    parts: Iterable[tree.Statement] = statement.statements if isinstance(statement, tree.Batch) else (statement,)
    for part in parts:
        name = getattr(part, "table", None)
        if not isinstance(name, tree.QualifiedName) or name.keyspace is None:
            return False
    return True


def _then(outcome: "Result | Pending[Result]", change: Callable[[Response], Response]) -> "Response | Pending[Response]":
    """`change` applied to the result, now or when it is there."""
    if not isinstance(outcome, Pending):
        return change(outcome)
    return outcome.map(change)


def _skipped(result: Response, skip: bool) -> Response:
    return replace(result, skip_metadata=skip) if isinstance(result, RowsResult) else result


def _changed(result: Response) -> Response:
    return replace(result, metadata_changed=True) if isinstance(result, RowsResult) else result
