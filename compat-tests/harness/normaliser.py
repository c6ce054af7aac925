"""The one place that knows what can't be equal between two servers or two runs, and what stands for it in an outcome.

- the name of the script's keyspace, in every text: `$ks`
- on several nodes the replication factor, where the script has one replica (runner.Cluster)
- uuid and timeuuid values, also inside messages, that the script does not write itself: `<uuid>`, `<timeuuid>`
- timestamps and dates of today (and write times in a bigint of a `writetime` column): `<now>`
- what is left of a TTL that the script sets: `<ttl 100>` for 90 to 100 seconds
- the time of day of `currenttime()`: `<time>`
- the id of a prepared statement, in messages: `<id>`
- `tojson` in names of result columns: `to_json`; Cassandra keeps one function per type under the name that came first
- what Java says of a null pointer or a wrong cast: only the class, since a warm Java machine leaves the rest out
- warnings about how many keyspaces and tables the server has: they depend on who else uses it; left out
- the address of a node that failed: `<node>`
- how many SSTables a trace tells of: `<n>`; its events about what a server may not have or be: a commit log, SSTables with a
  row, messages to itself; left out (docs/compatibility.md)
- the order of a function's known signatures, in messages: Cassandra keeps them by identity hash, it changes with each start

Everything else must be equal.
"""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_JAVA_SLIPS = re.compile(r"(java\.lang\.(?:NullPointer|ClassCast|ArrayIndexOutOfBounds)Exception)\b.*", re.DOTALL)
_SIGNATURES = re.compile(r"(known type signatures: |matched by following signatures: )(.*)(\))", re.DOTALL)
_STATEMENT_ID = re.compile(r"\b[0-9a-f]{32}\b")
_NODE = re.compile(r"(?<=from /)127\.0\.0\.\d+:\d+|b'\\x7f\\x00\\x00(?:\\x[0-9a-f]{2}|\\[tnr]|[^\\])'(?=: \d)")
_TTL = re.compile(r"(?:ttl|default_time_to_live\s*=)\s+(\d+)", re.IGNORECASE)
_TTL_IN_JSON = re.compile(r'("[^"]*\bttl\([^"]*": )(\d+)')
_OF_SERVERS_ALONE = re.compile(
    r"Appending to commitlog$|Submitt(ed|ing) .*range requests|Partition index found|Key cache hit|Bloom filter"
)
_SSTABLES = re.compile(r"\d+(/\d+)?(?= (?:non-slice-intersecting )?sstables\b)")
_SERVER_SIZE = re.compile(r"As a rule of thumb|Cluster already contains \d+")

_FACTOR = r"('(?:replication_factor|datacenter1)'+: '*)%d\b"

_DAY_S = 86_400
_TTL_SLACK_S = 10


@dataclass(frozen=True, slots=True)
class Normaliser:
    """For one script that runs in `keyspace`; `script_text` tells which ids and TTLs are the script's own."""

    keyspace: str
    script_text: str
    replicas: int = 1
    """Of what the script has one of (runner.Cluster)."""

    def text(self, text: str) -> str:
        """A message or a name."""
        text = text.replace(self.keyspace, "$ks").replace("system.tojson(", "system.to_json(")
        if self.replicas > 1:
            text = re.sub(_FACTOR % self.replicas, r"\g<1>1", text)
        text = _JAVA_SLIPS.sub(r"\1", text)
        text = _SIGNATURES.sub(lambda found: found[1] + _sorted_signatures(found[2]) + found[3], text)
        text = _NODE.sub("<node>", text)
        text = _UUID.sub(lambda found: self._uuid(found[0]), text)
        return _STATEMENT_ID.sub(lambda found: found[0] if found[0] in self.script_text else "<id>", text)

    def activity(self, text: str) -> str | None:
        """An event of a trace; None of one that is left out."""
        if _OF_SERVERS_ALONE.match(text):
            return None
        return _SSTABLES.sub("<n>", self.text(text))

    def value(self, column: str, type_name: str, literal: str) -> str:
        """A value's literal, by the CQL type of its column."""
        text = self.text(literal)
        if "writetime(" in column:
            return re.sub(r"\d{16}", lambda found: self._moment(found[0], 1_000_000), text)
        if type_name == "bigint" and "unixtimestamp(" in column.lower():
            return self._moment(text, 1000)
        if column == "[json]":
            return _TTL_IN_JSON.sub(lambda found: found[1] + self._ttl(found[2]), text)
        if "ttl(" in column:
            return re.sub(r"\d+", lambda found: self._ttl(found[0]), text)
        if type_name in ("timestamp", "date"):
            return "<now>" if text[1:11] in _today() else text
        if type_name == "time" and "current" in column:
            return "<time>"
        return text

    def warnings(self, warnings: Sequence[str]) -> list[str]:
        return [self.text(warning) for warning in warnings if not _SERVER_SIZE.search(warning)]

    def _uuid(self, text: str) -> str:
        if text in self.script_text.lower():
            return text
        return "<timeuuid>" if text[14] == "1" else "<uuid>"

    def _ttl(self, text: str) -> str:
        if text.isdigit():
            for written in sorted({int(number) for number in _TTL.findall(self.script_text)}):
                if written - _TTL_SLACK_S <= int(text) <= written and written > _TTL_SLACK_S:
                    return f"<ttl {written}>"
        return text

    @staticmethod
    def _moment(text: str, per_second: int) -> str:
        return "<now>" if text.isdigit() and abs(int(text) / per_second - time.time()) < _DAY_S else text


def _today() -> tuple[str, ...]:
    now = time.time()
    return tuple(time.strftime("%Y-%m-%d", time.gmtime(now + offset)) for offset in (-_DAY_S, 0, _DAY_S))


def _sorted_signatures(text: str) -> str:
    return ", ".join(sorted(re.split(r", (?=[\w.$]+ : \()", text)))
