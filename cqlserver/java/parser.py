"""A method's body -> tree: statements (Java Language Specification 11, chapter 14). Expressions: expression_parser.py."""

from cqlserver.java import nodes
from cqlserver.java.errors import CompileError, Problem
from cqlserver.java.expression_parser import DEPTH_MAX, ExpressionParser
from cqlserver.java.lexer import tokens

MODIFIERS = ("public", "private", "protected", "static", "native", "transient", "volatile")
REFUSED_WORDS = ("class", "interface", "enum", "import", "package")


def parse_body(source: str) -> nodes.Block:
    """Raises CompileError."""
    parser = StatementParser(tokens(source))
    statements = []
    while parser.token.kind != "end":
        if parser.token.text == "}":
            parser.refuse("not allowed method declared")
        statements.append(parser.block_statement())
    return nodes.Block(1, 0, tuple(statements))


class StatementParser(ExpressionParser):
    def refuse(self, message: str) -> None:
        raise CompileError([Problem(self.token.line, self.token.at, message)], is_refused=True)

    def block(self) -> nodes.Block:
        start = self.expect("{", "Block")
        statements = []
        while not self.is_next("}"):
            if self.token.kind == "end":
                self.fail('Syntax error, insert "}" to complete ClassBody')
            statements.append(self.block_statement())
        self.advance()
        return nodes.Block(start.line, start.at, tuple(statements))

    def block_statement(self) -> nodes.Statement:
        token = self.token
        if token.kind == "keyword" and token.text in ("class", "interface", "abstract", "enum"):
            self.refuse("class declared as inner class")
        if token.kind == "keyword" and token.text in MODIFIERS:
            self.advance()
            name = self.local().declarators[0].name if self._is_declaration() else self.token.text
            self.fail(f"Illegal modifier for parameter {name}; only final is permitted", before=True)
        if token.kind == "keyword" and token.text in REFUSED_WORDS:
            self.fail(f'Syntax error on token "{token.text}", delete this token')
        if self.is_next("final") or self._is_declaration():
            local = self.local()
            self.semicolon()
            return local
        return self.statement()

    def _is_declaration(self) -> bool:
        mark = self.at
        try:
            return self.maybe_type() is not None and self.token.kind == "word"
        except CompileError:
            return False
        finally:
            self.at = mark

    def local(self) -> nodes.Local:
        start = self.token
        is_final = self.maybe("final")
        declared = self.type()
        declarators = [self._declarator()]
        while self.maybe(","):
            declarators.append(self._declarator())
        return nodes.Local(start.line, start.at, declared, tuple(declarators), is_final)

    def _declarator(self) -> nodes.Declarator:
        name = self.word()
        dimensions = self.dimensions()
        value = self.initializer() if self.maybe("=") else None
        return nodes.Declarator(name.line, name.at, name.text, dimensions, value)

    def semicolon(self) -> None:
        if not self.maybe(";"):
            self.fail('Syntax error, insert ";" to complete BlockStatements', before=True)

    # --- statements ------------------------------------------------------------------------------------------------------

    def statement(self) -> nodes.Statement:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            self.fail("The statements are too deep")
        try:
            return self._statement()
        finally:
            self._depth -= 1

    def _statement(self) -> nodes.Statement:
        token = self.token
        where = (token.line, token.at)
        if token.kind == "word" and self.peek().text == ":" and self.peek().kind == "operator":
            self.advance()
            self.advance()
            return nodes.Labelled(*where, token.text, self.statement())
        if token.kind in ("keyword", "operator"):
            parse = getattr(self, _STATEMENTS.get(token.text, ""), None)
            if parse is not None:
                found: nodes.Statement = parse(where)
                return found
            if token.text in ("else", "case", "default", "catch", "finally", "goto", "const"):
                self.fail(f'Syntax error on token "{token.text}", delete this token')
        expression = self.expression()
        self.semicolon()
        self._check_statement(expression)
        return nodes.Evaluate(*where, expression)

    def _check_statement(self, expression: nodes.Expression) -> None:
        if not isinstance(expression, nodes.Assign | nodes.Step | nodes.Call | nodes.New):
            if isinstance(expression, nodes.Binary):
                message = f'Syntax error on token "{expression.operator}", invalid AssignmentOperator'
            else:
                message = 'Syntax error, insert "AssignmentOperator Expression" to complete Expression'
            raise CompileError([Problem(expression.line, expression.at, message)])

    def _block(self, where: tuple[int, int]) -> nodes.Statement:
        return self.block()

    def _empty(self, where: tuple[int, int]) -> nodes.Statement:
        self.advance()
        return nodes.Empty(*where)

    def _parenthesised(self) -> nodes.Expression:
        self.expect("(", "ParenthesizedExpression")
        value = self.expression()
        self.expect(")", "Expression")
        return value

    def _if(self, where: tuple[int, int]) -> nodes.Statement:
        self.advance()
        condition = self._parenthesised()
        then = self.statement()
        return nodes.If(*where, condition, then, self.statement() if self.maybe("else") else None)

    def _while(self, where: tuple[int, int]) -> nodes.Statement:
        self.advance()
        return nodes.While(*where, self._parenthesised(), self.statement())

    def _do(self, where: tuple[int, int]) -> nodes.Statement:
        self.advance()
        body = self.statement()
        self.expect("while", "DoStatement")
        condition = self._parenthesised()
        self.semicolon()
        return nodes.DoWhile(*where, condition, body)

    def _for(self, where: tuple[int, int]) -> nodes.Statement:
        self.advance()
        self.expect("(", "ForStatement")
        init: tuple[nodes.Statement, ...] = ()
        if self.is_next("final") or self._is_declaration():
            local = self.local()
            only = local.declarators[0]
            if self.maybe(":"):
                items = self.expression()
                self.expect(")", "EnhancedForStatement")
                return nodes.ForEach(*where, local.type, only.name, items, self.statement())
            init = (local,)
        elif not self.is_next(";"):
            init = tuple(nodes.Evaluate(e.line, e.at, e) for e in self._expressions())
        self.expect(";", "ForStatement")
        condition = None if self.is_next(";") else self.expression()
        self.expect(";", "ForStatement")
        update = () if self.is_next(")") else self._expressions()
        self.expect(")", "ForStatement")
        return nodes.For(*where, init, condition, update, self.statement())

    def _expressions(self) -> tuple[nodes.Expression, ...]:
        found = [self.expression()]
        while self.maybe(","):
            found.append(self.expression())
        for expression in found:
            self._check_statement(expression)
        return tuple(found)

    def _switch(self, where: tuple[int, int]) -> nodes.Statement:
        self.advance()
        value = self._parenthesised()
        self.expect("{", "SwitchBlock")
        cases: list[nodes.Case] = []
        while not self.maybe("}"):
            start = self.token
            values: list[nodes.Expression] = []
            if not self.maybe("default"):
                self.expect("case", "SwitchBlock")
                values.append(self.expression())
            self.expect(":", "SwitchLabel")
            statements = []
            while not (self.is_next("case") or self.is_next("default") or self.is_next("}")):
                if self.token.kind == "end":
                    self.fail('Syntax error, insert "}" to complete Block')
                statements.append(self.block_statement())
            cases.append(nodes.Case(start.line, start.at, tuple(values), tuple(statements)))
        return nodes.Switch(*where, value, tuple(cases))

    def _return(self, where: tuple[int, int]) -> nodes.Statement:
        self.advance()
        value = None if self.is_next(";") else self.expression()
        self.semicolon()
        return nodes.Return(*where, value)

    def _throw(self, where: tuple[int, int]) -> nodes.Statement:
        self.advance()
        value = self.expression()
        self.semicolon()
        return nodes.Throw(*where, value)

    def _jump(self, where: tuple[int, int]) -> nodes.Statement:
        word = self.advance().text
        label = self.advance().text if self.token.kind == "word" else None
        self.semicolon()
        return nodes.Jump(*where, word, label)

    def _try(self, where: tuple[int, int]) -> nodes.Statement:
        self.advance()
        if self.is_next("("):
            self.fail("try with resources is not supported")
        body = self.block()
        catches = []
        while self.is_next("catch"):
            start = self.advance()
            self.expect("(", "CatchClause")
            self.maybe("final")
            types = [self.type()]
            while self.maybe("|"):
                types.append(self.type())
            name = self.word().text
            self.expect(")", "CatchClause")
            catches.append(nodes.Catch(start.line, start.at, tuple(types), name, self.block()))
        finally_ = self.block() if self.maybe("finally") else None
        if not catches and finally_ is None:
            self.fail('Syntax error, insert "Finally" to complete BlockStatements')
        return nodes.Try(*where, body, tuple(catches), finally_)

    def _synchronized(self, where: tuple[int, int]) -> nodes.Statement:
        self.refuse("use of synchronized")
        raise AssertionError

    def _assert(self, where: tuple[int, int]) -> nodes.Statement:
        self.refuse("field declared: $assertionsDisabled, static initializer declared")
        raise AssertionError


_STATEMENTS = {
    "{": "_block",
    ";": "_empty",
    "if": "_if",
    "while": "_while",
    "do": "_do",
    "for": "_for",
    "switch": "_switch",
    "return": "_return",
    "throw": "_throw",
    "break": "_jump",
    "continue": "_jump",
    "try": "_try",
    "synchronized": "_synchronized",
    "assert": "_assert",
}
