"""What the reductions of cql.lark make: one function for each `-> action`, called with the symbols' values.

`c` holds the value of each symbol of the alternative, tokens included: a token's value is its text (grammar.lexer). `p` is
the parse under way: it numbers the bind markers and collects the errors that Cassandra's parser finds beyond the grammar
(names and messages after the embedded Java of Parser.g). Those errors do not stop a parse: the first one is raised when
the text ends, or when it turns out to be wrong.
"""

from collections.abc import Callable
from math import isinf
from typing import Any

from grammar import schema_actions, tree
from grammar.errors import CqlNestingError, CqlSyntaxError, CqlTooLongError
from grammar.keywords import NATIVE_TYPES
from grammar.lexer import Quoted
from grammar.parse_state import (
    Action,
    Children,
    ParseState,
    fold,
    function_name,
    local_function_name,
    names,
    parsed_number,
    qualified_function_name,
    user_type_ident,
)
from grammar.tree import LiteralKind, Operator

# How deep operators may nest; a statement's compiler recurses over its tree.
OPERATION_DEPTH_MAX = 200
OPERATIONS_MAX = 100_000
"""In a statement: one may take 1,500 bytes until it is compiled, four times as much as two other tokens."""


# --- pieces --------------------------------------------------------------------------------------------------------


def _constant(value: Any) -> Action:
    return lambda c, p: value


def _item(index: int) -> Action:
    return lambda c, p: c[index]


def _one(c: Children, p: ParseState) -> list[Any]:
    return [c[0]]


def _more(c: Children, p: ParseState) -> Any:
    c[0].append(c[2])
    return c[0]


def _extend(c: Children, p: ParseState) -> list[Any]:
    if c[0].__class__ is tuple:
        return [c[1]]
    c[0].append(c[1])
    found: list[Any] = c[0]
    return found


def _one_pair(c: Children, p: ParseState) -> list[Any]:
    return [(c[0], c[2])]


def _more_pairs(c: Children, p: ParseState) -> Any:
    c[0].append((c[2], c[4]))
    return c[0]


# --- names ---------------------------------------------------------------------------------------------------------


def _refuse_marker(what: str) -> Action:
    def action(c: Children, p: ParseState) -> Any:
        p.errors.append(f"Bind variables cannot be used for {what} names")
        return tree.QualifiedName(None, "")

    return action


def _refuse_keyspace_marker(c: Children, p: ParseState) -> Any:
    p.errors.append("Bind variables cannot be used for keyspace names")
    return tree.QualifiedName(None, "") if len(c) > 1 else ""


def _refuse_role_marker(c: Children, p: ParseState) -> str:
    p.errors.append("Bind variables cannot be used for role names")
    return ""


def _refuse_name_marker(c: Children, p: ParseState) -> str:
    return ""


def _refuse_index_marker(c: Children, p: ParseState) -> Any:
    p.errors.append("Bind variables cannot be used for index names")
    return tree.QualifiedName(None, "")


# --- terms ---------------------------------------------------------------------------------------------------------


def _literal(kind: LiteralKind) -> Action:
    literal, marker = tree.Literal, tree.LiteralMarker

    def action(c: Children, p: ParseState) -> tree.Expression:
        if p.literals_as_markers and kind in SHAPED_KINDS:
            p.literals.append(c[0])
            return marker(len(p.literals) - 1, kind)
        return literal(kind, c[0])

    return action


# The kinds of literals that grammar.shape cuts out of a text.
SHAPED_KINDS = frozenset(
    (
        LiteralKind.STRING,
        LiteralKind.INTEGER,
        LiteralKind.FLOAT,
        LiteralKind.UUID,
        LiteralKind.HEX,
        LiteralKind.DURATION,
    )
)


def _float_literal(c: Children, p: ParseState) -> tree.Expression:
    """A number beyond doubles fails where Cassandra chooses its type (Constants.Type.getPreferedTypeFor)."""
    if isinf(float(c[0])):
        raise CqlSyntaxError(
            f"Failed parsing statement: [{p.text}] reason: NumberFormatException Character I is neither a decimal digit "
            'number, decimal point, nor "e" notation exponential mark.'
        )
    literal: tree.Expression = _plain_float(c, p)
    return literal


def _fixed_literal(kind: LiteralKind) -> Action:
    return lambda c, p: tree.Literal(kind, c[0])


def _marker(c: Children, p: ParseState) -> tree.Marker:
    p.markers.append(None)
    return tree.Marker(len(p.markers) - 1, None)


def _named_marker(c: Children, p: ParseState) -> tree.Marker:
    name = fold(c[1])
    p.markers.append(name)
    return tree.Marker(len(p.markers) - 1, name)


def _operation(c: Children, p: ParseState) -> tree.BinaryOperation:
    left, operator, right = c
    depths = p.depths
    depth = 1 + max(depths.get(id(left), 0), depths.get(id(right), 0))
    if depth > OPERATION_DEPTH_MAX:
        raise CqlNestingError
    if len(p.kept) == OPERATIONS_MAX:
        raise CqlTooLongError(f"The statement has more than {OPERATIONS_MAX} operators.")
    node = tree.BinaryOperation(operator, left, right)
    depths[id(node)] = depth
    p.kept.append(node)  # an id stays taken as long as its node lives
    return node


def _user_type_literal(c: Children, p: ParseState) -> tree.UserTypeLiteral:
    return tree.UserTypeLiteral(tuple({fold(name): value for name, value in c[1]}.items()))


def _hint(type_name: tree.TypeName, hinted: tree.Expression) -> tree.Expression:
    if isinstance(hinted, tree.FieldSelection):  # of `name.field` behind hints the field is taken last
        return tree.FieldSelection(_hint(type_name, hinted.expression), hinted.field)
    return tree.TypeHint(type_name, hinted)


def _hinted_field(hint: Action) -> Action:
    def action(c: Children, p: ParseState) -> tree.FieldSelection:
        *head, name, _, field = c
        return tree.FieldSelection(hint([*head, _column(name)], p), fold(field))

    return action


def _type_hint(c: Children, p: ParseState) -> tree.Expression:
    return _hint(c[1], c[3])


def _ident_hint(c: Children, p: ParseState) -> tree.Expression:
    name = c[1]
    if name.__class__ is not Quoted and name.lower() in NATIVE_TYPES:
        return _hint(tree.NativeTypeName(name.lower()), c[3])
    return _hint(tree.UserTypeName(None, fold(user_type_ident(name, p))), c[3])


def _qualified_hint(c: Children, p: ParseState) -> tree.Expression:
    return _hint(tree.UserTypeName(fold(c[1]), fold(user_type_ident(c[3], p))), c[5])


def _string_hint(c: Children, p: ParseState) -> tree.Expression:
    return _hint(tree.CustomTypeName(c[1]), c[3])


def _string_tuple(c: Children, p: ParseState) -> tree.TupleLiteral:
    return tree.TupleLiteral((_literal(LiteralKind.STRING)([c[1]], p),))


# --- selectables ---------------------------------------------------------------------------------------------------


def _ident_parentheses(c: Children, p: ParseState) -> tree.TupleLiteral:
    return tree.TupleLiteral((_column(c[1]),))


def _qualified_parentheses(c: Children, p: ParseState) -> tree.TupleLiteral:
    return tree.TupleLiteral((tree.FieldSelection(_column(c[1]), fold(c[3])),))


def _column(name: str) -> tree.Column:
    return tree.Column(str(name), True) if name.__class__ is Quoted else tree.Column(name.lower())


def _column_selectable(c: Children, p: ParseState) -> tree.Column:
    return _column(c[0])


def _selectable_call(c: Children, p: ParseState) -> tree.FunctionCall:
    return tree.FunctionCall(function_name(c, p), tuple(c[2]) if len(c) > 3 else ())


def _qualified_call(c: Children, p: ParseState) -> tree.FunctionCall:
    return tree.FunctionCall(qualified_function_name(c, p), tuple(c[4]) if len(c) > 5 else ())


_Subselection = Callable[[tree.Expression], tree.Expression]


def _element(c: Children, p: ParseState) -> _Subselection:
    key = c[0]
    return lambda expression: tree.ElementSelection(expression, key)


def _slice(start: tree.Expression | None, end: tree.Expression | None) -> _Subselection:
    return lambda expression: tree.SliceSelection(expression, start, end)


def _selection(c: Children, p: ParseState) -> tuple[bool, tuple[tree.Selector, ...]]:
    return False, tuple(c[0])


def _distinct_selection(c: Children, p: ParseState) -> tuple[bool, tuple[tree.Selector, ...]]:
    return True, tuple(c[1])


def _select(is_json: bool) -> Action:
    def action(c: Children, p: ParseState) -> tree.Select:
        is_distinct, selectors = c[-2]
        _, table, where, group_by, order_by, per_partition, limit, filtering = c[-1]
        return tree.Select(
            table,
            selectors,
            is_json,
            is_distinct,
            where,
            tuple(group_by),
            tuple(order_by),
            per_partition,
            limit,
            filtering,
        )

    return action


# --- WHERE and IF --------------------------------------------------------------------------------------------------


def _where(c: Children, p: ParseState) -> tree.WhereClause:
    relations = [item for item in c[1] if item.__class__ is not tree.CustomIndexExpression]
    if len(relations) == len(c[1]):
        return tree.WhereClause(tuple(relations))
    expressions = tuple(item for item in c[1] if item.__class__ is tree.CustomIndexExpression)
    return tree.WhereClause(tuple(relations), expressions)


def _named_relation(operator: Operator, value: int) -> Action:
    return lambda c, p: tree.ColumnRelation(fold(c[0]), operator, c[value])


def _custom_expression(c: Children, p: ParseState) -> tree.CustomIndexExpression:
    name = c[1] if isinstance(c[1], tree.QualifiedName) else tree.QualifiedName(None, fold(c[1]))
    return tree.CustomIndexExpression(name, c[3])


def _condition_target(c: Children, p: ParseState) -> tuple[str, tree.Expression | None, str | None]:
    if len(c) == 1:
        return fold(c[0]), None, None
    if c[1] == "[":
        return fold(c[0]), c[2], None
    return fold(c[0]), None, fold(c[2])


def _condition(operator: Operator | None, value: int) -> Action:
    def action(c: Children, p: ParseState) -> tree.Condition:
        column, element, field = c[0] if c[0].__class__ is tuple else (fold(c[0]), None, None)
        found = c[value]
        return tree.Condition(column, operator or c[1], tuple(found) if found.__class__ is list else found, element, field)

    return action


# --- INSERT, UPDATE, DELETE, BATCH ---------------------------------------------------------------------------------


def _insert(c: Children, p: ParseState) -> tree.Insert:
    return tree.Insert(c[2], names(c[4]), tuple(c[8]), c[10], c[11])


def _insert_json(c: Children, p: ParseState) -> tree.InsertJson:
    return tree.InsertJson(c[2], c[4], c[5], c[6], c[7])


def _using(c: Children, p: ParseState) -> tree.Using:
    said = dict(c[1])
    return tree.Using(said.get("timestamp"), said.get("ttl"))


def _assignments(c: Children, p: ParseState) -> list[tree.Assignment]:
    first: tree.Assignment = c[0]
    p.assigned = {first.column: [first]}
    return [first]


def _more_assignments(c: Children, p: ParseState) -> list[tree.Assignment]:
    """Appends, and says which assignments to one column exclude each other (Operation.RawUpdate.isCompatibleWith)."""
    before: list[tree.Assignment] = c[0]
    new: tree.Assignment = c[2]
    same = p.assigned.setdefault(new.column, [])
    if not p.errors and any(  # only the first error is told
        assignment.__class__ is tree.SetValue
        or new.__class__ is tree.SetValue
        or (isinstance(assignment, tree.SetField) and isinstance(new, tree.SetField) and assignment.field == new.field)
        for assignment in same
    ):
        p.errors.append(f"Multiple incompatible setting of column {new.column}")
    same.append(new)
    before.append(new)
    return before


def _set_value(c: Children, p: ParseState) -> tree.SetValue:
    return tree.SetValue(fold(c[0]), c[2])


def _prepend_value(c: Children, p: ParseState) -> tree.PrependValue:
    column = fold(c[0])
    if column != fold(c[4]):
        p.errors.append("Only expressions of the form X = <value> + X are supported.")
    return tree.PrependValue(column, c[2])


def _add_value(c: Children, p: ParseState) -> tree.Assignment:
    column, sign = fold(c[0]), c[3]
    if column != fold(c[2]):
        p.errors.append(f"Only expressions of the form X = X {sign}<value> are supported.")
    return tree.AddValue(column, c[4]) if sign == "+" else tree.SubtractValue(column, c[4])


def _add_integer(c: Children, p: ParseState) -> tree.AddValue:
    column = fold(c[0])
    if column != fold(c[2]):
        sign = "-" if c[3].startswith("-") else "+"
        p.errors.append(f"Only expressions of the form X = X {sign} <value> are supported.")
    value = _literal(LiteralKind.INTEGER)([c[3]], p)
    return tree.AddValue(column, value)


def _update(c: Children, p: ParseState) -> tree.Update:
    if_exists, conditions = c[6]
    return tree.Update(c[1], tuple(c[4]), c[5], c[2], if_exists, conditions)


def _delete(c: Children, p: ParseState) -> tree.Delete:
    if_exists, conditions = c[6]
    return tree.Delete(c[3], tuple(c[1]), c[5], c[4], if_exists, conditions)


def _batch(c: Children, p: ParseState) -> tree.Batch:
    return tree.Batch(c[1], tuple(c[4]), c[3])


_plain_float = _literal(LiteralKind.FLOAT)

_TERMS: dict[str, Action] = {
    "literal_string": _literal(LiteralKind.STRING),
    "literal_integer": _literal(LiteralKind.INTEGER),
    "literal_float": _float_literal,
    "literal_boolean": _literal(LiteralKind.BOOLEAN),
    "literal_duration": _literal(LiteralKind.DURATION),
    "literal_uuid": _literal(LiteralKind.UUID),
    "literal_hex": _literal(LiteralKind.HEX),
    "literal_nan": _constant(tree.Literal(LiteralKind.FLOAT, "NaN")),
    "literal_infinity": _constant(tree.Literal(LiteralKind.FLOAT, "Infinity")),
    "literal_negative_infinity": _constant(tree.Literal(LiteralKind.FLOAT, "-Infinity")),
    "literal_integer_fixed": _fixed_literal(LiteralKind.INTEGER),
    "literal_string_fixed": _fixed_literal(LiteralKind.STRING),
    "marker": _marker,
    "named_marker": _named_marker,
    "null": _constant(tree.Null()),
    "operation": _operation,
    "negation": lambda c, p: tree.UnaryMinus(c[1]),
    "empty_list": _constant(tree.ListLiteral(())),
    "list_literal": lambda c, p: tree.ListLiteral(tuple(c[1])),
    "empty_set": _constant(tree.SetLiteral(())),
    "set_literal": lambda c, p: tree.SetLiteral(tuple(c[1])),
    "map_literal": lambda c, p: tree.MapLiteral(tuple(c[1])),
    "user_type_literal": _user_type_literal,
    "tuple_literal": lambda c, p: tree.TupleLiteral(tuple(c[1])),
    "string_tuple": _string_tuple,
    "call_empty": lambda c, p: tree.FunctionCall(c[0], ()),
    "call": lambda c, p: tree.FunctionCall(c[0], tuple(c[2])),
    "cast": lambda c, p: tree.Cast(c[2], c[4]),
    "ident_hint": _ident_hint,
    "qualified_hint": _qualified_hint,
    "type_hint": _type_hint,
    "string_hint": _string_hint,
    "ident_hint_field": _hinted_field(_ident_hint),
    "qualified_hint_field": _hinted_field(_qualified_hint),
    "type_hint_field": _hinted_field(_type_hint),
    "string_hint_field": _hinted_field(_string_hint),
}

_SELECT: dict[str, Action] = {
    "select": _select(False),
    "select_json": _select(True),
    "selection": _selection,
    "distinct_selection": _distinct_selection,
    "selector": lambda c, p: tree.Selector(c[0]),
    "aliased_selector": lambda c, p: tree.Selector(c[0], fold(c[2])),
    "column_selectable": _column_selectable,
    "column_field": lambda c, p: tree.FieldSelection(_column(c[0]), fold(c[2])),
    "field_selection": lambda c, p: tree.FieldSelection(c[0], fold(c[2])),
    "sub_selection": lambda c, p: c[2](c[0]),
    "column_sub_selection": lambda c, p: c[2](_column(c[0])),
    "element": _element,
    "slice_from": lambda c, p: _slice(c[0], None),
    "slice": lambda c, p: _slice(c[0], c[2]),
    "slice_to": lambda c, p: _slice(None, c[1]),
    "ident_parentheses": _ident_parentheses,
    "qualified_parentheses": _qualified_parentheses,
    "ident_pair": lambda c, p: [(_ident_parentheses(c, p), c[4])],
    "qualified_pair": lambda c, p: [(_qualified_parentheses(c, p), c[6])],
    "more_ident_pairs": lambda c, p: [*c[0], (_ident_parentheses(c[2:], p), c[6])],
    "more_qualified_pairs": lambda c, p: [*c[0], (_qualified_parentheses(c[2:], p), c[8])],
    "count_rows": _constant(tree.CountRows()),
    "column_function": lambda c, p: tree.ColumnFunction(c[0].lower(), c[2]),
    "selectable_call_empty": _selectable_call,
    "selectable_call": _selectable_call,
    "qualified_call_empty": _qualified_call,
    "qualified_call": _qualified_call,
    "ordering": lambda c, p: tree.Ordering(fold(c[0]), c[1]),
    "ann_ordering": lambda c, p: tree.Ordering(fold(c[0]), c[4], c[3]),
}

_WHERE: dict[str, Action] = {
    "where_empty": _constant(tree.WhereClause()),
    "where": _where,
    "custom_expression": _custom_expression,
    "column_relation": lambda c, p: tree.ColumnRelation(fold(c[0]), c[1], c[2]),
    "like_relation": _named_relation(Operator.LIKE, 2),
    "contains_relation": _named_relation(Operator.CONTAINS, 2),
    "contains_key_relation": _named_relation(Operator.CONTAINS_KEY, 3),
    "is_not_null": lambda c, p: tree.IsNotNullRelation(fold(c[0])),
    "token_relation": lambda c, p: tree.TokenRelation(names(c[2]), c[4], c[5]),
    "in_marker": lambda c, p: tree.InRelation(fold(c[0]), c[2]),
    "in_values": lambda c, p: tree.InRelation(fold(c[0]), tuple(c[3])),
    "map_entry_relation": lambda c, p: tree.MapEntryRelation(fold(c[0]), c[2], c[4], c[5]),
    "multi_in_nothing": lambda c, p: tree.MultiColumnInRelation(names(c[0]), ()),
    "multi_in_marker": lambda c, p: tree.MultiColumnInRelation(names(c[0]), c[2]),
    "multi_in_values": lambda c, p: tree.MultiColumnInRelation(names(c[0]), tuple(c[3])),
    "multi_relation": lambda c, p: tree.MultiColumnRelation(names(c[0]), c[1], c[2]),
    "equal": _constant(Operator.EQ),
    "less": _constant(Operator.LT),
    "less_or_equal": _constant(Operator.LTE),
    "greater": _constant(Operator.GT),
    "greater_or_equal": _constant(Operator.GTE),
    "not_equal": _constant(Operator.NEQ),
    "no_conditions": _constant((False, ())),
    "condition_exists": _constant((True, ())),
    "conditions": lambda c, p: (False, tuple(c[1])),
    "condition": _condition(None, 2),
    "contains_condition": _condition(Operator.CONTAINS, 2),
    "contains_key_condition": _condition(Operator.CONTAINS_KEY, 3),
    "condition_in_values": _condition(Operator.IN, 3),
    "condition_in_marker": _condition(Operator.IN, 2),
    "target_column": _condition_target,
    "target_element": _condition_target,
    "target_field": _condition_target,
}

_WRITES: dict[str, Action] = {
    "insert": _insert,
    "insert_json": _insert_json,
    "no_using": _constant(tree.NO_USING),
    "using": _using,
    "using_timestamp": lambda c, p: ("timestamp", c[1]),
    "using_ttl": lambda c, p: ("ttl", c[1]),
    "update": _update,
    "assignments": _assignments,
    "more_assignments": _more_assignments,
    "set_value": _set_value,
    "prepend_value": _prepend_value,
    "add_value": _add_value,
    "subtract_value": _add_value,
    "add_integer": _add_integer,
    "add_shorthand": lambda c, p: tree.AddValue(fold(c[0]), c[2]),
    "subtract_shorthand": lambda c, p: tree.SubtractValue(fold(c[0]), c[2]),
    "set_element": lambda c, p: tree.SetElement(fold(c[0]), c[2], c[5]),
    "set_field": lambda c, p: tree.SetField(fold(c[0]), fold(c[2]), c[4]),
    "delete": _delete,
    "delete_column": lambda c, p: tree.Deletion(fold(c[0])),
    "delete_element": lambda c, p: tree.Deletion(fold(c[0]), c[2]),
    "delete_field": lambda c, p: tree.Deletion(fold(c[0]), None, fold(c[2])),
    "batch": _batch,
    "batch_logged": _constant(tree.BatchKind.LOGGED),
    "batch_unlogged": _constant(tree.BatchKind.UNLOGGED),
    "batch_counter": _constant(tree.BatchKind.COUNTER),
}

_PIECES: dict[str, Action] = {
    "nothing": _constant(None),
    "none": _constant(None),
    "true": _constant(True),
    "false": _constant(False),
    "empty": _constant(()),
    "empty_map": _constant([]),
    "list": lambda c, p: c,
    "first": _item(0),
    "second": _item(1),
    "third": _item(2),
    "fourth": _item(3),
    "one": _one,
    "more": _more,
    "extend": _extend,
    "one_pair": _one_pair,
    "more_pairs": _more_pairs,
    "type_ident": _item(0),
    "empty_name": lambda c, p: Quoted(""),
    "name_marker": _refuse_name_marker,
    "keyspace_marker": _refuse_keyspace_marker,
    "table_marker": _refuse_marker("table"),
    "index_marker": _refuse_index_marker,
    "role_marker": _refuse_role_marker,
    "table_name": lambda c, p: tree.QualifiedName(None, fold(c[0])),
    "qualified_name": lambda c, p: tree.QualifiedName(fold(c[0]), fold(c[2])),
    "function_name": function_name,
    "qualified_function_name": qualified_function_name,
    "local_function_name": local_function_name,
    "drop_timestamp": lambda c, p: parsed_number(c[2], 64, p),
}

ACTIONS: dict[str, Action] = {**_PIECES, **_TERMS, **_SELECT, **_WHERE, **_WRITES, **schema_actions.ACTIONS}
