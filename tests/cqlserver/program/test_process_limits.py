"""What the log tells of limits at a start."""

import re
import resource
from pathlib import Path

from cqlserver.program.config import Config
from cqlserver.program.process_limits import told


def test_files_connections_and_memory(tmp_path: Path) -> None:
    group = tmp_path / "memory.max"
    group.write_text(f"{64 << 20}\n")
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    limited = Config(connections_max=0, connections_per_ip_max=7)
    assert told(limited, [group]) == (
        f"Files and sockets may be open: {files} at most; connections: 0 at most, from one address 7 at most; "
        "memory there is: 64 MiB"
    )
    group.write_text("max\n")
    text = told(Config(), [group, tmp_path / "nothing"])
    assert re.search(r"connections: no limit, from one address no limit; memory there is: \d{3,} MiB$", text)
