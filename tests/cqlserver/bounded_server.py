"""The program with small bounds, in a process of its own: `python bounded_server.py FILE ARGUMENTS...`

What no setting says is made small before anything else is imported. Every few milliseconds it looks at what clients have,
and keeps the most that it saw in FILE, as JSON.
"""

import json
import os
import sys
import threading
import time
from pathlib import Path

from storage.environment import strands

SETTINGS = {
    "native_transport_max_concurrent_connections": 80,
    "native_transport_max_concurrent_connections_per_ip": 20,
    "native_transport_max_request_data_in_flight": "4MiB",
    "native_transport_max_request_data_in_flight_per_ip": "3MiB",
    "native_transport_receive_queue_capacity": "16KiB",
    "prepared_statements_cache_size": "1MiB",
}
STRANDS_MAX, LONG_STRANDS_MAX = 6, 4
TOKENS_MAX = COMBINATIONS_MAX = 20_000
MEMORY = {"STRAND_MEMORY_MAX": 24 << 20, "TOKENS_MEMORY": 5 << 20}
UNSENT_TOTAL_MAX = 8 << 20
SAMPLE_S = 0.005
AGAIN = ".again"
"""A file beside FILE, with this suffix: what was seen until now is forgotten."""


def shrink() -> None:
    strands.STRANDS_MAX, strands.LONG_STRANDS_MAX = STRANDS_MAX, LONG_STRANDS_MAX
    for name, size in MEMORY.items():
        setattr(strands, name, size)

    from cqlserver.connections import limits
    from cqlserver.restrictions import combinations
    from grammar import parser

    limits.UNSENT_TOTAL_MAX, limits.UNSENT_TOTAL_HIGH = UNSENT_TOTAL_MAX, UNSENT_TOTAL_MAX // 2
    limits.UNSENT_PATIENCE_S = 1.0
    parser.TOKENS_MAX, combinations.COMBINATIONS_MAX = TOKENS_MAX, COMBINATIONS_MAX


def watch(file: Path) -> None:
    """Notes the most of what there was at once, from now on."""
    from cqlserver.connections import limits
    from cqlserver.node import Node

    nodes: list[Node] = []
    begin = Node.__init__

    def begun(node: Node, *arguments: object) -> None:
        begin(node, *arguments)  # type: ignore[arg-type]
        nodes.append(node)

    Node.__init__ = begun  # type: ignore[method-assign, assignment]
    most: dict[str, int] = {}
    again = file.with_suffix(AGAIN)

    def look(node: Node) -> None:
        known, workers = node.limits, node.environment.workers
        assert isinstance(workers, strands.ThreadWorkers)
        by_address = [of_address.in_flight for of_address in list(known._by_address.values())]
        now = {
            "connections": known.connections,
            "in_flight": known.in_flight,
            "in_flight_of_one_address": max(by_address, default=0),
            "unsent": known.unsent,
            "strands": len(workers._at_work),
            "strand_memory": sum(list(workers._at_work.values())),
            "prepared": node.statements._prepared.bytes,
            "stalled": sum(session.is_stalled for session in list(node.sessions)),  # type: ignore[attr-defined]
            "resident": int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE"),
        }
        if again.exists():
            most.clear()
            again.unlink()
        for name, value in now.items():
            most[name] = max(most.get(name, 0), value)
        temporary = file.with_suffix(".new")
        temporary.write_text(json.dumps({"most": most, "now": now, "told": known.told(), "unsent": limits.UNSENT_TOTAL_MAX}))
        temporary.replace(file)

    def run() -> None:
        while True:
            time.sleep(SAMPLE_S)
            for node in nodes:
                try:
                    look(node)
                except RuntimeError:  # a dict changed meanwhile: the next look is soon
                    continue

    threading.Thread(target=run, daemon=True).start()


if __name__ == "__main__":
    shrink()
    watch(Path(sys.argv[1]))
    from cqlserver.__main__ import main

    main(sys.argv[2:])
