"""CQL text -> statement tree.

An LALR(1) automaton over the tables that Lark built from cql.lark (grammar.tables), fed by grammar.lexer; the reductions
call grammar.actions. The stack is a list, so that no text can overflow Python's; how deep a text may nest is bounded
by STACK_MAX, because whoever walks the tree recurses.

What is wrong is worded as Cassandra words it by grammar.explain, which runs only then.
"""

import sys
from functools import cache
from importlib import import_module
from typing import NamedTuple

from grammar import tree
from grammar.errors import CqlNestingError, CqlSyntaxError, CqlTooLongError
from grammar.lexer import LexError, tokenize
from grammar.long_tokens import Pause
from grammar.parse_state import Action, ParseState, Rejected

# States on the stack; a level of parentheses takes one to three.
STACK_MAX = 500
TOKENS_MAX = 400_000
"""A token may cost 350 bytes until the statement is compiled, and the longest message has millions of them."""


class _RefusedError(Exception):
    """The automaton has no action for the token with the number `index`."""

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.index = index


class _Automaton(NamedTuple):
    """`actions[state]`: terminal -> action; `gotos[state]`: number of a rule's left side -> state; see grammar/build.py."""

    actions: list[dict[int, int]]
    gotos: list[dict[int, int]]
    end_state: int
    rules: list[tuple[int, int, Action | None]]
    fallbacks: tuple[int, ...]


@cache
def _automaton() -> _Automaton:
    """The tables, read once, at the first statement at the latest."""
    from grammar.actions import ACTIONS
    from grammar.keywords import FALLBACKS
    from grammar.tables import load_tables

    states, end_state, rules = load_tables()
    return _Automaton(
        [actions for actions, _ in states],
        [gotos for _, gotos in states],
        end_state,
        [(left, size, ACTIONS[action] if action else None) for left, size, action in rules],
        FALLBACKS,
    )


def warm_up() -> None:
    """Reads the tables now (some 10 ms), which the first statement would wait for."""
    _automaton()


def parse(
    text: str, *, literals_as_markers: bool = False, pause: Pause = None, long_work: Pause = None
) -> tree.Statement:
    """The tree of one statement; raises CqlSyntaxError with Cassandra's message. `pause` is called at least once in a
    millisecond: a long text takes seconds. `long_work` is called before other work that takes milliseconds.

    With `literals_as_markers` the tree stands for all statements of this one's shape (grammar.shape), and CqlSyntaxError
    also says that there is no such tree; its message is not for clients then.
    """
    if literals_as_markers:
        from grammar.shape import parse_shaped, shape

        cut = shape(text)
        statement = None if cut is None else parse_shaped(text, cut[1])
        if statement is None:
            raise CqlSyntaxError("The statement has no shape")
        return statement
    return parse_with(text, ParseState(text, pause=pause, long_work=long_work))


def parse_with(text: str, state: ParseState) -> tree.Statement:
    """The same, with the state given: `grammar.shape` wants literals as markers, and their texts."""
    refused: int | None = None
    try:
        statement = _run(text, state)
    except Rejected:
        refused = 0
    except LexError:
        refused = len(text)  # behind the place of the error, which explain meets before
    except _RefusedError as error:
        refused = error.index
    if state.errors:
        raise CqlSyntaxError(state.errors[0])
    if refused is not None:
        if state.literals_as_markers:
            raise CqlSyntaxError("The text is wrong")  # nobody asks why
        raise _explained(text, refused, state)
    if state.markers:
        # here and not in the actions, where the parts of a batch would each copy the names of all before
        object.__setattr__(statement, "markers", tuple(state.markers))
    return statement


def _explained(text: str, refused: int, p: ParseState) -> CqlSyntaxError:
    """Why. What knows is imported and made ready with the first text that is refused, in pieces."""
    if "grammar.explain" not in sys.modules and p.long_work is not None:
        p.long_work()
    for name in ("grammar.scan", "grammar.explain"):
        import_module(name)
        if p.pause is not None:
            p.pause()
    from grammar.explain import explain

    return explain(text, refused, p.pause)


def _run(text: str, p: ParseState) -> tree.Statement:
    """The statement; raises LexError, Rejected, _RefusedError, CqlNestingError,
    CqlTooLongError."""
    actions, gotos, end_state, rules, fallbacks = _automaton()
    states = [0]
    stack: list[object] = []
    state = position = count = 0
    terminal = -1
    while terminal != 0:
        types, values, position = tokenize(text, position, p.pause)
        for index, terminal in enumerate(types):
            value = values[index]
            while True:
                row = actions[state]
                action = row.get(terminal)
                if action is None:
                    # an unreserved keyword that means nothing of its own here is a name
                    action = row.get(fallbacks[terminal])
                    if action is None:
                        raise _RefusedError(count + index)
                if action >= 0:
                    states.append(action)
                    stack.append(value)
                    state = action
                    break
                left, size, act = rules[~action]
                if act is None:
                    states.pop()
                elif size:
                    children = stack[-size:]
                    del stack[-size:]
                    del states[-size:]
                    stack.append(act(children, p))
                else:
                    stack.append(act([], p))
                state = gotos[states[-1]][left]
                states.append(state)
                if state == end_state and terminal == 0:
                    found = stack[-1]
                    assert isinstance(found, tree.Statement), found
                    return found
            if len(states) > STACK_MAX:
                raise CqlNestingError
        count += len(types)
        if count > TOKENS_MAX:
            raise CqlTooLongError(
                f"The statement has more than {TOKENS_MAX} words, numbers and signs. Bind its values, or split it."
            )
        if p.pause is not None:
            p.pause()
    raise _RefusedError(count - 1)
