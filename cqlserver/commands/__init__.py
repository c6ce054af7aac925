"""What `cqlserver NAME ...` does beside serving. A command's module is imported when it is run.

To add a command: write a module with `main(name, arguments) -> exit status`, and an entry here.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Command:
    module: str
    summary: str

    def main(self, name: str, arguments: list[str]) -> int:
        """Runs it; the exit status."""
        module = importlib.import_module(f"{__name__}.{self.module}")
        status: int = module.main(name, arguments)
        return status


COMMANDS: Final[Mapping[str, Command]] = {
    "run": Command("run", "runs a command with a server of its own: cqlserver run -- pytest"),
    "cluster": Command("cluster", "starts several nodes that are one cluster"),
    "ccm-home": Command("ccm_home", "lays out a folder that ccm takes for an installed Cassandra"),
    "diff": Command("diff", "the same statements here and on a Cassandra, and where answers differ"),
    "reset": Command("verbs", "empties a running server's tables"),
    "snapshot": Command("verbs", "remembers its schema and data under a name"),
    "restore": Command("verbs", "brings back what a snapshot remembers"),
    "snapshots": Command("verbs", "names the snapshots"),
    "forget": Command("verbs", "forgets a snapshot"),
    "about": Command("verbs", "says where it is, and what"),
    "execute": Command("verbs", "executes CQL"),
    "dump": Command("verbs", "writes a keyspace as files for load and --init"),
    "export": Command("verbs", "writes a copy of all data for a start with --copy-of"),
    "record": Command("verbs", "begins to record what clients ask"),
    "queries": Command("verbs", "what clients asked"),
    "habits": Command("verbs", "what of it strict mode has something against"),
    "load": Command("verbs", "executes files of CQL, writes rows of CSV, JSON or YAML"),
    "nodetool": Command("nodetool", "what Cassandra's nodetool does: flush, compact, tablestats, snapshot, ..."),
    "top": Command("top", "what a running server does, second by second: rates, latencies, compactions"),
    "fql": Command("fql", "full query logs as text, executed again, compared"),
    "auditlogviewer": Command("auditlogviewer", "a binary audit log as text"),
    "sstable": Command("sstable", "dumps, verifies and describes SSTables, without a server"),
}
