"""Builds the parse tables from cql.lark with Lark, and saves them: `python -m grammar.build`, after each change of it.

Only this module imports Lark. Building takes about a second; what a program needs at run time is the file, which
`grammar.tables` describes and reads. Its numbers are ours and follow from the grammar alone, not from Lark's order:
- states: for each state (number of a terminal -> action, number of a left side -> state). An action >= 0 shifts to that
  state, an action < 0 reduces by the rule with the number ~action.
- rules: (number of the left side, number of symbols, name of the action or "").
"""

import json
import os
import re
import sys
import tempfile
import zlib
from array import array
from contextlib import suppress
from pathlib import Path

from grammar.keywords import NUMBERS
from grammar.tables import GRAMMAR, NUMBERS_TYPE, Tables, package_file, tables_key

# Where a shift and a reduction compete for these keywords, the reduction wins: what they introduce (an alias, GROUP BY,
# PER PARTITION LIMIT) is likelier than an operand of that name behind a parenthesis. Parser.g looks further ahead.
_REDUCE_FIRST = ("AS", "GROUP", "PER")


def build_tables(source: str) -> Tables:
    """The tables of the grammar in `source`; raises lark.GrammarError."""
    from lark import Lark, logger
    from lark.common import ParserConf
    from lark.lexer import Lexer
    from lark.parsers.lalr_analysis import LALR_Analyzer, Shift

    class DeclaredTerminals(Lexer):
        """Lark wants a lexer; grammar/lexer.py does the work."""

        def __init__(self, _conf: object) -> None:
            pass

        def lex(self, *_arguments: object) -> "list[object]":  # type: ignore[override]
            return []

    names = sorted(set(re.findall(r"\b[A-Z][A-Z_]+\b", re.sub(r"//.*", "", source))))
    unknown = [name for name in names if name not in NUMBERS]
    if unknown:
        raise ValueError(f"no such terminals: {unknown}")
    grammar = Lark(
        f"{source}\n%declare {' '.join(names)}\n",
        parser="lalr",
        lexer=DeclaredTerminals,
        start="start",
        maybe_placeholders=False,
    )
    logger.setLevel("ERROR")  # the analyser tells of each conflict that shifting resolves
    analysis = LALR_Analyzer(ParserConf(grammar.rules, {}, ["start"]), debug=True)
    analysis.compute_lalr()  # type: ignore[no-untyped-call]
    table = analysis.parse_table
    rules = sorted(
        grammar.rules,
        key=lambda rule: (str(rule.origin.name), [str(symbol.name) for symbol in rule.expansion], rule.alias or ""),
    )
    rule_numbers = {rule: number for number, rule in enumerate(rules)}

    # numbered breadth first, so that the same grammar gives the same file
    first = analysis.lr0_start_states["start"]
    order, numbers = [first], {first.closure: 0}
    for itemset in order:
        for symbol in sorted(itemset.transitions, key=lambda symbol: str(symbol.name)):
            following = itemset.transitions[symbol]
            if following.closure not in numbers:
                numbers[following.closure] = len(order)
                order.append(following)

    left_sides = {name: number for number, name in enumerate(sorted({str(rule.origin.name) for rule in rules}))}
    states: list[tuple[dict[int, int], dict[int, int]]] = []
    for itemset in order:
        row: dict[int, int] = {}
        gotos: dict[int, int] = {}
        for name, (action, argument) in sorted(table.states[itemset.closure].items()):
            if name in NUMBERS:
                row[NUMBERS[name]] = numbers[argument] if action is Shift else ~rule_numbers[argument]
            else:
                gotos[left_sides[name]] = numbers[argument]
        for terminal, reductions in itemset.lookaheads.items():
            if terminal.name in _REDUCE_FIRST:
                best = max(reductions, key=lambda rule: rule.options.priority or 0)
                row[NUMBERS[terminal.name]] = ~rule_numbers[best]
        states.append((row, gotos))
    end_state = numbers[table.end_states["start"]]
    described = [(left_sides[str(rule.origin.name)], len(rule.expansion), rule.alias or "") for rule in rules]
    _skip_renamings(states, described, end_state)
    return states, end_state, described


def _skip_renamings(
    states: list[tuple[dict[int, int], dict[int, int]]], rules: list[tuple[int, int, str]], end_state: int
) -> None:
    """Where a state can do nothing but take its symbol for another one, whoever would enter it goes on to where that leads:
    a third of a statement's steps. A wrong token is found later, but before any other is taken."""
    renamed: dict[int, int] = {}  # state -> the other symbol
    for number, (row, _) in enumerate(states):
        actions = set(row.values())
        if len(actions) == 1 and (action := actions.pop()) < 0:
            left, size, name = rules[~action]
            if size == 1 and not name:
                renamed[number] = left
    for row, gotos in states:

        def where_it_leads(state: int, gotos: dict[int, int] = gotos) -> int:
            while state in renamed and gotos[renamed[state]] != end_state:
                state = gotos[renamed[state]]
            return state

        for left, state in gotos.items():
            gotos[left] = where_it_leads(state)
        for terminal, action in row.items():
            if action >= 0:
                row[terminal] = where_it_leads(action)


def encode_tables(tables: Tables) -> bytes:
    """What a file of tables holds behind its key; equal rows are written once."""
    states, end_state, rules = tables
    rows: dict[tuple[tuple[int, int], ...], int] = {}
    pairs = [rows.setdefault(tuple(row.items()), len(rows)) for state in states for row in state]
    numbers = array(NUMBERS_TYPE, map(len, rows))
    for side in (0, 1):
        numbers.extend(entry[side] for row in rows for entry in row)
    numbers.extend(pairs)
    if sys.byteorder == "big":
        numbers.byteswap()
    layout = {"end": end_state, "rules": rules, "rows": len(rows), "states": len(states)}
    return zlib.compress(json.dumps(layout, separators=(",", ":")).encode() + b"\n" + numbers.tobytes(), 9)


def save_tables(path: Path, key: bytes, tables: Tables) -> None:
    """Writes a file of tables, whole or not at all; raises OSError."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".tables-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(key + encode_tables(tables))
        os.chmod(temporary, 0o644)  # mkstemp is stricter than a package's file should be
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def main() -> None:
    """Writes the package's file, or to the path given."""
    source = GRAMMAR.read_text(encoding="utf-8")
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else package_file()
    save_tables(path, tables_key(source), build_tables(source))


if __name__ == "__main__":
    main()
