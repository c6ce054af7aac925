"""What samplers found, as nodetool profileload prints it and jobs log it (metrics/Sampler.java, SamplingManager.java)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from cqlserver.nodetool.printing import table

_NOTHING: Final = "   Nothing recorded during sampling period...\n"
_OF_PARTITIONS: Final = (("Table", "table"), ("Partition", "value"))
_FREQUENCY: Final = (*_OF_PARTITIONS, ("Count", "number"), ("+/-", "error"))

_SAMPLERS: Final[Mapping[str, tuple[str, tuple[tuple[str, str], ...]]]] = {
    "READS": ("Frequency of reads by partition", _FREQUENCY),
    "WRITES": ("Frequency of writes by partition", _FREQUENCY),
    "LOCAL_READ_TIME": ("Longest read query times", (("Query", "value"), ("Microseconds", "number"))),
    "READ_ROW_COUNT": ("Partitions read with the most rows", (*_OF_PARTITIONS, ("Rows", "number"))),
    "READ_TOMBSTONE_COUNT": ("Partitions read with the most tombstones", (*_OF_PARTITIONS, ("Tombstones", "number"))),
    "READ_SSTABLE_COUNT": ("Partitions read with the most sstables", (*_OF_PARTITIONS, ("SSTables", "number"))),
    "WRITE_SIZE": ("Max mutation size by partition", (*_OF_PARTITIONS, ("Bytes", "number"))),
    "CAS_CONTENTIONS": ("Frequency of CAS contention by partition", _FREQUENCY),
}
"""What each is called, and its columns with what they are of a sample."""
SAMPLERS: Final = tuple(_SAMPLERS)


def formatted(samples: Mapping[str, Sequence[Mapping[str, Any]]], wanted: Sequence[str], is_first: bool) -> str:
    """`is_first`: no line stands before it."""
    parts = []
    for name, (title, columns) in _SAMPLERS.items():
        if name in wanted:
            found = samples.get(name, ())
            rows = [["  ", *(head for head, _ in columns)]]
            rows += [["  ", *(str(sample[of]) for _, of in columns)] for sample in found]
            parts.append(f"{title}:\n{table(rows) if found else _NOTHING}")
    return ("" if is_first else "\n") + "\n".join(parts)
