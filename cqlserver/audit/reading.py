"""The files of both logs, for tools: without a server."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cqlserver.audit.bin_log import SUFFIX

FOLLOW_S: Final = 0.1
"""Between two looks at files that may have grown."""


def files_in(paths: Sequence[Path]) -> list[Path]:
    """Each is a file, or a folder of them; the oldest first. Raises OSError."""
    found: list[Path] = []
    for path in dict.fromkeys(paths):
        found += sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else [path]
        if not path.exists():
            raise FileNotFoundError(f"{path}: there is no such file or folder")
    return found
