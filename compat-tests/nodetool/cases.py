"""Recorded cases of nodetool: commands with what they print and how they exit.

    # prose
    cql> CREATE TABLE nodetool.t (k int PRIMARY KEY)      executed first
    $ flush nosuch                                        the command
    ~ nodetool.t                                          only lines with this text are compared: others tell of more
    | nodetool: Keyspace [nosuch] does not exist.         a line of standard output
    ! error: ...                                          a line of standard error
    = 1                                                   the exit status

What can't be equal between two servers is replaced on both sides: numbers, identifiers, times, and therefore the width of
columns; and the stack traces of Java. A file that begins with `# exactly` is compared as it is. `# config: FILE` names the
cassandra.yaml, in the folder above, of the server that a file is about.
"""

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

HERE: Final = Path(__file__).parent
EXACTLY: Final = "# exactly"
CONFIG: Final = "# config: "
_REPLACED: Final = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z?"), "<time>"),
    (re.compile(r"\b\d[\d.]* (bytes|KiB|MiB|GiB)"), "<size>"),
    (re.compile(r"\b\d[\d.]*([KMG]iB|B)\b"), "<size>"),
    (re.compile(r'(?<=_latency" : )null|(?<=_latency_ms" : )null'), "<n>"),  # there were none
    (re.compile(r"(?<![\w<])-?\d[\d.]*|\.?\bNaN\b"), "<n>"),
    (re.compile(r"(?<=: )'<n>'$"), "<n>"),  # in YAML NaN has no quotes where a number has
    (re.compile(r"throttling disabled \(<n>\)"), "<n>"),  # what is set
    (re.compile(r"(?<=\S) {2,}"), " "),
    (re.compile(r" {2,}"), "  "),
    (re.compile(r" +$"), ""),
)


class Outcome(NamedTuple):
    """Lines of standard output and standard error, and the exit status."""

    out: list[str]
    error: list[str]
    status: int

    def normalised(self) -> "Outcome":
        return Outcome(*([_normalised(line) for line in lines] for lines in self[:2]), self.status)


class Case(NamedTuple):
    """`cql`: what is executed before it; `prose`: lines that stand above it; `only`: what lines have that are compared."""

    prose: list[str]
    cql: list[str]
    command: str
    outcome: Outcome | None
    only: str = ""

    @property
    def words(self) -> list[str]:
        return shlex.split(self.command)

    def normalised(self) -> "Case":
        return self._replace(outcome=self.outcome.normalised() if self.outcome is not None else None)


Run = Callable[[list[str]], tuple[str, str, int]]
"""nodetool's arguments -> standard output, standard error, exit status."""


def _normalised(line: str) -> str:
    for pattern, text in _REPLACED:
        line = pattern.sub(text, line)
    return line


def files() -> list[Path]:
    return sorted(HERE.glob("*.txt"))


def read(file: Path) -> list[Case]:
    found: list[Case] = []
    prose: list[str] = []
    cql: list[str] = []
    for line in file.read_text().splitlines():
        kind, _, rest = line.partition(" ")
        match kind:
            case "#":
                prose.append(line)
            case "cql>":
                cql.append(rest)
            case "$":
                found.append(Case(prose, cql, rest, None))
                prose, cql = [], []
            case "~":
                found[-1] = found[-1]._replace(only=rest)
            case "|" | "!" | "=":
                before = found[-1].outcome or Outcome([], [], 0)
                if kind == "=":
                    before = before._replace(status=int(rest))
                (before.out if kind == "|" else before.error if kind == "!" else []).append(rest)
                found[-1] = found[-1]._replace(outcome=before)
            case "":
                pass
            case _:
                raise ValueError(f"{file}: a line that is none: {line}")
    return found if is_exact(file) else [case.normalised() for case in found]


def is_exact(file: Path) -> bool:
    return file.read_text().startswith(EXACTLY)


def maybe_config(file: Path) -> Path | None:
    """The cassandra.yaml of the server that a file is about, if it is not the usual one."""
    named = (line.removeprefix(CONFIG) for line in file.read_text().splitlines() if line.startswith(CONFIG))
    return next((HERE.parent / name for name in named), None)


def run(file: Path, cases: list[Case], execute: Callable[[str], None], tool: Run) -> Iterator[tuple[Case, Outcome]]:
    """Runs the cases of a file, one after the other, and gives what each printed."""
    for case in cases:
        for statement in case.cql:
            execute(statement)
        out, error, status = tool(case.words)
        error = error.partition("-- StackTrace --")[0]
        outcome = Outcome([line for line in out.splitlines() if case.only in line], error.splitlines(), status)
        yield case, outcome if is_exact(file) else outcome.normalised()


def written(cases: list[Case]) -> str:
    """The text of a file."""
    lines: list[str] = []
    for case in cases:
        lines += ["", *case.prose] if lines else case.prose
        lines += [f"cql> {statement}" for statement in case.cql]
        lines.append(f"$ {case.command}")
        lines += [f"~ {case.only}"] if case.only else []
        outcome = case.outcome
        assert outcome is not None, case
        lines += [f"| {line}".rstrip() if not line else f"| {line}" for line in outcome.out]
        lines += [f"! {line}" for line in outcome.error]
        lines.append(f"= {outcome.status}")
    return "\n".join(lines) + "\n"
