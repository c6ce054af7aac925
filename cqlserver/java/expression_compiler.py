"""Expressions -> closures over a frame, their types checked (JLS 11, chapter 15). Calls are in call_compiler.py."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cqlserver.java import nodes
from cqlserver.java.assignments import Target, element_target, local_target
from cqlserver.java.call_compiler import CallCompiler
from cqlserver.java.classes import find_class
from cqlserver.java.concatenation import concatenated
from cqlserver.java.errors import thrown
from cqlserver.java.expressions import (
    Compiled,
    applied,
    as_primitive,
    constant,
    is_instance,
    may_be,
    maybe_assigned,
    maybe_cast,
    widened,
    wrong,
)
from cqlserver.java.library.lang import Class
from cqlserver.java.operators import (
    ARITHMETIC,
    BITS,
    COMPARISONS,
    SHIFTS,
    Closure,
    binary,
    default_of,
    pure_operation,
)
from cqlserver.java.run import Frame
from cqlserver.java.type_resolver import common_type
from cqlserver.java.types import (
    BOOLEAN,
    BYTE,
    CHAR,
    DOUBLE,
    ERROR,
    FLOAT,
    INT,
    INTEGRAL,
    LONG,
    NULL,
    RANGES,
    SHORT,
    STRING,
    VOID,
    ArrayType,
    ClassType,
    Type,
    is_numeric,
    is_primitive,
    promoted,
    unboxed,
)
from cqlserver.java.values import LONG_MAX, to_int, to_long

_LITERALS = {"int": INT, "long": LONG, "float": FLOAT, "double": DOUBLE, "char": CHAR, "boolean": BOOLEAN, "null": NULL}


class ExpressionCompiler(CallCompiler):
    def expression(self, node: nodes.Expression) -> Compiled:
        """Of any type, void included."""
        compile_: Callable[[Any], Compiled] = getattr(self, _COMPILERS[type(node)])
        return compile_(node)

    def value(self, node: nodes.Expression) -> Compiled:
        """One that has a value."""
        found = self.expression(node)
        if found.type == VOID:
            self.complain(node, "Type mismatch: cannot convert from void to Object")
            return wrong()
        return found

    def assigned(self, node: nodes.Expression, target: Type, at: nodes.Node | None = None) -> Compiled:
        """As a value for something of type `target`."""
        if isinstance(node, nodes.ArrayLiteral):
            if isinstance(target, ArrayType):
                return self._array_items(node, target)
            if target is not ERROR:
                self.complain(node, f"Type mismatch: cannot convert from Object[] to {target}")
            return wrong()
        if isinstance(node, nodes.Conditional) and not is_primitive(target):
            return self._conditional_for(node, target)
        return self.converted(self.expression(node), target, at or node)

    def converted(self, found: Compiled, target: Type, at: nodes.Node) -> Compiled:
        converted = maybe_assigned(found, target)
        if converted is None:
            self.complain(at, f"Type mismatch: cannot convert from {found.type} to {target}")
            return wrong()
        return converted

    def condition(self, node: nodes.Expression) -> Compiled:
        found = self.expression(node)
        if found.type is ERROR:
            return found
        if unboxed(found.type) != BOOLEAN:
            self.complain(node, f"Type mismatch: cannot convert from {found.type} to boolean")
            return wrong()
        return as_primitive(found)

    # --- leaves ----------------------------------------------------------------------------------------------------------

    def _literal(self, node: nodes.Literal) -> Compiled:
        if node.kind == "string":
            return constant(STRING, node.value)
        if node.kind == "null":
            return Compiled(NULL, lambda f: None, origin='"null"')
        value = node.value
        if node.kind == "long" and value == LONG_MAX + 1:
            self.complain(node, f"The literal {value}L of type long is out of range ")
        return constant(_LITERALS[node.kind], value)

    def _name(self, node: nodes.Name) -> Compiled:
        local = self.scope.locals.get(node.name)
        if local is not None:
            if not self.scope.is_assigned(local.slot):
                self.complain_of_flow(node, f"The local variable {node.name} may not have been initialized")
            slot = local.slot
            known = self.constants.get(slot)
            if known is not None:
                return known
            return Compiled(local.type, lambda f: f[slot], slot=slot, origin=f'"{local.shown}"')
        if node.name == "udfContext":
            return self.context
        self.complain(node, f"{node.name} cannot be resolved to a variable")
        return wrong()

    def _this(self, node: nodes.This) -> Compiled:
        self.complain(node, "this cannot be used in this server's functions")
        return wrong()

    def _class_literal(self, node: nodes.ClassLiteral) -> Compiled:
        found = self.maybe_class(node.target)
        if found is None:
            words = self.path_of(node.target)
            self.complain(node, f"{'.'.join(words or ['?'])} cannot be resolved to a type")
            return wrong()
        literal = Class(found.name)
        return Compiled(ClassType("java.lang.Class", (found,)), lambda f: literal)

    def _field(self, node: nodes.FieldAccess) -> Compiled:
        owner = self.maybe_class(node.target)
        if owner is not None:
            field = self.static_field(owner, node.name)
            if field is None:
                self.complain(node, f"{node.name} cannot be resolved or is not a field")
                return wrong()
            return field
        if self.is_package(node.target):
            path = self.path_of(node.target)
            self.complain(node.target, f"{(path or ['?'])[0]} cannot be resolved to a variable")
            return wrong()
        target = self.value(node.target)
        if isinstance(target.type, ArrayType) and node.name == "length":
            return self._length(target)
        if target.type is ERROR:
            return wrong()
        if is_primitive(target.type):
            shown = node.target.name if isinstance(node.target, nodes.Name) else target.type
            self.complain(node, f"The primitive type {target.type} of {shown} does not have a field {node.name}")
        else:
            self.complain(node, f"{node.name} cannot be resolved or is not a field")
        return wrong()

    def _length(self, target: Compiled) -> Compiled:
        run, origin = target.run, target.origin

        def length(f: Frame) -> int:
            array = run(f)
            if array is None:
                raise self.null_pointer("Cannot read the array length", origin)
            return len(array)

        return Compiled(INT, length)

    # --- arrays ----------------------------------------------------------------------------------------------------------

    def _array_items(self, node: nodes.ArrayLiteral, type_: ArrayType) -> Compiled:
        items = [self.assigned(item, type_.element).run for item in node.items]

        def make(f: Frame) -> list[Any]:
            f[0].take(8 * len(items))
            return [item(f) for item in items]

        return Compiled(type_, make)

    def _array_literal(self, node: nodes.ArrayLiteral) -> Compiled:
        self.complain(node, "Array constants can only be used in initializers")
        return wrong()

    def _new_array(self, node: nodes.NewArray) -> Compiled:
        type_ = self.resolved(node.type)
        if not isinstance(type_, ArrayType):
            return wrong()
        if node.items is not None:
            return self._array_items(node.items, type_)
        self.has_loops = True  # it may be large
        sizes = [self.assigned(size, INT).run for size in node.sizes]
        inner: Type = type_
        for _ in sizes:
            assert isinstance(inner, ArrayType)
            inner = inner.element
        default = default_of(inner)

        def make(f: Frame) -> list[Any]:
            counts = [size(f) for size in sizes]
            total = 1
            for count in counts:
                if count < 0:
                    raise thrown("NegativeArraySizeException", str(count))
                total *= max(count, 1)
            f[0].take(8 * total)
            return _filled(counts, default)

        return Compiled(type_, make)

    def _index(self, node: nodes.Index) -> Compiled:
        target = self._element(node)
        return wrong() if target is None else target.read

    def _element(self, node: nodes.Index) -> Target | None:
        array = self.value(node.target)
        index = self.assigned(node.index, INT)
        if array.type is ERROR or index.type is ERROR:
            return None
        if not isinstance(array.type, ArrayType):
            self.complain(node.target, f"The type of the expression must be an array type but it resolved to {array.type}")
            return None
        return element_target(array, index, array.type.element)

    # --- assignments -----------------------------------------------------------------------------------------------------

    def _target(self, node: nodes.Expression, is_compound: bool) -> Target | None:
        if isinstance(node, nodes.Index):
            return self._element(node)
        if isinstance(node, nodes.Name):
            local = self.scope.locals.get(node.name)
            if local is None:
                self.complain(node, f"{node.name} cannot be resolved to a variable")
                return None
            if is_compound and not self.scope.is_assigned(local.slot):
                self.complain_of_flow(node, f"The local variable {node.name} may not have been initialized")
            if local.is_final and (is_compound or self.scope.is_assigned(local.slot)):
                self.complain(
                    node,
                    f"The final local variable {node.name} cannot be assigned. It must be blank and not using a compound "
                    "assignment",
                )
            self.constants.pop(local.slot, None)
            return local_target(local)
        if isinstance(node, nodes.FieldAccess):
            self.value(node)
        self.complain(node, "The left-hand side of an assignment must be a variable")
        return None

    def _assign(self, node: nodes.Assign) -> Compiled:
        target = self._target(node.target, bool(node.operator))
        if not node.operator:
            value = self.assigned(node.value, ERROR if target is None else target.type)
            if isinstance(node.target, nodes.Name) and target is not None and target.slot is not None:
                self.scope.assign(target.slot)
            return wrong() if target is None else Compiled(target.type, target.write(value.run))
        value = self.value(node.value)
        if target is None or value.type is ERROR:
            return wrong()
        return self._compound(node, target, value)

    def _compound(self, node: nodes.Assign, target: Target, value: Compiled) -> Compiled:
        slot = self.scope.temporary()
        old = replace(target.read, run=lambda f: f[slot], slot=slot)
        if target.type == STRING and node.operator == "+":
            changed = concatenated([old, value])
        else:
            found = self._operation(
                nodes.Binary(node.line, node.at, node.operator, node.target, node.value), old, value, True
            )
            if found is None:
                self.complain(
                    node,
                    f"The operator {node.operator}= is undefined for the argument type(s) {target.type}, {value.type}",
                )
                return wrong()
            back = maybe_cast(found, unboxed(target.type))
            if back is None:
                self.complain(
                    node,
                    f"The operator {node.operator}= is undefined for the argument type(s) {target.type}, {value.type}",
                )
                return wrong()
            maybe = maybe_assigned(back, target.type)
            assert maybe is not None
            changed = maybe
        return Compiled(target.type, _updated(target, slot, changed.run, gives_old=False))

    def _step(self, node: nodes.Step) -> Compiled:
        if not isinstance(node.target, nodes.Name | nodes.Index):
            self.complain(node, "Invalid argument to operation ++/--")
            return wrong()
        target = self._target(node.target, True)
        if target is None:
            return wrong()
        if not is_numeric(target.type):
            self.complain(node, f"Type mismatch: cannot convert from {target.type} to int")
            return wrong()
        change = 1 if node.operator == "++" else -1
        if target.slot is not None and target.type in (INT, LONG):
            return Compiled(target.type, _stepped(target.slot, change, target.type, node.is_prefix))
        slot = self.scope.temporary()
        old = replace(target.read, run=lambda f: f[slot], slot=slot)
        primitive = as_primitive(old)
        sum_ = self._operation(
            nodes.Binary(node.line, node.at, "+", node.target, node.target), primitive, constant(INT, change), True
        )
        assert sum_ is not None
        back = maybe_cast(sum_, unboxed(target.type))
        assert back is not None
        stored = maybe_assigned(back, target.type)
        assert stored is not None
        return Compiled(target.type, _updated(target, slot, stored.run, gives_old=not node.is_prefix))

    # --- operators -------------------------------------------------------------------------------------------------------

    def _unary(self, node: nodes.Unary) -> Compiled:
        found = self.value(node.operand)
        if found.type is ERROR:
            return found
        type_ = unboxed(found.type)
        fits = {"!": type_ == BOOLEAN, "~": type_ in INTEGRAL}.get(node.operator, is_numeric(type_))
        if not fits:
            self.complain(node, f"The operator {node.operator} is undefined for the argument type(s) {found.type}")
            return wrong()
        if node.operator == "!":
            return applied(as_primitive(found), BOOLEAN, lambda value: not value)
        if type_ in (BYTE, SHORT, CHAR):
            type_ = INT
        operand = widened(found, type_)
        if node.operator == "+":
            return replace(operand, type=type_, slot=None)
        if node.operator == "~":
            return applied(operand, type_, lambda value: ~value)
        if type_ in (FLOAT, DOUBLE):
            return applied(operand, type_, lambda value: -value)
        wrap = to_int if type_ == INT else to_long
        return applied(operand, type_, lambda value: wrap(-value))

    def _binary(self, node: nodes.Binary) -> Compiled:
        if node.operator in ("&&", "||"):
            return self._logical(node)
        if node.operator == "+":
            return self._sum(node)
        left, right = self.value(node.left), self.value(node.right)
        return self._checked_operation(node, left, right)

    def _checked_operation(self, node: nodes.Binary, left: Compiled, right: Compiled) -> Compiled:
        if left.type is ERROR or right.type is ERROR:
            return wrong()
        found = self._operation(node, left, right)
        if found is not None:
            return found
        if node.operator in ("==", "!=") and NULL not in (left.type, right.type):
            self.complain(node, f"Incompatible operand types {left.type} and {right.type}")
        else:
            self.complain(
                node, f"The operator {node.operator} is undefined for the argument type(s) {left.type}, {right.type}"
            )
        return wrong()

    def _sum(self, node: nodes.Binary) -> Compiled:
        """A chain of `+` at once, so that text is put together in one go."""
        chain: list[nodes.Binary] = []
        left_node: nodes.Expression = node
        while isinstance(left_node, nodes.Binary) and left_node.operator == "+":
            chain.append(left_node)
            left_node = left_node.left
        parts: list[Compiled] = []
        found = self.value(left_node)
        for link in reversed(chain):
            right = self.value(link.right)
            if parts or (found.type is not ERROR and right.type is not ERROR and STRING in (found.type, right.type)):
                parts = parts or [found]
                parts.append(right)
            else:
                found = self._checked_operation(link, found, right)
        if not parts:
            return found
        return wrong() if any(part.type is ERROR for part in parts) else concatenated(parts)

    def _logical(self, node: nodes.Binary) -> Compiled:
        left = self.value(node.left)
        before = self.scope.assigned
        right = self.value(node.right)
        self.scope.assigned = before
        if left.type is ERROR or right.type is ERROR:
            return wrong()
        if unboxed(left.type) != BOOLEAN or unboxed(right.type) != BOOLEAN:
            self.complain(
                node, f"The operator {node.operator} is undefined for the argument type(s) {left.type}, {right.type}"
            )
            return wrong()
        one, other = as_primitive(left), as_primitive(right)
        is_and = node.operator == "&&"
        if one.is_constant and other.is_constant:
            return constant(BOOLEAN, one.constant and other.constant if is_and else one.constant or other.constant)
        run_left, run_right = one.run, other.run
        if is_and:
            return Compiled(BOOLEAN, lambda f: run_left(f) and run_right(f))
        return Compiled(BOOLEAN, lambda f: run_left(f) or run_right(f))

    def _operation(self, node: nodes.Binary, left: Compiled, right: Compiled, is_compound: bool = False) -> Compiled | None:
        """None: the operands do not go with the operator."""
        sign, one, other = node.operator, unboxed(left.type), unboxed(right.type)
        if sign in SHIFTS:
            if one not in INTEGRAL or other not in INTEGRAL:
                return None
            type_: Type = LONG if one == LONG else INT
            return self._operated(sign, type_, type_, widened(left, type_), as_primitive(right))
        if sign in BITS and one == BOOLEAN and other == BOOLEAN:
            return self._operated(sign, BOOLEAN, BOOLEAN, as_primitive(left), as_primitive(right))
        if sign in ("==", "!="):
            return self._equality(sign, left, right)
        if not is_numeric(one) or not is_numeric(other) or (sign in BITS and not (one in INTEGRAL and other in INTEGRAL)):
            return None
        assert sign in ARITHMETIC or sign in COMPARISONS or sign in BITS, sign
        type_ = promoted(one, other)
        result = BOOLEAN if sign in COMPARISONS else type_
        return self._operated(sign, type_, result, widened(left, type_), widened(right, type_))

    def _operated(self, sign: str, type_: Type, result: Type, left: Compiled, right: Compiled) -> Compiled:
        is_safe = sign not in ("/", "%") or type_ in (FLOAT, DOUBLE) or (right.is_constant and right.constant)
        if left.is_constant and right.is_constant and is_safe:
            return constant(result, pure_operation(sign, type_)(left.constant, right.constant))
        return Compiled(result, binary(sign, type_, left.operand, right.operand))

    def _equality(self, sign: str, left: Compiled, right: Compiled) -> Compiled | None:
        one, other = unboxed(left.type), unboxed(right.type)
        if is_primitive(left.type) or is_primitive(right.type):
            if is_numeric(one) and is_numeric(other):
                type_ = promoted(one, other)
                return self._operated(sign, type_, BOOLEAN, widened(left, type_), widened(right, type_))
            if one == BOOLEAN and other == BOOLEAN:
                return self._operated(sign, BOOLEAN, BOOLEAN, as_primitive(left), as_primitive(right))
            return None
        if not may_be(left.type, right.type):
            return None
        run_left, run_right = left.run, right.run
        if left.type is NULL or right.type is NULL:
            run = run_right if left.type is NULL else run_left
            if sign == "==":
                return Compiled(BOOLEAN, lambda f: run(f) is None)
            return Compiled(BOOLEAN, lambda f: run(f) is not None)
        if left.is_constant and right.is_constant:
            return constant(BOOLEAN, (left.constant == right.constant) is (sign == "=="))
        wanted = sign == "=="
        return Compiled(BOOLEAN, lambda f: _is_same(run_left(f), run_right(f)) is wanted)

    def _instance_of(self, node: nodes.InstanceOf) -> Compiled:
        found, type_ = self.value(node.value), self.resolved(node.type)
        if found.type is ERROR or type_ is ERROR:
            return replace(wrong(), type=BOOLEAN)
        if is_primitive(found.type) or not may_be(found.type, type_):
            self.complain(node, f"Incompatible conditional operand types {found.type} and {type_}")
            return replace(wrong(), type=BOOLEAN)
        run = found.run

        def test(f: Frame) -> bool:
            value = run(f)
            return value is not None and is_instance(value, type_)

        return Compiled(BOOLEAN, test)

    def _conditional(self, node: nodes.Conditional) -> Compiled:
        condition, if_true, if_false = self._sides(node)
        if ERROR in (condition.type, if_true.type, if_false.type):
            return wrong()
        type_ = _conditional_type(if_true, if_false)
        one, other = maybe_assigned(if_true, type_), maybe_assigned(if_false, type_)
        if one is None or other is None:
            one, other = maybe_cast(if_true, type_), maybe_cast(if_false, type_)
        assert one is not None
        assert other is not None
        return _chosen(type_, condition, one, other)

    def _sides(self, node: nodes.Conditional) -> tuple[Compiled, Compiled, Compiled]:
        condition = self.condition(node.condition)
        before = self.scope.assigned
        if_true = self.value(node.if_true)
        self.scope.assigned = before
        if_false = self.value(node.if_false)
        self.scope.assigned = before
        return condition, if_true, if_false

    def _conditional_for(self, node: nodes.Conditional, target: Type) -> Compiled:
        """Where the target is a reference, sides that are no numbers are checked against it one by one."""
        condition, if_true, if_false = self._sides(node)
        if ERROR in (condition.type, if_true.type, if_false.type):
            return wrong()
        type_ = _conditional_type(if_true, if_false)
        if is_primitive(type_) or type_ in (if_true.type, if_false.type):
            one, other = maybe_assigned(if_true, type_), maybe_assigned(if_false, type_)
            if one is not None and other is not None:
                return self.converted(_chosen(type_, condition, one, other), target, node)
        sides = self.converted(if_true, target, node.if_true), self.converted(if_false, target, node.if_false)
        return _chosen(target, condition, *sides)

    def _cast(self, node: nodes.Cast) -> Compiled:
        type_, found = self.resolved(node.type), self.value(node.value)
        if type_ is ERROR or found.type is ERROR:
            return replace(wrong(), type=type_)
        cast = maybe_cast(found, type_)
        if cast is None:
            self.complain(node, f"Cannot cast from {found.type} to {type_}")
            return replace(wrong(), type=type_)
        return cast

    def static_field(self, owner: ClassType, name: str) -> Compiled | None:
        known = find_class(owner.name)
        field = None if known is None else known.fields.get(name)
        if field is None:
            return None
        type_, value = field
        if is_primitive(type_):
            return constant(type_, value)
        return Compiled(type_, lambda f: value)


def _filled(counts: list[int], default: Any) -> list[Any]:
    if len(counts) == 1:
        return [default] * counts[0]
    return [_filled(counts[1:], default) for _ in range(counts[0])]


def _updated(target: Target, slot: int, changed: Closure, gives_old: bool) -> Closure:
    """Reads the target into `slot`, where `changed` finds it, and writes what that gives."""

    def run(f: Frame) -> Any:
        place = target.place(f)
        f[slot] = old = target.load(place)
        new = changed(f)
        target.store(place, new)
        return old if gives_old else new

    return run


def _stepped(slot: int, change: int, type_: Type, is_prefix: bool) -> Closure:
    low, high = RANGES[type_]
    wrap = to_int if type_ == INT else to_long

    def before(f: Frame) -> int:
        value: int = f[slot] + change
        if not low <= value <= high:
            value = wrap(value)
        f[slot] = value
        return value

    def after(f: Frame) -> int:
        old: int = f[slot]
        value = old + change
        f[slot] = value if low <= value <= high else wrap(value)
        return old

    return before if is_prefix else after


def _is_same(left: Any, right: Any) -> bool:
    """`==` of references: the same object; small boxed numbers are shared (Integer.valueOf)."""
    if left is right:
        return True
    if isinstance(left, int) and type(left) is type(right) and not isinstance(left, bool):
        return left == right and -128 <= left <= 127
    return isinstance(left, bool) and isinstance(right, bool) and left == right


def _conditional_type(one: Compiled, other: Compiled) -> Type:
    """Of `? :` (JLS 11, 15.25)."""
    a, b = unboxed(one.type), unboxed(other.type)
    if one.type == other.type:
        return one.type
    if a == BOOLEAN and b == BOOLEAN:
        return BOOLEAN
    if is_numeric(a) and is_numeric(b):
        if a == b:
            return a
        for narrow, wide in ((a, other), (b, one)):
            if narrow in (BYTE, SHORT, CHAR) and wide.is_constant and wide.type == INT:
                low, high = RANGES[narrow]
                if low <= wide.constant <= high:
                    return narrow
        if {a, b} == {BYTE, SHORT}:
            return SHORT
        return promoted(a, b)
    return common_type(one.type, other.type)


def _chosen(type_: Type, condition: Compiled, one: Compiled, other: Compiled) -> Compiled:
    test, if_true, if_false = condition.run, one.run, other.run
    if condition.is_constant and one.is_constant and other.is_constant:
        return constant(type_, one.constant if condition.constant else other.constant)
    return Compiled(type_, lambda f: if_true(f) if test(f) else if_false(f))


_COMPILERS: dict[type, str] = {
    nodes.Literal: "_literal",
    nodes.Name: "_name",
    nodes.This: "_this",
    nodes.ClassLiteral: "_class_literal",
    nodes.FieldAccess: "_field",
    nodes.Call: "call",
    nodes.New: "new",
    nodes.ArrayLiteral: "_array_literal",
    nodes.NewArray: "_new_array",
    nodes.Index: "_index",
    nodes.Unary: "_unary",
    nodes.Step: "_step",
    nodes.Binary: "_binary",
    nodes.InstanceOf: "_instance_of",
    nodes.Conditional: "_conditional",
    nodes.Assign: "_assign",
    nodes.Cast: "_cast",
}
