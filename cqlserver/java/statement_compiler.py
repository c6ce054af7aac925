"""Statements -> closures that give None, or the signal of a jump (JLS 11, chapter 14); what can be reached is checked.

`completes` is what the language calls "can complete normally"; loops and switches gather the states in which their
`break`s leave them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cqlserver.java import nodes
from cqlserver.java.classes import supertypes
from cqlserver.java.containers import iterate
from cqlserver.java.errors import JavaThrow, Throwable
from cqlserver.java.expression_compiler import ExpressionCompiler
from cqlserver.java.expressions import Compiled, as_primitive, maybe_assigned
from cqlserver.java.operators import Closure
from cqlserver.java.run import Frame, null_pointer
from cqlserver.java.scope import Assigned, joined
from cqlserver.java.type_resolver import element_type
from cqlserver.java.types import (
    BYTE,
    CHAR,
    ERROR,
    INT,
    NULL,
    SHORT,
    ArrayType,
    ClassType,
    Type,
    as_super,
    is_subtype,
    unboxed,
)


class Signal:
    """Why a statement did not complete."""

    __slots__ = ("label", "word")

    def __init__(self, word: str, label: str | None = None) -> None:
        self.word, self.label = word, label


RETURN: Final = Signal("return")
BREAK: Final = Signal("break")
CONTINUE: Final = Signal("continue")

TICK_ROUNDS: Final = 64


@dataclass(frozen=True, slots=True)
class Step:
    """`run` None: nothing to do."""

    run: Closure | None
    completes: bool = True


@dataclass(slots=True)
class _Place:
    """What a `break` or `continue` may mean."""

    is_loop: bool
    labels: tuple[str, ...] = ()
    is_statement: bool = True
    """A loop or switch, to which a jump without a label goes."""
    left: Assigned = None
    is_left: bool = False
    signals: dict[str, Signal] = field(default_factory=dict)


class StatementCompiler(ExpressionCompiler):
    def __init__(self, context: Compiled, class_name: str, returns: Type) -> None:
        super().__init__(context, class_name)
        self.returns = returns
        self._places: list[_Place] = []
        self._labels: tuple[str, ...] = ()

    def statement(self, node: nodes.Statement) -> Step:
        compile_: Callable[[Any], Step] = getattr(self, _COMPILERS[type(node)])
        labels, self._labels = self._labels, ()
        if isinstance(node, nodes.While | nodes.DoWhile | nodes.For | nodes.ForEach | nodes.Labelled):
            self._labels = labels
        return compile_(node)

    def statements(self, written: Sequence[nodes.Statement]) -> Step:
        steps, completes, is_told = [], True, False
        for node in written:
            if not completes and not is_told:
                self.complain_of_flow(node, "Unreachable code")
                is_told = True
            step = self.statement(node)
            completes = completes and step.completes
            if step.run is not None:
                steps.append(step.run)
        return Step(_sequence(steps), completes)

    def _block(self, node: nodes.Block) -> Step:
        self.scope.enter()
        found = self.statements(node.statements)
        self.scope.leave()
        return found

    def _empty(self, node: nodes.Empty) -> Step:
        return Step(None)

    def _evaluate(self, node: nodes.Evaluate) -> Step:
        run = self.expression(node.expression).run

        def evaluate(f: Frame) -> None:
            run(f)

        return Step(evaluate)

    def _local(self, node: nodes.Local) -> Step:
        steps: list[Closure] = []
        is_inferred = node.type.name == "var" and not node.type.dimensions
        declared = ERROR if is_inferred else self.resolved(node.type)
        for one in node.declarators:
            type_ = declared
            for _ in range(one.dimensions):
                type_ = ArrayType(type_)
            if one.name in self.scope.locals:
                self.complain(one, f"Duplicate local variable {one.name}")
            value: Compiled | None = None
            if is_inferred and one.value is not None:
                value = self.value(one.value)
                type_ = value.type
                if type_ is NULL:
                    self.complain(one, "Cannot infer type for local variable initialized to 'null'")
            if not is_inferred and one.value is not None:
                # the name is known already within its own value, but has none yet
                local = self.scope.declare(one.name, type_, is_final=node.is_final)
                value = self.assigned(one.value, type_)
            else:
                local = self.scope.declare(one.name, type_, is_final=node.is_final)
            if value is not None:
                self.scope.assign(local.slot)
                if node.is_final and value.is_constant:
                    self.constants[local.slot] = value
                steps.append(_stored(local.slot, value.run))
        return Step(_sequence(steps))

    # --- choices -----------------------------------------------------------------------------------------------------------

    def _if(self, node: nodes.If) -> Step:
        condition = self.condition(node.condition)
        before = self.scope.assigned
        then = self._scoped(node.then)
        after = self.scope.assigned if then.completes else None
        self.scope.assigned = before
        test, if_true = condition.run, then.run or _nothing
        if node.otherwise is None:
            self.scope.assigned = joined(before, after)
            return Step(lambda f: if_true(f) if test(f) else None)
        otherwise = self._scoped(node.otherwise)
        other_after = self.scope.assigned if otherwise.completes else None
        self.scope.assigned = joined(after, other_after)
        if_false = otherwise.run or _nothing
        return Step(lambda f: if_true(f) if test(f) else if_false(f), then.completes or otherwise.completes)

    def _scoped(self, node: nodes.Statement) -> Step:
        self.scope.enter()
        found = self.statement(node)
        self.scope.leave()
        return found

    def _switch(self, node: nodes.Switch) -> Step:
        value = self.value(node.value)
        type_ = unboxed(value.type)
        if value.type is not ERROR and type_ not in (INT, SHORT, BYTE, CHAR):
            self.complain(
                node.value,
                f"Cannot switch on a value of type {value.type}. Only convertible int values, strings or enum variables are "
                "permitted",
            )
            type_ = ERROR
        place = _Place(False)
        self._places.append(place)
        self.scope.enter()
        before, completes = self.scope.assigned, True
        targets: dict[int, int] = {}
        nodes_of: dict[int, nodes.Node] = {}
        default: int | None = None
        steps: list[Closure | None] = []
        for case in node.cases:
            if not case.values:
                default = len(steps)
            for written in case.values:
                found = self.assigned(written, type_)
                if found.type is ERROR or type_ is ERROR:
                    continue
                if not found.is_constant:
                    self.complain(written, "case expressions must be constant expressions")
                elif found.constant in targets:
                    self.complain(nodes_of[found.constant], "Duplicate case")
                    self.complain(written, "Duplicate case")
                else:
                    targets[found.constant], nodes_of[found.constant] = len(steps), written
            self.scope.assigned = joined(before, self.scope.assigned) if completes or not steps else before
            step = self.statements(case.statements)
            completes = step.completes
            steps.append(step.run)
        self.scope.leave()
        self._places.pop()
        after = self.scope.assigned if completes else None
        if default is None or not steps:
            after = joined(after, before)
        if place.is_left:
            after = joined(after, place.left)
        self.scope.assigned = after
        closure = _switch_closure(as_primitive(value).run, targets, default, steps)
        return Step(closure, completes or default is None or place.is_left or not steps)

    # --- loops -------------------------------------------------------------------------------------------------------------

    def _loop_place(self) -> _Place:
        self.has_loops = True
        place = _Place(True, self._labels)
        self._labels = ()
        self._places.append(place)
        return place

    def _loop_end(self, place: _Place, condition: Compiled | None, after: Assigned) -> bool:
        """Whether what follows can be reached; the state there becomes the scope's."""
        self._places.pop()
        is_endless = condition is None or (condition.is_constant and condition.constant is True)
        left = place.left if place.is_left else None
        self.scope.assigned = left if is_endless else joined(after, left)
        return not is_endless or place.is_left

    def _while(self, node: nodes.While) -> Step:
        place = self._loop_place()
        condition = self.condition(node.condition)
        after = self.scope.assigned
        body = self._scoped(node.body)
        completes = self._loop_end(place, condition, after)
        return Step(_loop(condition.run, body.run or _nothing, None, place.labels), completes)

    def _do_while(self, node: nodes.DoWhile) -> Step:
        place = self._loop_place()
        is_first = self.scope.temporary()  # before the body, whose own slots are free again behind it
        body = self._scoped(node.body)
        condition = self.condition(node.condition)
        completes = self._loop_end(place, condition, self.scope.assigned)
        if not body.completes and not place.is_left:
            completes = False
        test, inner = condition.run, body.run or _nothing

        def once_or(f: Frame) -> bool:
            if f[is_first]:
                f[is_first] = False
                return True
            found: bool = test(f)
            return found

        loop = _loop(once_or, inner, None, place.labels)

        def run(f: Frame) -> Any:
            f[is_first] = True
            return loop(f)

        return Step(run, completes)

    def _for(self, node: nodes.For) -> Step:
        labels, self._labels = self._labels, ()
        self.scope.enter()
        start = self.statements(node.init)
        self._labels = labels
        place = self._loop_place()
        condition = None if node.condition is None else self.condition(node.condition)
        after = self.scope.assigned
        body = self._scoped(node.body)
        updates = [self.expression(update).run for update in node.update]
        completes = self._loop_end(place, condition, after)
        self.scope.leave()
        test = _always if condition is None else condition.run
        loop = _loop(test, body.run or _nothing, updates, place.labels)
        begin = start.run
        if begin is None:
            return Step(loop, completes)

        def run(f: Frame) -> Any:
            begin(f)
            return loop(f)

        return Step(run, completes)

    def _for_each(self, node: nodes.ForEach) -> Step:
        labels, self._labels = self._labels, ()
        self.scope.enter()
        items = self.value(node.items)
        element = element_type(items.type)
        if element is None:
            self.complain(node.items, "Can only iterate over an array or an instance of java.lang.Iterable")
            element = ERROR
        is_inferred = node.type.name == "var" and not node.type.dimensions
        type_ = element if is_inferred else self.resolved(node.type)
        if node.name in self.scope.locals:
            self.complain(node, f"Duplicate local variable {node.name}")
        self.scope.hidden(3 if isinstance(items.type, ArrayType) else 1)
        local = self.scope.declare(node.name, type_)
        temporary = self.scope.temporary()
        given = Compiled(element, lambda f: f[temporary], slot=temporary)
        converted = maybe_assigned(given, type_)
        if converted is None:
            self.complain(node.items, f"Type mismatch: cannot convert from element type {element} to {type_}")
            converted = given
        self._labels = labels
        before = self.scope.assigned
        place = self._loop_place()
        self.scope.assign(local.slot)
        body = self._scoped(node.body)
        self._places.pop()
        self.scope.assigned = joined(before, place.left) if place.is_left else before
        self.scope.leave()
        change = None if converted.run is given.run else converted.run
        loop = _for_each_closure(items, temporary, local.slot, change, body.run or _nothing, place.labels)
        return Step(loop)

    def _labelled(self, node: nodes.Labelled) -> Step:
        if isinstance(node.statement, nodes.While | nodes.DoWhile | nodes.For | nodes.ForEach | nodes.Labelled):
            self._labels = (*self._labels, node.label)
            return self.statement(node.statement)
        place = _Place(False, (*self._labels, node.label), is_statement=False)
        self._labels = ()
        self._places.append(place)
        step = self._scoped(node.statement)
        self._places.pop()
        if place.is_left:
            self.scope.assigned = joined(self.scope.assigned if step.completes else None, place.left)
        inner, labels = step.run or _nothing, place.labels

        def run(f: Frame) -> Any:
            signal = inner(f)
            return None if signal is not None and signal.word == "break" and signal.label in labels else signal

        return Step(run, step.completes or place.is_left)

    # --- jumps -------------------------------------------------------------------------------------------------------------

    def _jump(self, node: nodes.Jump) -> Step:
        is_break = node.word == "break"
        for place in reversed(self._places):
            if node.label is not None:
                fits = node.label in place.labels and (is_break or place.is_loop)
            else:
                fits = place.is_statement and (is_break or place.is_loop)
            if fits:
                if is_break:
                    place.left = joined(place.left, self.scope.assigned) if place.is_left else self.scope.assigned
                    place.is_left = True
                break
        else:
            if node.label is not None:
                self.complain(node, f"The label {node.label} is missing")
            elif is_break:
                self.complain_of_flow(node, "break cannot be used outside of a loop or a switch")
            else:
                self.complain_of_flow(node, "continue cannot be used outside of a loop")
        self.scope.assigned = None
        plain = BREAK if is_break else CONTINUE
        signal = plain if node.label is None else Signal(node.word, node.label)
        return Step(lambda f: signal, False)

    def _return(self, node: nodes.Return) -> Step:
        if node.value is None:
            self.complain(node, f"This method must return a result of type {self.returns}")
            return Step(None, False)
        run = self.assigned(node.value, self.returns).run
        self.scope.assigned = None

        def give(f: Frame) -> Signal:
            f[1] = run(f)
            return RETURN

        return Step(give, False)

    def _throw(self, node: nodes.Throw) -> Step:
        value = self.value(node.value)
        throwable = ClassType("java.lang.Throwable")
        if value.type is not ERROR and not is_subtype(value.type, throwable, supertypes):
            self.complain(
                node.value,
                f"No exception of type {value.type} can be thrown; an exception type must be a subclass of Throwable",
            )
        elif isinstance(value.type, ClassType) and self.is_checked(value.type):
            self.thrown_types.append((node, value.type))
        self.scope.assigned = None
        run, origin = value.run, value.origin

        def throw(f: Frame) -> None:
            found: Throwable | None = run(f)
            if found is None:
                raise null_pointer("Cannot throw exception", origin)
            raise JavaThrow(found)

        return Step(throw, False)

    def _try(self, node: nodes.Try) -> Step:
        before = self.scope.assigned
        outer_thrown, self.thrown_types = self.thrown_types, []
        body = self._block(node.body)
        after = self.scope.assigned if body.completes else None
        completes = body.completes
        inner_thrown, self.thrown_types = self.thrown_types, []
        handlers: list[tuple[tuple[ClassType, ...], int, Closure]] = []
        for catch in node.catches:
            types = self._caught(catch, inner_thrown)
            self.scope.enter()
            self.scope.assigned = before
            if catch.name in self.scope.locals:
                self.complain(catch, f"Duplicate parameter {catch.name}")
            type_: Type = types[0] if len(types) == 1 else ClassType("java.lang.Throwable")
            local = self.scope.declare(catch.name, type_)
            self.scope.assign(local.slot)
            step = self._block(catch.body)
            if step.completes:
                after = joined(after, self.scope.assigned)
                completes = True
            self.scope.leave()
            handlers.append((types, local.slot, step.run or _nothing))
            inner_thrown = [
                (n, t) for n, t in inner_thrown if not any(is_subtype(t, caught, supertypes) for caught in types)
            ]
        self.thrown_types = [*outer_thrown, *inner_thrown, *self.thrown_types]
        closure = _caught_closure(body.run or _nothing, handlers) if handlers else body.run or _nothing
        self.scope.assigned = after
        if node.finally_ is None:
            return Step(closure, completes)
        self.scope.assigned = before
        last = self._block(node.finally_)
        if self.scope.assigned is not None and after is not None:
            self.scope.assigned = self.scope.assigned | after
        elif after is None and not completes:
            self.scope.assigned = None
        if not last.completes:
            self.thrown_types = outer_thrown
        return Step(_finally_closure(closure, last.run or _nothing), completes and last.completes)

    def _caught(self, catch: nodes.Catch, inner_thrown: list[tuple[nodes.Node, ClassType]]) -> tuple[ClassType, ...]:
        found: list[ClassType] = []
        for written in catch.types:
            type_ = self.resolved(written)
            if not isinstance(type_, ClassType):
                continue
            if as_super(type_, "java.lang.Throwable", supertypes) is None:
                self.complain(
                    written, f"No exception of type {type_} can be thrown; an exception type must be a subclass of Throwable"
                )
                continue
            is_general = type_.name in ("java.lang.Exception", "java.lang.Throwable")
            is_thrown = any(is_subtype(t, type_, supertypes) or is_subtype(type_, t, supertypes) for _, t in inner_thrown)
            if self.is_checked(type_) and not is_general and not is_thrown:
                self.complain_of_flow(
                    written,
                    f"Unreachable catch block for {type_}. This exception is never thrown from the try statement body",
                )
            found.append(type_)
        return tuple(found) or (ClassType("java.lang.Throwable"),)


# --- closures ----------------------------------------------------------------------------------------------------------


def _nothing(f: Frame) -> None:
    return None


def _always(f: Frame) -> bool:
    return True


def _stored(slot: int, value: Closure) -> Closure:
    def run(f: Frame) -> None:
        f[slot] = value(f)

    return run


def _sequence(steps: Sequence[Closure]) -> Closure | None:
    if not steps:
        return None
    if len(steps) == 1:
        return steps[0]
    if len(steps) == 2:
        first, second = steps

        def both(f: Frame) -> Any:
            signal = first(f)
            return second(f) if signal is None else signal

        return both
    whole = tuple(steps)

    def run(f: Frame) -> Any:
        for step in whole:
            signal = step(f)
            if signal is not None:
                return signal
        return None

    return run


def _leaves(signal: Signal, labels: tuple[str, ...]) -> tuple[bool, Signal | None]:
    """(whether the loop ends, the signal that goes on) of a signal from its body."""
    if signal is BREAK or (signal.word == "break" and signal.label in labels):
        return True, None
    if signal is CONTINUE or (signal.word == "continue" and signal.label in labels):
        return False, None
    return True, signal


def _loop(test: Closure, body: Closure, updates: Sequence[Closure] | None, labels: tuple[str, ...]) -> Closure:
    update = None if not updates else updates[0] if len(updates) == 1 else _all(updates)

    def run(f: Frame) -> Any:
        rounds = 0
        while test(f):
            rounds += 1
            if rounds >= TICK_ROUNDS:
                f[0].tick(rounds)
                rounds = 0
            signal = body(f)
            if signal is not None:
                ends, signal = _leaves(signal, labels)
                if ends:
                    f[0].rounds += rounds
                    return signal
            if update is not None:
                update(f)
        f[0].tick(rounds)
        return None

    return run


def _all(updates: Sequence[Closure]) -> Closure:
    whole = tuple(updates)

    def run(f: Frame) -> None:
        for update in whole:
            update(f)

    return run


def _for_each_closure(
    items: Compiled, temporary: int, slot: int, change: Closure | None, body: Closure, labels: tuple[str, ...]
) -> Closure:
    run_items, origin = items.run, items.origin
    is_array = isinstance(items.type, ArrayType)
    action = "Cannot read the array length" if is_array else f'Cannot invoke "{items.type.erased}.iterator()"'

    def run(f: Frame) -> Any:
        found = run_items(f)
        if found is None:
            raise null_pointer(action, origin)
        rounds = 0
        for item in found if is_array else iterate(found):
            rounds += 1
            if rounds >= TICK_ROUNDS:
                f[0].tick(rounds)
                rounds = 0
            if change is None:
                f[slot] = item
            else:
                f[temporary] = item
                f[slot] = change(f)
            signal = body(f)
            if signal is not None:
                ends, signal = _leaves(signal, labels)
                if ends:
                    f[0].rounds += rounds
                    return signal
        f[0].tick(rounds)
        return None

    return run


def _switch_closure(
    value: Closure, targets: dict[int, int], default: int | None, steps: Sequence[Closure | None]
) -> Closure:
    bodies = [tuple(step for step in steps[start:] if step is not None) for start in range(len(steps))]
    other = () if default is None else bodies[default]
    by_value = {constant: bodies[index] for constant, index in targets.items()}

    def run(f: Frame) -> Any:
        for step in by_value.get(value(f), other):
            signal = step(f)
            if signal is not None:
                return None if signal is BREAK else signal
        return None

    return run


def _caught_closure(body: Closure, handlers: Sequence[tuple[tuple[ClassType, ...], int, Closure]]) -> Closure:
    def run(f: Frame) -> Any:
        try:
            return body(f)
        except JavaThrow as error:
            thrown = error.throwable
        type_ = ClassType(thrown.class_name)
        for types, slot, handler in handlers:
            if any(as_super(type_, caught.name, supertypes) is not None for caught in types):
                f[slot] = thrown
                return handler(f)
        raise JavaThrow(thrown)

    return run


def _finally_closure(body: Closure, last: Closure) -> Closure:
    def run(f: Frame) -> Any:
        try:
            signal = body(f)
        except JavaThrow:
            after = last(f)
            if after is not None:
                return after
            raise
        given = f[1]
        after = last(f)
        if after is not None:
            return after
        f[1] = given
        return signal

    return run


_COMPILERS: dict[type, str] = {
    nodes.Local: "_local",
    nodes.Evaluate: "_evaluate",
    nodes.Block: "_block",
    nodes.Empty: "_empty",
    nodes.If: "_if",
    nodes.While: "_while",
    nodes.DoWhile: "_do_while",
    nodes.For: "_for",
    nodes.ForEach: "_for_each",
    nodes.Switch: "_switch",
    nodes.Return: "_return",
    nodes.Throw: "_throw",
    nodes.Jump: "_jump",
    nodes.Labelled: "_labelled",
    nodes.Try: "_try",
}
