"""What `nodetool stop` ends: Cassandra's types of operations, and what such tasks are called."""

from typing import Final

STOPPABLE: Final = {
    "CLEANUP": "Cleanup",
    "COMPACTION": "Compaction",
    "GARBAGE_COLLECT": "Remove deleted data",
    "MAJOR_COMPACTION": "Major compaction",
    "SCRUB": "Scrub",
    "UPGRADE_SSTABLES": "Upgrade sstables",
    "VERIFY": "Verify",
    "VIEW_BUILD": "View build",
}
