"""Terms as Cassandra's messages print them (Term.Raw.getText)."""

from grammar import tree
from grammar.tree import LiteralKind

_OPERATIONS = {"+": "_add", "-": "_substract", "*": "_multiply", "/": "_divide", "%": "_modulo"}


def term_text(term: tree.Expression) -> str:
    """CQL of a term: strings in quotes, bind markers as `?`."""
    match term:
        case tree.Literal(LiteralKind.STRING, text):
            return f"'{text}'"
        case tree.Literal(_, text):
            return text
        case tree.Null():
            return "NULL"
        case tree.Marker():
            return "?"
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
            return f'system."{_OPERATIONS[operator]}"({term_text(left)}, {term_text(right)})'
        case tree.UnaryMinus(expression):
            return f'system."_negate"({term_text(expression)})'
        case tree.TypeHint(type_, expression):
            return f"({_type_text(type_)}){term_text(expression)}"
    raise TypeError(term)


def _type_text(name: tree.TypeName) -> str:
    match name:
        case tree.NativeTypeName(text):
            return text
        case tree.FrozenTypeName(inner):
            return f"frozen<{_type_text(inner)}>"
        case tree.ListTypeName(element):
            return f"list<{_type_text(element)}>"
        case tree.SetTypeName(element):
            return f"set<{_type_text(element)}>"
        case tree.MapTypeName(key, value):
            return f"map<{_type_text(key)}, {_type_text(value)}>"
        case tree.TupleTypeName(elements):
            return f"tuple<{', '.join(map(_type_text, elements))}>"
        case tree.VectorTypeName(element, dimension):
            return f"vector<{_type_text(element)}, {dimension}>"
        case tree.UserTypeName(keyspace, text):
            return text if keyspace is None else f"{keyspace}.{text}"
        case tree.CustomTypeName(java_class):
            package = "" if "." in java_class else "org.apache.cassandra.db.marshal."
            return f"'{package}{java_class}'"
    raise TypeError(name)
