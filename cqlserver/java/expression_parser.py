"""Expressions and types of Java, by recursive descent (Java Language Specification 11, chapters 4 and 15)."""

from typing import Final, NoReturn

from cqlserver.java import nodes
from cqlserver.java.errors import CompileError, Problem
from cqlserver.java.lexer import Token

PRIMITIVES: Final = frozenset("boolean byte short char int long float double".split())
ASSIGNMENTS: Final = frozenset("= += -= *= /= %= &= |= ^= <<= >>= >>>=".split())
LEVELS: Final[tuple[tuple[str, ...], ...]] = (
    ("||",),
    ("&&",),
    ("|",),
    ("^",),
    ("&",),
    ("==", "!="),
    ("<", ">", "<=", ">=", "instanceof"),
    ("<<", ">>", ">>>"),
    ("+", "-"),
    ("*", "/", "%"),
)
LEVEL_OF: Final = {operator: level for level, operators in enumerate(LEVELS) for operator in operators}
DEPTH_MAX: Final = 60
"""Of expressions and statements inside of each other: parsing, checking and running take Python frames for each."""
CHAIN_MAX: Final = 200
"""Of operators in a row: they make a tree as deep as they are many."""


class ExpressionParser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self.at = 0
        self._depth = 0

    # --- tokens ----------------------------------------------------------------------------------------------------------

    @property
    def token(self) -> Token:
        return self._tokens[self.at]

    def peek(self, count: int = 1) -> Token:
        return self._tokens[min(self.at + count, len(self._tokens) - 1)]

    def advance(self) -> Token:
        token = self.token
        if token.kind != "end":
            self.at += 1
        return token

    def is_next(self, text: str) -> bool:
        token = self.token
        return token.text == text and token.kind in ("operator", "keyword")

    def maybe(self, text: str) -> bool:
        if self.is_next(text):
            self.at += 1
            return True
        return False

    def expect(self, text: str, construct: str) -> Token:
        if not self.is_next(text):
            self.fail(f'Syntax error, insert "{text}" to complete {construct}', before=True)
        return self.advance()

    def word(self) -> Token:
        if self.token.kind != "word":
            self.unexpected()
        return self.advance()

    def fail(self, message: str, before: bool = False) -> NoReturn:
        """`before`: the complaint is about what should have come behind the token before."""
        token = self._tokens[self.at - 1] if before and self.at else self.token
        raise CompileError([Problem(token.line, token.at, message)])

    def unexpected(self) -> NoReturn:
        token = self.token
        if token.kind == "end":
            before = self._tokens[self.at - 1] if self.at else token
            self.fail(f'Syntax error on token "{before.text}", Expression expected after this token', before=True)
        self.fail(f'Syntax error on token "{token.text}", delete this token')

    def _shift(self) -> str | None:
        """`>>`, `>>>`, `>=` and so on, which come as single `>`s so that type arguments can end with them."""
        count = 0
        while self.peek(count).text == ">" and (not count or self.peek(count).at == self.peek(count - 1).end):
            count += 1
        if count < 1:
            return None
        after = self.peek(count)
        joined = after.at == self.peek(count - 1).end
        text = ">" * min(count, 3)
        if count > 3:
            self.unexpected()
        if joined and after.text in ("=", "=="):
            return text + "=" if after.text == "=" else None
        return text

    def _operator(self) -> tuple[str, int]:
        """The binary or assignment operator that is next, and how many tokens it takes."""
        token = self.token
        if token.text == ">" and token.kind == "operator":
            found = self._shift() or ">"
            return found, len(found)
        return (token.text, 1) if token.kind in ("operator", "keyword") else ("", 0)

    # --- types -----------------------------------------------------------------------------------------------------------

    def type(self) -> nodes.TypeNode:
        found = self.maybe_type()
        if found is None:
            self.unexpected()
        return found

    def maybe_type(self) -> nodes.TypeNode | None:
        token = self.token
        if token.kind == "keyword" and token.text in PRIMITIVES:
            self.advance()
            return nodes.TypeNode(token.line, token.at, token.text, None, self.dimensions())
        if token.kind != "word":
            return None
        name = self.advance().text
        arguments = self._type_arguments()
        while self.is_next(".") and self.peek().kind == "word":
            self.advance()
            name += "." + self.advance().text
            arguments = self._type_arguments() or arguments
        return nodes.TypeNode(token.line, token.at, name, arguments, self.dimensions())

    def _type_arguments(self) -> tuple[nodes.TypeNode, ...] | None:
        if not self.is_next("<"):
            return None
        self.advance()
        if self.maybe(">"):
            return ()
        arguments = [self._type_argument()]
        while self.maybe(","):
            arguments.append(self._type_argument())
        if not self.maybe(">"):
            self.unexpected()
        return tuple(arguments)

    def _type_argument(self) -> nodes.TypeNode:
        token = self.token
        if self.maybe("?"):
            is_lower = self.is_next("super")
            if is_lower or self.is_next("extends"):
                self.advance()
                return nodes.TypeNode(token.line, token.at, "?", (self.type(),), 0, is_lower)
            return nodes.TypeNode(token.line, token.at, "?")
        found = self.type()
        if found.name in PRIMITIVES and not found.dimensions:
            self.fail('Syntax error, insert "Dimensions" to complete TypeArgument', before=True)
        return found

    def dimensions(self) -> int:
        count = 0
        while self.is_next("[") and self.peek().text == "]":
            self.at += 2
            count += 1
        return count

    # --- expressions -----------------------------------------------------------------------------------------------------

    def expression(self) -> nodes.Expression:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            self.fail("The expression is too deep")
        try:
            return self._assignment()
        finally:
            self._depth -= 1

    def initializer(self) -> nodes.Expression:
        return self._array_literal() if self.is_next("{") else self.expression()

    def _array_literal(self) -> nodes.ArrayLiteral:
        start = self.expect("{", "ArrayInitializer")
        items: list[nodes.Expression] = []
        while not self.is_next("}"):
            items.append(self.initializer())
            if not self.maybe(","):
                break
        self.expect("}", "ArrayInitializer")
        return nodes.ArrayLiteral(start.line, start.at, tuple(items))

    def _assignment(self) -> nodes.Expression:
        left = self._conditional()
        operator, count = self._operator()
        if operator not in ASSIGNMENTS:
            return left
        self.at += count
        return nodes.Assign(left.line, left.at, operator[:-1], left, self.expression())

    def _conditional(self) -> nodes.Expression:
        condition = self._binary(0)
        if not self.maybe("?"):
            return condition
        if_true = self.expression()
        self.expect(":", "Expression")
        if_false = self._conditional() if not self._is_lambda() else self._lambda()
        return nodes.Conditional(condition.line, condition.at, condition, if_true, if_false)

    def _binary(self, level: int) -> nodes.Expression:
        """Operators of this level and above: by precedence climbing, so that parentheses cost few Python frames."""
        left = self._unary()
        length = 0
        while True:
            operator, count = self._operator()
            found = LEVEL_OF.get(operator, -1)
            if found < level:
                return left
            length += 1
            if length > CHAIN_MAX:
                self.fail("The expression is too long")
            self.at += count
            if operator == "instanceof":
                left = nodes.InstanceOf(left.line, left.at, left, self.type())
            else:
                left = nodes.Binary(left.line, left.at, operator, left, self._binary(found + 1))

    def _unary(self) -> nodes.Expression:
        token = self.token
        if token.kind == "operator":
            if token.text in ("++", "--"):
                self.advance()
                return nodes.Step(token.line, token.at, token.text, self._unary(), True)
            if token.text in ("+", "-", "!", "~"):
                self.advance()
                number = self.token
                if token.text == "-" and number.kind in ("int", "long") and self.peek().text not in (".", "[", "++", "--"):
                    self.advance()
                    return nodes.Literal(token.line, token.at, number.kind, -number.value)
                self._depth += 1
                if self._depth > DEPTH_MAX:
                    self.fail("The expression is too deep")
                operand = self._unary()
                self._depth -= 1
                return nodes.Unary(token.line, token.at, token.text, operand)
            if token.text == "(":
                if self._is_lambda():
                    return self._lambda()
                cast = self._maybe_cast()
                if cast is not None:
                    return cast
        return self._postfix(self._primary())

    def _maybe_cast(self) -> nodes.Cast | None:
        mark, token = self.at, self.token
        self.advance()
        try:
            wanted = self.maybe_type()
        except CompileError:
            wanted = None
        if wanted is None or not self.maybe(")"):
            self.at = mark
            return None
        follows = self.token
        is_primitive = wanted.name in PRIMITIVES and not wanted.dimensions
        if is_primitive or self._begins_operand(follows):
            return nodes.Cast(token.line, token.at, wanted, self._unary())
        self.at = mark
        return None

    def _begins_operand(self, token: Token) -> bool:
        """Whether this can stand behind `(Type)`: not + and -, which make it an operation."""
        if token.kind in ("word", "int", "long", "float", "double", "char", "string"):
            return True
        if token.kind == "keyword":
            return token.text in ("this", "new", "true", "false", "null", "super") or token.text in PRIMITIVES
        return token.text in ("(", "!", "~")

    def _is_lambda(self) -> bool:
        if self.token.kind == "word":
            return self.peek().text == "->"
        if not self.is_next("("):
            return False
        depth = 0
        for ahead in range(len(self._tokens) - self.at):
            token = self.peek(ahead)
            if token.kind == "operator":
                depth += (token.text == "(") - (token.text == ")")
            if depth == 0:
                return self.peek(ahead + 1).text == "->"
        return False

    def _lambda(self) -> NoReturn:
        self.fail("The target type of this expression must be a functional interface")

    def _arguments(self) -> tuple[nodes.Expression, ...]:
        self.expect("(", "MethodInvocation")
        arguments: list[nodes.Expression] = []
        if not self.is_next(")"):
            arguments.append(self.expression())
            while self.maybe(","):
                arguments.append(self.expression())
        self.expect(")", "MethodInvocation")
        return tuple(arguments)

    def _primary(self) -> nodes.Expression:
        token = self.token
        where = (token.line, token.at)
        match token.kind:
            case "int" | "long":
                self.advance()
                if token.value == 1 << (31 if token.kind == "int" else 63):
                    message = f"The literal {token.text} of type {token.kind} is out of range "
                    raise CompileError([Problem(*where, message)])
                return nodes.Literal(*where, token.kind, token.value)
            case "float" | "double" | "char" | "string":
                self.advance()
                return nodes.Literal(*where, token.kind, token.value)
            case "word":
                if self._is_lambda():
                    self._lambda()
                self.advance()
                if self.is_next("("):
                    return nodes.Call(*where, None, token.text, self._arguments())
                return nodes.Name(*where, token.text)
            case "keyword":
                return self._keyword(token)
        if self.maybe("("):
            inner = self.expression()
            self.expect(")", "Expression")
            return inner
        self.unexpected()

    def _keyword(self, token: Token) -> nodes.Expression:
        where = (token.line, token.at)
        match token.text:
            case "true" | "false":
                self.advance()
                return nodes.Literal(*where, "boolean", token.text == "true")
            case "null":
                self.advance()
                return nodes.Literal(*where, "null", None)
            case "this":
                self.advance()
                if self.is_next("("):
                    self.unexpected()
                return nodes.This(*where)
            case "new":
                self.advance()
                return self._new(token)
        self.unexpected()

    def _new(self, token: Token) -> nodes.Expression:
        where = (token.line, token.at)
        start = self.token
        made = self.maybe_type()
        if made is None:
            self.unexpected()
        if made.dimensions and self.is_next("{"):
            return nodes.NewArray(*where, made, (), self._array_literal())
        if self.is_next("["):
            sizes = []
            while self.is_next("[") and self.peek().text != "]":
                self.advance()
                sizes.append(self.expression())
                if not self.maybe("]"):
                    self.fail('Syntax error, insert "]" to complete ArrayAccess', before=True)
            dimensions = len(sizes) + self.dimensions()
            whole = nodes.TypeNode(start.line, start.at, made.name, made.arguments, dimensions)
            return nodes.NewArray(*where, whole, tuple(sizes))
        if not self.is_next("("):
            self.fail('Syntax error, insert "( )" to complete Expression', before=True)
        found = nodes.New(*where, made, self._arguments())
        if self.is_next("{"):
            self.fail("Anonymous classes are not supported")
        return found

    def _postfix(self, found: nodes.Expression) -> nodes.Expression:
        while True:
            token = self.token
            if token.kind != "operator":
                return found
            match token.text:
                case ".":
                    self.advance()
                    if self.is_next("<"):
                        self._type_arguments()
                    if self.maybe("class"):
                        found = nodes.ClassLiteral(token.line, token.at, found)
                        continue
                    name = self.word()
                    if self.is_next("("):
                        found = nodes.Call(name.line, name.at, found, name.text, self._arguments())
                    else:
                        found = nodes.FieldAccess(name.line, name.at, found, name.text)
                case "[":
                    self.advance()
                    index = self.expression()
                    if not self.maybe("]"):
                        self.fail('Syntax error, insert "]" to complete ArrayAccess', before=True)
                    found = nodes.Index(token.line, token.at, found, index)
                case "++" | "--":
                    self.advance()
                    found = nodes.Step(token.line, token.at, token.text, found, False)
                case "::":
                    self.fail("Method references are not supported")
                case _:
                    return found
