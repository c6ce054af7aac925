"""The text form of a compat script: steps of CQL with the outcome that Cassandra gave.

A file is a sequence of paragraphs. A paragraph of comments alone is prose; every other paragraph is a step:

    # A sentence that says what the step shows.
    @ page size 2
    SELECT k, v FROM t;
    | rows of $ks.t: k int, v text
    |   1, 'a'

`@` lines are directives (harness/directives.py), `|` lines the recorded outcome; what is left is the statement, over as many
lines as it likes, a final `;` not sent. `$ks` stands for the name of the keyspace that the script runs in. Where the ways
of asking (simple or prepared, protocol v4 or v5) answer differently, a line `|= prepared` or `|= simple v5` opens each
variant. Lines with `|?` are what PREPARE said, beside what executing gave. Parsing and rendering are inverse: rendering a
parsed script gives its text back.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.directives import Directives, parse_directives

SUFFIX = ".cql"


@dataclass(frozen=True, slots=True)
class Way:
    """One way of sending a statement: prepared or not, over one version of the protocol."""

    prepared: bool
    version: int

    @property
    def name(self) -> str:
        return f"{'prepared' if self.prepared else 'simple'} v{self.version}"


WAYS = (Way(False, 4), Way(False, 5), Way(True, 4), Way(True, 5))

_SHORT_NAMES: Mapping[frozenset[str], str] = {
    frozenset({"simple v4", "simple v5"}): "simple",
    frozenset({"prepared v4", "prepared v5"}): "prepared",
    frozenset({"simple v4", "prepared v4"}): "v4",
    frozenset({"simple v5", "prepared v5"}): "v5",
}

# Cassandra lets a superuser write to and truncate system tables, system.local included: then drivers, and the node itself
# after a restart, know nothing of it any more. Schema statements on them are refused, and may stand in scripts.
_HARMS_THE_SERVER = re.compile(
    r"\b(?:truncate(?:\s+(?:table|columnfamily))?|insert\s+into|update|delete\b[^;]*?\bfrom)\s+\"?system"
    r"|\buse\s+\"?system",
    re.IGNORECASE,
)
_CHANGES_ROLES = re.compile(r"\b(?:create|alter)\s+(?:role|user)\b|\b(?:grant|revoke)\b", re.IGNORECASE)

# Scripts of these areas run on a server where clients log in. Their roles are their own: named after their keyspace.
GUARDED_AREA = "roles_guardrails"
# Those of this one, where there is change data capture.
CAPTURED_AREA = "cdc"
ROLE_AREAS = "roles"
# In this one it is shown that they are all refused where nobody logs in.
NO_LOGIN_AREA = "auth_off"
_STRANGE_ROLE = re.compile(
    r"\b(?:create|alter|drop)\s+(?:role|user)\s+(?:if\s+(?:not\s+)?exists\s+)?+(?!['\"]?\$ks)"
    r"|\b(?:grant|revoke)\b.*\b(?:to|from)\s+(?!['\"]?\$ks)\S+$"
    r"|\badd\s+identity\s+(?:if\s+not\s+exists\s+)?+(?!'[^']*\$ks)",
    re.IGNORECASE | re.DOTALL,
)

Lines = tuple[str, ...]


class ScriptError(ValueError):
    """The file is no valid script; the message names file and line."""


@dataclass(frozen=True, slots=True)
class Step:
    """`source` holds comments, directives and statement as written; `outcome` the lines behind `|`, unparsed."""

    line: int
    source: Lines
    directives: Directives
    statements: Lines
    outcome: Lines

    @property
    def is_prose(self) -> bool:
        return not self.statements

    def with_outcome(self, by_way: Mapping[Way, Lines]) -> "Step":
        return replace(self, outcome=tuple(_merged(by_way)))


@dataclass(frozen=True, slots=True)
class Script:
    path: Path
    steps: tuple[Step, ...]

    def render(self) -> str:
        paragraphs = ("\n".join((*step.source, *(f"|{line}" for line in step.outcome))) for step in self.steps)
        return "\n\n".join(paragraphs) + "\n"

    @property
    def is_about_roles(self) -> bool:
        return is_about_roles(self.path)

    @property
    def server(self) -> str:
        """Which kind of server it needs: plain, login (clients say who they are), guarded (with low guardrails, too) or
        captured (with change data capture)."""
        if self.path.parent.name == CAPTURED_AREA:
            return "captured"
        if self.path.parent.name == GUARDED_AREA:
            return "guarded"
        return "login" if self.is_about_roles else "plain"

    @property
    def statement_count(self) -> int:
        return sum(len(step.statements) for step in self.steps)

    def with_outcomes(self, outcomes: Mapping[int, Mapping[Way, Lines]]) -> "Script":
        """`outcomes`: index of the step -> way -> lines."""
        steps = (step.with_outcome(outcomes.get(i, {})) for i, step in enumerate(self.steps))
        return replace(self, steps=tuple(steps))


def is_about_roles(path: Path) -> bool:
    return path.parent.name.startswith(ROLE_AREAS)


def _is_harmful(text: str, path: Path) -> bool:
    if is_about_roles(path):
        return _STRANGE_ROLE.search(text) is not None
    if path.parent.name != NO_LOGIN_AREA and _CHANGES_ROLES.search(text):
        return True
    return _HARMS_THE_SERVER.search(text) is not None


def parse_script(text: str, path: Path) -> Script:
    steps = []
    lines = text.splitlines()
    start = 0
    for index in range(len(lines) + 1):
        if index == len(lines) or not lines[index].strip():
            if index > start:
                steps.append(_parse_step(lines[start:index], path, start + 1))
            start = index + 1
    return Script(path, tuple(steps))


def load_script(path: Path) -> Script:
    return parse_script(path.read_text(encoding="utf-8"), path)


def _parse_step(lines: Sequence[str], path: Path, line_number: int) -> Step:
    source: list[str] = []
    outcome: list[str] = []
    directives: list[tuple[int, str]] = []
    statements: list[list[str]] = []
    open_statement = False
    for offset, line in enumerate(lines):
        if line.startswith("|"):
            outcome.append(line[1:])
            continue
        if outcome:
            raise ScriptError(f"{path}:{line_number + offset}: an outcome ends its step; a blank line is missing")
        source.append(line)
        if line.startswith("#"):
            continue
        if line.startswith("@"):
            directives.append((len(statements), line[1:].strip()))
            open_statement = False
            continue
        if not open_statement:
            statements.append([])
            open_statement = True
        statements[-1].append(line)
    try:
        parsed = parse_directives(directives)
    except ValueError as error:
        raise ScriptError(f"{path}:{line_number}: {error}") from error
    if len(statements) > 1 and parsed.batch is None:
        raise ScriptError(f"{path}:{line_number}: two statements in one step")
    texts = tuple("\n".join(parts).removesuffix(";") for parts in statements)
    for text in texts:
        if _is_harmful(text, path):
            raise ScriptError(f"{path}:{line_number}: this could damage the server that all scripts share")
    return Step(line_number, tuple(source), parsed, texts, tuple(outcome))


def _merged(by_way: Mapping[Way, Lines]) -> list[str]:
    """The outcome's lines: what PREPARE said, then what the statement did."""
    preparation = {way: tuple(line for line in lines if line.startswith("?")) for way, lines in by_way.items()}
    execution = {way: tuple(f" {line}" for line in lines if not line.startswith("?")) for way, lines in by_way.items()}
    return [*_grouped({way: lines for way, lines in preparation.items() if way.prepared}), *_grouped(execution)]


def _grouped(by_way: Mapping[Way, Lines]) -> list[str]:
    """The lines once where all ways agree, else one labelled variant for each group of ways."""
    groups: dict[Lines, list[str]] = {}
    for way in WAYS:
        if way in by_way:
            groups.setdefault(by_way[way], []).append(way.name)
    if len(groups) <= 1:
        return [line for lines in groups for line in lines]
    merged = []
    for lines, names in groups.items():
        merged.append(f"= {_SHORT_NAMES.get(frozenset(names), ', '.join(names))}")
        merged.extend(lines)
    return merged
