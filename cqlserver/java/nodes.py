"""The tree of a method's body: expressions and statements, as written. Frozen values; `line` and `at` say where."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Node:
    line: int
    at: int


# --- types as written --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TypeNode(Node):
    """`name` may have dots; `arguments` None: none written; (): a diamond. A wildcard's name is '?' and its bound, if it
    has one, its only argument; `is_lower`: `? super bound`."""

    name: str
    arguments: "tuple[TypeNode, ...] | None" = None
    dimensions: int = 0
    is_lower: bool = False


# --- expressions -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Expression(Node):
    pass


@dataclass(frozen=True, slots=True)
class Literal(Expression):
    """`kind`: int long float double char string boolean null."""

    kind: str
    value: Any


@dataclass(frozen=True, slots=True)
class Name(Expression):
    """One word: a variable, or the beginning of a type's or package's name."""

    name: str


@dataclass(frozen=True, slots=True)
class ClassLiteral(Expression):
    """`Type.class`."""

    target: Expression


@dataclass(frozen=True, slots=True)
class This(Expression):
    pass


@dataclass(frozen=True, slots=True)
class FieldAccess(Expression):
    target: Expression
    name: str


@dataclass(frozen=True, slots=True)
class Call(Expression):
    target: Expression | None
    name: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class New(Expression):
    type: TypeNode
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class ArrayLiteral(Expression):
    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class NewArray(Expression):
    """`type`: of the whole array; `sizes` of its outer dimensions, or `items`."""

    type: TypeNode
    sizes: tuple[Expression, ...]
    items: ArrayLiteral | None = None


@dataclass(frozen=True, slots=True)
class Index(Expression):
    target: Expression
    index: Expression


@dataclass(frozen=True, slots=True)
class Unary(Expression):
    """`operator`: + - ! ~."""

    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Step(Expression):
    """++ and --."""

    operator: str
    target: Expression
    is_prefix: bool


@dataclass(frozen=True, slots=True)
class Binary(Expression):
    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class InstanceOf(Expression):
    value: Expression
    type: TypeNode


@dataclass(frozen=True, slots=True)
class Conditional(Expression):
    condition: Expression
    if_true: Expression
    if_false: Expression


@dataclass(frozen=True, slots=True)
class Assign(Expression):
    """`operator`: '' or that of a compound assignment."""

    operator: str
    target: Expression
    value: Expression


@dataclass(frozen=True, slots=True)
class Cast(Expression):
    type: TypeNode
    value: Expression


# --- statements --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Statement(Node):
    pass


@dataclass(frozen=True, slots=True)
class Declarator(Node):
    name: str
    dimensions: int
    value: Expression | None


@dataclass(frozen=True, slots=True)
class Local(Statement):
    type: TypeNode
    declarators: tuple[Declarator, ...]
    is_final: bool


@dataclass(frozen=True, slots=True)
class Evaluate(Statement):
    expression: Expression


@dataclass(frozen=True, slots=True)
class Block(Statement):
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Empty(Statement):
    pass


@dataclass(frozen=True, slots=True)
class If(Statement):
    condition: Expression
    then: Statement
    otherwise: Statement | None


@dataclass(frozen=True, slots=True)
class While(Statement):
    condition: Expression
    body: Statement


@dataclass(frozen=True, slots=True)
class DoWhile(Statement):
    condition: Expression
    body: Statement


@dataclass(frozen=True, slots=True)
class For(Statement):
    init: tuple[Statement, ...]
    condition: Expression | None
    update: tuple[Expression, ...]
    body: Statement


@dataclass(frozen=True, slots=True)
class ForEach(Statement):
    type: TypeNode
    name: str
    items: Expression
    body: Statement


@dataclass(frozen=True, slots=True)
class Case(Node):
    """`values` empty: default."""

    values: tuple[Expression, ...]
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Switch(Statement):
    value: Expression
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class Return(Statement):
    value: Expression | None


@dataclass(frozen=True, slots=True)
class Throw(Statement):
    value: Expression


@dataclass(frozen=True, slots=True)
class Jump(Statement):
    """break and continue."""

    word: str
    label: str | None


@dataclass(frozen=True, slots=True)
class Labelled(Statement):
    label: str
    statement: Statement


@dataclass(frozen=True, slots=True)
class Catch(Node):
    types: tuple[TypeNode, ...]
    name: str
    body: Block


@dataclass(frozen=True, slots=True)
class Try(Statement):
    body: Block
    catches: tuple[Catch, ...]
    finally_: Block | None
