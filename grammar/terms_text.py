"""Terms as Cassandra's messages print them (Term.Raw.getText)."""

from grammar import tree
from grammar.tree import LiteralKind


def term_text(term: tree.Expression) -> str:
    """CQL of a term: strings in quotes, bind markers as `?`."""
    match term:
        case tree.Literal(LiteralKind.STRING, text):
            return f"'{text}'"
        case tree.Literal(_, text):
            return text
        case tree.Null():
            return "NULL"
        case tree.Marker(_, name):
            return "?" if name is None else f":{name}"
        case tree.ListLiteral(items):
            return f"[{', '.join(map(term_text, items))}]"
        case tree.SetLiteral(items):
            return f"{{{', '.join(map(term_text, items))}}}"
        case tree.TupleLiteral(items):
            return f"({', '.join(map(term_text, items))})"
        case tree.MapLiteral(entries):
            return f"{{{', '.join(f'{term_text(key)}: {term_text(value)}' for key, value in entries)}}}"
        case tree.UserTypeLiteral(fields):
            return f"{{{', '.join(f'{name}: {term_text(value)}' for name, value in fields)}}}"
        case tree.FunctionCall(name, arguments):
            prefix = "" if name.keyspace is None else f"{name.keyspace}."
            return f"{prefix}{name.name}({', '.join(map(term_text, arguments))})"
        case tree.BinaryOperation(operator, left, right):
            return f"{term_text(left)} {operator} {term_text(right)}"
        case tree.UnaryMinus(expression):
            return f"-{term_text(expression)}"
    return str(term)
