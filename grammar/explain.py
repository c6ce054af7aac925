"""Why a text is no CQL, in the words of Cassandra's parser.

Cassandra's parser is made by ANTLR 3: it walks the grammar top down and decides at each fork by looking ahead. Its message
tells where that walk ended: at a token that should have been another ("mismatched input"), or at a fork that no way
led out of ("no viable alternative"; then the token named is the first that none of the ways could take, and the one in
brackets is where the fork stood). So the walk is done again here, over descent.ebnf, and only for a text that
grammar.parser has refused. The forks' decisions are kept as automata that grow as they are used, so that a long list of
values costs a look-up for each of its forks. Where the walk has not ended after TOKENS_MAX tokens, a plainer message names
the token that grammar.parser stopped at.

The snippet behind the message is cql3/ErrorCollector.java's: ten tokens before and two after, blanks counted, but never
beyond the token that the walk has looked at last.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias

from grammar.errors import CqlSyntaxError
from grammar.keywords import NUMBERS, TERMINALS, WORDS
from grammar.scan import Scanner, ScannerError, Token, TooManyTokensError

# A text is walked so far (blanks count): this takes a quarter of a second.
TOKENS_MAX = 5_000

_SNIPPET_BEFORE = 10
_SNIPPET_AFTER = 2

_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_LONE_SURROGATE = re.compile("[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]")

# How far a fork's decision looks before it settles for the first way left.
_LOOKAHEAD_MAX = 2_000


class _Fork(NamedTuple):
    """`ways`: the states that the alternatives begin with; the last of a `?` or `*` leads past it. `conditions`: for
    each way the (first, last) state of what must match, or None. `is_lenient`: what fits no way takes the last one.
    Conditions decide behind the first token. `reads_on`: ANTLR's automaton has read one token more than it needs."""

    ways: tuple[int, ...]
    conditions: tuple[tuple[int, int] | None, ...]
    is_lenient: bool
    reads_on: bool


# How a state is left: by a token, one of several tokens, a rule (then on to a state), a fork, or freely.
class _Take(NamedTuple):
    token: int
    target: int


class _TakeOne(NamedTuple):
    tokens: frozenset[int]
    target: int


class _Call(NamedTuple):
    rule: str
    target: int


class _Free(NamedTuple):
    target: int


_Edge: TypeAlias = _Take | _TakeOne | _Call | _Free | _Fork | None

# (state, number of the way, states to return to: nested pairs, or None for "whoever called the rule")
_Stack: TypeAlias = "tuple[int, _Stack] | None"
_Position: TypeAlias = tuple[int, int, _Stack]
_Positions: TypeAlias = frozenset[_Position]

_TYPE_RULE = "comparator_type"


def _is_take(edge: _Edge, token: int) -> bool:
    return isinstance(edge, _Take) and edge.token == token


class _Network:
    """The grammar as states; `edges[state]` None: the end of a rule."""

    def __init__(self, source: str, pause: Callable[[], None] | None = None) -> None:
        self.edges: list[_Edge] = []
        self.starts: dict[str, int] = {}
        self.ends: dict[int, str] = {}
        self.followers: dict[str, list[int]] = {}
        self.steps: dict[tuple[int, _Positions, int], _Positions] = {}
        self.java_class = -1  # the state in which one is read for a type
        self._words = iter(_words(source))
        self._word = ""
        self._calls: list[_Call] = []
        self._next()
        while self._word:
            name = self._word.removesuffix(":")
            self._next()
            start = self._state()
            end = self._block_body(start, ";")
            self.edges[end] = None
            self.starts[name], self.ends[end] = start, name
            if name == _TYPE_RULE:
                string = _token_number("STRING_LITERAL")
                self.java_class = next(at for at in range(start, len(self.edges)) if _is_take(self.edges[at], string))
            self._next()
            if pause is not None:
                pause()
        for call in self._calls:
            self.followers.setdefault(call.rule, []).append(call.target)

    # --- building ------------------------------------------------------------------------------------------------------

    def _next(self) -> None:
        self._word = next(self._words, "")

    def _state(self) -> int:
        self.edges.append(None)
        return len(self.edges) - 1

    def _block_body(self, start: int, closing: str) -> int:
        """Alternatives up to a word that begins with `closing`; returns the state behind them."""
        first = self._state()
        end, condition = self._sequence(first)
        if self._word[0] == closing and condition is None:
            self.edges[start] = _Free(first)
            return end
        ways, conditions = [first], [condition]
        join = self._state()
        self.edges[end] = _Free(join)
        while self._word == "|":
            self._next()
            way = self._state()
            end, condition = self._sequence(way)
            self.edges[end] = _Free(join)
            ways.append(way)
            conditions.append(condition)
        self.edges[start] = _Fork(tuple(ways), tuple(conditions), False, False)
        return join

    def _sequence(self, state: int) -> tuple[int, tuple[int, int] | None]:
        condition: tuple[int, int] | None = None
        while self._word[0] not in "|);":
            if self._word == "(":
                begin = self._state()
                self._next()
                end = self._block_body(begin, ")")
                suffix = self._word.removeprefix(")")
                self._next()
                if suffix == "=>":
                    condition = (begin, end)
                elif suffix and suffix != "!":
                    state = self._repeated(state, begin, end, suffix)
                else:
                    fork = self.edges[begin]
                    if suffix and isinstance(fork, _Fork):
                        self.edges[begin] = fork._replace(reads_on=True)
                    self.edges[state] = _Free(begin)
                    state = end
                continue
            target = self._state()
            if self._word == "<":
                tokens = []
                self._next()
                while self._word != ">":
                    tokens.append(_token_number(self._word))
                    self._next()
                self.edges[state] = _TakeOne(frozenset(tokens), target)
            elif self._word.islower() and self._word[0] != "'":
                call = _Call(self._word, target)
                self._calls.append(call)
                self.edges[state] = call
            else:
                self.edges[state] = _Take(_token_number(self._word), target)
            state = target
            self._next()
        return state, condition

    def _repeated(self, state: int, begin: int, end: int, suffix: str) -> int:
        """`(begin .. end)?` or `*`, whose own fork takes in that of the block."""
        edge = self.edges[begin]
        inner = edge if isinstance(edge, _Fork) else _Fork((begin,), (None,), True, False)
        past = self._state()
        ways = (*inner.ways, past)
        reads_on = suffix.endswith("!")
        self.edges[state] = _Fork(ways, (*inner.conditions, None), not reads_on, reads_on)
        self.edges[end] = _Free(state if suffix[0] == "*" else past)
        return past

    # --- looking ahead -------------------------------------------------------------------------------------------------

    def closure(self, positions: Iterable[_Position]) -> _Positions:
        """All positions before a token that lie on from these."""
        seen: set[_Position] = set()
        found: list[_Position] = []
        todo = list(positions)
        while todo:
            position = todo.pop()
            if position in seen:
                continue
            seen.add(position)
            state, way, stack = position
            edge = self.edges[state]
            if edge is None:
                followers = self.followers.get(self.ends.get(state, ""))
                if stack is not None:
                    todo.append((stack[0], way, stack[1]))
                elif followers is not None:
                    todo.extend((follower, way, None) for follower in followers)
                else:
                    found.append(position)  # behind the end of the text
            elif isinstance(edge, _Call):
                todo.append((self.starts[edge.rule], way, (edge.target, stack)))
            elif isinstance(edge, _Free):
                todo.append((edge.target, way, stack))
            elif isinstance(edge, _Fork):
                todo.extend((target, way, stack) for target in edge.ways)
            else:
                found.append(position)
        return frozenset(found)

    def step(self, fork: int, positions: _Positions, token: int) -> _Positions:
        """Where the positions lead with one token."""
        key = (fork, positions, token)
        known = self.steps.get(key)
        if known is None:
            moved: list[_Position] = []
            for state, way, stack in positions:
                edge = self.edges[state]
                if (isinstance(edge, _Take) and edge.token == token) or (
                    isinstance(edge, _TakeOne) and token in edge.tokens
                ):
                    moved.append((edge.target, way, stack))
            known = self.closure(moved)
            self.steps[key] = known
        return known


def _words(source: str) -> Iterator[str]:
    for line in source.splitlines():
        text = line.partition("//")[0]
        # parentheses are words of their own, with what is said of the group behind them
        for word in text.split():
            rest = word
            while rest:
                if rest[0] == "'":
                    size = rest.index("'", 1) + 1
                elif rest[0] == ")":
                    size = 1
                    while rest[size : size + 1] in ("=", ">", "?", "*", "!") and rest[size : size + 1]:
                        size += 1
                elif rest[0] in "(<>|;":
                    size = 1
                else:
                    size = 1
                    while size < len(rest) and (rest[size].isalnum() or rest[size] in "_:"):
                        size += 1
                yield rest[:size]
                rest = rest[size:]


def _token_number(word: str) -> int:
    if word == "EOF":
        return NUMBERS["$END"]
    if word[0] == "'":
        return Scanner.punctuation[word[1:-1]]
    return NUMBERS[word]


_networks: list[_Network] = []


def _network(pause: Callable[[], None] | None) -> _Network:
    """Made once, with pauses."""
    if not _networks:
        _networks.append(_Network(Path(__file__).with_name("descent.ebnf").read_text(encoding="utf-8"), pause))
    return _networks[0]


class _NoWayError(Exception):
    """At a fork: `token` fits none of the ways."""

    def __init__(self, token: Token) -> None:
        super().__init__(token)
        self.token = token


class _MismatchError(Exception):
    def __init__(self, token: Token, expected: str) -> None:
        super().__init__(token, expected)
        self.token, self.expected = token, expected


class _Walk:
    """One walk over a text; `index` is that of the next token in `scanner.tokens`, which has blanks and comments too.
    `java_classes`: where those that it reads for types are put."""

    def __init__(self, text: str, java_classes: list[str], pause: Callable[[], None] | None = None) -> None:
        self.network = _network(pause)
        self.pause = pause
        self.java_classes = java_classes
        self.scanner = Scanner(text, TOKENS_MAX, pause)
        self.index = self.scanner.skip(0)
        self._starts: dict[int, _Positions] = {}

    def run(self, state: int, stop: int) -> None:
        """Walks from `state` until it stands at `stop` with no rule open."""
        edges, starts, tokens = self.network.edges, self.network.starts, self.scanner.tokens
        returns: list[int] = []
        while state != stop or returns:
            edge = edges[state]
            if edge is None:
                state = returns.pop()
            elif isinstance(edge, _Free):
                state = edge.target
            elif isinstance(edge, _Call):
                returns.append(edge.target)
                state = starts[edge.rule]
            elif isinstance(edge, _Fork):
                state = edge.ways[self._decide(state, edge)]
            else:
                token = tokens[self.index]
                if isinstance(edge, _Take):
                    if token.number != edge.token:
                        raise _MismatchError(token, token_name(edge.token))
                elif token.number not in edge.tokens:
                    raise _MismatchError(token, "set null")
                if state == self.network.java_class:
                    self.java_classes.append(token.text)
                if token.number:
                    self.index = self.scanner.skip(self.index + 1)
                    if self.pause is not None:
                        self.pause()
                state = edge.target

    def _decide(self, state: int, fork: _Fork) -> int:
        network, scanner = self.network, self.scanner
        positions = self._starts.get(state)
        if positions is None:
            positions = network.closure((way, number, None) for number, way in enumerate(fork.ways))
            self._starts[state] = positions
        index = self.index
        has_conditions = any(condition is not None for condition in fork.conditions)
        for _ in range(_LOOKAHEAD_MAX):
            token = scanner.tokens[index]
            following = network.step(state, positions, token.number)
            if not following:
                if fork.is_lenient:
                    return len(fork.ways) - 1
                raise _NoWayError(token)
            if fork.reads_on and token.number:
                scanner.skip(index + 1)
            ways = {way for _, way, _ in following}
            if len(ways) == 1:
                return ways.pop()
            if has_conditions:
                chosen = self._first_met(fork, sorted(ways))
                if token.number:
                    scanner.skip(scanner.skip(index + 1) + 1)
                if chosen is not None:
                    return chosen
            positions = _without_conflicts(following)
            ways = {way for _, way, _ in positions}
            if len(ways) == 1 or token.number == 0:
                return min(ways)
            index = scanner.skip(index + 1)
        return min(ways)

    def _first_met(self, fork: _Fork, ways: list[int]) -> int | None:
        """The first way whose condition holds; one without a condition holds."""
        for way in ways:
            condition = fork.conditions[way]
            if condition is None:
                return way
            before, known = self.index, len(self.java_classes)
            try:
                self.run(*condition)
            except (_NoWayError, _MismatchError):
                continue
            else:
                return way
            finally:
                self.index = before
                del self.java_classes[known:]
        return None


def _without_conflicts(positions: _Positions) -> _Positions:
    """Of positions that differ in their way only, the one with the lowest."""
    lowest: dict[tuple[int, _Stack], int] = {}
    for state, way, stack in positions:
        key = (state, stack)
        if way < lowest.get(key, way + 1):
            lowest[key] = way
    if len(lowest) == len(positions):
        return positions
    return frozenset((state, way, stack) for (state, stack), way in lowest.items())


# What ANTLR calls a token
_KEYWORD_NUMBERS = frozenset(WORDS.values()) - {NUMBERS["BOOLEAN_LITERAL"]}
_ODD_NAMES = {
    "$END": "EOF",
    "TABLE": "K_COLUMNFAMILY",
    "NAN": "K_POSITIVE_NAN",
    "INFINITY": "K_POSITIVE_INFINITY",
    "NEGATIVE_INFINITY": "K_NEGATIVE_INFINITY",
}


def token_name(number: int) -> str:
    """As messages name the token that was expected."""
    name = TERMINALS[number]
    if name in _ODD_NAMES:
        return _ODD_NAMES[name]
    if number in _KEYWORD_NUMBERS:
        return f"K_{name}"
    for text, punctuation in Scanner.punctuation.items():
        if punctuation == number and text != "?":
            return f"'{text}'"
    return name.removesuffix("_LITERAL") if name != "STRING_LITERAL" else name


def explain(text: str, refused: int, pause: Callable[[], None] | None = None) -> CqlSyntaxError:
    """What is wrong with `text`, of whose tokens grammar.parser refused the one numbered `refused`. `pause` is called every
    now and then."""
    java_classes: list[str] = []
    if text.isascii() or _ASTRAL.search(text) is None:
        message = _explain(text, refused, java_classes, pause)
    else:  # Java counts and cuts by UTF-16
        message = _explain(_ASTRAL.sub(_surrogates, text), refused, java_classes, pause)
        message = _LONE_SURROGATE.sub("?", message).encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    return CqlSyntaxError(message, tuple(java_classes))


def _surrogates(found: re.Match[str]) -> str:
    offset = ord(found[0]) - 0x10000
    return chr(0xD800 + (offset >> 10)) + chr(0xDC00 + (offset & 0x3FF))


def _explain(text: str, refused: int, java_classes: list[str], pause: Callable[[], None] | None) -> str:
    try:
        walk = _Walk(text, java_classes, pause)
        try:
            network = walk.network
            start = network.starts["query"]
            end = next(state for state, name in network.ends.items() if name == "query")
            walk.run(start, end)
        except _NoWayError as error:
            return _message(walk, error.token, f"no viable alternative at input {error.token.shown()}")
        except _MismatchError as error:
            what = f"mismatched input {error.token.shown()} expecting {error.expected}"
            return _message(walk, error.token, what)
        except TooManyTokensError:
            pass
        walk.scanner.tokens_max = len(text) + 1
        index = walk.scanner.skip(0)
        for _ in range(refused):
            index = walk.scanner.skip(index + 1)
            if pause is not None:
                pause()
    except ScannerError as error:
        return error.message
    walk.index = index
    token = walk.scanner.tokens[index]
    return _message(walk, token, f"no viable alternative at input {token.shown()}")


def _message(walk: _Walk, token: Token, what: str) -> str:
    return f"line {token.line}:{token.column} {what}{_snippet(walk)}"


def _snippet(walk: _Walk) -> str:
    """` (...text [token] text...)`, or nothing where the text's end is among these tokens."""
    tokens, index = walk.scanner.tokens, walk.index
    first = tokens[max(0, index - _SNIPPET_BEFORE)]
    last = tokens[min(len(tokens) - 1, index + _SNIPPET_AFTER)]
    offending = tokens[min(index, len(tokens) - 1)]
    if 0 in (first.line, last.line, offending.line):
        return ""
    lines = walk.scanner.text.split("\n")
    while len(lines) > 1 and not lines[-1]:
        lines.pop()
    at_start = first.line == 1 and first.column == 0
    at_end = last.line == len(lines) and last.end == len(lines[-1])
    lines[last.line - 1] = lines[last.line - 1][: last.end]
    line = lines[offending.line - 1]
    marked = f"{line[: offending.column]}[{line[offending.column : offending.end]}]{line[offending.end :]}"
    lines[offending.line - 1] = marked
    lines[first.line - 1] = lines[first.line - 1][first.column :]
    shown = "".join(lines[first.line - 1 : last.line])
    return f" ({'' if at_start else '...'}{shown}{'' if at_end else '...'})"
