"""Directives of a step: how its statement is sent (`@` lines of a script).

@ page size 2                     every page is fetched and shown
@ consistency QUORUM              the default is ONE
@ serial consistency LOCAL_SERIAL
@ values int 1, text 'a', null    bind values: a CQL type and a literal, null, unset, raw bytes (int 0x00, blob 0x61*70000)
@ values k = int 1, v = unset     the same by name
@ timestamp 1000                  the request's default timestamp, in microseconds
@ now 2000000000                  now_in_seconds of protocol v5 (such a step runs over v5 only)
@ keyspace $ks                    the request's keyspace, protocol v5 (such a step runs over v5 only)
@ only simple                     restricts the ways: simple, prepared, v4, v5, or two of them
@ connection new                  a fresh connection that has no keyspace
@ as $ks_alice/secret             a connection of that role's: the same for all such steps, unless it is to be new
@ connection used                 a fresh connection that has said USE and nothing else
@ skip metadata                   the request asks for no result metadata
@ traced                          with the tracing flag: what system_traces tells of it belongs to the outcome
@ until rows                      asked again until it gives rows, for what comes by itself
@ down 2 3                        before it, these nodes of three are taken down and all others had back; `none`: all are up
@ paused 2 3                      before it, these nodes fall silent, and nobody is told; `none`: all are heard of again
@ contended until TEXT            all nodes are sent it at once, over and over, until an error like TEXT, which is the answer
@ at 2                            it goes to this node and not to the first one
@ batch unlogged                  a BATCH message: logged, unlogged or counter; its statements follow
@ and                             separates the statements of such a batch (as `@ values` before one does)
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

CONSISTENCIES: Mapping[str, int] = {
    "ANY": 0,
    "ONE": 1,
    "TWO": 2,
    "THREE": 3,
    "QUORUM": 4,
    "ALL": 5,
    "LOCAL_QUORUM": 6,
    "EACH_QUORUM": 7,
    "SERIAL": 8,
    "LOCAL_SERIAL": 9,
    "LOCAL_ONE": 10,
    "NODE_LOCAL": 11,
}

BATCH_KINDS: Mapping[str, int] = {"logged": 0, "unlogged": 1, "counter": 2}


@dataclass(slots=True)
class Directives:
    """`values`: index of the statement -> its bind values as text (one statement has index 0)."""

    page_size: int | None = None
    consistency: int = 1
    serial_consistency: int | None = None
    timestamp_us: int | None = None
    now_s: int | None = None
    keyspace: str | None = None
    batch: int | None = None
    new_connection: bool = False
    used: bool = False
    credentials: tuple[str, str] | None = None
    skip_metadata: bool = False
    traced: bool = False
    until_rows: bool = False
    contended_until: str | None = None
    at: int | None = None
    down: frozenset[int] | None = None
    paused: frozenset[int] | None = None
    only: frozenset[str] = frozenset()
    values: dict[int, str] = field(default_factory=dict)

    def allows(self, prepared: bool, version: int) -> bool:
        if version < 5 and (self.now_s is not None or self.keyspace is not None):
            return False
        return self.only <= {"prepared" if prepared else "simple", f"v{version}"}


def parse_directives(lines: Sequence[tuple[int, str]]) -> Directives:
    """`lines`: (how many statements stood before it, the directive). ValueError for one that is unknown."""
    result = Directives()
    for index, line in lines:
        _apply(result, index, line)
    return result


def _apply(result: Directives, index: int, line: str) -> None:
    if line == "and":
        return
    if line in ("connection new", "connection used"):
        result.new_connection, result.used = True, line == "connection used"
    elif found := re.fullmatch(r"as (\S+?)/(\S*)", line):
        result.credentials = found[1], found[2]
    elif line == "skip metadata":
        result.skip_metadata = True
    elif line == "traced":
        result.traced = True
    elif found := re.fullmatch(r"(down|paused) (none|[123](?: [123])*)", line):
        numbers = frozenset() if found[2] == "none" else frozenset(map(int, found[2].split()))
        if found[1] == "down":
            result.down = numbers
        else:
            result.paused = numbers
    elif found := re.fullmatch(r"at ([123])", line):
        result.at = int(found[1])
    elif found := re.fullmatch(r"contended until (.+)", line):
        result.contended_until = found[1]
    elif line == "until rows":
        result.until_rows = True
    elif found := re.fullmatch(r"page size (-?\d+)", line):
        result.page_size = int(found[1])
    elif found := re.fullmatch(r"consistency (\w+)", line):
        result.consistency = CONSISTENCIES[found[1]]
    elif found := re.fullmatch(r"serial consistency (\w+)", line):
        result.serial_consistency = CONSISTENCIES[found[1]]
    elif found := re.fullmatch(r"timestamp (-?\d+)", line):
        result.timestamp_us = int(found[1])
    elif found := re.fullmatch(r"now (-?\d+)", line):
        result.now_s = int(found[1])
    elif found := re.fullmatch(r"keyspace (\S+)", line):
        result.keyspace = found[1]
    elif found := re.fullmatch(r"batch (\w+)", line):
        result.batch = BATCH_KINDS[found[1]]
    elif found := re.fullmatch(r"only ((?:simple|prepared|v4|v5)(?: (?:simple|prepared|v4|v5))?)", line):
        result.only = frozenset(found[1].split())
    elif found := re.fullmatch(r"values (.*)", line):
        result.values[index] = found[1]
    else:
        raise ValueError(f"unknown directive: {line!r}")
